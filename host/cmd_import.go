package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func personImportCmd(f *flags) *cobra.Command {
	var all, dry, remove, force, quiet bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Create, update and remove persons and resources from a CSV file (- for standard input)",
		Long: `Create or update persons and resources from a CSV file with the header line
  id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour,mail_on_error,own_bookings,sync_master
Only id and email are needed. Good lines are taken, faulty ones are reported with their number; exit code 1 if there
were any. Nobody is removed unless --remove-missing says so.`,
		Example: `  roomwire person import people.csv --dry-run
  roomwire person import people.csv --all-or-nothing --remove-missing`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("read the persons: %w", err)
				}
				defer file.Close()
				in = file
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			params := &client.ImportPersonsParams{AllOrNothing: &all, DryRun: &dry, RemoveMissing: &remove, Force: &force}
			res, err := a.ImportPersonsWithBody(cmd.Context(), a.tenant, params, "text/csv", in, progressWanted)
			if err != nil {
				return fmt.Errorf("asking the host: %w", err)
			}
			defer res.Body.Close()
			report, err := followImport(cmd, res, quiet)
			if err != nil {
				return importRefused(cmd.ErrOrStderr(), args[0], err)
			}
			return printImport(cmd, args[0], report)
		},
	}
	cmd.Flags().BoolVar(&all, "all-or-nothing", false, "take no line if one is faulty")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would become of each line, and change nothing")
	cmd.Flags().BoolVar(&remove, "remove-missing", false, "remove the persons that the file does not name; their calendars stay as they are")
	cmd.Flags().BoolVar(&force, "force", false, "with --remove-missing: even if that is more than half of them")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress bar")
	return cmd
}

const progressType = "application/x-ndjson"

func progressWanted(_ context.Context, r *http.Request) error {
	r.Header.Set("Accept", progressType+", application/problem+json")
	return nil
}

// followImport shows how far the host is, and returns its report.
func followImport(cmd *cobra.Command, res *http.Response, quiet bool) (*client.ImportReport, error) {
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media != progressType {
		parsed, err := client.ParseImportPersonsResponse(res)
		if err := client.Check(parsed, err); err != nil {
			return nil, err
		}
		return parsed.JSON200, nil
	}
	var bar *progressbar.ProgressBar
	defer func() {
		if bar != nil {
			_ = bar.Finish()
			fmt.Fprintln(cmd.ErrOrStderr())
		}
	}()
	lines := bufio.NewReader(res.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 {
			if errors.Is(err, io.EOF) {
				err = errors.New("the host ended before its report; import again, what was taken stays taken")
			}
			return nil, err
		}
		var step struct {
			Done, Of *int
			Detail   string // of a problem
		}
		if err := json.Unmarshal(line, &step); err != nil {
			return nil, fmt.Errorf("the host's progress: %w", err)
		}
		switch {
		case step.Done != nil && step.Of != nil:
			if quiet || !isTerminal(cmd.ErrOrStderr()) {
				continue
			}
			if bar == nil {
				bar = progressbar.NewOptions(*step.Of, progressbar.OptionSetWriter(cmd.ErrOrStderr()),
					progressbar.OptionShowCount(), progressbar.OptionSetDescription("persons"), progressbar.OptionThrottle(100*time.Millisecond))
			}
			_ = bar.Set(*step.Done)
		case step.Detail != "":
			var p client.Problem
			if err := json.Unmarshal(line, &p); err != nil {
				return nil, fmt.Errorf("the host's answer: %w", err)
			}
			return nil, &client.Error{Problem: p}
		default:
			var report client.ImportReport
			if err := json.Unmarshal(line, &report); err != nil {
				return nil, fmt.Errorf("the host's report: %w", err)
			}
			return &report, nil
		}
	}
}

// importRefused says of a file that was refused as a whole what is wrong with each line.
func importRefused(out io.Writer, file string, err error) error {
	refusal, ok := errors.AsType[*client.Error](err)
	switch {
	case ok && errors.Is(err, client.Removals):
		return fmt.Errorf("%w (--force)", err)
	case !ok || len(deref(refusal.Problem.Violations)) == 0:
		return err
	}
	for _, v := range *refusal.Problem.Violations {
		fmt.Fprintf(out, "%s: %s: %s\n", nameOf(file), v.Field, v.Reason)
	}
	fmt.Fprintln(out, "Nothing was changed.")
	return errShown
}

func nameOf(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

func isTerminal(w io.Writer) bool {
	f, is := w.(*os.File)
	if !is {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func printImport(cmd *cobra.Command, file string, r *client.ImportReport) error {
	file = nameOf(file)
	for _, l := range r.Lines {
		column := ""
		if deref(l.Field) != "" {
			column = *l.Field + ": "
		}
		switch {
		case l.Reason != nil && l.Line > 0:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d: %s%s\n", file, l.Line, column, *l.Reason)
		case l.Reason != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s%s\n", file, column, *l.Reason)
		case l.Result == client.ImportLineResultRemoved || !r.Applied:
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", l.Result, deref(l.ID))
		}
	}
	would := ""
	if !r.Applied {
		would = " (nothing was changed)"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d created, %d updated, %d unchanged, %d removed, %d refused%s\n",
		r.Created, r.Updated, r.Unchanged, r.Removed, r.Failed, would)
	if r.Failed > 0 {
		return errShown
	}
	return nil
}
