package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/logfile"
	"github.com/roomwire/roomwire/host/internal/service"
)

func serveCmd(f *flags) *cobra.Command {
	var file logfile.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the host: notification endpoint, REST, sync",
		Long: `Run the host until it is told to stop (SIGTERM, Ctrl-C, the service manager). Work under way is finished first;
what cannot be finished in time is repeated at the next start, and nothing is lost. A second Ctrl-C ends it at once.

It logs to standard error, or to a file (--log-file). A service is set up with "roomwire service install".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return service.Run(cmd.Context(), func(ctx context.Context, tell service.Manager) error {
				if file.Path != "" {
					w, err := logfile.Open(file)
					if err != nil {
						return err
					}
					defer w.Close()
					cmd.SetOut(w)
					cmd.SetErr(w)
				}
				err := f.serve(ctx, cmd, tell)
				if err != nil && file.Path != "" {
					if errors.Is(err, errShown) {
						err = fmt.Errorf("the configuration cannot be used; why is in %s", file.Path)
					}
					fmt.Fprintln(cmd.ErrOrStderr(), "roomwire: "+err.Error())
				}
				if err != nil {
					_ = tell.Status(err.Error()) // the process's end says the rest
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&file.Path, "log-file", "", "log to this file; when it is full, it is put aside and a new one begun")
	cmd.Flags().IntVar(&file.SizeMB, "log-size", 50, "with --log-file: how large the file may grow, in MB")
	cmd.Flags().IntVar(&file.Keep, "log-keep", 10, "with --log-file: how many full files are kept (0: all)")
	cmd.Flags().IntVar(&file.Days, "log-days", 30, "with --log-file: how many days full files are kept (0: for ever)")
	return cmd
}

// serve runs the host and tells the service manager when it serves.
func (f *flags) serve(ctx context.Context, cmd *cobra.Command, tell service.Manager) error {
	cfg, err := f.load(cmd, true)
	if err != nil {
		return err
	}
	log := newLog(cfg, cmd.ErrOrStderr())
	a, err := app.New(ctx, app.Options{Config: cfg, Log: log, Version: version, Failpoint: failpoint()})
	if err != nil {
		return err
	}
	defer a.Close()
	for _, line := range a.Addresses() {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	if err := tell.Ready(); err != nil {
		log.Warn("the service manager does not know that the host runs, and may end it", "error", err)
	}
	return a.Run(ctx)
}

func newLog(cfg *config.Config, to io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "roomwire", Level: hclog.LevelFromString(cfg.Log.Level), JSONFormat: cfg.Log.Format == "json", Output: to,
	})
}
