// Command roomwire keeps the bookings of a room and desk booking system and people's Exchange calendars the same.
//
// This package holds flags and output only, one file per group of commands; what they do is in internal/.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Windows has none, and nobody's calendar may hang on the machine's

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/config"
)

// version is set by the linker.
var version = "dev"

// errShown ends the program with exit code 1 when everything was said already.
var errShown = errors.New("")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errShown) {
		fmt.Fprintln(os.Stderr, "roomwire: "+err.Error())
	}
	if err != nil {
		stop()
		os.Exit(1)
	}
}

// flags are those that every command knows.
type flags struct {
	configDir string
	tenant    string
}

func root() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "roomwire",
		Short: "Keep room and desk bookings and Exchange calendars the same",
		Long: `Roomwire keeps the bookings of a room and desk booking system and people's Exchange calendars the same.

  roomwire demo                  see it work, on sample people, without any server
  roomwire config check          check the configuration
  roomwire person import FILE    say who is to be kept in sync
  roomwire serve                 run it`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	cmd.SetVersionTemplate("roomwire {{.Version}}\n")
	cmd.PersistentFlags().StringVar(&f.configDir, "config", "", "folder of roomwire.hcl and RoomsAppSettings.config (default: configs)")
	cmd.PersistentFlags().StringVar(&f.tenant, "tenant", "", "tenant (Mandant); needed only if there are several")
	cmd.AddCommand(serveCmd(&f), demoCmd(), configCmd(&f), pluginCmd(&f), personCmd(&f), bookingCmd(&f), syncCmd(&f),
		diffCmd(&f), apikeyCmd(&f), versionCmd())
	return cmd
}

func versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "roomwire "+version) },
	}
}

// load reads the configuration and prints what is wrong with it; an error means that it cannot be used.
func (f *flags) load(cmd *cobra.Command) (*config.Config, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find out where this program lies: %w", err)
	}
	cfg, diags := config.Load(config.Source{Dir: f.configDir, Environ: os.Environ(), Executable: exe})
	if len(diags) > 0 {
		fmt.Fprint(cmd.ErrOrStderr(), diags)
	}
	if diags.HasErrors() {
		return nil, errShown
	}
	return cfg, nil
}

// pickTenant returns the tenant that --tenant names, or the only one.
func (f *flags) pickTenant(cfg *config.Config) (string, error) {
	if f.tenant != "" {
		t, found := cfg.Tenant(f.tenant)
		if !found {
			return "", fmt.Errorf("there is no tenant %q in the configuration", f.tenant)
		}
		return t.Name, nil
	}
	if len(cfg.Tenants) == 1 {
		return cfg.Tenants[0].Name, nil
	}
	names := make([]string, len(cfg.Tenants))
	for i, t := range cfg.Tenants {
		names[i] = t.Name
	}
	return "", fmt.Errorf("there are several tenants; say which with --tenant: %q", names)
}
