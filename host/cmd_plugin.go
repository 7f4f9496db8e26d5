package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/supervise"
)

func pluginCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "Pin and list plugins"}
	cmd.AddCommand(&cobra.Command{
		Use:   "lock [DIR]",
		Short: "Pin the plugin binaries of a folder: only these are started",
		Long: `Write plugins.lock in the plugin folder with the SHA-256 of every roomwire-auth-NAME and roomwire-backend-NAME
in it. A binary that is not in the list, or is not what it was, is not started.`,
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
			pins, err := supervise.WriteLock(dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "pinned %d plugins in %s\n", len(pins), dir)
			return nil
		},
	}, &cobra.Command{
		Use:   "list",
		Short: "List the pinned plugins and whether their binaries are what they were",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd, false)
			if err != nil {
				return err
			}
			entries, err := supervise.List(cfg.Plugins.Dir)
			if err != nil {
				return err
			}
			bad := false
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tKIND\tPINNED SHA-256\tFOUND\tSTATE")
			for _, e := range entries {
				pinned, found := short(e.SHA256), short(e.Found)
				if e.State == supervise.StateUnknown {
					pinned = "-"
				}
				bad = bad || e.State != supervise.StateGood
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Kind, pinned, found, e.State)
			}
			if err := w.Flush(); err != nil || !bad {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "If what is there is what you want, pin it with `roomwire plugin lock`; else put back what was pinned.")
			return errShown
		},
	})
	cmd.AddCommand(pluginVerifyCmd(f))
	return cmd
}

// short is enough of a sum to tell two apart.
func short(sum string) string {
	if sum == "" {
		return "-"
	}
	return sum[:min(12, len(sum))] + "…"
}
