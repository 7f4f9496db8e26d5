package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Somebody edits a series between our read of it and our write, which is then refused as a conflict: nothing was written.
func TestAnEditInTheMomentOfARefusedWriteIsAnEdit(t *testing.T) {
	for name, edit := range map[string]func(ev *calendar.Event){
		"moved back":         func(ev *calendar.Event) { ev.Exceptions = nil },
		"no series any more": func(ev *calendar.Event) { ev.Recurrence, ev.Exceptions = "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays), with(rehoused(2, 14)))
				w.pass("alice")
				w.later(time.Minute)
				w.book("b1", ruled(fiveDays), with(rehoused(2, 14)), titled("Review"))
				w.amid("apply", func() { w.server.edit(alice, w.only(alice).Ref, edit) })
				w.pass("alice")
				w.later(25 * time.Hour)
				w.pass("alice")
				b, it := w.booking("b1"), w.only(alice)
				if len(b.Exceptions)+len(it.Event.Exceptions) != 0 || b.Recurrence != it.Event.Recurrence || it.Event.Subject != "Review" {
					w.Errorf("booking %q %v; item %q %q %v", b.Recurrence, b.Exceptions, it.Event.Subject, it.Event.Recurrence, it.Event.Exceptions)
				}
			})
		})
	}
}

// The server does not take the write, or is not reached: somebody edits before it is tried again.
func TestAnEditBeforeAWriteIsTriedAgainIsAnEdit(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Invalid, fault.Unavailable} {
		t.Run(string(kind), func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", ruled(fiveDays), with(rehoused(2, 14)))
				w.pass("alice")
				w.later(time.Minute)
				w.book("b1", ruled(fiveDays), with(rehoused(2, 14)), titled("Review"))
				w.server.before = func(call string) error {
					if call == "apply" {
						return kind
					}
					return nil
				}
				w.pass("alice")
				w.server.before = nil
				w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Recurrence, ev.Exceptions = "", nil })
				w.later(time.Hour)
				w.pass("alice")
				if b, it := w.booking("b1"), w.only(alice); b.Recurrence != "" || it.Event.Recurrence != "" || it.Event.Subject != "Review" {
					w.Errorf("booking %q, item %q %q", b.Recurrence, it.Event.Subject, it.Event.Recurrence)
				}
			})
		})
	}
}

// What was left out of a series is to come back, for which its rule is taken away: there the write breaks off, and the next one is not even
// begun. That the rule is gone is nobody's edit.
func TestARuleThatAWriteTookAwayIsWrittenThoughTheNextOneFails(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", ruled(fiveDays), with(leftOut(1), rehoused(2, 14)))
		w.pass("alice")
		w.later(time.Minute)
		w.book("b1", ruled(fiveDays), with(rehoused(2, 14)))
		tries := 0
		w.server.before = func(call string) error {
			if call != "apply" {
				return nil
			}
			if tries++; tries == 1 {
				w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Recurrence, ev.Exceptions = "", nil })
			}
			return fault.Unavailable
		}
		for range 3 {
			w.pass("alice")
			w.later(time.Hour)
		}
		w.server.before = nil
		w.pass("alice")
		b, it := w.booking("b1"), w.only(alice)
		if tries < 2 || b.Recurrence == "" || len(b.Exceptions) != 1 || it.Event.Recurrence == "" || len(it.Event.Exceptions) != 1 || w.differences(editLost) != 0 {
			w.Errorf("after %d tries: booking %q %+v, item %q %+v", tries, b.Recurrence, b.Exceptions, it.Event.Recurrence, it.Event.Exceptions)
		}
	})
}
