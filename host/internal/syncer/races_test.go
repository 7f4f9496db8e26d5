package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// amid has something happen once, just before the server is called.
func (w *world) amid(call string, f func()) {
	done := false
	w.server.before = func(c string) error {
		if c == call && !done {
			done = true
			f()
		}
		return nil
	}
}

func (w *world) mailbox(person string) store.Mailbox {
	w.Helper()
	mb, found, err := w.store.Mailbox(w.Context(), tenant, person)
	if err != nil || !found {
		w.Fatalf("mailbox of %s: %v, %v", person, found, err)
	}
	return mb
}

func (w *world) once(person string) Outcome {
	w.Helper()
	out, err := w.engine.Pass(w.Context(), tenant, person)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func remind(minutes int) func(*booking.Booking) {
	return func(b *booking.Booking) { b.ReminderMinutes = &minutes }
}

func titled(title string) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Title = title }
}

func TestFullReadWantedDuringAPassIsMade(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		rounds := w.mailbox("alice").Round
		sync := func() {
			if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
				w.Error(err)
			}
		}
		sync()
		w.amid("pull", sync)
		w.once("alice")
		if mb := w.mailbox("alice"); mb.Round != rounds+1 || !mb.ReconcileAt.IsZero() {
			w.Errorf("after the pass: %+v", mb)
		}
		w.pass("alice")
		if mb := w.mailbox("alice"); mb.Round != rounds+2 || mb.ReconcileAt.IsZero() {
			w.Errorf("after the next: %+v", mb)
		}
	})
}

func TestFullReadWantedWhileOneIsHalfDoneIsMadeAfterIt(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 8)
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		n := 0
		w.server.before = func(call string) error {
			if call == "pull" {
				if n++; n == 2 {
					return fault.Unavailable
				}
			}
			return nil
		}
		w.once("alice")
		half := w.mailbox("alice")
		if !half.RoundOpen {
			w.Fatalf("mailbox = %+v", half)
		}
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if mb := w.mailbox("alice"); mb.Round != half.Round+1 || mb.RoundOpen || mb.ReconcileAt.IsZero() || mb.NextDue.IsZero() {
			w.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestWorkTooLongForOnePassGoesOnAtOnce(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		for i := range 6 {
			w.book(fmt.Sprintf("b%d", i), at(8+i))
		}
		w.engine.limit = func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			n := 0
			w.server.before = func(call string) error {
				if call == "apply" {
					if n++; n > 2 {
						cancel()
						return fmt.Errorf("cut off: %w", fault.Unavailable)
					}
				}
				return nil
			}
			return ctx, cancel
		}
		for pass := 1; pass <= 2; pass++ {
			out := w.once("alice")
			if got := len(w.server.items(alice)); got != 2*pass || out.Clean || !out.Next.Equal(w.now()) {
				w.Errorf("pass %d: %d items, %+v", pass, got, out)
			}
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
		w.pass("alice")
		if got := len(w.server.items(alice)); got != 6 {
			w.Errorf("%d items, want 6", got)
		}
	})
}

func TestSubscriptionLostWhileItIsAskedForIsAskedForAnew(t *testing.T) {
	each(t, func(w *world) {
		w.amid("subscribe", func() {
			err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.DropSubscriptions(ctx, tenant, "alice")
			})
			if err != nil {
				w.Error(err)
			}
		})
		w.pass("alice")
		subs, err := w.store.Subscriptions(w.Context(), tenant, "alice")
		if err != nil || len(subs) != 1 || !subs[0].Active || len(w.server.subscribed) != 2 {
			w.Errorf("subscriptions %+v after %d requests, %v", subs, len(w.server.subscribed), err)
		}
	})
}

func TestMoveWhileAnItemIsWrittenCancelsNothing(t *testing.T) {
	for _, call := range []string{"find", "apply"} {
		t.Run(call, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.engine.strays = newStrays() // so that it looks for the item
				w.book("b1")
				w.amid(call, func() {
					w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
				})
				w.pass("alice")
				w.pass("alice")
				w.later(25 * time.Hour)
				w.pass("alice")
				w.only("alice@new.example.com")
				if b := w.booking("b1"); b.Status != booking.Confirmed || b.Version != 1 {
					w.Errorf("booking = %+v", b)
				}
			})
		})
	}
}

func TestItemIsStillExpectedAfterAMove(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
		w.pass("alice")
		w.none("alice@new.example.com")
		w.later(16 * time.Minute)
		w.pass("alice")
		w.only("alice@new.example.com")
	})
}

func TestBookingOutOfTheSyncStaysSoAfterAMove(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("the item is too strange: %w", fault.Invalid)
			}
			return nil
		}
		w.book("b1", at(14))
		for range 6 {
			w.pass("alice")
			w.later(time.Hour)
		}
		if !w.booking("b1").SyncDisabled {
			w.Fatalf("booking = %+v", w.booking("b1"))
		}
		w.server.before = nil
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncURL: "https://other.example.com"})
		w.pass("alice")
		if it := w.only(alice); it.Event.Start.Hour() != 9 {
			w.Errorf("it was written to: %v", it.Event.Start)
		}
	})
}

func TestChangeDuringAWriteMailsForItselfAlone(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*booking.Booking)
		mails  int
	}{{"Reminder", remind(5), 1}, {"Title", titled("Review"), 1}, {"Time", at(14), 2}} {
		t.Run(tc.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.book("b1")
				w.amid("apply", func() { w.book("b1", tc.change) })
				w.pass("alice")
				w.pass("alice")
				b, it := w.booking("b1"), w.only(alice)
				if it.Event.Subject != b.Title || !it.Event.Start.Equal(b.Start) || (it.Event.Reminder == nil) != (b.ReminderMinutes == nil) {
					w.Errorf("item %+v, booking %+v", it.Event, b)
				}
				if len(w.server.mails) != tc.mails {
					w.Errorf("%d mails, want %d: %v", len(w.server.mails), tc.mails, w.server.mails)
				}
			})
		})
	}
}

func TestWriteWhoseAnswerWasLostMailsOnce(t *testing.T) {
	swapRoom := func(e *calendar.Event) {
		for i := range e.Attendees {
			if a := &e.Attendees[i]; a.Role == calendar.Resource {
				a.Email = map[string]string{"room-a@example.com": "room-b@example.com", "room-b@example.com": "room-a@example.com"}[a.Email]
			}
		}
	}
	each(t, func(w *world) {
		w.pass("alice")
		loseAnswer := func() {
			lost := false
			w.server.after = func(string) error {
				if lost {
					return nil
				}
				lost = true
				return fmt.Errorf("the connection broke: %w", fault.Unavailable)
			}
		}
		w.book("b1")
		for i, room := range []string{"b", "a"} {
			if i > 0 {
				w.book("b1", at(14), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
			}
			loseAnswer()
			w.pass("alice")
			w.server.edit(alice, w.only(alice).Ref, swapRoom) // the place follows, and is nobody's news
			w.later(time.Hour)
			w.pass("alice")
			w.pass("alice")
			if len(w.server.mails) != i+1 {
				w.Errorf("%d mails, want %d: %v", len(w.server.mails), i+1, w.server.mails)
			}
			if b, it := w.booking("b1"), w.only(alice); fmt.Sprint(b.Resources) != "[room-"+room+"]" || it.Event.Location != "Room "+strings.ToUpper(room) {
				w.Errorf("booking in %v, item in %q", b.Resources, it.Event.Location)
			}
		}
	})
}

func TestRefusedChangeIsLaidBeforeAPerson(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("b2", at(14), by("bob"))
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			e.Subject = "Review"
			e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour)
		})
		w.pass("alice")
		if n := w.differences("edit lost"); n != 1 {
			w.Errorf("%d differences, want 1: the title was undone with the time", n)
		}
	})
}

func TestItemThatTheServerCannotStandHoldsNoOtherUp(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", titled("poison"))
		w.book("b2", at(14))
		first := true
		w.server.before = func(call string) error {
			if call == "apply" && first {
				first = false
				return fmt.Errorf("500: %w", fault.Unavailable)
			}
			first = call == "probe" || first
			return nil
		}
		w.pass("alice")
		w.later(time.Hour)
		first = false
		w.server.before = func(call string) error {
			if call == "apply" && len(w.server.items(alice)) == 1 {
				return fmt.Errorf("500: %w", fault.Unavailable)
			}
			return nil
		}
		w.pass("alice")
		if it := w.only(alice); it.ForeignKey != "b2" {
			w.Errorf("%s was made, want b2 while b1 fails", it.ForeignKey)
		}
	})
}

func TestWaitsEndWhenTheHostIsStartedAnew(t *testing.T) {
	each(t, func(w *world) {
		w.server.before = func(string) error {
			return &fault.Error{Kind: fault.Unauthorized, Message: "the server refused the login"}
		}
		w.pass("alice")
		w.server.before = nil
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusAttention {
			w.Fatalf("state = %+v", s)
		}
		_ = w.store.Close()
		w.start()
		if n, err := w.engine.Resume(w.Context()); err != nil || n != 1 {
			w.Fatalf("%d resumed, %v", n, err)
		}
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
	})
}

// The booking was cancelled before anybody knew the item that the add-in had made, and booked anew while it was looked for.
func TestItemOfABookingMadeAnewWhileItWasLookedForStays(t *testing.T) {
	each(t, func(w *world) {
		expected := func(b *booking.Booking) { b.ItemExpected = true }
		w.pass("alice")
		w.book("b1", expected)
		ref := w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Start: w.booking("b1").Start, End: w.booking("b1").End,
		}})
		w.amid("pull", func() {
			if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
				w.Error(err)
			}
			w.amid("find", func() { // by the key
				w.amid("find", func() { w.book("b1", expected) }) // by the booking's id
			})
		})
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item = %+v, want %s", it, ref)
		}
	})
}
