package main

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/scaffold"
)

func pluginNewCmd() *cobra.Command {
	var o scaffold.Options
	cmd := &cobra.Command{
		Use:   "new backend|auth NAME",
		Short: "Write a plugin of your own to begin from: it compiles and keeps the contract",
		Long: `Write a Go module with a new plugin: it compiles, passes the conformance suite against a calendar server in memory, and
has a Makefile and a README that says what to change first. It needs Go on this machine to be built.

NAME is what the configuration calls it: lower-case letters, digits and hyphens. The module is written to the folder
roomwire-backend-NAME or roomwire-auth-NAME, which must not be there yet.

  roomwire plugin new backend mycalendar
  roomwire plugin new auth mytoken --dir ~/src/mytoken --module example.com/roomwire-auth-mytoken`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Kind, o.Name, o.Version = args[0], args[1], version
			if o.SDK == "" {
				o.SDK = scaffold.Checkout(".")
			}
			if o.Dir == "" {
				o.Dir = "roomwire-" + o.Kind + "-" + o.Name
			}
			return newPlugin(cmd, o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder of the module (default: roomwire-KIND-NAME here)")
	cmd.Flags().StringVar(&o.Module, "module", "", "path of the module (default: roomwire-KIND-NAME)")
	cmd.Flags().StringVar(&o.SDK, "sdk", "", "checkout of Roomwire to build with (default: the one that this folder is in, else this version's release)")
	return cmd
}

// newPlugin writes a plugin and says what to type next.
func newPlugin(cmd *cobra.Command, o scaffold.Options) error {
	m, err := scaffold.Write(o)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "wrote %s, the module %s:\n", m.Dir, m.Path)
	for _, name := range m.Files {
		fmt.Fprintf(out, "  %s\n", name)
	}
	if o.SDK != "" {
		fmt.Fprintln(out, `It is built with a checkout of Roomwire (the line "replace" in its go.mod).`)
	}
	if err := m.Tidy(cmd.Context()); err != nil {
		return fmt.Errorf("it is written, but cannot be built yet: %w", err)
	}
	binary := filepath.Join("bin", m.Binary)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	fmt.Fprintf(out, "Next:\n  cd %s\n  make test                  # or: go test ./...\n  make build                 # or: go build -o %s .\n",
		shown(m.Dir), shown(binary))
	fmt.Fprintln(out, "README.md says what to change first.")
	return nil
}

// shown is a path as a shell takes it.
func shown(path string) string {
	for _, r := range path {
		if r == ' ' || r == '\'' || r == '(' || r == ')' || r == '&' {
			return fmt.Sprintf("%q", path)
		}
	}
	return path
}
