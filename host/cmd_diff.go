package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func diffCmd(f *flags) *cobra.Command {
	list := diffListCmd(f)
	cmd := &cobra.Command{
		Use: "diff", Short: "See and decide what bookings and calendars do not agree on",
		Long: `See and decide what the two sides do not agree on, and edits that lost.

Passes list what they meet. A scan looks for the rest: it compares bookings and items in full, in the background and without
changing either. Each difference has a recommendation; nobody is mailed of a decision unless --mail says so.`,
		Example: `  roomwire diff                                   # what is open
  roomwire diff scan --person alice               # compare a calendar in full
  roomwire diff show 17                           # one difference, with what is recommended and why
  roomwire diff preview 17 18 --use recommended   # what would be written, and who would be mailed
  roomwire diff resolve --all --kind "fields differ" --use recommended`,
		Args: cobra.NoArgs, RunE: list.RunE,
	}
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(list, diffShowCmd(f), diffScanCmd(f), diffScansCmd(f), diffCancelCmd(f), diffResolveCmd(f, false), diffResolveCmd(f, true),
		diffReopenCmd(f))
	return cmd
}

// diffFilter is what differences are chosen by.
type diffFilter struct {
	person, booking, kind, status, recommended string
	closed                                     bool
}

func (d *diffFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.person, "person", "", "only those of this person")
	cmd.Flags().StringVar(&d.booking, "booking", "", "only those of this booking")
	cmd.Flags().StringVar(&d.kind, "kind", "", "only those of this kind, such as \"fields differ\"")
	cmd.Flags().StringVar(&d.recommended, "recommended", "", "only those with this recommendation: booking, calendar or neither")
}

func (d *diffFilter) params(limit int) *client.ListDifferencesParams {
	p := &client.ListDifferencesParams{All: &d.closed, Limit: &limit}
	set := func(to **string, from string) {
		if from != "" {
			*to = &from
		}
	}
	set(&p.Person, d.person)
	set(&p.Booking, d.booking)
	set(&p.Kind, d.kind)
	if d.status != "" {
		p.Status = (*client.DifferenceStatus)(&d.status)
	}
	if d.recommended != "" {
		p.Recommendation = (*client.Recommendation)(&d.recommended)
	}
	return p
}

func diffListCmd(f *flags) *cobra.Command {
	var filter diffFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List what the two sides do not agree on, and edits that lost", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			const most = 500
			res, err := a.ListDifferencesWithResponse(cmd.Context(), a.tenant, filter.params(most))
			if err := client.Check(res, err); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tAT\tPERSON\tBOOKING\tWHAT\tNEWER\tUSE\tSTATUS\tDETAIL")
			for _, d := range res.JSON200.Items {
				status := string(d.Status)
				if d.Open && deref(d.Settles) {
					status = "settles"
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
					d.ID, when(&d.At), d.Person, deref(d.Booking), d.Kind, deref(d.Newer), deref(d.Recommendation), status, d.Detail)
			}
			if len(res.JSON200.Items) == most {
				fmt.Fprintf(cmd.ErrOrStderr(), "only the latest %d are shown: choose with --person, --booking or --kind\n", most)
			}
			return w.Flush()
		},
	}
	filter.flags(cmd)
	cmd.Flags().StringVar(&filter.status, "status", "", "only those of this status: open, solved, ignored or closed")
	cmd.Flags().BoolVar(&filter.closed, "all", false, "those that are closed, too")
	return cmd
}

func diffShowCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a difference, with what is recommended and why", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := numberOf(args[0])
			if err != nil {
				return err
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.GetDifferenceWithResponse(cmd.Context(), a.tenant, number)
			if err := client.Check(res, err); err != nil {
				return err
			}
			d := res.JSON200
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			line := func(name, value string) {
				if value != "" {
					fmt.Fprintf(w, "%s\t%s\n", name, value)
				}
			}
			line("difference", strconv.FormatInt(d.ID, 10))
			line("found", when(&d.At))
			line("person", d.Person)
			line("booking", deref(d.Booking))
			line("what", d.Kind)
			line("detail", d.Detail)
			line("status", string(d.Status))
			if d.Ended != nil {
				line("since", when(d.Ended))
			}
			line("newer side", string(deref(d.Newer)))
			line("recommended", string(deref(d.Recommendation)))
			line("why", deref(d.Why))
			if d.Open && deref(d.Settles) {
				line("to do", "nothing: passes settle it by themselves")
			}
			return w.Flush()
		},
	}
}

// numberOf reads the number of a difference.
func numberOf(arg string) (int64, error) {
	number, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || number < 1 {
		return 0, fmt.Errorf("%q is no number of a difference: roomwire diff lists them in its first column", arg)
	}
	return number, nil
}

func diffScanCmd(f *flags) *cobra.Command {
	var booking, series, person, room, from, to string
	var all, thorough, wait bool
	cmd := &cobra.Command{
		Use: "scan {--booking ID|--series ID|--person ID|--room ID|--from T|--to T|--all}", Args: cobra.NoArgs,
		Short: "Compare bookings and items in full, in the background",
		Long: `Compare bookings and items in full: all fields, what is missing on either side, doubled items, items whose booking is gone.

Neither side is changed. The work is done by the mailboxes' passes, behind fresh changes, and goes on after a restart. What
passes would settle by themselves is listed as such. --from and --to take RFC 3339 or a date; there is no limit to the window.
Calendars in which nothing has changed since they were read in full are compared without reading them, unless --thorough.`,
		Example: `  roomwire diff scan --booking 4711 --wait
  roomwire diff scan --room room-a --from 2026-12-01 --to 2027-03-01`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := client.ScanInput{Thorough: &thorough}
			targets := 0
			for target, name := range map[client.ScanTarget]string{"booking": booking, "series": series, "person": person, "room": room} {
				if name != "" {
					in.Target, in.Name = target, &name
					targets++
				}
			}
			if all {
				in.Target = "all"
				targets++
			}
			if targets > 1 {
				return errors.New("one scan has one target: give one of --booking, --series, --person, --room and --all")
			}
			for _, one := range []struct {
				flag, text string
				to         **time.Time
			}{{"--from", from, &in.From}, {"--to", to, &in.To}} {
				if one.text == "" {
					continue
				}
				at, err := momentOf(one.text)
				if err != nil {
					return fmt.Errorf("%s %q is neither a date nor a time in RFC 3339", one.flag, one.text)
				}
				*one.to = &at
			}
			if targets == 0 {
				if in.From == nil && in.To == nil {
					return errors.New("say what to scan: --booking, --series, --person, --room, --from and --to, or --all")
				}
				in.Target = "window"
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.StartScanWithResponse(cmd.Context(), a.tenant, nil, in)
			if err := client.Check(res, err); err != nil {
				return err
			}
			s := *res.JSON202
			if !wait || a.local {
				fmt.Fprintf(cmd.OutOrStdout(), "scan %d of %d mailboxes has begun: roomwire diff scans %d says how far it is\n", s.ID, s.Mailboxes, s.ID)
				if a.local {
					fmt.Fprintln(cmd.ErrOrStderr(), "it is done when the host is started")
				}
				return nil
			}
			for s.Ended == nil {
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(time.Second):
				}
				res, err := a.GetScanWithResponse(cmd.Context(), a.tenant, s.ID)
				if err := client.Check(res, err); err != nil {
					return err
				}
				s = *res.JSON200
			}
			showScan(cmd.OutOrStdout(), s)
			return nil
		},
	}
	cmd.Flags().StringVar(&booking, "booking", "", "this booking")
	cmd.Flags().StringVar(&series, "series", "", "this series with its occurrences")
	cmd.Flags().StringVar(&person, "person", "", "this person's calendar")
	cmd.Flags().StringVar(&room, "room", "", "the bookings of this room, in their organizers' calendars")
	cmd.Flags().StringVar(&from, "from", "", "only what ends after this moment")
	cmd.Flags().StringVar(&to, "to", "", "only what starts before this moment")
	cmd.Flags().BoolVar(&all, "all", false, "everybody's calendar")
	cmd.Flags().BoolVar(&thorough, "thorough", false, "read calendars in which nothing has changed, too")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is done")
	return cmd
}

// momentOf reads a time in RFC 3339, or a date, which is its midnight in UTC.
func momentOf(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, text)
}

func showScan(w io.Writer, s client.Scan) {
	state := "under way"
	if s.Ended != nil {
		state = "done"
	}
	fmt.Fprintf(w, "scan %d: %s; %d compared, %d differ, %d settle by themselves; mailboxes: %d, of those %d waiting, %d unchanged, %d failed\n",
		s.ID, state, s.Compared, s.Differing, s.Settling, s.Mailboxes, s.Waiting, s.Unchanged, s.Failed)
	if s.Failures == nil {
		return
	}
	for _, one := range *s.Failures {
		fmt.Fprintf(w, "  %s: %s\n", one.Person, one.Problem)
	}
}

func diffScansCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "scans [ID]", Short: "List scans, or show how far one is", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			if len(args) == 1 {
				number, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil {
					return fmt.Errorf("%q is no number of a scan", args[0])
				}
				res, err := a.GetScanWithResponse(cmd.Context(), a.tenant, number)
				if err := client.Check(res, err); err != nil {
					return err
				}
				showScan(cmd.OutOrStdout(), *res.JSON200)
				return nil
			}
			res, err := a.ListScansWithResponse(cmd.Context(), a.tenant, &client.ListScansParams{})
			if err := client.Check(res, err); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tSTARTED\tENDED\tTARGET\tMAILBOXES\tWAITING\tFAILED\tCOMPARED\tDIFFER\tSETTLE")
			for _, s := range res.JSON200.Items {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", s.ID, when(&s.Started), when(s.Ended),
					strings.TrimSpace(string(s.Target)+" "+deref(s.Name)), s.Mailboxes, s.Waiting, s.Failed, s.Compared, s.Differing, s.Settling)
			}
			return w.Flush()
		},
	}
}

func diffCancelCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "Cancel a scan that is under way; what it found stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no number of a scan: roomwire diff scans lists them in its first column", args[0])
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.CancelScanWithResponse(cmd.Context(), a.tenant, number)
			if err := client.Check(res, err); err != nil {
				return err
			}
			showScan(cmd.OutOrStdout(), *res.JSON200)
			return nil
		},
	}
}

// numbersOf reads the numbers of differences.
func numbersOf(args []string) ([]int64, error) {
	numbers := make([]int64, len(args))
	for i, arg := range args {
		var err error
		if numbers[i], err = numberOf(arg); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// diffReopenCmd opens differences again that were ignored.
func diffReopenCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "reopen ID...", Short: "Have differences that were ignored open again, to decide otherwise", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := numbersOf(args)
			if err != nil {
				return err
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			for _, number := range numbers {
				res, err := a.ResolveDifferenceWithResponse(cmd.Context(), a.tenant, number, nil, client.ResolveInput{Use: client.ResolveInputUseReopen})
				if err := client.Check(res, err); err != nil {
					return fmt.Errorf("difference %d: %w", number, err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d is open again\n", number)
			}
			return nil
		},
	}
}

// diffResolveCmd decides on differences, or with preview says what a decision would do.
func diffResolveCmd(f *flags, preview bool) *cobra.Command {
	var filter diffFilter
	var use string
	var mail, all bool
	cmd := &cobra.Command{
		Use: "resolve {ID...|--all} --use booking|calendar|ignore|check|recommended", Short: "Decide on differences",
		Long: `Decide on differences, each by itself: what cannot be decided for one leaves the others.

  --use booking      the item is made, written or removed as the booking is
  --use calendar     the booking takes what the calendar says, if its rules allow it
  --use ignore       both stay as they are, and it is not shown again until one of them changes
  --use check        both are compared anew, in the background
  --use recommended  for each what is recommended for it; where neither side is, nothing is done

Nobody is mailed unless --mail says so. Without numbers, --all takes all that are open, or those that --person, --booking,
--kind and --recommended choose. roomwire diff preview takes the same and changes nothing.`,
	}
	if preview {
		cmd.Use = strings.Replace(cmd.Use, "resolve", "preview", 1)
		cmd.Short = "Say what a decision on differences would write, and who would be mailed"
		cmd.Long = "Read the items now and say what roomwire diff resolve with the same arguments would do. Nothing is changed."
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch use {
		case "booking", "calendar", "ignore", "check", "recommended":
		default:
			return fmt.Errorf("--use %q is none of booking, calendar, ignore, check and recommended", use)
		}
		if all == (len(args) > 0) {
			return errors.New("say which: their numbers, or --all")
		}
		numbers, err := numbersOf(args)
		if err != nil {
			return err
		}
		a, err := f.connect(cmd)
		if err != nil {
			return err
		}
		defer a.close()
		if all {
			if numbers, err = openDifferences(cmd, a, filter); err != nil {
				return err
			}
		}
		return resolveAll(cmd, a, numbers, client.ResolveManyInput{Use: client.ResolveManyInputUse(use), Mail: &mail, Preview: &preview})
	}
	filter.flags(cmd)
	cmd.Flags().StringVar(&use, "use", "", "booking, calendar, ignore, check or recommended")
	cmd.Flags().BoolVar(&mail, "mail", false, "attendees may be mailed")
	cmd.Flags().BoolVar(&all, "all", false, "all that are open, or that the other flags choose")
	return cmd
}

// openDifferences returns the numbers of the open differences that a filter chooses.
func openDifferences(cmd *cobra.Command, a *admin, filter diffFilter) ([]int64, error) {
	var numbers []int64
	params := filter.params(500)
	for {
		res, err := a.ListDifferencesWithResponse(cmd.Context(), a.tenant, params)
		if err := client.Check(res, err); err != nil {
			return nil, err
		}
		for _, d := range res.JSON200.Items {
			numbers = append(numbers, d.ID)
		}
		if params.Before = res.JSON200.Next; params.Before == nil {
			return numbers, nil
		}
	}
}

// resolveAll decides on differences, as many at once as one request takes.
func resolveAll(cmd *cobra.Command, a *admin, numbers []int64, in client.ResolveManyInput) error {
	const atOnce = 200
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tPERSON\tBOOKING\tWHAT\tUSE\tDOES\tFIELDS\tMAILS")
	refused := 0
	for first := 0; first < len(numbers); first += atOnce {
		in.Numbers = numbers[first:min(first+atOnce, len(numbers))]
		res, err := a.ResolveDifferencesWithResponse(cmd.Context(), a.tenant, nil, in)
		if err := client.Check(res, err); err != nil {
			return err
		}
		for _, r := range res.JSON200.Items {
			does, mails := deref(r.Does), strings.Join(r.Mails, " ")
			if why := deref(r.Refused); why != "" {
				does = "REFUSED: " + why
				refused++
			}
			if mails == "" {
				mails = "nobody"
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, deref(r.Person), deref(r.Booking), deref(r.Kind), r.Use, does, deref(r.Fields), mails)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d could not be decided like this: the reasons are above", refused, len(numbers))
	}
	return nil
}
