package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func syncCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "sync", Short: "Sync a person now; decide on what is held back or waits in quarantine"}
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
			}),
		resolveCmd(f), quarantineCmd(f))
	return cmd
}

// resolveCmd decides on a difference.
func resolveCmd(f *flags) *cobra.Command {
	var in client.ResolveInput
	var use string
	var mail bool
	cmd := &cobra.Command{
		Use: "resolve ID --use booking|calendar|ignore", Short: "Decide on a difference that roomwire diff lists",
		Long: `Decide on a difference; ID is its number in roomwire diff. roomwire diff resolve does the same for many, and has a preview.

--use booking makes, writes or removes the item as the booking is; --use calendar takes what the calendar says into the
booking; --use ignore leaves both sides as they are, and it is not shown again until one of them changes.
A difference "mail held back" is a write that was not made because the calendar cannot make it without mail:
--use booking --mail makes it, and the attendees are mailed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := numberOf(args[0])
			if err != nil {
				return err
			}
			if use != "booking" && use != "calendar" && use != "ignore" {
				return fmt.Errorf("--use %q is none of booking, calendar and ignore", use)
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			in.Use, in.Mail = client.ResolveInputUse(use), &mail
			res, err := a.ResolveDifferenceWithResponse(cmd.Context(), a.tenant, number, nil, in)
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d: decided\n", number)
			return nil
		},
	}
	cmd.Flags().StringVar(&use, "use", "", "booking, calendar or ignore")
	cmd.Flags().BoolVar(&mail, "mail", false, "attendees may be mailed")
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
