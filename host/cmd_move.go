package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

// pollMoves is how often a command that waits asks how far moves are.
const pollMoves = time.Second

func personMoveCmd(f *flags) *cobra.Command {
	var to, url, allOf string
	var dry, follow, cancel, force, noWait, wait bool
	cmd := &cobra.Command{
		Use:   "move [ID …]",
		Short: "Move persons to another sync mode, with everything that is linked",
		Long: `Move persons to another sync mode: from Exchange on-premises to Exchange Online, from EWS to Microsoft Graph, and
back by the same command. What is pending is written, the calendar is read by the new mode, every booking's item is found
there, and then the person is switched over. No item is created or deleted by it and nobody is mailed. The sync of a person
goes on by the old mode until then, and stays there if the new one does not work.

--dry-run finds out what would happen and changes nothing. What a move cannot find is neither made anew nor taken for
deleted: roomwire person move-decide. The moves go on when this command is ended: roomwire person moves shows them.

Exit code 0 if all are moved, 1 if some need attention.`,
		Example: `  roomwire person move --to Microsoft365 --dry-run --all-of O365
  roomwire person move --to Microsoft365 ada grace
  roomwire person move --follow`,
		Args: cobra.ArbitraryArgs,
	}
	fl := cmd.Flags()
	fl.StringVar(&to, "to", "", "the sync mode to move to")
	fl.StringVar(&url, "url", "", "the persons' sync URL by then, where the mode's own does not fit")
	fl.StringVar(&allOf, "all-of", "", "everybody with this sync mode whose sync is on")
	fl.BoolVar(&follow, "follow", false, "everybody whose mailbox is not found any more but was found by another sync mode: to that one")
	fl.BoolVar(&dry, "dry-run", false, "find out what would happen, and change nothing")
	fl.BoolVar(&force, "force", false, "move even if most items are not found, or say something else than by the old mode")
	fl.BoolVar(&cancel, "cancel", false, "do not make the moves that were asked for and are not made yet")
	fl.BoolVar(&wait, "wait", true, "wait until the moves are made, and report on each")
	fl.BoolVar(&noWait, "no-wait", false, "ask for the moves and do not wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := moveFlags(args, to, allOf, follow, cancel); err != nil {
			return err
		}
		a, err := f.connect(cmd)
		if err != nil {
			return err
		}
		defer a.close()
		if cancel {
			return a.cancelMoves(cmd, args)
		}
		in := client.MoveInput{DryRun: &dry, Force: &force}
		given(&in.To, to)
		given(&in.URL, url)
		given(&in.AllOf, allOf)
		if follow {
			in.Follow = &follow
		}
		if len(args) > 0 {
			in.Persons = &args
		}
		res, err := a.RequestMovesWithResponse(cmd.Context(), a.tenant, &client.RequestMovesParams{}, in)
		if err := client.Check(res, err); err != nil {
			return err
		}
		return a.followMoves(cmd, res.JSON202, moveWatch{wait: wait && !noWait && !a.local, dry: dry})
	}
	return cmd
}

// moveFlags refuses a command line that does not say whom to move, or where to.
func moveFlags(args []string, to, allOf string, follow, cancel bool) error {
	ways := 0
	for _, given := range []bool{len(args) > 0, allOf != "", follow} {
		if given {
			ways++
		}
	}
	switch {
	case cancel && (len(args) == 0 || ways > 1):
		return errors.New("say whose move is to be cancelled: roomwire person move --cancel ID …")
	case cancel:
		return nil
	case ways != 1:
		return errors.New("say whom to move by one of these: the ids of persons, --all-of MODE, or --follow")
	case to == "" && !follow:
		return errors.New("say where to: --to MODE (roomwire config show lists the sync modes)")
	case to != "" && follow:
		return errors.New("--follow knows where to: leave out --to")
	}
	return nil
}

func (a *admin) cancelMoves(cmd *cobra.Command, persons []string) error {
	var errs []error
	for _, id := range persons {
		res, err := a.CancelMoveWithResponse(cmd.Context(), a.tenant, id)
		if err := client.Check(res, err); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: the move is cancelled\n", id)
	}
	return errors.Join(errs...)
}

// A moveWatch says how moves that were asked for are followed.
type moveWatch struct {
	wait bool // report on each as it ends
	dry  bool // nothing is changed
}

// followMoves reports on the moves that were asked for, as they end.
func (a *admin) followMoves(cmd *cobra.Command, asked *client.MovesAsked, how moveWatch) error {
	out, wait := cmd.OutOrStdout(), how.wait
	for _, r := range asked.Refused {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", r.Person, r.Reason)
	}
	failed := len(asked.Refused)
	switch {
	case len(asked.Asked) == 0 && failed == 0:
		fmt.Fprintln(out, "nobody is to be moved")
		return nil
	case !wait && a.local:
		fmt.Fprintf(out, "%s will be moved when the host is started\n", counted(len(asked.Asked), "person", "persons"))
	case !wait:
		fmt.Fprintf(out, "%s will be moved; roomwire person moves shows how far it is\n", counted(len(asked.Asked), "person", "persons"))
	}
	if !wait {
		return shownIf(failed > 0)
	}
	open := map[string]bool{}
	for _, id := range asked.Asked {
		open[id] = true
	}
	moved, told := 0, map[string]string{}
	for len(open) > 0 {
		err := a.eachMove(cmd.Context(), "", func(m *client.Move) {
			switch {
			case !open[m.Person]:
			case m.State == client.MoveStateWaiting || m.State == client.MoveStateRunning:
				if why := deref(m.Reason); why != "" && told[m.Person] != why {
					told[m.Person] = why
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: waits: %s; tried again %s\n", m.Person, why, when(m.NextTry))
				}
			default:
				delete(open, m.Person)
				if how.dry && m.State == client.MoveStateOffered { // tried, and offered as before
					m.State, m.DryRun = client.MoveStateDone, true
				}
				if m.State == client.MoveStateDone {
					moved++
				}
				if m.State != client.MoveStateDone || deref(m.Remedy) != "" {
					failed++
				}
				printMove(out, m)
			}
		})
		if err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(pollMoves):
		}
	}
	what := "moved"
	if how.dry {
		what = "would be moved"
	}
	fmt.Fprintf(out, "%d of %d %s, %d to be looked at\n", moved, len(asked.Asked)+len(asked.Refused), what, failed)
	return shownIf(failed > 0)
}

func shownIf(failed bool) error {
	if failed {
		return errShown
	}
	return nil
}

// printMove tells how one move ended. It names bookings by their ids alone.
func printMove(out io.Writer, m *client.Move) {
	what := map[client.MoveState]string{
		client.MoveStateDone: "moved to " + m.To, client.MoveStateAttention: "NOT moved to " + m.To,
	}[m.State]
	switch {
	case m.DryRun && m.State == client.MoveStateDone:
		what = "would be moved to " + m.To
	case m.DryRun && m.State == client.MoveStateAttention:
		what = "would NOT be moved to " + m.To
	case what == "":
		what = string(m.State)
	}
	fmt.Fprintf(out, "%s: %s: %s\n", m.Person, what, deref(m.Reason))
	if r := m.Report; r != nil {
		for _, it := range deref(r.Items) {
			line := fmt.Sprintf("  %-10s booking %s", it.What, it.Booking)
			if fields := deref(it.Fields); fields != "" {
				line += ": " + fields
			}
			fmt.Fprintln(out, line)
		}
	}
	if remedy := deref(m.Remedy); remedy != "" {
		fmt.Fprintf(out, "  what to do: %s\n", remedy)
	}
}

// eachMove calls f for the moves in a state; an empty one means any.
func (a *admin) eachMove(ctx context.Context, state client.MoveState, f func(*client.Move)) error {
	most := 500
	params := &client.ListMovesParams{Limit: &most}
	given(&params.State, state)
	for {
		res, err := a.ListMovesWithResponse(ctx, a.tenant, params)
		if err := client.Check(res, err); err != nil {
			return err
		}
		for i := range res.JSON200.Items {
			f(&res.JSON200.Items[i])
		}
		if deref(res.JSON200.Next) == "" {
			return nil
		}
		params.After = res.JSON200.Next
	}
}

func personMovesCmd(f *flags) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "moves [ID]", Short: "List the moves to other sync modes, or show one with what it found", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			if len(args) == 1 {
				res, err := a.GetMoveWithResponse(cmd.Context(), a.tenant, args[0])
				if err := client.Check(res, err); err != nil {
					return err
				}
				printMove(cmd.OutOrStdout(), res.JSON200)
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tFROM\tTO\tSTATE\tSINCE\tWHY")
			counts := map[string]int{}
			err = a.eachMove(cmd.Context(), client.MoveState(state), func(m *client.Move) {
				shown, since := string(m.State), &m.Requested
				if m.DryRun {
					shown += " (dry run)"
				}
				for _, at := range []*time.Time{m.Started, m.Finished} {
					if at != nil {
						since = at
					}
				}
				counts[shown]++
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Person, m.From, m.To, shown, when(since), deref(m.Reason))
			})
			if err := errors.Join(err, w.Flush()); err != nil {
				return err
			}
			var parts []string
			for shown, n := range counts {
				parts = append(parts, fmt.Sprintf("%d %s", n, shown))
			}
			slices.Sort(parts)
			if len(parts) > 0 {
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(parts, ", "))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those: offered, waiting, running, done, attention or cancelled")
	return cmd
}

func personMoveDecideCmd(f *flags) *cobra.Command {
	var anew, letGo, again bool
	var bookings []string
	cmd := &cobra.Command{
		Use:   "move-decide ID",
		Short: "Decide about items that a person's move did not find, or found several of",
		Long: `Decide about the bookings of a person whose item was not found by a move, or of whose item there were several
(roomwire diff --person ID lists them). Until then their items are neither made nor changed nor deleted.`,
		Example: `  roomwire person move-decide ada --look-again
  roomwire person move-decide ada --make-anew --booking 4711`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var chosen []client.MoveDecisionDecision
			for decision, is := range map[client.MoveDecisionDecision]bool{
				client.MoveDecisionDecisionMakeAnew: anew, client.MoveDecisionDecisionLetGo: letGo, client.MoveDecisionDecisionLookAgain: again,
			} {
				if is {
					chosen = append(chosen, decision)
				}
			}
			if len(chosen) != 1 {
				return errors.New("say one of --make-anew, --let-go and --look-again")
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			in := client.MoveDecision{Decision: chosen[0]}
			if len(bookings) > 0 {
				in.Bookings = &bookings
			}
			res, err := a.DecideMoveWithResponse(cmd.Context(), a.tenant, args[0], &client.DecideMoveParams{}, in)
			if err := client.Check(res, err); err != nil {
				return err
			}
			if res.JSON200.Decided == 0 {
				return fmt.Errorf("no such item of %q waits for a decision", args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: decided about %s\n", args[0], counted(res.JSON200.Decided, "booking", "bookings"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&anew, "make-anew", false, "make the item once more; nobody is mailed")
	cmd.Flags().BoolVar(&letGo, "let-go", false, "take the booking out of the sync; no item is touched")
	cmd.Flags().BoolVar(&again, "look-again", false, "read the calendar in full, and take an item that bears the marker by then")
	cmd.Flags().StringSliceVar(&bookings, "booking", nil, "only of these bookings; without it, of all that are open")
	return cmd
}

// counted says how many there are of something.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
