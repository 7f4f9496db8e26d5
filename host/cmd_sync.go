package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func syncCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "sync", Short: "Sync a person now; decide on deletions that are held back"}
	var full bool
	now := f.onPerson("now ID", "Sync a person now, whatever their sync was waiting for", "a pass will run",
		func(ctx context.Context, a *admin, id string) error {
			res, err := a.SyncPersonWithResponse(ctx, a.tenant, id, nil, client.SyncInput{Full: &full})
			return client.Check(res, err)
		})
	now.Flags().BoolVar(&full, "full", false, "read the calendar from the beginning")
	cmd.AddCommand(now,
		f.onPerson("approve ID", "Held-back deletions are meant: cancel the bookings", "the bookings will be cancelled",
			func(ctx context.Context, a *admin, id string) error {
				if err := held(ctx, a, id); err != nil {
					return err
				}
				res, err := a.ApproveDeletionsWithResponse(ctx, a.tenant, id, nil)
				return client.Check(res, err)
			}),
		f.onPerson("restore ID", "Held-back deletions are a mistake: make the items again; nobody is mailed", "the items will be made again",
			func(ctx context.Context, a *admin, id string) error {
				if err := held(ctx, a, id); err != nil {
					return err
				}
				res, err := a.RestoreDeletionsWithResponse(ctx, a.tenant, id, nil)
				return client.Check(res, err)
			}))
	return cmd
}

// held refuses to decide on deletions where none are held back.
func held(ctx context.Context, a *admin, id string) error {
	res, err := a.GetPersonWithResponse(ctx, a.tenant, id)
	if err := client.Check(res, err); err != nil {
		return err
	}
	if deref(res.JSON200.Sync.HeldDeletions) == 0 {
		return fmt.Errorf("no deletion is held back for %q: there is nothing to decide", id)
	}
	return nil
}

// onPerson is a command that asks the host to do one thing for one person.
func (f *flags) onPerson(use, short, done string, do func(context.Context, *admin, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			if err := do(cmd.Context(), a, args[0]); err != nil {
				return err
			}
			if a.local {
				done += " when the host is started"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], done)
			return nil
		},
	}
}

func diffCmd(f *flags) *cobra.Command {
	var person, booking string
	var all bool
	cmd := &cobra.Command{
		Use: "diff", Short: "List what the two sides do not agree on, and edits that lost", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			most := 500
			params := &client.ListDifferencesParams{All: &all, Limit: &most}
			if person != "" {
				params.Person = &person
			}
			if booking != "" {
				params.Booking = &booking
			}
			res, err := a.ListDifferencesWithResponse(cmd.Context(), a.tenant, params)
			if err := client.Check(res, err); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "AT\tPERSON\tBOOKING\tWHAT\tDETAIL")
			for _, d := range res.JSON200.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", when(&d.At), d.Person, deref(d.Booking), d.Kind, d.Detail)
			}
			if len(res.JSON200.Items) == most {
				fmt.Fprintf(cmd.ErrOrStderr(), "only the latest %d are shown: choose with --person or --booking\n", most)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&person, "person", "", "only those of this person")
	cmd.Flags().StringVar(&booking, "booking", "", "only those of this booking")
	cmd.Flags().BoolVar(&all, "all", false, "those that are closed, too")
	return cmd
}
