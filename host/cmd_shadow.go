package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func personShadowCmd(f *flags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "shadow ID",
		Short: "Show what the sync of a person in shadow mode would do",
		Long: `Show what the sync of a person in shadow mode would do: everything is read and planned, and nothing written.

A person goes into shadow mode with "roomwire person set ID --shadow" (new ones of a table with "roomwire person import --shadow"),
while another sync still keeps the calendar. "roomwire person set ID --shadow=false" begins the sync: the items that the other one
made are taken over, found by the booking's id (AppointmentOid), by our marker, or by time and subject, and nobody is mailed. Switch
the other sync off before.

What agrees already is counted and not listed. Subjects are not shown.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.GetShadowWithResponse(cmd.Context(), a.tenant, args[0])
			if err := client.Check(res, err); err != nil {
				return err
			}
			return printShadow(cmd.OutOrStdout(), res.JSON200, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list also what would only be linked")
	return cmd
}

func printShadow(out io.Writer, r *client.ShadowReport, all bool) error {
	fmt.Fprintf(out, "read %s: %d item(s) in the calendar, %d booking(s) that are not over\n", when(&r.At), r.Items, r.Bookings)
	fmt.Fprintf(out, "found: %s\n", counts(r.Found, "none of them"))
	fmt.Fprintf(out, "would do: %s\n", counts(r.Does, "nothing"))
	if r.MarkersOnly {
		fmt.Fprintln(out, "This kind of calendar tells only of items that bear a marker: those without are not found by time and subject.")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	listed := false
	for _, x := range r.Entries {
		if x.Action == "adopt" && !all {
			continue
		}
		if !listed {
			fmt.Fprintln(w, "\nBOOKING\tSTART\tWOULD\tFIELDS\tFOUND BY\tWHY")
			listed = true
		}
		id := x.Booking
		if id == "" {
			id = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", id, when(&x.Start), x.Action, strings.Join(x.Fields, ","), x.Found, x.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Left > 0 {
		fmt.Fprintf(out, "and %d more\n", r.Left)
	}
	return nil
}

func counts(of map[string]int, none string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
	}
	if len(parts) == 0 {
		return none
	}
	return strings.Join(parts, ", ")
}
