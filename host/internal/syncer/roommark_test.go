package syncer

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The organizer's own item of a meeting to which a room was invited gets the markers of its booking, once, and nothing else is
// written, wherever the host is killed.
func TestTheOrganizersItemIsMarked(t *testing.T) {
	for _, at := range []string{"", "remark:planned", "remark:applied", "remark:recorded"} {
		t.Run(fmt.Sprintf("killed at %q", at), func(t *testing.T) {
			rooms(t, func(w *world) {
				ev := weekly(9, 3, "m1", alice, roomA)
				leaveOutOf(&ev, week(1, 9))
				ev.Body, ev.Location = "the agenda", "somewhere"
				refs := w.invite(ev, roomA)
				before := w.only(alice)
				w.pass("room-a")
				if at != "" && !w.killedAt(at) {
					w.Fatal("the step was not reached")
				}
				w.pass("alice")
				w.pass("room-a")
				b, it := w.theOne(), w.only(alice)
				if it.ForeignKey != b.ID || it.Key == "" || !reflect.DeepEqual(it.Event, before.Event) {
					w.Errorf("the item of %s is %+v", b.ID, it)
				}
				if w.quiet(0); w.server.writes != 1 {
					w.Errorf("%d writes", w.server.writes)
				}
				if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				if it := w.server.items(roomA)[0]; w.server.writes != 1 || it.Ref != refs[1] || it.Key != "" {
					w.Errorf("%d writes after a full read; the room has %+v", w.server.writes, it)
				}
			})
		})
	}
}

// By the markers the item is known again when neither its reference nor its UID is what it was, and a copy of it is one.
func TestAMarkedItemIsKnownAgain(t *testing.T) {
	rooms(t, func(w *world) {
		refs := w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		b := w.theOne()
		moved := w.server.move(alice, refs[0])
		w.server.identify(alice, moved, "m1-restored")
		w.pass("alice")
		w.pass("room-a")
		if now := w.theOne(); now.ID != b.ID || now.Status != booking.Confirmed {
			w.Errorf("booking %+v", now)
		}
		w.server.edit(alice, moved, func(ev *calendar.Event) { ev.Subject = "Half-year" })
		w.pass("alice")
		if now := w.theOne(); now.Title != "Half-year" {
			w.Errorf("the booking is called %q", now.Title)
		}
		copied := w.only(alice)
		copied.Ref, copied.Event.UID = "", "m2"
		w.server.add(alice, copied)
		w.pass("alice")
		if w.differences(copyLeftAlone) != 1 {
			w.Error("the copy is taken for something else")
		}
		w.theOne()
		w.quiet(0)
	})
}

// A change that is on its way when the item is to be marked brings the markers along.
func TestAChangeOfTheBookingMarksTheItem(t *testing.T) {
	rooms(t, func(w *world) {
		w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		b := w.theOne().Clone()
		b.Title = "Another"
		if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if it := w.only(alice); it.ForeignKey != b.ID || it.Event.Subject != "Another" {
			w.Errorf("item %+v", it)
		}
		w.quiet(0) // a title is no reason to mail
	})
}

// A calendar that does not take the markers keeps its booking: it is known by its reference, and nobody is bothered.
func TestAnItemThatCannotBeMarked(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("no properties here: %w", fault.Invalid)
			}
			return nil
		}
		w.pass("room-a")
		for range 8 {
			w.pass("alice")
			w.later(2 * time.Hour)
		}
		w.server.before = nil
		if b := w.theOne(); b.SyncDisabled || b.SyncProblem != "" || len(w.news()) != 0 {
			w.Errorf("booking %+v, mails %q", b, w.news())
		}
		said, err := w.store.Activities(w.Context(), tenant, "alice", "", 100)
		if err != nil || !slices.ContainsFunc(said, func(a store.Activity) bool { return a.What == "item not marked" }) {
			w.Errorf("timeline %+v, %v", said, err)
		}
		if w.server.writes != 0 {
			w.Errorf("%d writes", w.server.writes)
		}
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Subject = "Half-year" })
		w.pass("alice")
		if b := w.theOne(); b.Title != "Half-year" {
			w.Errorf("the booking is called %q", b.Title)
		}
	})
}

// In shadow mode nothing is written; afterwards it is.
func TestAnItemIsNotMarkedInShadowMode(t *testing.T) {
	rooms(t, func(w *world) {
		shadow := func(on bool) {
			if err := w.engine.SetShadow(w.Context(), tenant, "alice", on); err != nil {
				w.Fatal(err)
			}
		}
		shadow(true)
		w.invite(meetingAt(9, "m1", alice, roomA), roomA)
		w.pass("room-a")
		w.pass("alice")
		if w.theOne(); w.server.writes != 0 {
			w.Errorf("%d writes", w.server.writes)
		}
		shadow(false)
		w.pass("alice")
		if it := w.only(alice); it.ForeignKey != w.theOne().ID || w.server.writes != 1 {
			w.Errorf("item %+v, %d writes", it, w.server.writes)
		}
		w.quiet(0)
	})
}
