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
	"path/filepath"
	"strings"
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
		os.Exit(codeOf(err))
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
  roomwire serve                 run it; roomwire service install makes it a service of the machine
  roomwire doctor                see whether all is well, and what to do if not
  roomwire person test ID        go the whole way once, on a real mailbox

Exit codes: 0 done; 1 it failed, and the message says why; 2 the command line is not understood. doctor and
service status have their own: see their --help.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	cmd.SetVersionTemplate("roomwire {{.Version}}\n")
	cmd.PersistentFlags().StringVar(&f.configDir, "config", "", "folder of roomwire.hcl and RoomsAppSettings.config (default: $ROOMWIRE_CONFIG, else configs here or beside the program)")
	cmd.PersistentFlags().StringVar(&f.tenant, "tenant", "", "tenant (Mandant); needed only if there are several")
	cmd.AddCommand(serveCmd(&f), demoCmd(), configCmd(&f), pluginCmd(&f), personCmd(&f), bookingCmd(&f), syncCmd(&f),
		diffCmd(&f), doctorCmd(&f), apikeyCmd(&f), webhookCmd(&f), serviceCmd(&f), versionCmd())
	strict(cmd)
	return cmd
}

// A usageError is a command line that is not understood.
type usageError struct{ error }

// strict has every command say how it is used when it is used otherwise. Without it, a slip in the name of a subcommand
// prints the help and counts as success.
func strict(cmd *cobra.Command) {
	wrong := func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nIt is used so: %s (more: %s --help)", err, cmd.UseLine(), cmd.CommandPath())}
	}
	cmd.SetFlagErrorFunc(wrong)
	allowed := cmd.Args
	switch {
	case cmd.HasSubCommands() && !cmd.Runnable():
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			near := ""
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				near = fmt.Sprintf(": did you mean %q?", like[0])
			}
			return usageError{fmt.Errorf("there is no command %q%s\n%s --help lists them", cmd.CommandPath()+" "+args[0], near, cmd.CommandPath())}
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.SuggestionsMinimumDistance, cmd.DisableFlagsInUseLine = 2, true
	case allowed != nil:
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := allowed(cmd, args); err != nil {
				return wrong(cmd, errors.New("the arguments do not fit"))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "roomwire "+version) },
	}
}

// load reads the configuration. What is wrong with it is printed, and so are mere warnings if the command is about the
// configuration; an error means that it cannot be used.
func (f *flags) load(cmd *cobra.Command, warnings bool) (*config.Config, error) {
	src, err := f.source()
	if err != nil {
		return nil, err
	}
	cfg, diags := config.Load(src)
	if len(diags) > 0 && (warnings || diags.HasErrors()) {
		fmt.Fprint(cmd.ErrOrStderr(), diags)
	}
	if diags.HasErrors() {
		return nil, errShown
	}
	return cfg, nil
}

// source says where the configuration comes from.
func (f *flags) source() (config.Source, error) {
	exe, err := os.Executable()
	if err != nil {
		return config.Source{}, fmt.Errorf("find out where this program lies: %w", err)
	}
	return config.Source{Dir: f.configFolder(exe), Environ: os.Environ(), Executable: exe}, nil
}

// configFolder is the one that --config or ROOMWIRE_CONFIG names, else configs in the working folder, else configs beside the
// executable; empty if there is none of them, and the defaults hold.
func (f *flags) configFolder(exe string) string {
	if f.configDir != "" {
		return f.configDir
	}
	if dir := os.Getenv("ROOMWIRE_CONFIG"); dir != "" {
		return dir
	}
	for _, dir := range []string{"configs", filepath.Join(filepath.Dir(exe), "configs")} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
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
	return "", fmt.Errorf("there are several tenants; say which with --tenant: %s", strings.Join(names, ", "))
}
