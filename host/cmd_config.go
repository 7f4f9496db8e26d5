package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
)

func configCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check, show, apply and import the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check RoomsAppSettings.config, roomwire.hcl and the environment",
		Long: `Check the configuration and explain every fault with file, line and remedy. The plugins that it names are started, asked
which settings they take, and stopped. Nothing is changed. Exit code 1 if it cannot be used.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.loadChecked(cmd)
			if err != nil {
				return err
			}
			if l := cfg.Listen; l.Notifications.Addr == l.API.Addr && !strings.HasSuffix(l.API.Addr, ":0") {
				return fmt.Errorf("listen: notifications and api have the same address %s: give each a port of its own in roomwire.hcl", l.API.Addr)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The configuration in %s is good: %d tenant(s), %d sync mode(s).\n",
				cfg.Dir, len(cfg.Tenants), len(cfg.SyncModes))
			for _, t := range cfg.Tenants {
				fmt.Fprintf(cmd.OutOrStdout(), "  tenant %q: %s\n", t.Name, arrivals(cfg, t))
			}
			for _, m := range cfg.AllModes() {
				login := "no authentication"
				if len(m.Auth) > 0 {
					login = "authentication " + strings.Join(m.Auth, ", else ")
				}
				fmt.Fprintf(cmd.OutOrStdout(), "  sync mode %q: backend %s, %s, notices by %s\n", m.Name, m.Backend, login, m.Notices)
			}
			return nil
		},
	}, configApplyCmd(f), configImportCmd(f), configMailsCmd(f), &cobra.Command{
		Use:   "show",
		Short: "Show the configuration in force and where each value comes from; secrets are hidden",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd, true)
			if err != nil {
				return err
			}
			schemas := app.Schemas(cmd.Context(), cfg)
			if diags := cfg.CheckPlugins(schemas); len(diags) > 0 {
				fmt.Fprint(cmd.ErrOrStderr(), diags) // what is in force is shown all the same
			}
			fmt.Fprint(cmd.OutOrStdout(), cfg.Knowing(schemas).Redacted())
			return nil
		},
	})
	return cmd
}

// arrivals says where the servers of a tenant's sync modes send their notices to.
func arrivals(cfg *config.Config, t config.Tenant) string {
	at := cfg.NotificationURLs(t)
	if len(at) == 0 {
		return "no notification URL: the server cannot call in, so the host listens to it or reads calendars by the clock"
	}
	return "notices arrive at " + strings.Join(at, " and ")
}

// loadChecked reads the configuration and compares the settings of plugins with what these declare. Plugins that cannot
// be asked are told of and are no fault: other modes work, and the persons of these are told.
func (f *flags) loadChecked(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := f.load(cmd, true)
	if err != nil {
		return nil, err
	}
	diags := append(cfg.CheckPlugins(app.Schemas(cmd.Context(), cfg)), app.CheckLetters(cfg)...)
	if len(diags) > 0 {
		fmt.Fprint(cmd.ErrOrStderr(), diags)
	}
	if diags.HasErrors() {
		return nil, errShown
	}
	return cfg, nil
}
