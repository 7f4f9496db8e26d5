package soak_test

import (
	"slices"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// settleSplits: what follows in a series that was split is a booking of its own, once it bears that one's marker.
func (w *world) settleSplits() {
	for id, o := range w.others {
		it, found := w.sim.Outlook(o.box).Find(func(x exchangesim.Appointment) bool { return x.ID == id })
		if found && o.of != "" && it.Properties[oid] != o.booking && w.booking(it.Properties[oid]) != nil {
			delete(w.others, id)
		}
	}
}

// checkOthers: copies and what is nobody's business are as they were left.
func (w *world) checkOthers() {
	for id, o := range w.others {
		it, found := w.sim.Outlook(o.box).Find(func(x exchangesim.Appointment) bool { return x.ID == id })
		switch {
		case o.was == "" && found:
			o.was = says(it) // from now on it is one
		case o.was == "", !found && w.orphaned(o):
			delete(w.others, id) // it stood for its booking again, and went with it
		case !found:
			w.fail("%s of %q in %s is gone", "the copy", o.booking, o.box)
		case says(it) != o.was && w.orphaned(o): // it stood for its booking until that ended
			o.was = says(it)
		case says(it) != o.was:
			w.recall(o.booking)
			w.fail("the copy of %q in %s is not as it was left: %s, want %s", o.booking, o.box, says(it), o.was)
		}
		o.met = o.met || !w.orphaned(o)
	}
}

// checkCalendar looks for items of ours that no booking stands behind.
func (w *world) checkCalendar(p *who) {
	if p.SyncDisabled {
		return
	}
	for _, it := range w.own(p.Email) {
		id := it.Properties[oid]
		if id == "" || w.others[it.ID] != nil {
			continue
		}
		if w.isMeeting(p, it) {
			continue // of its own, whatever it is a copy of
		}
		b := w.booking(id)
		switch {
		case b == nil: // the add-in made it, and the booking may still come
		case b.Status == booking.Confirmed && b.Organizer == p.ID, b.SyncDisabled:
		case w.leftByRule(id), w.neverTied(p, id):
		case len(w.differences(id)) > 0:
			w.others[it.ID] = &other{box: p.Email, booking: id, was: says(it)} // listed
		default:
			w.fail("an item of %s is left though %s is %s and organized by %s", p.ID, id, b.Status, b.Organizer)
		}
	}
}

// neverTied: the add-in made the item of a booking that was refused, and then became somebody else's.
func (w *world) neverTied(p *who, id string) bool {
	return !slices.ContainsFunc(w.links(id), func(l store.Link) bool { return l.Person == p.ID })
}

// leftByRule: where a conflict cancels, the item stays and loses its link.
func (w *world) leftByRule(id string) bool {
	return slices.ContainsFunc(w.history(id), func(c store.ChangeRecord) bool {
		return strings.HasPrefix(c.Reason, "conflict") || strings.HasPrefix(c.Reason, "a room declined") || c.Kind == "problem" || c.Kind == "cancelled" && c.Source == "sync"
	})
}

// stays notes that the item of a booking that is over stays, because somebody decided so.
func (w *world) stays(p *who, id string) {
	if b := w.booking(id); b != nil && b.Status == booking.Confirmed {
		return
	}
	for _, it := range w.own(p.Email) {
		if it.Properties[oid] == id && w.others[it.ID] == nil {
			w.others[it.ID] = &other{box: p.Email, booking: id, was: says(it)}
		}
	}
}
