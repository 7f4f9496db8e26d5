package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
)

func configApplyCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "apply [DIR]",
		Short: "Put a changed configuration into force, without a restart",
		Long: `Check the configuration and have the running host take it over, without a restart: persons whose settings did not
change notice nothing. What changed is printed, secrets as "changed".

With DIR, its files roomwire.hcl and RoomsAppSettings.config (or the one that is there) are checked first as they would
lie in the configuration folder, and then installed there; those they replace are kept as *.previous. A faulty
configuration is refused: nothing is installed, and what was in force stays so.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := f.source()
			if err != nil {
				return err
			}
			undo := func() error { return nil }
			if len(args) == 1 {
				if undo, err = install(cmd, src, args[0]); err != nil {
					return err
				}
			}
			err = f.takeOver(cmd)
			if err == nil {
				return nil
			}
			if back := undo(); back != nil {
				return errors.Join(err, fmt.Errorf("the files before could not be put back: %w; they are beside the new ones, as *.previous", back))
			}
			return err
		},
	}
}

// install checks the files of a folder and puts them into the configuration folder.
func install(cmd *cobra.Command, src config.Source, dir string) (undo func() error, err error) {
	if src.Dir == "" {
		return nil, errors.New("there is no configuration folder to install into: name it with --config DIR")
	}
	if !holds(dir, config.HCLFile) && !holds(dir, config.RoomsFile) {
		return nil, fmt.Errorf("there is neither %s nor %s in %s: name the folder that has the new files", config.HCLFile, config.RoomsFile, dir)
	}
	candidate := src
	candidate.Candidate = dir
	cfg, diags := config.Load(candidate)
	if !diags.HasErrors() {
		diags = append(cfg.CheckPlugins(app.Schemas(cmd.Context(), cfg)), app.CheckLetters(cfg)...)
	}
	if diags.HasErrors() {
		fmt.Fprint(cmd.ErrOrStderr(), diags)
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was installed.")
		return nil, errShown
	}
	installed, undo, err := config.Install(dir, src.Dir)
	if err != nil {
		return nil, err
	}
	if len(installed) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "installed into %s: %s\n", src.Dir, strings.Join(installed, ", "))
	}
	return undo, nil
}

func holds(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// takeOver checks the configuration where it lies, and has the host take it over.
func (f *flags) takeOver(cmd *cobra.Command) error {
	cfg, err := f.loadChecked(cmd)
	if err != nil {
		return err
	}
	base, _, _, err := runningHost(cfg)
	if err != nil {
		return err
	}
	if base == "" {
		fmt.Fprintln(cmd.OutOrStdout(), "The configuration is good. No host runs: it is in force when one is started.")
		return nil
	}
	tenant := *f
	tenant.tenant = cfg.Tenants[0].Name // the host has one configuration for all
	a, err := tenant.connect(cmd)
	if err != nil {
		return err
	}
	defer a.close()
	res, err := a.ReloadConfigWithResponse(cmd.Context(), a.tenant, &client.ReloadConfigParams{})
	if err := client.Check(res, err); err != nil {
		return fmt.Errorf("the host refuses the configuration, and goes on with the one before: %w", err)
	}
	r, out := res.JSON200, cmd.OutOrStdout()
	if len(r.Changed)+len(r.Restart) == 0 {
		fmt.Fprintln(out, "Nothing is different: the configuration was in force already.")
		return nil
	}
	for _, line := range r.Changed {
		fmt.Fprintln(out, "  "+line)
	}
	if len(r.Restart) > 0 {
		fmt.Fprintln(out, "After the next start of the host only:")
		for _, line := range r.Restart {
			fmt.Fprintln(out, "  "+line)
		}
	}
	fmt.Fprintln(out, "The configuration is in force.")
	return nil
}
