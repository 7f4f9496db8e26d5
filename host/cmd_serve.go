package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

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

// serve runs the host, tells the service manager when it serves, and takes another configuration over at SIGHUP.
func (f *flags) serve(ctx context.Context, cmd *cobra.Command, tell service.Manager) error {
	hup := make(chan os.Signal, 1) // from the beginning: by itself the signal ends the process
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	src, err := f.source()
	if err != nil {
		return err
	}
	cfg, err := f.load(cmd, true)
	if err != nil {
		return err
	}
	log := newLog(cfg, cmd.ErrOrStderr())
	told := func(err error) {
		if err != nil {
			log.Warn("the service manager does not know how the host is, and may end it", "error", err)
		}
	}
	a, err := app.New(ctx, app.Options{
		Config: cfg, Log: log, Version: version, Failpoint: failpoint(),
		Load:  func() (*config.Config, config.Diagnostics) { return config.Load(src) },
		Ready: func() { told(tell.Ready()) },
		Reloading: func(begins bool) {
			if begins {
				told(tell.Reloading())
			} else {
				told(tell.Ready())
			}
		},
	})
	if err != nil {
		return err
	}
	defer a.Close()
	for _, line := range a.Addresses() {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	var reloads sync.WaitGroup
	defer reloads.Wait()
	reloading, stop := context.WithCancel(ctx)
	defer stop()
	reloads.Go(func() { reloadAt(reloading, hup, a, log) })
	return a.Run(ctx)
}

// reloadAt takes another configuration over whenever hup tells, until ctx ends.
func reloadAt(ctx context.Context, hup <-chan os.Signal, a *app.App, log hclog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		_, err := a.Reload(ctx)
		if _, said := errors.AsType[*app.RefusedError](err); err != nil && !said {
			log.Error("the changed configuration could not be taken over", "error", err)
		}
	}
}

func newLog(cfg *config.Config, to io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "roomwire", Level: hclog.LevelFromString(cfg.Log.Level), JSONFormat: cfg.Log.Format == "json", Output: to,
	})
}
