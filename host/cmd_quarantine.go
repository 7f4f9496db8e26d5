package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func quarantineCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "quarantine", Short: "See and decide what waits because it was too much at once",
		Long: `See and decide what waits because it was too much at once.

When one pass over a calendar would cancel or change more bookings than mass_deletion_limit and mass_change_limit allow, or
remove more items because their bookings were cancelled, none of it is done: it waits as one unit until somebody decides.`,
		Example: `  roomwire sync quarantine list
  roomwire sync quarantine show 3
  roomwire sync quarantine discard 3`,
	}
	cmd.AddCommand(quarantineListCmd(f), quarantineShowCmd(f),
		decideCmd(f, client.QuarantineDecisionDecisionApprove, "Have done what waits"),
		decideCmd(f, client.QuarantineDecisionDecisionDiscard, "Restore the other side: items are made or written again, cancelled bookings stand again; nobody is mailed"),
		decideCmd(f, client.QuarantineDecisionDecisionUndo, "Put back what was approved, as far as nobody changed it since; nobody is mailed"))
	return cmd
}

func quarantineListCmd(f *flags) *cobra.Command {
	var person string
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the units that wait", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			params := &client.ListQuarantineParams{}
			if person != "" {
				params.Person = &person
			}
			if !all {
				waiting := client.QuarantineStateWaiting
				params.State = &waiting
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tSINCE\tPERSON\tWHAT\tBOOKINGS\tSTATE\tDECIDED")
			for {
				res, err := a.ListQuarantineWithResponse(cmd.Context(), a.tenant, params)
				if err := client.Check(res, err); err != nil {
					return err
				}
				for _, q := range res.JSON200.Items {
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", q.ID, when(&q.Created), q.Person, q.Kind, q.Total, q.State, when(q.Decided))
				}
				if params.Before = res.JSON200.Next; params.Before == nil {
					return w.Flush()
				}
			}
		},
	}
	cmd.Flags().StringVar(&person, "person", "", "only those of this person")
	cmd.Flags().BoolVar(&all, "all", false, "those that are decided, too")
	return cmd
}

func quarantineShowCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a unit, with what would be done to which booking", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := unitOf(args[0])
			if err != nil {
				return err
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.GetQuarantineWithResponse(cmd.Context(), a.tenant, number)
			if err := client.Check(res, err); err != nil {
				return err
			}
			return showUnit(cmd, *res.JSON200)
		},
	}
}

func decideCmd(f *flags, decision client.QuarantineDecisionDecision, short string) *cobra.Command {
	return &cobra.Command{
		Use: string(decision) + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := unitOf(args[0])
			if err != nil {
				return err
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.DecideQuarantineWithResponse(cmd.Context(), a.tenant, number, nil, client.QuarantineDecision{Decision: decision})
			if err := client.Check(res, err); err != nil {
				return err
			}
			q := res.JSON200
			fmt.Fprintf(cmd.OutOrStdout(), "unit %d, %s of %s: %s\n", q.ID, q.Kind, q.Person, q.State)
			if q.Items == nil {
				return nil
			}
			for _, it := range *q.Items {
				if why := deref(it.Problem); why != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "  %s: %s\n", it.Booking, why)
				}
			}
			return nil
		},
	}
}

func unitOf(arg string) (int64, error) {
	number, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || number < 1 {
		return 0, fmt.Errorf("%q is no number of a unit: roomwire sync quarantine list has them in its first column", arg)
	}
	return number, nil
}

func showUnit(cmd *cobra.Command, q client.Quarantine) error {
	fmt.Fprintf(cmd.OutOrStdout(), "unit %d, %s of %s, %s since %s\n", q.ID, q.Kind, q.Person, q.State, when(&q.Created))
	if q.Items == nil {
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BOOKING\tDOES\tPROBLEM")
	for _, it := range *q.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\n", it.Booking, it.Does, deref(it.Problem))
	}
	return w.Flush()
}
