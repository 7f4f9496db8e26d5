package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func bookingCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "booking", Short: "Look at bookings"}
	cmd.AddCommand(bookingListCmd(f), bookingShowCmd(f))
	return cmd
}

func bookingListCmd(f *flags) *cobra.Command {
	var person string
	var problem, neverFound, series, cancelled bool
	cmd := &cobra.Command{
		Use: "list", Short: "List bookings", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tVERSION\tORGANIZER\tSTART\tEND\tREPEATS\tRESOURCES\tSTATUS\tPROBLEM")
			open, err := openKinds(cmd, a)
			if err != nil {
				return err
			}
			params := &client.ListBookingsParams{Problem: &problem, IncludeCancelled: &cancelled, NeverFound: &neverFound, Series: &series}
			if person != "" {
				params.Person = &person
			}
			for {
				res, err := a.ListBookingsWithResponse(cmd.Context(), a.tenant, params)
				if err := client.Check(res, err); err != nil {
					return err
				}
				for _, b := range res.JSON200.Items {
					if b.ExternalOrganizer != nil {
						b.Organizer = b.ExternalOrganizer.Email
					}
					problem := cmp.Or(deref(b.SyncProblem), open[b.ID])
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
						b.ID, b.Version, b.Organizer, b.Start, b.End, repeats(deref(b.Recurrence)), strings.Join(b.Resources, " "), b.Status, problem)
				}
				if deref(res.JSON200.Next) == "" {
					return w.Flush()
				}
				params.After = res.JSON200.Next
			}
		},
	}
	cmd.Flags().StringVar(&person, "person", "", "only those of this organizer")
	for _, name := range []string{"problems", "problem"} {
		cmd.Flags().BoolVar(&problem, name, false, "only those with a sync problem: out of the sync, waiting for a person, or with an open difference")
	}
	_ = cmd.Flags().MarkHidden("problem") // as it was called first
	cmd.Flags().BoolVar(&neverFound, "never-found", false, "only those that should be in a calendar and were never found there")
	cmd.Flags().BoolVar(&series, "series", false, "only series")
	cmd.Flags().BoolVar(&cancelled, "cancelled", false, "cancelled ones, too")
	return cmd
}

// openKinds returns what is listed about bookings and still open: by booking, in words.
func openKinds(cmd *cobra.Command, a *admin) (map[string]string, error) {
	open := make(map[string]string)
	limit := 500
	params := &client.ListDifferencesParams{Limit: &limit}
	for {
		res, err := a.ListDifferencesWithResponse(cmd.Context(), a.tenant, params)
		if err := client.Check(res, err); err != nil {
			return nil, err
		}
		for _, d := range res.JSON200.Items {
			if id := deref(d.Booking); id != "" && open[id] == "" && !deref(d.Settles) {
				open[id] = fmt.Sprintf("%s: roomwire diff show %d", d.Kind, d.ID)
			}
		}
		if params.Before = res.JSON200.Next; params.Before == nil {
			return open, nil
		}
	}
}

// repeats says how a booking repeats, for a table; the whole rule is in booking show.
func repeats(rule string) string {
	for part := range strings.SplitSeq(rule, ";") {
		if freq, is := strings.CutPrefix(part, "FREQ="); is {
			return strings.ToLower(freq)
		}
	}
	return ""
}
