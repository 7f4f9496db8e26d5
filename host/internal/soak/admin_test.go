package soak_test

import (
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// shadow has a person's calendar read with nothing written, or taken over again.
func (w *world) shadow(a soak.Act) { w.setShadow(w.person(a.A), !w.person(a.A).Shadow) }

func (w *world) setShadow(p *who, on bool) {
	w.say("shadow mode of %s: %v", p.ID, on)
	p.restless = true
	w.must(w.engine.SetShadow(w.Context(), w.tenant, p.ID, on))
}

// shadowed reports whether a person is in shadow mode at this moment.
func (w *world) shadowed(person string) bool {
	row, _, err := w.store.Person(w.Context(), w.tenant, person)
	w.must(err)
	return row.Shadow
}

// written counts the writes to calendars so far.
func (w *world) written() (n int) {
	for _, op := range writes {
		n += w.sim.Count(op)
	}
	return n
}

// takeOver ends every shadow mode.
func (w *world) takeOver() (some bool) {
	for i := range w.names {
		if p := w.person(i); p.Shadow {
			some = true
			w.setShadow(p, false)
		}
	}
	return some
}

// scan has bookings and items compared, which changes neither.
func (w *world) scan(a soak.Act) {
	s := store.Scan{Tenant: w.tenant, Target: store.ScanAll, Thorough: a.C%2 == 0}
	switch a.A % 5 {
	case 0:
		s.Target, s.Name = store.ScanPerson, w.person(a.B).ID
	case 1:
		b := w.booking(fmt.Sprintf("b%d", a.B%bookings))
		if b == nil {
			return
		}
		s.Target, s.Name = store.ScanBooking, b.ID
	case 2:
		s.Target, s.From, s.To = store.ScanWindow, w.day(-5), w.day(a.B%10)
	case 3:
		s.Target, s.Name = store.ScanRoom, roomsOf[a.B%2][0]
	}
	made, err := w.engine.StartScan(w.Context(), s)
	w.must(err)
	w.say("scan %d of %s %s", made.ID, s.Target, s.Name)
	w.scans = append(w.scans, made.ID)
}

// checkScans: each has come to its end.
func (w *world) checkScans() {
	for _, id := range w.scans {
		s, found, err := w.store.Scan(w.Context(), w.tenant, id)
		w.must(err)
		if !found || s.Ended.IsZero() {
			w.fail("scan %d does not end: %+v", id, s)
		}
	}
	w.scans = nil
}

// decideUnits decides about what a pass set aside because it was too much at once.
func (w *world) decideUnits(p *who, n int) (decided bool) {
	units, err := w.store.Quarantines(w.Context(), w.tenant, store.QuarantineFilter{Person: p.ID, State: store.QuarantineWaiting})
	w.must(err)
	for _, q := range units {
		if q.Kind == syncer.CalendarDeletions {
			continue // decided where they are counted
		}
		decided = true
		w.tally.held++
		w.units++ // ids go on from one schedule of a stage to the next, and a schedule is to be the same when it is played alone
		decision := []string{syncer.Approve, syncer.Discard}[(n+w.units)%2]
		w.decideUnit(p, q, decision)
		if decision == syncer.Approve && w.units%3 == 0 {
			w.decideUnit(p, q, syncer.Undo)
		}
	}
	return decided
}

func (w *world) decideUnit(p *who, q store.Quarantine, decision string) {
	q, err := w.engine.DecideQuarantine(w.Context(), w.tenant, q.ID, decision)
	w.must(err)
	items, err := syncer.ParseQuarantine(q)
	w.must(err)
	w.say("%s: %s with %s, %d bookings", decision, q.Kind, p.ID, len(items))
	for _, it := range items {
		w.say("  %s: %s. %s", it.Booking, it.Does, it.Problem)
		n := w.note(it.Booking)
		n.touched = true
		if decision == syncer.Approve {
			continue
		}
		n.puts++
		clear(n.edits)
		if b := w.booking(it.Booking); b != nil && b.Status == booking.Confirmed {
			n.cancelled = false
		}
		if it.Problem != "" {
			w.letGo(p, it.Booking)
		}
	}
}

// letGo: the items of a booking stay as they are. If that has another one in the same calendar by now, they are listed. An item that
// bears the key of a living link is none of them: the answer to its making was lost, and it is met later.
func (w *world) letGo(p *who, id string) {
	b := w.booking(id)
	stands := b != nil && b.Status == booking.Confirmed && b.Organizer == p.ID && len(w.differences(id)) == 0
	for _, it := range w.own(p.Email) {
		if _, linked := w.linked(p, it.ID); it.Properties[oid] == id && !linked && !stands && w.others[it.ID] == nil && !w.awaited(id, it) {
			w.others[it.ID] = &other{box: p.Email, booking: id, was: says(it)}
		}
	}
}

// awaited reports whether an item was made for a booking that does not know of it yet.
func (w *world) awaited(id string, it exchangesim.Appointment) bool {
	return slices.ContainsFunc(w.links(id), func(l store.Link) bool {
		return l.State == store.LinkPending && l.Ref == "" && l.Key == it.Properties[ourKey]
	})
}
