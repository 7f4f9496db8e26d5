package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func reminder(minutes int) func(*booking.Booking) {
	return func(b *booking.Booking) { b.ReminderMinutes = &minutes }
}

func reminds(minutes int) func(*calendar.Event) {
	return func(e *calendar.Event) { e.Reminder = &calendar.Reminder{Before: time.Duration(minutes) * time.Minute} }
}

// replaced has another version of the plugin read the calendar in full: one that omits other fields.
func (w *world) replaced(omits calendar.Fields) {
	w.Helper()
	w.server.omits = omits
	if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
}

// says checks the reminder on both sides.
func (w *world) says(minutes int) {
	w.Helper()
	if got := w.booking("b1").ReminderMinutes; got == nil || *got != minutes {
		w.Errorf("the booking's reminder is %v, want %d", got, minutes)
	}
	if got := w.only(alice).Event.Reminder; got == nil || got.Before != time.Duration(minutes)*time.Minute {
		w.Errorf("the item's reminder is %v, want %d minutes", got, minutes)
	}
}

func TestCalendarThatKeepsMoreFromNowOnClearsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.server.omits = calendar.FieldAttendees | calendar.FieldResources | calendar.FieldReminder
		w.book("b1", reminder(15))
		w.pass("alice")
		if ev := w.only(alice).Event; len(ev.Attendees) != 0 || ev.Reminder != nil {
			w.Fatalf("the item has more than its calendar keeps: %+v", ev)
		}
		mails := len(w.server.mails)

		w.replaced(0)
		w.says(15)
		if b := w.booking("b1"); b.Version != 1 || len(b.Resources) != 1 || len(b.Attendees) != 1 {
			w.Errorf("booking = %+v", b)
		}
		if ev := w.only(alice).Event; len(ev.Attendees) != 2 {
			w.Errorf("attendees = %+v", ev.Attendees)
		}
		if n := w.differences("edit lost"); n != 0 {
			w.Errorf("%d edits are called lost, and nobody edited anything", n)
		}
		if len(w.server.mails) != mails {
			w.Errorf("the repair mailed: %v", w.server.mails[mails:])
		}
		// From now on it is a field like others.
		w.server.edit(alice, w.only(alice).Ref, reminds(5))
		w.pass("alice")
		w.says(5)
	})
}

func TestPluginRolledBackAndForthBringsNoOldValueBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", reminder(15))
		w.pass("alice")
		w.replaced(calendar.FieldReminder)
		w.book("b1", reminder(30))
		w.pass("alice")
		w.replaced(0)
		w.says(30)
		if n := w.differences("edit lost"); n != 0 {
			w.Errorf("%d edits are called lost, and the item was only not written to", n)
		}

		w.replaced(calendar.FieldReminder)
		w.book("b1", reminder(45))
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { reminds(5)(e); e.Subject = "Review" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" {
			w.Errorf("title = %q", b.Title)
		}
		w.replaced(0)
		w.says(45)
		if n := w.differences("edit lost"); n != 1 {
			w.Errorf("%d differences, want one of the reminder that was changed in the calendar", n)
		}
	})
}

func TestWhatACalendarOmitsIsNoLostEdit(t *testing.T) {
	each(t, func(w *world) {
		w.server.omits = calendar.FieldResources | calendar.FieldBusy
		w.book("b1", reminder(15))
		w.pass("alice")
		w.book("b1", reminder(15), func(b *booking.Booking) { b.Resources, b.Busy = []string{"room-b"}, booking.Free })
		w.server.edit(alice, w.only(alice).Ref, reminds(5))
		l := w.explain("b1").Links[0]
		for name, want := range map[string]string{"place": "location, by booking", "flags": "reminder, by calendar"} {
			if got := group(l, name); got != want {
				w.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		w.pass("alice")
		w.says(5)
		if b := w.booking("b1"); b.Busy != booking.Free || b.Resources[0] != "room-b" {
			w.Errorf("booking = %+v", b)
		}
		if got := w.only(alice).Event.Location; got != "Room B" {
			w.Errorf("location = %q", got)
		}
		if n := w.differences("edit lost"); n != 0 {
			w.Errorf("%d edits are called lost", n)
		}

		// Before the calendar that keeps more is read in full nobody knows who changed what.
		w.server.omits = 0
		if got, want := group(w.explain("b1").Links[0], "place"), "resources, by unknown"; got != want {
			w.Errorf("place: %s, want %s", got, want)
		}

		// What is not kept makes no edited booking of one whose item is deleted.
		w.server.omits = calendar.FieldBusy
		w.server.remove(alice, w.only(alice).Ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestRoomMovedInACalendarThatKeepsNoPlaceIsNotWrittenBack(t *testing.T) {
	each(t, func(w *world) {
		w.server.omits = calendar.FieldLocation
		w.book("b1")
		w.pass("alice")
		w.pass("alice") // the echo
		writes, reads := w.server.writes, w.server.calls["fetch"]
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Attendees[len(e.Attendees)-1].Email = "room-b@example.com" })
		w.pass("alice")
		if b := w.booking("b1"); len(b.Resources) != 1 || b.Resources[0] != "room-b" {
			w.Errorf("booking = %+v", b)
		}
		if w.server.writes != writes || w.server.calls["fetch"] != reads {
			w.Errorf("%d writes, %d reads for a name that the calendar does not keep", w.server.writes-writes, w.server.calls["fetch"]-reads)
		}
	})
}

func TestPeopleAreWrittenWithoutTheRoomsThatACalendarOmits(t *testing.T) {
	each(t, func(w *world) {
		w.server.omits = calendar.FieldResources
		w.book("b1")
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.Attendees = append(b.Attendees, booking.Attendee{Email: carol}) })
		w.pass("alice")
		if ev := w.only(alice).Event; len(ev.Attendees) != 2 {
			w.Errorf("attendees = %+v", ev.Attendees)
		}
	})
}

// The answer to a change that was mailed is lost; meanwhile the calendar came to keep people and rooms. They are written
// by what was intended for the change, and are nobody's news.
func TestRepairMailsNobodyThoughAnotherChangeIsPending(t *testing.T) {
	each(t, func(w *world) {
		w.server.omits = calendar.FieldAttendees | calendar.FieldResources
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(14))
		w.server.after = func(call string) error {
			w.server.after = nil
			return fault.Unavailable
		}
		w.once("alice")
		if w.server.after != nil {
			w.Fatal("nothing was written")
		}
		mails := len(w.server.mails)
		w.later(DefaultLimits().RetryMax * 2)
		w.replaced(0)
		if ev := w.only(alice).Event; ev.Start.Hour() != 14 || len(ev.Attendees) != 2 {
			w.Errorf("item = %+v", ev)
		}
		if len(w.server.mails) != mails {
			w.Errorf("the repair mailed: %v", w.server.mails[mails:])
		}
	})
}
