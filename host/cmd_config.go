package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func configCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check RoomsAppSettings.config, roomwire.hcl and the environment",
		Long:  "Check the configuration and explain every fault with file, line and remedy. Nothing is changed. Exit code 1 if it cannot be used.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd, true)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The configuration in %s is good: %d tenant(s), %d sync mode(s).\n",
				cfg.Dir, len(cfg.Tenants), len(cfg.SyncModes))
			for _, t := range cfg.Tenants {
				url := t.NotificationURL()
				if url == "" {
					url = "none: changes in calendars are looked for by the clock"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "  tenant %q: notices arrive at %s\n", t.Name, url)
			}
			for _, m := range cfg.SyncModes {
				fmt.Fprintf(cmd.OutOrStdout(), "  sync mode %q: backend %s, authentication %v\n", m.Name, m.Backend, m.Auth)
			}
			return nil
		},
	}, &cobra.Command{
		Use:   "show",
		Short: "Show the configuration in force and where each value comes from; secrets are hidden",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd, true)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), cfg.Redacted())
			return nil
		},
	})
	return cmd
}
