package plan

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// unsaid returns f as a base whose item did not say which, and last said what heard says of it.
func unsaid(f *Fields, which calendar.Fields, heard *Fields) *Fields {
	b := *f
	b.Unsaid = which
	if heard != nil {
		nothing := Canonical(Fields{})
		if last := take(nothing, *heard, which); Diff(last, nothing) != 0 {
			b.Heard = &last
		}
	}
	return &b
}

func TestPlanOfWhatACalendarDoesNotKeep(t *testing.T) {
	t.Parallel()
	const (
		busy, reminder = calendar.FieldBusy, calendar.FieldReminder
		place, rooms   = calendar.FieldLocation, calendar.FieldResources
		people         = calendar.FieldAttendees
	)
	same := with(func(*Fields) {})
	poor := with(func(f *Fields) { f.Busy, f.Reminder = calendar.BusyUnspecified, nil })
	bare := with(func(f *Fields) { f.Attendees, f.Resources = nil, nil })
	late := with(func(f *Fields) { f.Reminder = minutes(30) })
	later := with(func(f *Fields) { f.Reminder = minutes(45) })
	free := with(func(f *Fields) { f.Busy = calendar.Free })
	freeAndLate := with(func(f *Fields) { f.Busy, f.Reminder = calendar.Free, minutes(30) })
	renamed := with(func(f *Fields) { f.Subject = "Review" })
	moved := with(func(f *Fields) { f.Location, f.Resources = "Room B", []string{"room-b@example.com"} })
	movedByName := with(func(f *Fields) { f.Location = "Room B" })
	noted := with(func(f *Fields) { f.Body = "bring tea" })
	blank := with(func(f *Fields) { f.Body = "" })

	for _, tc := range []struct {
		name string
		in   Input
		want Decision
	}{
		{"ItsAbsenceIsNoChange", Input{Base: same, Booking: same, Item: poor, Omits: busy | reminder},
			Decision{Base: unsaid(same, busy|reminder, same)}},
		{"ABookingsEditOfItIsNotWritten", Input{Base: same, Booking: late, Item: same, Omits: reminder},
			Decision{Base: unsaid(late, reminder, same)}},
		{"WhatWasLastHeardIsRemembered", Input{Base: unsaid(late, reminder, same), Booking: later, Item: poor, Omits: reminder},
			Decision{Base: unsaid(later, reminder, same)}},
		{"ARoomMoveWritesTheNameAndLosesNothing", Input{Base: same, Booking: moved, Item: same, Omits: rooms},
			Decision{ItemFields: place, Item: *movedByName, Base: unsaid(moved, rooms, same)}},
		{"AnEditOfTheRestOfItsGroupIsCarried", Input{Base: same, Booking: free, Item: late, Omits: busy},
			Decision{BookingFields: reminder, Booking: *freeAndLate, Base: unsaid(freeAndLate, busy, same)}},
		{"AnEditThatCanBeSaidIsCarried", Input{Base: same, Booking: same, Item: renamed, Omits: busy},
			Decision{BookingFields: calendar.FieldSubject, Booking: *renamed, Base: unsaid(renamed, busy, same)}},
		{"ACancelledBookingLosesNothing", Input{Base: same, Item: poor, Omits: busy | reminder}, Decision{DeleteItem: true}},
		{"AdoptionTakesItFromTheBooking", Input{Booking: same, Item: bare, Omits: people | rooms}, Decision{Base: unsaid(same, people|rooms, nil)}},
		{"AResetLeavesItAlone", Input{Base: same, Booking: same, Item: poor, Omits: busy | reminder, Reset: true},
			Decision{Base: unsaid(same, busy|reminder, same)}},
		{"GoneCancelsThoughItWasUnsaid", Input{Base: unsaid(late, reminder, same), Booking: late}, Decision{CancelBooking: true}},
		{"AnEditOfItBeatsADeletion", Input{Base: unsaid(late, reminder, same), Booking: later}, Decision{CreateItem: true, Item: *later, Base: later,
			Lost: []Loss{{Side: CalendarSide, Deleted: true}}}},

		{"KeptFromNowOnEmptyListsClearNothing", Input{Base: unsaid(same, people|rooms, nil), Booking: same, Item: bare},
			Decision{ItemFields: people | rooms, Repaired: people | rooms, Item: *same, Base: same}},
		{"KeptAgainTheOldValueIsNoEdit", Input{Base: unsaid(late, reminder, same), Booking: late, Item: same},
			Decision{ItemFields: reminder, Repaired: reminder, Item: *late, Base: late}},
		{"KeptAgainWhatSomebodyChangedSinceIsShown", Input{Base: unsaid(late, reminder, same), Booking: late, Item: later},
			Decision{ItemFields: reminder, Repaired: reminder, Item: *late, Base: late,
				Lost: []Loss{{Side: CalendarSide, Fields: reminder, News: true}}}},
		{"KeptFromNowOnAndEditedInTheBookingIsNews", Input{Base: unsaid(same, people|rooms|place, nil), Booking: moved, Item: with(func(f *Fields) {
			f.Attendees, f.Resources, f.Location = nil, nil, ""
		})}, Decision{ItemFields: people | rooms | place, Repaired: people, Item: *moved, Base: moved}},
		{"KeptFromNowOnTheSameIsAgreement", Input{Base: unsaid(same, reminder, nil), Booking: same, Item: same}, Decision{Base: same}},
		{"KeptFromNowOnTheRestOfItsGroupIsCarried", Input{Base: unsaid(late, reminder, same), Booking: late, Item: free}, Decision{
			ItemFields: reminder, Repaired: reminder, Item: *freeAndLate,
			BookingFields: busy, Booking: *freeAndLate, Base: freeAndLate}},
		{"NotesAreWrittenWhereThereAreNone", Input{Base: unsaid(same, calendar.FieldBody, nil), Booking: same, Item: blank},
			Decision{ItemFields: calendar.FieldBody, Item: *same, Base: same}},
		{"NotesNeverOverwriteATextThatWasUnsaid", Input{Base: unsaid(same, calendar.FieldBody, nil), Booking: same, Item: noted}, Decision{Base: same,
			Lost: []Loss{{Side: BookingSide, Fields: calendar.FieldBody}}}},

		{"WhatBothChangedAlikeIsNobodysEdit", Input{Base: same, Booking: free, Item: freeAndLate}, Decision{
			BookingFields: reminder, Booking: *freeAndLate, Base: freeAndLate}},
		{"ALossHasFields", Input{Base: same, Booking: moved, Item: movedByName},
			Decision{ItemFields: rooms, Item: *moved, Base: moved}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := Plan(tc.in)
			if !reflect.DeepEqual(got, tc.want) {
				gotJSON, _ := json.MarshalIndent(got, "", " ")
				wantJSON, _ := json.MarshalIndent(tc.want, "", " ")
				t.Errorf("Plan =\n %s\nwant\n %s", gotJSON, wantJSON)
			}
		})
	}
}

func TestPlanNeverTouchesWhatIsOmitted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		d := Plan(in)
		touched := d.BookingFields | d.ItemFields
		for _, l := range d.Lost {
			if touched |= l.Fields; l.Fields == 0 && !l.Deleted {
				t.Fatalf("a loss of nothing: %+v", d.Lost)
			}
		}
		if wrong := touched & in.Omits; wrong != 0 {
			t.Fatalf("%v is omitted, and the plan is %+v", wrong, d)
		}
		if d.Repaired&^d.ItemFields != 0 {
			t.Fatalf("%v is repaired and not written", d.Repaired&^d.ItemFields)
		}
		if in.Omits != 0 { // what a calendar says beside what it keeps must not matter
			other, zone := *in.Item, in.Item.Zone
			in.Item = &other
			other = take(other, genFields(t, "noise"), in.Omits)
			other.Zone = zone
			if again := Plan(in); again.ItemFields != d.ItemFields || again.BookingFields != d.BookingFields ||
				!reflect.DeepEqual(again.Lost, d.Lost) || !reflect.DeepEqual(again.Base, d.Base) {
				againJSON, _ := json.Marshal(again)
				dJSON, _ := json.Marshal(d)
				t.Fatalf("noise in %v made\n%s of\n%s", in.Omits, againJSON, dJSON)
			}
		}
	})
}

// TestBookingPrevailsInWhatIsSaidAnew: a calendar omits some fields for a while, in which both sides change. Once it
// says them, the booking's value is on both sides, and what somebody changed in the calendar is shown; an item that was
// only not written to is not.
func TestBookingPrevailsInWhatIsSaidAnew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		agreed := genSingle(t, "agreed")
		state := Input{Base: &agreed, Booking: &agreed, Item: &agreed, Omits: genOmits(t, "omits")}
		if rapid.Bool().Draw(t, "never said") {
			item := take(agreed, Canonical(Fields{}), state.Omits)
			state.Base, state.Item = unsaid(&agreed, state.Omits, nil), &item
		}
		kept := *state.Item // what the calendar has of what it does not tell
		for range rapid.IntRange(1, 3).Draw(t, "passes") {
			booking := genSingle(t, "booking")
			state.Booking = &booking
			if rapid.Bool().Draw(t, "edited in the calendar") {
				item := genSingle(t, "item")
				state.Item = &item
			}
			state = carry(state, Plan(state))
		}
		freed := state.Omits & calendar.Fields(rapid.Uint32().Draw(t, "freed")) &^ calendar.FieldBody
		state.Omits &^= freed
		item := take(*state.Item, genSingle(t, "what is said"), freed)
		if rapid.Bool().Draw(t, "untouched") {
			item = take(item, kept, freed)
		}
		state.Item = &item

		before := *state.Booking
		d := Plan(state)
		after := carry(state, d)
		if wrong := d.BookingFields & freed; wrong != 0 {
			t.Fatalf("%v is said anew and was taken over into the booking: %+v", wrong, d)
		}
		if wrong := (Diff(before, *after.Booking) | Diff(before, *after.Item)) & freed; wrong != 0 {
			t.Fatalf("the booking's %v did not prevail: %+v", wrong, d)
		}
		var lost calendar.Fields
		for _, l := range d.Lost {
			lost |= l.Fields
		}
		edited := Diff(kept, item) & Diff(before, item) & freed
		if lost&freed != edited {
			t.Fatalf("%v was changed in the calendar, and %v is shown: %+v", edited, lost&freed, d)
		}
		if changed := d.Repaired & Diff(before, *state.Base); changed != 0 {
			t.Fatalf("%v was changed in the booking, and is called a repair", changed)
		}
		if d.Base.Unsaid != state.Omits {
			t.Fatalf("unsaid is %v, want %v", d.Base.Unsaid, state.Omits)
		}
	})
}

// TestAgreedWaitsForWhatIsPending: what is not written yet is decided the same way next time.
func TestAgreedWaitsForWhatIsPending(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		if in.Booking == nil || in.Item == nil || in.Reset || in.Base == nil {
			return
		}
		d := Plan(in)
		if d.ItemFields == 0 || d.BookingFields != 0 {
			return
		}
		waiting := in
		waiting.Base = Agreed(in, d.ItemFields)
		again := Plan(waiting)
		if in.Base.Recurrence+in.Booking.Recurrence+in.Item.Recurrence != "" {
			if in.Omits|in.Base.Unsaid != 0 {
				return // a series in a calendar that keeps only a part: left alone where that is the rule, see package syncer, and not held to this else
			}
			// What is agreed of the series by then is nobody's edit of an occurrence any more: fewer or other losses are named.
			if (again.ItemFields^d.ItemFields)&^calendar.FieldBody != 0 || again.BookingFields != 0 ||
				Diff(*again.Base, *d.Base)&^calendar.FieldBody != 0 {
				t.Fatalf("planning again what is not written yet:\n%+v\nfirst:\n%+v", again, d)
			}
		} else if again.ItemFields != d.ItemFields || again.Repaired != d.Repaired || again.BookingFields != 0 || !reflect.DeepEqual(again.Lost, d.Lost) || !reflect.DeepEqual(again.Base, d.Base) {
			t.Fatalf("planning again what is not written yet:\n%+v\nfirst:\n%+v", again, d)
		}
		if data, err := json.Marshal(waiting.Base); err != nil {
			t.Fatal(err)
		} else {
			var stored Fields
			if err := json.Unmarshal(data, &stored); err != nil || !reflect.DeepEqual(Canonical(stored), *waiting.Base) {
				t.Fatalf("stored and read again: %+v, %v; want %+v", stored, err, *waiting.Base)
			}
		}
	})
}
