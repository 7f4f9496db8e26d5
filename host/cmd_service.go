package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/service"
)

// An exitCode ends the program with that code when everything was said already.
type exitCode int

func (exitCode) Error() string { return "" }

// Is makes it an errShown.
func (exitCode) Is(err error) bool { return err == errShown }

// codeOf is what the program ends with.
func codeOf(err error) int {
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// serviceFlags are those of all commands on the service.
type serviceFlags struct{ name, root string }

func (sf *serviceFlags) open() (service.Controller, error) { return service.Open(sf.name, sf.root) }

// openPrivileged refuses who may not change anything, before anything is changed.
func (sf *serviceFlags) openPrivileged() (service.Controller, error) {
	c, err := sf.open()
	if err != nil {
		return nil, err
	}
	if sf.root == "/" {
		if err := service.Privileged(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func serviceCmd(f *flags) *cobra.Command {
	var sf serviceFlags
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Run the host as a service of this machine",
		Long: `Run the host as a service: of systemd on Linux, of launchd on macOS, of the service manager on Windows.

  roomwire service install --config /etc/roomwire
  roomwire service start
  roomwire service status`,
	}
	cmd.PersistentFlags().StringVar(&sf.name, "name", service.DefaultName, "the service's name, where there are several hosts")
	cmd.PersistentFlags().StringVar(&sf.root, "root", "/", "work on the file tree of another machine")
	_ = cmd.PersistentFlags().MarkHidden("root")
	cmd.AddCommand(serviceInstallCmd(f, &sf),
		serviceVerbCmd(&sf, service.Start, "Start the service; returns when the host serves", "running"),
		serviceVerbCmd(&sf, service.Stop, "Stop the service; returns when the work under way is finished", "stopped"),
		serviceVerbCmd(&sf, service.Restart, "Stop and start the service", "running again"),
		serviceStatusCmd(&sf),
		&cobra.Command{
			Use: "uninstall", Short: "Stop and remove the service; configuration and data stay", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := sf.openPrivileged()
				if err != nil {
					return err
				}
				rep, err := c.Uninstall(cmd.Context())
				printReport(cmd.OutOrStdout(), rep)
				return err
			},
		})
	return cmd
}

func serviceInstallCmd(f *flags, sf *serviceFlags) *cobra.Command {
	var spec service.Spec
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Check the configuration and install the service; it starts with the machine",
		Long: `Check the configuration as "roomwire config check" does, and install the service, which runs this very program. It
starts with the machine from then on; "roomwire service start" starts it now. A service of the same name that this command
did not install is left alone, unless --force is given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sf.openPrivileged()
			if err != nil {
				return err
			}
			if err := f.completeSpec(cmd, &spec, sf.name); err != nil {
				return err
			}
			rep, err := c.Install(cmd.Context(), spec)
			printReport(cmd.OutOrStdout(), rep)
			return err
		},
	}
	cmd.Flags().StringVar(&spec.User, "user", "", "the account it runs as (default: one of its own; on macOS root)")
	cmd.Flags().StringVar(&spec.LogFile, "log-file", "", "log to this file (default: the journal on Linux, else where the platform expects it)")
	cmd.Flags().StringVar(&spec.Credentials, "credentials", "", "Linux: folder of secrets that only root may read; systemd hands each file to the service")
	cmd.Flags().BoolVar(&spec.Force, "force", false, "replace a service of this name, whoever made it")
	return cmd
}

// completeSpec finds out what the service needs to know, and refuses a faulty configuration.
func (f *flags) completeSpec(cmd *cobra.Command, s *service.Spec, name string) (err error) {
	if s.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("find out where this program lies: %w", err)
	}
	if f.configDir = f.configFolder(s.Executable); f.configDir == "" {
		return errors.New("there is no configuration folder here; name it: --config DIR")
	}
	if s.LogFile == "" {
		s.LogFile = service.DefaultLogFile(name)
	}
	for _, p := range []*string{&s.Executable, &f.configDir, &s.LogFile, &s.Credentials} {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return fmt.Errorf("the working folder is not known: %w", err)
		}
	}
	s.ConfigDir = f.configDir
	if s.Credentials != "" {
		// The service will find them where systemd puts them; the check finds them here.
		if err := os.Setenv("CREDENTIALS_DIRECTORY", s.Credentials); err != nil {
			return fmt.Errorf("point to the credentials: %w", err)
		}
	}
	if err := sameAsConfigCheck(cmd); err != nil {
		return err
	}
	cfg, err := f.load(cmd, false)
	if err != nil {
		return err
	}
	s.DataDir, s.PluginDir, s.LowPorts = app.DataDir(cfg), cfg.Plugins.Dir, lowPorts(cfg)
	warnOfVariables(cmd.ErrOrStderr(), os.Environ())
	return nil
}

// sameAsConfigCheck runs `config check` itself, so that the two never differ.
func sameAsConfigCheck(cmd *cobra.Command) error {
	check, _, err := cmd.Root().Find([]string{"config", "check"})
	if err != nil {
		return err
	}
	check.SetContext(cmd.Context())
	return check.RunE(check, nil)
}

func lowPorts(cfg *config.Config) bool {
	for _, l := range []config.Listener{cfg.Listen.Notifications, cfg.Listen.API} {
		_, port, _ := net.SplitHostPort(l.Addr)
		if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 1024 {
			return true
		}
	}
	return false
}

// warnOfVariables names the variables of this shell that the check saw and the service will not.
func warnOfVariables(out io.Writer, environ []string) {
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "ROOMWIRE_") && name != "ROOMWIRE_CONFIG" {
			fmt.Fprintf(out, "Warning: the service does not get the variable %s of this shell: write the setting into roomwire.hcl\n", name)
		}
	}
}

func serviceVerbCmd(sf *serviceFlags, verb service.Verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: string(verb), Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sf.openPrivileged()
			if err != nil {
				return err
			}
			if err := c.Control(cmd.Context(), verb); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", sf.name, done)
			return nil
		},
	}
}

func serviceStatusCmd(sf *serviceFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show whether the service runs, and where it logs",
		Long:  "Show the service. Exit code 0: it runs. 3: it is installed and does not run. 4: it is not installed. 1: it cannot be found out.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sf.open()
			if err != nil {
				return err
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if err := printStatus(cmd.OutOrStdout(), st, asJSON); err != nil {
				return err
			}
			if code := st.ExitCode(); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func printStatus(out io.Writer, st service.Status, asJSON bool) error {
	if asJSON {
		v := struct {
			Name  string     `json:"name"`
			State string     `json:"state"`
			PID   int        `json:"pid,omitempty"`
			Since *time.Time `json:"since,omitempty"`
			Text  string     `json:"text,omitempty"`
			Unit  string     `json:"unit,omitempty"`
			Logs  string     `json:"logs,omitempty"`
		}{Name: st.Name, State: string(st.State), PID: st.PID, Text: st.Text, Unit: st.Unit, Logs: st.Logs}
		if !st.Since.IsZero() {
			v.Since = &st.Since
		}
		return json.NewEncoder(out).Encode(v)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", label, value)
		}
	}
	line("service", st.Name)
	line("state", string(st.State))
	line("says", st.Text)
	if st.PID != 0 {
		line("process", strconv.Itoa(st.PID))
	}
	if !st.Since.IsZero() {
		line("since", st.Since.Local().Format(time.DateTime))
	}
	line("unit", st.Unit)
	line("logs", st.Logs)
	if st.State == service.NotInstalled {
		line("next", "roomwire service install --config DIR")
	}
	return w.Flush()
}

func printReport(out io.Writer, rep service.Report) {
	for _, did := range rep.Done {
		fmt.Fprintln(out, "  "+did)
	}
	for _, next := range rep.Next {
		fmt.Fprintln(out, next)
	}
}
