package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/appsettings"
	"github.com/roomwire/roomwire/host/internal/config"
)

// maxAppSettings bounds a settings file; real ones have a few KiB.
const maxAppSettings = 4 << 20

// importedFile is what config import writes into the configuration folder.
const importedFile = "roomwire.imported.hcl"

// configImport is one run of the command.
type configImport struct {
	out     string // file, or - for standard output
	secrets string // folder, as it is to stand in the file
	env     bool
	force   bool

	src    config.Source
	folder string // of roomwire.hcl: relative paths in it are meant from there
}

func configImportCmd(f *flags) *cobra.Command {
	var i configImport
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Make sync modes of the CalendarSync section of ROOMS's appsettings.json",
		Long: `Make sync_mode blocks of the section CalendarSync of an ASP.NET appsettings.json, and say what could not be carried over,
why, and what to do. Of several files a later one goes before an earlier one: appsettings.json appsettings.Production.json.

The blocks are written to ` + importedFile + ` in the configuration folder, to be looked at and then copied into
roomwire.hcl. Secrets never stand in it: each is written to a file of its own in the folder secrets beside roomwire.hcl,
which only its owner may read, and the block says file("secrets/…"). That works for the service and for every command at
once; with --env the block says env("…") instead, nothing is copied, and the variables are named, which then have to be set
for the service and for every command. With --out - it is --env unless --secrets is given.

Files that are there are left alone, unless --force: then they are kept as *.previous. The result is checked as by
roomwire config check, but for the plugins. Exit code 1 if it cannot be used as it is; the file is written all the same.`,
		Example: `  roomwire config import C:\inetpub\ROOMS\appsettings.json
  roomwire config import appsettings.json appsettings.Production.json --out - --env
  roomwire config import appsettings.json --out /etc/roomwire/roomwire.hcl --config /etc/roomwire`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if i.env && cmd.Flags().Changed("secrets") {
				return usageError{errors.New("--env and --secrets exclude each other")}
			}
			i.env = i.env || i.out == "-" && !cmd.Flags().Changed("secrets")
			if err := i.places(f); err != nil {
				return err
			}
			return i.run(cmd, args, f.tenant)
		},
	}
	cmd.Flags().StringVar(&i.out, "out", "", "where the blocks are written; - for standard output (default: "+importedFile+" in the configuration folder)")
	cmd.Flags().StringVar(&i.secrets, "secrets", "secrets", "folder for the secrets, a file each; a relative one is meant from the configuration folder")
	cmd.Flags().BoolVar(&i.env, "env", false, `refer to secrets as env("…") and write none`)
	cmd.Flags().BoolVar(&i.force, "force", false, "replace files that are there; the old ones are kept as *.previous")
	return cmd
}

// places finds out where to write.
func (i *configImport) places(f *flags) (err error) {
	if i.src, err = f.source(); err != nil {
		return err
	}
	i.folder = i.src.Dir
	if _, err := os.Stat(i.folder); i.folder != "" && err != nil {
		return fmt.Errorf("the configuration folder: %w; name the right one with --config DIR, or make it", err)
	}
	if i.folder == "" && i.out != "" && i.out != "-" {
		i.folder = filepath.Dir(i.out)
	}
	if i.folder == "" {
		i.folder = "."
	}
	if i.out == "" {
		i.out = filepath.Join(i.folder, importedFile)
	}
	return nil
}

func (i *configImport) run(cmd *cobra.Command, files []string, tenant string) error {
	settings, err := readAppSettings(cmd, files)
	if err != nil {
		return err
	}
	o := appsettings.Options{Tenant: tenant, Secrets: filepath.ToSlash(i.secrets)}
	if i.env {
		o.Secrets = ""
	}
	made, err := appsettings.Convert(settings, o)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	if len(made.Modes) == 0 {
		fmt.Fprint(cmd.ErrOrStderr(), made.Findings)
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was written.")
		return errShown
	}
	o.Secrets = ""
	good, err := i.check(settings, o)
	if err != nil {
		return err
	}
	if err := i.write(cmd.OutOrStdout(), made); err != nil {
		return err
	}
	said := slices.Concat(made.Findings, good)
	if len(said) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "\n%s\n", said)
	}
	i.next(cmd, made)
	if good.HasErrors() {
		fmt.Fprintln(cmd.ErrOrStderr(), "It cannot be used before what is called an error above has been put right.")
		return errShown
	}
	return nil
}

// readAppSettings reads the files and says what may be missing.
func readAppSettings(cmd *cobra.Command, files []string) ([]appsettings.Setting, error) {
	var all [][]appsettings.Setting
	for _, name := range files {
		data, err := readLimited(name)
		if err != nil {
			return nil, fmt.Errorf("read the settings: %w", err)
		}
		settings, guessed, err := appsettings.Read(name, data)
		if err != nil {
			return nil, err
		}
		if guessed {
			fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s is not UTF-8; it was read as Windows-1252. Look at letters with accents in the result.\n", name)
		}
		all = append(all, settings)
	}
	beside, err := filepath.Glob(filepath.Join(filepath.Dir(files[0]), "appsettings.*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range beside {
		if !slices.ContainsFunc(files, func(f string) bool { return filepath.Clean(f) == filepath.Clean(name) }) {
			fmt.Fprintf(cmd.ErrOrStderr(), "Note: %s was not read. If ROOMS uses it, name it as well, after %s.\n", name, files[0])
		}
	}
	return appsettings.Merge(all...), nil
}

func readLimited(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxAppSettings+1))
	if err == nil && len(data) > maxAppSettings {
		err = fmt.Errorf("%s is larger than %d MiB: name the appsettings.json of the installation", name, maxAppSettings>>20)
	}
	return data, err
}

// check loads the result as the host would, in the configuration folder. Secrets that are not known are taken as given.
func (i *configImport) check(settings []appsettings.Setting, o appsettings.Options) (config.Diagnostics, error) {
	made, err := appsettings.Convert(settings, o)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "roomwire-import-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left of it is for the system to sweep up
	if err := os.WriteFile(filepath.Join(dir, config.HCLFile), made.HCL, 0o600); err != nil {
		return nil, err
	}
	src := i.src
	src.Candidate, src.Environ = dir, slices.Clone(src.Environ)
	if src.Dir == "" {
		src.Dir = i.folder
	}
	for _, s := range made.Secrets {
		if os.Getenv(s.Env) != "" {
			continue
		}
		text := s.Text.Reveal()
		if text == "" {
			text = "not known yet"
		}
		src.Environ = append(src.Environ, s.Env+"="+text)
	}
	_, diags := config.Load(src)
	var out config.Diagnostics
	for _, d := range diags {
		if d.Severity == config.Note {
			continue
		}
		if d.File == filepath.Join(dir, config.HCLFile) {
			d.File = i.out
		}
		out = append(out, d)
	}
	return out, nil
}

// importOutput is a file to be written, and what it holds in words.
type importOutput struct {
	path string
	data []byte
	of   string
}

// write writes the secrets, then the file that refers to them.
func (i *configImport) write(out io.Writer, made appsettings.Result) error {
	var files []importOutput
	for _, s := range made.Secrets {
		if s.File != "" && s.Text.IsSet() {
			files = append(files, importOutput{i.within(s.File), []byte(s.Text.Reveal() + "\n"), s.Setting})
		}
	}
	if i.out != "-" {
		var modes []string
		for _, m := range made.Modes {
			modes = append(modes, m.Name+" of "+m.From)
		}
		files = append(files, importOutput{i.out, made.HCL, strings.Join(modes, ", ")})
	}
	put := config.Create
	if i.force {
		put = config.Replace
	} else if err := untouched(files); err != nil {
		return err
	}
	for _, f := range files {
		if err := put(f.path, f.data); err != nil {
			return err
		}
		if i.out != "-" {
			fmt.Fprintf(out, "wrote %s: %s\n", f.path, f.of)
		}
	}
	if i.out == "-" {
		_, err := out.Write(made.HCL)
		return err
	}
	return nil
}

// untouched refuses before anything is written if a file of another content is there.
func untouched(files []importOutput) error {
	var there []string
	for _, f := range files {
		if old, err := os.ReadFile(f.path); err == nil && string(old) != string(f.data) {
			there = append(there, f.path)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was written: %s is there already. Write elsewhere with --out and --secrets, or replace with --force; the old one is kept as *.previous",
		strings.Join(there, ", "))
}

// within makes a path of roomwire.hcl one of this process.
func (i *configImport) within(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(i.folder, path)
}

// next says what is left to do.
func (i *configImport) next(cmd *cobra.Command, made appsettings.Result) {
	w := cmd.ErrOrStderr()
	for _, s := range made.Secrets {
		switch {
		case s.Env != "":
			fmt.Fprintf(w, "Set the variable %s: %s\n", s.Env, s.Setting)
		case !s.Text.IsSet():
			fmt.Fprintf(w, "Write the file %s: %s\n", i.within(s.File), s.Setting)
		}
	}
	target := filepath.Join(i.folder, config.HCLFile)
	same := filepath.Clean(i.out) == filepath.Clean(target)
	_, err := os.Stat(target)
	switch {
	case same:
		fmt.Fprintln(w, "Next: roomwire config check")
	case err == nil:
		fmt.Fprintf(w, "Next: copy the blocks into %s; where it has a tenant, sync or sync_mode block of the same name, merge the two. Then roomwire config check.\n", target)
	default:
		fmt.Fprintf(w, "Next: look at it, save it as %s, then roomwire config check.\n", target)
	}
}
