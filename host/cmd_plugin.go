package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

func pluginCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugin", Short: "Install, replace and look at plugins, while the host runs",
		Long: `Plugins are programs in the plugin folder (plugins.dir). Only those are started whose SHA-256 is in its plugins.lock.

  roomwire plugin list                   what there is, and how it runs
  roomwire plugin install FILE           add a plugin, or a new version of one, and pin it
  roomwire plugin swap NAME FILE         replace a plugin by another binary while its work goes on
  roomwire plugin rollback NAME          take the version before again
  roomwire plugin restart NAME           a new process of the same binary
  roomwire plugin remove NAME            unpin and delete it
  roomwire plugin lock                   pin what lies in the folder
  roomwire plugin new backend|auth NAME  begin one of your own
  roomwire plugin verify                 are the binaries what was pinned; with --conformance, is one good

A running host does this without losing a call: the new process is started and checked, takes over, and the old one ends
when its calls are over. If the new one is no good, the old one goes on. Without a host the folder alone is changed.`,
	}
	cmd.AddCommand(pluginListCmd(f), pluginShowCmd(f), pluginInstallCmd(f), pluginSwapCmd(f), pluginRollbackCmd(f),
		pluginRestartCmd(f), pluginRemoveCmd(f), pluginLockCmd(f), pluginVerifyCmd(f), pluginNewCmd())
	return cmd
}

func pluginLockCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "lock [DIR]",
		Short: "Pin the plugin binaries of a folder as they are",
		Long: `Write plugins.lock in the plugin folder with the SHA-256 of every roomwire-auth-NAME and roomwire-backend-NAME
in it, and say which pins have changed. A binary that is not in the list, or is not what it was, is not started. What
"roomwire plugin install" put there stays pinned, unless a newer binary was put there by hand. If the list is lost or cannot be
read, such a plugin is not pinned, since nothing says which of its versions is meant; exit code 1 then.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			} else {
				cfg, err := f.load(cmd, false)
				if err != nil {
					return err
				}
				dir = cfg.Plugins.Dir
			}
			release, err := hold(cmd, dir)
			if err != nil {
				return err
			}
			defer release()
			locked, err := supervise.WriteLock(dir)
			printLocked(cmd.OutOrStdout(), dir, locked)
			return err
		},
	}
}

// printLocked says what has changed, and what was not taken.
func printLocked(out io.Writer, dir string, l supervise.Locked) {
	for _, line := range l.Unread {
		fmt.Fprintf(out, "A line of %s was no pin, and is left out: %s\n", supervise.LockFile, line)
	}
	for _, c := range l.Changes {
		note := ""
		if c.To == "" {
			note = " (it is no longer there)"
		}
		fmt.Fprintf(out, "%s: %s → %s%s\n", c.Name, short(c.From), short(c.To), note)
	}
	for _, p := range l.Passed {
		fmt.Fprintf(out, "%s: %s (%s) is no newer than what is pinned, so that stays; if it is meant: roomwire plugin install %s\n",
			p.Name, p.File, short(p.SHA256), filepath.Join(dir, p.File))
	}
	fmt.Fprintf(out, "pinned %d plugins in %s\n", len(l.Pins), dir)
}

// holdTime is how long a command waits for another one that changes the plugin folder.
const holdTime = 5 * time.Second

// hold keeps other commands from changing a plugin folder until release is called.
func hold(cmd *cobra.Command, dir string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), holdTime)
	defer cancel()
	return supervise.Hold(ctx, dir, cmd.CommandPath())
}

// A catalogue is the plugin folder and the host that runs on it, if one does.
type catalogue struct {
	*admin // nil while no host runs
	cfg    *config.Config
	dir    string
}

func (c catalogue) done() {
	if c.admin != nil {
		c.close()
	}
}

// catalogue opens the plugin folder, and the running host.
func (f *flags) catalogue(cmd *cobra.Command) (catalogue, error) {
	cfg, err := f.load(cmd, false)
	if err != nil {
		return catalogue{}, err
	}
	c := catalogue{cfg: cfg, dir: cfg.Plugins.Dir}
	base, _, _, err := runningHost(cfg)
	if err != nil || base == "" {
		return c, err
	}
	whole := *f
	whole.tenant = cfg.Tenants[0].Name // plugins serve all tenants
	c.admin, err = whole.connect(cmd)
	return c, err
}

// running returns what the host says of its plugins, by name; nil while none runs.
func (c catalogue) running(ctx context.Context) (map[string]client.Plugin, error) {
	if c.admin == nil {
		return nil, nil
	}
	res, err := c.GetHostWithResponse(ctx, c.tenant)
	if err := client.Check(res, err); err != nil {
		return nil, err
	}
	all := map[string]client.Plugin{}
	for _, p := range res.JSON200.Plugins {
		all[p.Name] = p
	}
	return all, nil
}

// entries returns what is in the plugin folder. Without a list of pins, nothing of it is known.
func (c catalogue) entries() ([]supervise.Entry, error) {
	entries, err := supervise.List(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return supervise.Unpinned(c.dir)
	}
	return entries, err
}

// modesOf names the sync modes of the configuration that use a plugin.
func modesOf(cfg *config.Config, plugin string) []string {
	var out []string
	for _, m := range cfg.SyncModes {
		uses := plugin == "backend-"+m.Backend
		for _, a := range m.Auth {
			uses = uses || plugin == "auth-"+a
		}
		if uses {
			out = append(out, m.Name)
		}
	}
	return out
}

// short is enough of a sum to tell two apart.
func short(sum string) string {
	if sum == "" {
		return "-"
	}
	return sum[:min(12, len(sum))]
}
