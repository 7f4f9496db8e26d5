package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

func configCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check, show and apply the configuration"}
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
			if l := cfg.Listen; l.Notifications.Addr == l.API.Addr && !strings.HasSuffix(l.API.Addr, ":0") {
				return fmt.Errorf("listen: notifications and api have the same address %s: give each a port of its own in roomwire.hcl", l.API.Addr)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The configuration in %s is good: %d tenant(s), %d sync mode(s).\n",
				cfg.Dir, len(cfg.Tenants), len(cfg.SyncModes))
			for _, t := range cfg.Tenants {
				arrive := "notices arrive at " + t.NotificationURL()
				if t.NotificationURL() == "" {
					arrive = "no notification URL: the server cannot call in, so the host listens to it or reads calendars by the clock"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "  tenant %q: %s\n", t.Name, arrive)
			}
			for _, m := range cfg.SyncModes {
				fmt.Fprintf(cmd.OutOrStdout(), "  sync mode %q: backend %s, authentication %s, notices by %s\n",
					m.Name, m.Backend, strings.Join(m.Auth, ", else "), m.Notices)
			}
			return checkPlugins(cmd.ErrOrStderr(), cfg)
		},
	}, configApplyCmd(f), &cobra.Command{
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

// checkPlugins says which plugins that the sync modes name cannot be started. It is no fault of the configuration: other
// modes work, and the persons of these are told.
func checkPlugins(out io.Writer, cfg *config.Config) error {
	entries, err := supervise.List(cfg.Plugins.Dir)
	if err != nil {
		fmt.Fprintf(out, "Warning: no plugin can be started: %v\n", err)
		return nil
	}
	state := map[string]string{}
	for _, e := range entries {
		state[e.Name] = e.State
	}
	for _, m := range cfg.SyncModes {
		wanted := []string{"backend-" + m.Backend}
		for _, a := range m.Auth {
			wanted = append(wanted, "auth-"+a)
		}
		for _, name := range wanted {
			switch s, known := state[name]; {
			case !known:
				fmt.Fprintf(out, "Warning: sync mode %q cannot be used: its plugin %s is not in %s\n", m.Name, name, cfg.Plugins.Dir)
			case s != supervise.StateGood:
				fmt.Fprintf(out, "Warning: sync mode %q cannot be used: its plugin %s is %s (see roomwire plugin list)\n", m.Name, name, s)
			}
		}
	}
	return nil
}
