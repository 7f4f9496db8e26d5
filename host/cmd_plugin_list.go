package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

// notInstalled is the state of what a sync mode uses and the folder does not have.
const notInstalled = "not installed"

// A pluginRow is a plugin as the folder and the host tell of it.
type pluginRow struct {
	Name     string         `json:"name"`
	Kind     string         `json:"kind"`
	File     string         `json:"file,omitempty"`
	Pinned   string         `json:"pinned_sha256,omitempty"`
	Found    string         `json:"found_sha256,omitempty"`
	State    string         `json:"state"` // of the binary
	Previous string         `json:"previous_sha256,omitempty"`
	Modes    []string       `json:"modes"`
	Host     *client.Plugin `json:"host,omitempty"` // as the running host has it
}

// stale reports whether the host runs another binary than the one that is pinned.
func (r pluginRow) stale() bool {
	return r.State != supervise.StateUnknown && r.Host != nil && r.Host.Running && deref(r.Host.Sha256) != r.Pinned
}

// well reports whether there is nothing to do about the plugin.
func (r pluginRow) well() bool {
	if r.State == notInstalled {
		return true // doctor says whether anybody needs it
	}
	return r.State == supervise.StateGood && !r.stale() && (r.Host == nil || r.Host.Running)
}

// nothingPinned reports whether there are binaries, and the folder pins none of them.
func nothingPinned(rows []pluginRow) bool {
	return slices.ContainsFunc(rows, func(r pluginRow) bool { return r.State == supervise.StateUnknown }) &&
		!slices.ContainsFunc(rows, func(r pluginRow) bool { return r.Pinned != "" })
}

// printUnpinned says that nothing is pinned, if so.
func (c catalogue) printUnpinned(out io.Writer, rows []pluginRow) {
	if nothingPinned(rows) {
		fmt.Fprintf(out, "Nothing is pinned in %s, so no plugin is started: pin what is there with roomwire plugin lock, or one of several versions with roomwire plugin install FILE.\n",
			filepath.Join(c.dir, supervise.LockFile))
	}
}

// rows joins the folder, the configuration and the host.
func (c catalogue) rows(cmd *cobra.Command) ([]pluginRow, error) {
	entries, err := c.entries()
	if err != nil {
		return nil, err
	}
	running, err := c.running(cmd.Context())
	if err != nil {
		return nil, err
	}
	var rows []pluginRow
	for _, e := range entries {
		r := pluginRow{Name: e.Name, Kind: e.Kind, File: e.File, Pinned: e.SHA256, Found: e.Found, State: e.State, Modes: modesOf(c.cfg, e.Name)}
		if e.State == supervise.StateUnknown {
			if slices.ContainsFunc(entries, func(o supervise.Entry) bool { return o.Name == e.Name && o.State != supervise.StateUnknown }) {
				continue // another version of what is pinned
			}
			r.Pinned = ""
		}
		if e.Previous != nil {
			r.Previous = e.Previous.SHA256
		}
		if p, is := running[e.Name]; is {
			r.Host, r.Modes = &p, deref(p.Modes)
			delete(running, e.Name)
		}
		rows = append(rows, r)
	}
	for _, p := range running { // in use, and not in the folder
		rows = append(rows, pluginRow{Name: p.Name, Kind: deref(p.Kind), State: notInstalled, Modes: deref(p.Modes), Host: &p})
	}
	slices.SortFunc(rows, func(a, b pluginRow) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

func pluginListCmd(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the plugins: what is pinned, whether it is what it was, and how it runs",
		Long: `List the plugins of the plugin folder and those that the host uses.

WIRE is the major version of the protocol between host and plugin; CALLS and P99 (of the last ten minutes) are the host's
calls, whatever the server answered; RESTARTS are those that nobody asked for. Exit code 1 if something is not well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.catalogue(cmd)
			if err != nil {
				return err
			}
			defer c.done()
			rows, err := c.rows(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), rows)
			} else {
				err = c.printPlugins(cmd, rows)
			}
			if err == nil && slices.ContainsFunc(rows, func(r pluginRow) bool { return !r.well() }) {
				err = errShown
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c catalogue) printPlugins(cmd *cobra.Command, rows []pluginRow) error {
	out := cmd.OutOrStdout()
	if len(rows) == 0 {
		fmt.Fprintf(out, "There is no plugin in %s: add one with roomwire plugin install FILE.\n", c.dir)
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tVERSION\tWIRE\tSHA-256\tBINARY\tMODES\tRUNNING SINCE\tRESTARTS\tCALLS\tP99\tMEMORY")
	for _, r := range rows {
		p := deref(r.Host)
		state, _, _ := strings.Cut(r.State, ":")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Kind, dash(p.Version), number(p.Protocol), short(r.Pinned), state,
			dash(strings.Join(r.Modes, ",")), r.runs(c.admin != nil), inUse(r.Host, p.Restarts), number(p.Calls), brief(p.P99Seconds), mebibytes(p.Memory))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for _, line := range r.remarks() {
			fmt.Fprintf(out, "%s: %s\n", r.Name, line)
		}
	}
	c.printUnpinned(out, rows)
	if c.admin == nil {
		fmt.Fprintln(out, "No host runs: how plugins run is not known.")
	}
	return nil
}

func (r pluginRow) runs(host bool) string {
	switch {
	case r.Host != nil && r.Host.Running:
		return when(r.Host.Since)
	case r.Host != nil && deref(r.Host.Loop):
		return "down, crash loop"
	case r.Host != nil:
		return "down"
	case host:
		return "not used"
	}
	return "-"
}

// remarks says what is not well, and what to do.
func (r pluginRow) remarks() []string {
	var out []string
	switch {
	case strings.HasPrefix(r.State, "changed"):
		out = append(out, r.State+" (found "+short(r.Found)+"). If what is there is meant, pin it with roomwire plugin lock; else put back what was pinned.")
	case r.State != supervise.StateGood && r.State != notInstalled:
		out = append(out, r.State+". roomwire plugin install FILE puts it right.")
	}
	p := r.Host
	if p == nil {
		return out
	}
	if !p.Running {
		line := "it does not run: " + deref(p.Problem)
		if p.Retry != nil {
			line += "; it is tried again at " + p.Retry.Local().Format("15:04:05")
		}
		out = append(out, line)
	}
	if r.stale() {
		out = append(out, fmt.Sprintf("the host runs %s, which is not what is pinned: roomwire plugin restart %s takes that", short(deref(p.Sha256)), r.Name))
	}
	if p.Running && deref(p.LastEnd) != "" && lately(p.LastEndAt, 24*time.Hour) {
		out = append(out, fmt.Sprintf("its process before this one ended at %s: %s", when(p.LastEndAt), *p.LastEnd))
	}
	if lately(p.TimedOutAt, time.Hour) {
		out = append(out, fmt.Sprintf("%d of its calls were given up because they took too long, the last at %s", deref(p.TimedOut), when(p.TimedOutAt)))
	}
	if lately(p.LogDroppedAt, time.Hour) {
		out = append(out, fmt.Sprintf("%d lines of its log were dropped: it writes too much", deref(p.LogDropped)))
	}
	return out
}

func pluginShowCmd(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a plugin: its settings, what it can do, how it runs",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.catalogue(cmd)
			if err != nil {
				return err
			}
			defer c.done()
			rows, err := c.rows(cmd)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(rows, func(r pluginRow) bool { return r.Name == args[0] })
			if i < 0 {
				return c.noPlugin(args[0], rows)
			}
			r := rows[i]
			settings, err := c.settings(cmd, r)
			if asJSON {
				if err == nil && r.Host == nil {
					r.Host = &client.Plugin{Name: r.Name, Settings: &settings}
				}
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = printPlugin(cmd.OutOrStdout(), r, settings, err)
				c.printUnpinned(cmd.OutOrStdout(), rows)
			}
			if err == nil && nothingPinned(rows) {
				err = errShown
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printPlugin shows one plugin with its settings, or why these are not known.
func printPlugin(out io.Writer, r pluginRow, settings []client.PluginSetting, unknown error) error {
	r.print(out)
	if unknown != nil {
		fmt.Fprintf(out, "\nIts settings are not known: %v\n", unknown)
		return errShown
	}
	return printSettings(out, r.Name, settings)
}

func (c catalogue) noPlugin(name string, rows []pluginRow) error {
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return fmt.Errorf("there is no plugin %q in %s (there are: %s)", name, c.dir, dash(strings.Join(names, ", ")))
}

// settings asks a plugin which settings it takes; one that does not run is started for that, and stopped again.
func (c catalogue) settings(cmd *cobra.Command, r pluginRow) ([]client.PluginSetting, error) {
	if r.Host != nil && r.Host.Settings != nil {
		return *r.Host.Settings, nil
	}
	all, errs := supervise.Describe(cmd.Context(), supervise.Options{Dir: c.dir}, []string{r.Name})
	if err := errs[r.Name]; err != nil {
		return nil, err
	}
	about := all[r.Name]
	var out []client.PluginSetting
	for _, s := range about.Settings {
		one := client.PluginSetting{Name: s.Name, Type: s.Type, Required: s.Required, Secret: s.Secret}
		if s.Doc != "" {
			one.Doc = &s.Doc
		}
		out = append(out, one)
	}
	return out, nil
}

func (r pluginRow) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" && value != "-" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("name", r.Name)
	line("binary", r.File)
	line("SHA-256", r.Pinned)
	line("state", r.State)
	line("previous", r.Previous)
	line("sync modes", strings.Join(r.Modes, ", "))
	if p := r.Host; p != nil {
		line("version", p.Version)
		line("wire", number(p.Protocol))
		line("process", number(p.Pid))
		line("abilities", strings.Join(deref(p.Abilities), "; "))
		line("running since", r.runs(true))
		line("restarts", fmt.Sprint(p.Restarts))
		line("calls", fmt.Sprintf("%d, of which %d failed and %d timed out", deref(p.Calls), deref(p.Failed), deref(p.TimedOut)))
		if p.P99Seconds != nil {
			line("call time", fmt.Sprintf("median %s, 99 %% within %s", brief(p.P50Seconds), brief(p.P99Seconds)))
		}
		line("memory", mebibytes(p.Memory))
		line("CPU time", brief(p.CPUSeconds))
	}
	for _, remark := range r.remarks() {
		line("remark", remark)
	}
	_ = w.Flush()
}

func printSettings(out io.Writer, plugin string, settings []client.PluginSetting) error {
	if len(settings) == 0 {
		fmt.Fprintln(out, "\nIt takes no settings.")
		return nil
	}
	block := "backend_settings { … }"
	if name, auth := strings.CutPrefix(plugin, "auth-"); auth {
		block = fmt.Sprintf("auth_settings %q { … }", name)
	}
	fmt.Fprintf(out, "\nIts settings, for %s of a sync_mode:\n", block)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		var marks []string
		if s.Required {
			marks = append(marks, "required")
		}
		if s.Secret {
			marks = append(marks, "secret")
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", s.Name, s.Type, strings.Join(marks, ", "), deref(s.Doc))
	}
	return w.Flush()
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func number[N int | int64](n *N) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func inUse(p *client.Plugin, n int) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(n)
}

func brief(s *float64) string {
	if s == nil {
		return "-"
	}
	d := time.Duration(*s * float64(time.Second))
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func mebibytes(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(*n)/(1<<20))
}

// lately reports whether a moment is recent enough to be told of.
func lately(at *time.Time, within time.Duration) bool { return at != nil && time.Since(*at) < within }
