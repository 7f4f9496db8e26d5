package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/doctor"
)

func doctorCmd(f *flags) *cobra.Command {
	var asJSON, quiet, rooms bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the installation: what is well, what is not, and what to do",
		Long: `Examine configuration, plugins, database, queue, disk, the servers of the sync modes (certificate, ways to log in,
clock, impersonation, throttling), the public URL and the subscriptions. Nothing is changed.

Exit code for monitoring: 0 all is well, 1 there are warnings, 2 something does not work.

With --rooms: for every resource with a mailbox, the commands of Exchange to look at how it decides on invitations and to set that as
recommended, what its latest refusals point to, and why. Neither EWS nor Graph can read those settings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rooms {
				return f.reviewRooms(cmd, asJSON, quiet)
			}
			report, err := f.examine(cmd)
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "roomwire: "+err.Error())
				return exitCode(2)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(report)
			} else {
				err = printFindings(cmd.OutOrStdout(), report, quiet)
			}
			if err != nil {
				return err
			}
			switch report.Worst() {
			case doctor.Error:
				return exitCode(2)
			case doctor.Warning:
				return exitCode(1)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only what is not well; with --rooms, only rooms that refused something")
	cmd.Flags().BoolVar(&rooms, "rooms", false, "how rooms' mailboxes ought to be set up, and what their refusals point to")
	return cmd
}

// examine asks the running host; while none runs, this process looks at what can be seen without one.
func (f *flags) examine(cmd *cobra.Command) (doctor.Report, error) {
	src, err := f.source()
	if err != nil {
		return doctor.Report{}, err
	}
	cfg, diags := config.Load(src)
	if diags.HasErrors() {
		// A host may run on what was there before, but where its data lies is told by these files.
		fmt.Fprint(cmd.ErrOrStderr(), diags)
		return doctor.Report{Findings: []doctor.Finding{{
			Area: "configuration", Name: src.Dir, Level: doctor.Error, What: "it cannot be used", Remedy: "Correct what is named above; then everything else can be examined.",
		}}}, nil
	}
	base, _, _, err := runningHost(cfg)
	if err != nil {
		return doctor.Report{}, err
	}
	if base == "" {
		return app.ExamineWithoutHost(cmd.Context(), app.Options{
			Config: cfg, Version: version, Log: hclog.NewNullLogger(),
			Load: func() (*config.Config, config.Diagnostics) { return config.Load(src) },
		}), nil
	}
	tenant := *f
	tenant.tenant = cfg.Tenants[0].Name // the host examines itself for all
	a, err := tenant.connect(cmd)
	if err != nil {
		return doctor.Report{}, err
	}
	defer a.close()
	res, err := a.ExamineWithResponse(cmd.Context(), a.tenant)
	if err := client.Check(res, err); err != nil {
		return doctor.Report{}, err
	}
	report := doctor.Report{At: res.JSON200.At}
	for _, x := range res.JSON200.Findings {
		report.Findings = append(report.Findings, doctor.Finding{
			Area: x.Area, Name: x.Name, Level: doctor.Level(x.Level), What: x.What, Remedy: deref(x.Remedy),
		})
	}
	return report, nil
}

func printFindings(out io.Writer, r doctor.Report, quiet bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, x := range r.Findings {
		if quiet && x.Level == doctor.OK {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", x.Level, x.Area, x.Name, x.What)
		if x.Remedy != "" {
			fmt.Fprintf(w, "\t\t\t→ %s\n", x.Remedy)
		}
	}
	return w.Flush()
}
