package plan

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/calendar"
)

func minutes(n int) *int { return &n }

func base() Fields {
	return Canonical(Fields{
		Subject: "Planning", Body: "bring cake", Location: "Room A",
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
		Zone: "Europe/Berlin", Busy: calendar.Occupied, Reminder: minutes(15),
		Attendees: []Person{{Email: "bob@example.com"}}, Resources: []string{"room-a@example.com"},
	})
}

func with(change func(*Fields)) *Fields {
	f := base()
	change(&f)
	f = Canonical(f)
	return &f
}

func TestPlan(t *testing.T) {
	t.Parallel()
	same := with(func(*Fields) {})
	moved := with(func(f *Fields) { f.Start = f.Start.Add(time.Hour); f.End = f.End.Add(time.Hour) })
	movedFar := with(func(f *Fields) { f.Start = f.Start.Add(48 * time.Hour); f.End = f.End.Add(48 * time.Hour) })
	renamed := with(func(f *Fields) { f.Subject = "Review" })
	movedAndRenamed := with(func(f *Fields) {
		f.Subject = "Review"
		f.Start, f.End = f.Start.Add(time.Hour), f.End.Add(time.Hour)
	})
	noted := with(func(f *Fields) { f.Body = "bring tea" })
	online := with(func(f *Fields) { f.Body = "bring cake\n____\nJoin online" })
	zone := with(func(f *Fields) { f.Zone = "America/New_York" })

	for _, tc := range []struct {
		name string
		in   Input
		want Decision
	}{
		{"NothingChangedIsIdle", Input{Base: same, Booking: same, Item: same}, Decision{Base: same}},
		{"ZoneOfASingleEventIsNoChange", Input{Base: same, Booking: same, Item: zone}, Decision{Base: same}},
		{"BookingEditGoesToItem", Input{Base: same, Booking: moved, Item: same},
			Decision{ItemFields: calendar.FieldTime, Item: *moved, Base: moved}},
		{"ItemEditGoesToBooking", Input{Base: same, Booking: same, Item: moved},
			Decision{BookingFields: calendar.FieldTime, Booking: *moved, Base: moved}},
		{"EditsOfDifferentGroupsMerge", Input{Base: same, Booking: renamed, Item: moved}, Decision{
			ItemFields: calendar.FieldSubject, Item: *movedAndRenamed,
			BookingFields: calendar.FieldTime, Booking: *movedAndRenamed, Base: movedAndRenamed}},
		{"SameGroupBookingWinsAndLossIsKept", Input{Base: same, Booking: moved, Item: movedFar}, Decision{
			ItemFields: calendar.FieldTime, Item: *moved, Base: moved,
			Lost: []Loss{{Side: CalendarSide, Fields: calendar.FieldTime}}}},
		{"SameEditOnBothSidesIsAgreement", Input{Base: same, Booking: moved, Item: moved}, Decision{Base: moved}},
		{"CancelledDeletesItem", Input{Base: same, Item: same}, Decision{DeleteItem: true}},
		{"CancelledBeatsEdit", Input{Base: same, Item: moved}, Decision{DeleteItem: true,
			Lost: []Loss{{Side: CalendarSide, Fields: calendar.FieldTime}}}},
		{"GoneCancelsBooking", Input{Base: same, Booking: same}, Decision{CancelBooking: true}},
		{"EditBeatsDeletion", Input{Base: same, Booking: moved}, Decision{CreateItem: true, Item: *moved, Base: moved,
			Lost: []Loss{{Side: CalendarSide, Deleted: true}}}},
		{"NeverLinkedCreates", Input{Booking: same}, Decision{CreateItem: true, Item: *same, Base: same}},
		{"ResetRestoresDeleted", Input{Base: same, Booking: same, Reset: true}, Decision{CreateItem: true, Item: *same, Base: same}},
		{"ResetOverridesItem", Input{Base: same, Booking: same, Item: moved, Reset: true},
			Decision{ItemFields: calendar.FieldTime, Item: *same, Base: same}},
		{"AdoptionOfEqualWritesNothing", Input{Booking: same, Item: online}, Decision{Base: same}},
		{"AdoptionOfDifferentShowsTheLoser", Input{Booking: same, Item: moved}, Decision{
			ItemFields: calendar.FieldTime, Item: *same, Base: same,
			Lost: []Loss{{Side: CalendarSide, Fields: calendar.FieldTime}}}},
		{"BothOver", Input{Base: same}, Decision{Unlink: true}},
		{"BodyOfItemStaysWhereItIs", Input{Base: same, Booking: same, Item: online}, Decision{Base: same}},
		{"BodyGoesToAnUntouchedItem", Input{Base: same, Booking: noted, Item: same},
			Decision{ItemFields: calendar.FieldBody, Item: *noted, Base: noted}},
		{"BodyNeverOverwritesTheCalendars", Input{Base: same, Booking: noted, Item: online}, Decision{Base: noted,
			Lost: []Loss{{Side: BookingSide, Fields: calendar.FieldBody}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Plan(tc.in); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("Plan =\n %+v\nwant\n %+v", got, tc.want)
			}
		})
	}
}

// genFields draws from few values, so that edits often meet.
func genFields(t *rapid.T, label string) Fields {
	f := genSingle(t, label)
	if rapid.Bool().Draw(t, label+" series") {
		f = genSeries(t, label, f)
	}
	return f
}

func genSingle(t *rapid.T, label string) Fields {
	day := rapid.IntRange(1, 3).Draw(t, label+" day")
	f := Fields{
		Subject:  rapid.SampledFrom([]string{"a", "b", " a  ", "c d"}).Draw(t, label+" subject"),
		Body:     rapid.SampledFrom([]string{"", "x", "x\r\n", "y\nz"}).Draw(t, label+" body"),
		Location: rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, label+" location"),
		Start:    time.Date(2026, 1, day, 9, 0, 0, 0, time.UTC),
		End:      time.Date(2026, 1, day, 9+rapid.IntRange(1, 2).Draw(t, label+" hours"), 0, 0, 0, time.UTC),
		AllDay:   rapid.Bool().Draw(t, label+" all-day"),
		Zone:     rapid.SampledFrom([]string{"", "Europe/Berlin"}).Draw(t, label+" zone"),
		Busy:     calendar.Busy(rapid.IntRange(0, 2).Draw(t, label+" busy")),
		Class:    calendar.Class(rapid.IntRange(0, 1).Draw(t, label+" class")),
	}
	if rapid.Bool().Draw(t, label+" reminder") {
		f.Reminder = minutes(rapid.IntRange(0, 1).Draw(t, label+" minutes"))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, label+" attendees") {
		f.Attendees = append(f.Attendees, Person{Email: fmt.Sprintf("P%d@example.com", i), Optional: rapid.Bool().Draw(t, "optional")})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, label+" rooms") {
		f.Resources = append(f.Resources, fmt.Sprintf("room-%d@example.com", i))
	}
	return Canonical(f)
}

func genSide(t *rapid.T, label string, base *Fields) *Fields {
	switch rapid.IntRange(0, 3).Draw(t, label) {
	case 0:
		return nil
	case 1:
		if base != nil {
			f := *base
			return &f
		}
	}
	f := genFields(t, label)
	return &f
}

// genOmits draws what a calendar may not keep: often nothing.
func genOmits(t *rapid.T, label string) calendar.Fields {
	if rapid.Bool().Draw(t, label+" nothing") {
		return 0
	}
	return calendar.Fields(rapid.Uint32().Draw(t, label)) & calendar.AllFields &^ calendar.FieldTime
}

func genInput(t *rapid.T) Input {
	var in Input
	if rapid.Bool().Draw(t, "has base") {
		b := genFields(t, "base")
		if b.Unsaid = genOmits(t, "unsaid"); b.Unsaid != 0 && rapid.Bool().Draw(t, "was heard") {
			heard := take(Canonical(Fields{}), genFields(t, "heard"), b.Unsaid)
			b.Heard = &heard
		}
		in.Base = &b
	}
	in.Booking, in.Item = genSide(t, "booking", in.Base), genSide(t, "item", in.Base)
	if in.Item != nil {
		in.Omits = genOmits(t, "omits")
	}
	in.Reset = rapid.IntRange(0, 4).Draw(t, "reset") == 0
	return in
}

// carry applies a decision to both sides as the executor does.
func carry(in Input, d Decision) Input {
	out := Input{Base: d.Base, Booking: in.Booking, Item: in.Item, Omits: in.Omits}
	switch {
	case d.CreateItem:
		f := d.Item
		out.Item = &f
	case d.ItemFields != 0:
		f := take(*in.Item, d.Item, d.ItemFields)
		out.Item = &f
	case d.DeleteItem:
		out.Item = nil
	}
	switch {
	case d.BookingFields != 0:
		f := take(*in.Booking, d.Booking, d.BookingFields)
		out.Booking = &f
	case d.CancelBooking:
		out.Booking = nil
	}
	return out
}

// TestPlanConverges: one application of a decision settles the pair; planning again changes nothing.
func TestPlanConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		d := Plan(in)
		after := carry(in, d)
		if after.Booking != nil && after.Item != nil {
			if differ := differing(*after.Booking, *after.Item, in.Omits) &^ calendar.FieldBody; differ != 0 {
				t.Fatalf("after %+v the sides differ in %v", d, differ)
			}
			if differ := Diff(*after.Base, *after.Booking); differ != 0 {
				t.Fatalf("the base differs from the booking in %v", differ)
			}
		}
		again := Plan(after)
		if after.Booking == nil && after.Item == nil {
			if !again.Unlink {
				t.Fatalf("a pair that is over plans %+v", again)
			}
			return
		}
		if !again.Idle() || len(again.Lost) != 0 {
			t.Fatalf("planning again is not idle: %+v", again)
		}
	})
}

// TestPlanLosesNoEditSilently: whatever a side said that the base did not is on both sides afterwards, or is a Loss.
func TestPlanLosesNoEditSilently(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		if in.Reset {
			return // a rollback is itself the decision on record
		}
		d := Plan(in)
		after := carry(in, d)
		lost := map[Side]calendar.Fields{}
		deletionLost := false
		for _, l := range d.Lost {
			lost[l.Side] |= l.Fields
			deletionLost = deletionLost || l.Deleted
		}
		check := func(side Side, before, now *Fields) {
			if in.Base == nil || before == nil {
				return
			}
			edited := Diff(*in.Base, *before)
			if side == CalendarSide {
				// The calendar's text is its own; it must only survive.
				edited = differing(in.Base.heard(), thrown(in), in.Omits) &^ calendar.FieldBody
			}
			if now == nil {
				if side == CalendarSide && edited&^lost[side] != 0 {
					t.Fatalf("the calendar's edit of %v vanished with the item", edited)
				}
				return
			}
			checkOccurrences(t, in, d, side, before, now)
			if before.Recurrence != "" {
				edited &^= calendar.FieldBody // the texts of exceptions go with these
			}
			if gone := edited & Diff(*before, *now) &^ lost[side] &^ calendar.FieldRecurrence; gone != 0 {
				t.Fatalf("%s's edit of %v was lost silently by %+v", side, gone, d)
			}
		}
		check(CalendarSide, in.Item, after.Item)
		check(BookingSide, in.Booking, after.Booking)
		if in.Base != nil && in.Item == nil && after.Item != nil && !deletionLost {
			t.Fatalf("a deletion was undone silently by %+v", d)
		}
		if in.Booking == nil && after.Item != nil {
			t.Fatalf("a cancelled booking keeps its item: %+v", d)
		}
		if in.Item != nil && after.Item != nil && d.ItemFields.Any(calendar.FieldBody) &&
			differing(in.Base.heard(), thrown(in), in.Omits).Any(calendar.FieldBody) { // what occurrences say that are omitted means nothing
			t.Fatalf("a text changed in the calendar was overwritten: %+v", d)
		}
	})
}

func TestCanonicalIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := genFields(t, "f")
		if again := Canonical(f); !reflect.DeepEqual(f, again) {
			t.Fatalf("Canonical twice = %+v, once = %+v", again, f)
		}
	})
}
