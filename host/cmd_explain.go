package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

func bookingShowCmd(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show both sides of a booking, what they last agreed on, and what the sync would do now",
		Long: `Show a booking, the item in the organizer's calendar as it is now, what both last agreed on, and what the sync would do
about it. Nothing is changed. Times are those of this machine's time zone. Without a running host the booking alone is shown.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			if a.local {
				fmt.Fprintln(cmd.ErrOrStderr(), "No host runs: the calendar cannot be looked at.")
				return a.bookingAlone(cmd, args[0])
			}
			res, err := a.ExplainBookingWithResponse(cmd.Context(), a.tenant, args[0])
			if err := client.Check(res, err); err != nil {
				return err
			}
			if asJSON {
				var raw any
				if err := json.Unmarshal(res.Body, &raw); err != nil {
					return fmt.Errorf("the host's answer: %w", err)
				}
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(raw)
			}
			var x syncer.Explanation
			if err := json.Unmarshal(res.Body, &x); err != nil {
				return fmt.Errorf("the host's answer: %w", err)
			}
			return printSides(cmd.OutOrStdout(), &x)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *admin) bookingAlone(cmd *cobra.Command, id string) error {
	res, err := a.GetBookingWithResponse(cmd.Context(), a.tenant, id, &client.GetBookingParams{})
	if err := client.Check(res, err); err != nil {
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(res.JSON200)
}

func printSides(out io.Writer, x *syncer.Explanation) error {
	if x.Booking == "" {
		return errors.New("the host's answer names no booking")
	}
	fmt.Fprintf(out, "booking %s, version %d, %s, organizer %s\n", x.Booking, x.Version, x.Status, x.Organizer)
	switch {
	case x.SyncDisabled:
		fmt.Fprintf(out, "its sync is disabled: %s\n", x.SyncProblem)
	case x.SyncProblem != "":
		fmt.Fprintf(out, "problem: %s\n", x.SyncProblem)
	case x.SyncOff:
		fmt.Fprintln(out, "no item is made for it in a calendar")
	}
	for _, r := range x.Rooms {
		fmt.Fprintf(out, "room %s: %s since %s", r.Resource, r.State, local(r.At))
		if r.Reason != "" {
			fmt.Fprintf(out, ", it wrote: %s", r.Reason)
		}
		fmt.Fprintln(out)
	}
	if !x.ItemExpectedUntil.IsZero() {
		fmt.Fprintf(out, "the add-in's item is waited for until %s\n", local(x.ItemExpectedUntil))
	}
	if x.Unlinked != "" {
		fmt.Fprintf(out, "no item: %s\n", x.Unlinked)
	}
	if x.Series != nil {
		printSeries(out, x.Series)
	}
	var err error
	for i, l := range x.Links {
		if i == 0 {
			err = errors.Join(err, printSide(out, &x.Fields, &l))
			continue
		}
		fmt.Fprintf(out, "\nearlier: item %s of %s, %s %s\n", l.Key, l.Person, l.State, l.Problem)
	}
	if len(x.Links) == 0 {
		err = printFields(out, &x.Fields, nil, nil)
	}
	for i, d := range x.Differences {
		if i == 0 {
			fmt.Fprintln(out, "\nto be looked at:")
		}
		fmt.Fprintf(out, "  %s  %s: %s\n", local(d.At), d.Kind, d.Detail)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, a := range x.Activities {
		if i == 0 {
			fmt.Fprintln(w, "\nlately:")
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", local(a.At), a.Person, a.What, a.Why)
	}
	return errors.Join(err, w.Flush())
}

func printSeries(out io.Writer, s *syncer.ExplainedSeries) {
	fmt.Fprintf(out, "series: %s, by the clock of %s\n", s.Recurrence, cmp.Or(s.Zone, "UTC"))
	if len(s.Next) == 0 {
		fmt.Fprintln(out, "  it is over")
	}
	for i, o := range s.Next {
		if i == 0 {
			fmt.Fprintln(out, "  next:")
		}
		mark := ""
		if o.Exception {
			mark = "  (an exception)"
		}
		fmt.Fprintf(out, "    %s to %s  %s%s\n", moment(o.Start, o.AllDay), moment(o.End, o.AllDay), strings.Join(o.Resources, " "), mark)
	}
}

func printSide(out io.Writer, booking *syncer.ExplainedFields, l *syncer.ExplainedLink) error {
	fmt.Fprintf(out, "item %s in the calendar of %s: %s", l.Key, l.Person, l.State)
	if l.Tries > 0 {
		fmt.Fprintf(out, ", resets in a row: %d", l.Tries)
	}
	fmt.Fprintln(out)
	var item *syncer.ExplainedFields
	switch {
	case l.Item != nil:
		item = &l.Item.Fields
		fmt.Fprintf(out, "  changed %s; %s\n", local(l.Item.Modified), l.Item.Kind)
	case l.NoItem:
		fmt.Fprintln(out, "  there is none in the calendar")
	case l.ItemProblem != "":
		fmt.Fprintf(out, "  it cannot be read now: %s\n", l.ItemProblem)
	}
	if l.Problem != "" {
		fmt.Fprintf(out, "  problem: %s\n", l.Problem)
	}
	fmt.Fprintln(out)
	if err := printFields(out, booking, l.Base, item); err != nil {
		return err
	}
	differ := slices.ContainsFunc(l.Groups, func(g syncer.ExplainedGroup) bool { return !g.Equal })
	if differ || l.Decision != nil || len(l.Holds) > 0 || l.Intent != nil {
		fmt.Fprintln(out)
	}
	for _, g := range l.Groups {
		if !g.Equal {
			fmt.Fprintf(out, "%s differs (%s), changed by: %s\n", g.Name, strings.Join(g.Fields, ", "), g.ChangedBy)
		}
	}
	if d := l.Decision; d != nil {
		fmt.Fprintf(out, "the sync would: %s\n", d.Says)
	}
	for _, h := range l.Holds {
		fmt.Fprintf(out, "  not now: %s\n", h)
	}
	if in := l.Intent; in != nil {
		fmt.Fprintf(out, "open: %s since %s, because: %s; mails %s", in.Op, local(in.Created), in.Cause, in.Mail)
		if in.Failures > 0 {
			fmt.Fprintf(out, "; failed %d times", in.Failures)
		}
		if !in.NotBefore.IsZero() {
			fmt.Fprintf(out, "; tried again %s", local(in.NotBefore))
		}
		fmt.Fprintln(out)
	}
	return nil
}

// A shownField is a row of what booking and item say.
type shownField struct {
	name string
	show func(*syncer.ExplainedFields) string
}

// seriesRows are those that only a series has: its rule, and a row for each occurrence that is not as the rule makes it.
func seriesRows(columns []*syncer.ExplainedFields) []shownField {
	var series bool
	var at []time.Time
	for _, f := range columns {
		if f == nil {
			continue
		}
		series = series || f.Recurrence != ""
		for _, x := range f.Exceptions {
			at = append(at, x.Occurrence)
		}
	}
	if !series {
		return nil
	}
	rows := []shownField{{"rule", func(f *syncer.ExplainedFields) string { return cmp.Or(f.Recurrence, "none") }}}
	slices.SortFunc(at, time.Time.Compare)
	for _, t := range slices.CompactFunc(at, time.Time.Equal) {
		rows = append(rows, shownField{t.Format("01-02 15:04Z"), func(f *syncer.ExplainedFields) string { return occurrenceIn(f, t) }})
	}
	return rows
}

// occurrenceIn says what is different about an occurrence.
func occurrenceIn(f *syncer.ExplainedFields, at time.Time) string {
	i := slices.IndexFunc(f.Exceptions, func(x syncer.ExplainedException) bool { return x.Occurrence.Equal(at) })
	switch {
	case i < 0:
		return "as the rule"
	case f.Exceptions[i].Skipped:
		return "left out"
	}
	x := f.Exceptions[i]
	return fmt.Sprintf("%s %s (%s)", moment(x.Is.Start, x.Is.AllDay), clipped(x.Is.Title), strings.Join(x.Differs, ", "))
}

// printFields shows the three versions beside each other, and marks what is not the same on both sides.
func printFields(out io.Writer, booking, base, item *syncer.ExplainedFields) error {
	columns := []*syncer.ExplainedFields{booking, base, item}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  \tBOOKING\tAGREED\tCALENDAR")
	rows := []shownField{
		{"title", func(f *syncer.ExplainedFields) string { return clipped(f.Title) }},
		{"start", func(f *syncer.ExplainedFields) string { return moment(f.Start, f.AllDay) }},
		{"end", func(f *syncer.ExplainedFields) string { return moment(f.End, f.AllDay) }},
		{"place", func(f *syncer.ExplainedFields) string { return clipped(f.Location) }},
		{"rooms", func(f *syncer.ExplainedFields) string { return strings.Join(f.Rooms, " ") }},
		{"people", func(f *syncer.ExplainedFields) string {
			var list []string
			for _, a := range f.Attendees {
				list = append(list, a.Email)
			}
			return strings.Join(list, " ")
		}},
		{"busy", func(f *syncer.ExplainedFields) string { return f.Busy }},
		{"class", func(f *syncer.ExplainedFields) string { return f.Class }},
		{"reminder", func(f *syncer.ExplainedFields) string {
			if f.ReminderMinutes == nil {
				return "none"
			}
			return fmt.Sprintf("%d min", *f.ReminderMinutes)
		}},
		{"notes", func(f *syncer.ExplainedFields) string { return clipped(f.Notes) }},
	}
	for _, row := range append(rows, seriesRows(columns)...) {
		text := make([]string, len(columns))
		for i, c := range columns {
			text[i] = "-"
			if c != nil {
				text[i] = row.show(c)
			}
		}
		mark := " "
		if item != nil && text[0] != text[2] {
			mark = "≠"
		}
		fmt.Fprintf(w, "%s %s\t%s\n", mark, row.name, strings.Join(text, "\t"))
	}
	return w.Flush()
}

func moment(t time.Time, allDay bool) string {
	if allDay {
		return t.UTC().Format(time.DateOnly)
	}
	return local(t)
}

func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// clipped keeps a table readable.
func clipped(s string) string {
	const most = 40
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
