package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
)

func serveCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the host: notification endpoint, REST, sync",
		Long: `Run the host until it is told to stop (SIGTERM, Ctrl-C). Work under way is finished first; what cannot be
finished in time is repeated at the next start, and nothing is lost.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd, true)
			if err != nil {
				return err
			}
			a, err := app.New(cmd.Context(), app.Options{Config: cfg, Log: newLog(cfg), Version: version, Failpoint: failpoint()})
			if err != nil {
				return err
			}
			defer a.Close()
			for _, line := range a.Addresses() {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return a.Run(cmd.Context())
		},
	}
}

func newLog(cfg *config.Config) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "roomwire", Level: hclog.LevelFromString(cfg.Log.Level), JSONFormat: cfg.Log.Format == "json", Output: os.Stderr,
	})
}
