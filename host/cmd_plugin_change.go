package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

func pluginInstallCmd(f *flags) *cobra.Command {
	var sum, name string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "install FILE",
		Short: "Add a plugin, or a new version of one, and pin it",
		Long: `Copy a plugin's binary into the plugin folder, see that it is one that this host can run, and pin it. It lies there
under a name of its own, so what runs is not touched, and the version before stays for "roomwire plugin rollback".

If the running host uses the plugin already, the new version takes over at once, as with "roomwire plugin swap". A plugin
that is no good is not installed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.putIn(cmd, putIn{file: args[0], name: name, sum: sum, drain: drain})
		},
	}
	cmd.Flags().StringVar(&sum, "sha256", "", "the sum that the file must have, as its publisher tells it")
	cmd.Flags().StringVar(&name, "name", "", "the plugin's name, e.g. backend-caldav; by default what the file's name says")
	drainFlag(cmd, &drain)
	return cmd
}

func pluginSwapCmd(f *flags) *cobra.Command {
	var sum string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "swap NAME FILE",
		Short: "Replace a plugin by another binary while its work goes on",
		Long: `Have the running host replace a plugin by another binary, and pin that: the new process is started and asked what it
is, its settings are compared with the configuration, and it is given everything that is open in the old one. Then calls go
to it, and the old one ends when its own calls are over, at the latest after --drain. If any step fails, the old one goes
on and stays pinned.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.putIn(cmd, putIn{file: args[1], name: args[0], sum: sum, drain: drain, known: true})
		},
	}
	cmd.Flags().StringVar(&sum, "sha256", "", "the sum that the file must have, as its publisher tells it")
	drainFlag(cmd, &drain)
	return cmd
}

func drainFlag(cmd *cobra.Command, drain *time.Duration) {
	cmd.Flags().DurationVar(drain, "drain", 30*time.Second, "how long calls under way may go on in the old process, up to 2m")
}

// putIn is a binary to be pinned and run.
type putIn struct {
	file, name, sum string
	drain           time.Duration
	known           bool // the plugin must be there already
}

func (f *flags) putIn(cmd *cobra.Command, in putIn) error {
	c, err := f.catalogue(cmd)
	if err != nil {
		return err
	}
	defer c.done()
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("make the plugin folder: %w", err)
	}
	release, err := hold(cmd, c.dir)
	if err != nil {
		return err
	}
	defer release()
	entries, err := c.entries()
	if err != nil {
		return err
	}
	is := func(e supervise.Entry) bool { return e.Name == in.name && e.State != supervise.StateUnknown }
	if in.known && !slices.ContainsFunc(entries, is) {
		return fmt.Errorf("plugin %q is not installed in %s: add it with roomwire plugin install %s", in.name, c.dir, in.file)
	}
	p, err := supervise.Stage(c.dir, in.file, in.name, in.sum)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e supervise.Entry) bool {
		return e.Name == p.Name && e.SHA256 == p.SHA256 && e.State == supervise.StateGood
	}) {
		fmt.Fprintf(cmd.OutOrStdout(), "%s is pinned already with this very binary (%s).\n", p.Name, short(p.SHA256))
		return supervise.Discard(c.dir, p)
	}
	was := slices.ContainsFunc(entries, func(e supervise.Entry) bool { return e.File == p.File && e.Found == p.SHA256 })
	return c.take(cmd, taking{p, !was, in.drain})
}

// A taking is a binary of the folder that is to be run and pinned.
type taking struct {
	supervise.Pin
	ours  bool // this command put the binary there, so it may take it away again
	drain time.Duration
}

// take has a binary of the folder run, and pins it. If it is no good, everything stays as it is.
func (c catalogue) take(cmd *cobra.Command, t taking) error {
	unused, err := c.replace(cmd, t.Pin, t.drain)
	var refused *client.Error
	switch {
	case err != nil && (c.admin == nil || errors.As(err, &refused)):
		err = fmt.Errorf("%s was not taken, and everything is as before: %w", t.File, err)
		return errors.Join(err, c.discard(cmd, t))
	case err != nil:
		if err := c.unanswered(cmd, t.Pin, err); err != nil {
			return err
		}
	case !unused:
		if err := c.stayed(cmd, t); err != nil {
			return err
		}
	}
	if err := supervise.Take(c.dir, t.Pin); err != nil {
		return fmt.Errorf("%s was taken, but could not be pinned, so at its next start the host takes what is pinned now: %w", t.File, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "pinned in %s: %s  %s\n", filepath.Join(c.dir, supervise.LockFile), t.SHA256, t.File)
	if err := supervise.Sweep(c.dir, t.Name); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "roomwire: warning: %v\n", err)
	}
	return nil
}

// askTime is how long the host may take to say how it is.
const askTime = 10 * time.Second

// runs asks the host how it has a plugin, also when the command was interrupted; the zero value if it does not use it.
func (c catalogue) runs(cmd *cobra.Command, name string) (client.Plugin, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), askTime)
	defer cancel()
	all, err := c.running(ctx)
	return all[name], err
}

// unanswered finds out what became of a plugin when the host's answer did not arrive. It returns nil if the plugin was taken.
func (c catalogue) unanswered(cmd *cobra.Command, p supervise.Pin, why error) error {
	now, err := c.runs(cmd, p.Name)
	if err == nil && now.Running && deref(now.Sha256) == p.SHA256 {
		fmt.Fprintf(cmd.OutOrStdout(), "The host's answer did not arrive (%v), but it runs %s version %s (%s) now.\n", why, p.Name, now.Version, short(p.SHA256))
		return nil
	}
	state := ""
	switch {
	case err != nil:
		state = "nor does it say now what it runs: " + err.Error()
	case now.Running:
		state = "and now it runs " + short(deref(now.Sha256))
	default:
		state = "and now it runs none of that name"
	}
	return fmt.Errorf("it is not known whether the host takes %s: its answer did not arrive (%w), %s. The file stays there and is not pinned; see roomwire plugin list, and repeat the command",
		p.File, why, state)
}

// stayed sees that what the host has taken still runs. What ended already is not pinned.
func (c catalogue) stayed(cmd *cobra.Command, t taking) error {
	now, err := c.runs(cmd, t.Name)
	switch {
	case err != nil:
		return fmt.Errorf("the host took %s, but does not say whether it still runs: %w; it stays there and is not pinned: see roomwire plugin list, and repeat the command", t.File, err)
	case now.Running && deref(now.Sha256) == t.SHA256:
		return nil
	}
	then := "it does not run now: " + deref(now.Problem)
	if now.Running {
		then = fmt.Sprintf("version %s (%s) runs again", now.Version, short(deref(now.Sha256)))
	}
	err = fmt.Errorf("%s took over and ended right after that (%s), so it is not pinned; %s", t.File, dash(deref(now.LastEnd)), then)
	return errors.Join(err, c.discard(cmd, t))
}

// discard removes what this command put there, unless the host runs it or may do so.
func (c catalogue) discard(cmd *cobra.Command, t taking) error {
	if !t.ours {
		return nil
	}
	if c.admin != nil {
		now, err := c.runs(cmd, t.Name)
		if err != nil {
			return fmt.Errorf("%s stays there, since the host does not say what it runs: %w", t.File, err)
		}
		if deref(now.Sha256) == t.SHA256 {
			return nil
		}
	}
	return supervise.Discard(c.dir, t.Pin)
}

// replace has the host replace a plugin's process by one of the given binary, or of the pinned one if p has no file. While no
// host runs, or it does not use the plugin, the binary is only tried; unused is true then.
func (c catalogue) replace(cmd *cobra.Command, p supervise.Pin, drain time.Duration) (unused bool, err error) {
	out := cmd.OutOrStdout()
	if c.admin == nil {
		about, err := supervise.DescribeBinary(cmd.Context(), supervise.Options{Dir: c.dir, Log: hclog.NewNullLogger()}, p)
		if err != nil {
			return true, err
		}
		fmt.Fprintf(out, "%s version %s can be run; no host runs now.\n", p.Name, about.Version)
		return true, nil
	}
	seconds := int(drain.Round(time.Second).Seconds())
	in := client.SwapInput{DrainSeconds: &seconds}
	if p.File != "" {
		in.File, in.Sha256 = &p.File, &p.SHA256
	}
	res, err := c.SwapPluginWithResponse(cmd.Context(), c.tenant, p.Name, nil, in)
	if err := client.Check(res, err); err != nil {
		return false, err
	}
	s := res.JSON200
	switch {
	case s.Unused:
		fmt.Fprintf(out, "%s version %s can be run; no sync mode uses it yet.\n", p.Name, s.To)
	case deref(s.From) == "":
		fmt.Fprintf(out, "%s version %s runs now; it did not run before.\n", p.Name, s.To)
	default:
		fmt.Fprintf(out, "%s version %s runs now, before it was %s: %s opened beforehand, and no call could begin for %s.\n",
			p.Name, s.To, *s.From, instances(s.Instances), brief(&s.PauseSeconds))
	}
	if deref(s.CutOff) != "" {
		fmt.Fprintf(out, "Some calls of the old process were still under way after %s and were cut off; they are made again.\n", drain)
	}
	return s.Unused, nil
}

func pluginRollbackCmd(f *flags) *cobra.Command {
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Take the version of a plugin that was pinned before",
		Long: `Replace a plugin by the version that was pinned before the present one, as "roomwire plugin swap" does, and pin it. The
present one stays there: a second rollback takes it again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.catalogue(cmd)
			if err != nil {
				return err
			}
			defer c.done()
			release, err := hold(cmd, c.dir)
			if err != nil {
				return err
			}
			defer release()
			p, err := supervise.Before(c.dir, args[0])
			if err != nil {
				return err
			}
			return c.take(cmd, taking{Pin: p, drain: drain})
		},
	}
	drainFlag(cmd, &drain)
	return cmd
}

func pluginRestartCmd(f *flags) *cobra.Command {
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "restart NAME",
		Short: "Replace a plugin's process by a new one of the binary that is pinned",
		Long: `Have the running host replace a plugin's process by a new one of the binary that is pinned, without losing a call. For a
plugin that is down and waits, it is the way to have it tried at once.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.catalogue(cmd)
			if err != nil {
				return err
			}
			defer c.done()
			if c.admin == nil {
				return errors.New("no host runs, so no plugin does: start it with roomwire serve, or roomwire service start")
			}
			// What is pinned must not change meanwhile. Who may not change the folder may restart all the same.
			release, err := hold(cmd, c.dir)
			switch {
			case errors.Is(err, supervise.ErrHeld):
				return err
			case err == nil:
				defer release()
			}
			_, err = c.replace(cmd, supervise.Pin{Name: args[0]}, drain)
			return err
		},
	}
	drainFlag(cmd, &drain)
	return cmd
}

func pluginRemoveCmd(f *flags) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Unpin a plugin and delete its binaries",
		Long: `Unpin a plugin, end its process once its calls are over, and delete its binaries, the version before as well. One that
a sync mode uses is removed only with --force: the persons of that mode are not kept in sync any more, and their state says
why. Take the sync_mode out of the configuration, or give its persons another mode, before.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.catalogue(cmd)
			if err != nil {
				return err
			}
			defer c.done()
			return c.remove(cmd, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "even if sync modes use it")
	return cmd
}

func (c catalogue) remove(cmd *cobra.Command, name string, force bool) error {
	release, err := hold(cmd, c.dir)
	if err != nil {
		return err
	}
	defer release()
	modes := modesOf(c.cfg, name)
	running, err := c.running(cmd.Context())
	if err != nil {
		return err
	}
	if p, is := running[name]; is {
		modes = deref(p.Modes)
	}
	if len(modes) > 0 && !force {
		return fmt.Errorf("plugin %s is used by sync mode %s, whose persons would not be kept in sync any more: take it out of the configuration first, or say --force",
			name, strings.Join(modes, ", "))
	}
	was, err := supervise.Unpin(c.dir, name)
	if err != nil {
		return err
	}
	if c.admin != nil {
		res, err := c.StopPluginWithResponse(cmd.Context(), c.tenant, name, nil)
		if err := client.Check(res, err); err != nil {
			return fmt.Errorf("plugin %s is no longer pinned, but its process could not be ended: %w", name, err)
		}
	}
	deleted, err := supervise.Drop(c.dir, name)
	if err != nil {
		return err
	}
	if !was && !deleted {
		return fmt.Errorf("there is no plugin %q in %s", name, c.dir)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is removed from %s.\n", name, c.dir)
	if len(modes) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "The persons of sync mode %s are not kept in sync any more.\n", strings.Join(modes, ", "))
	}
	return nil
}

func instances(n int) string {
	if n == 1 {
		return "1 instance was"
	}
	return fmt.Sprintf("%d instances were", n)
}
