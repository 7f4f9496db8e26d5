package soak_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

var (
	oid    = exchangesim.PropertyKey(backend.DefaultMarkers().Foreign.Set, backend.DefaultMarkers().Foreign.Name)
	ourKey = exchangesim.PropertyKey(backend.DefaultMarkers().Key.Set, backend.DefaultMarkers().Key.Name)
)

// own returns the items of a person's calendar that the person organizes.
func (w *world) own(address string) []exchangesim.Appointment {
	return slices.DeleteFunc(w.sim.Outlook(address).Items(), func(a exchangesim.Appointment) bool {
		return !strings.EqualFold(a.Organizer.Address, address)
	})
}

// find returns an item of somebody's own that an act is about.
func (w *world) find(a soak.Act) (p *who, it exchangesim.Appointment, found bool) {
	for i := range w.names {
		p = w.person(a.A + i)
		if items := w.own(p.Email); len(items) > 0 {
			return p, items[a.B%len(items)], true
		}
	}
	return p, it, false
}

// byHand lets a person do something in Outlook, whose mails are the person's own.
func (w *world) byHand(do func() error) {
	w.counted()
	w.must(do())
	w.mails = len(w.sim.Mails())
}

// counted takes down which mails were sent since the last time; they are the engine's doing.
func (w *world) counted() {
	all := w.sim.Mails()
	for _, m := range all[w.mails:] {
		if !strings.HasSuffix(m.From, fmt.Sprintf(".%d@example.com", w.plays)) {
			continue
		}
		id, _, _ := strings.Cut(m.Subject, " ")
		if w.private && m.Subject == "Private" {
			if id = w.aboutPrivate(m); id == "" {
				continue
			}
		}
		for _, to := range m.To {
			w.note(id).mailed[to]++
		}
		w.say("  mail: %s of %q to %v", m.Kind, m.Subject, m.To)
	}
	w.mails = len(all)
}

// ref is how the person's sync mode calls an item.
func (w *world) ref(p *who, id string) calendar.Ref {
	if p.SyncMode != overGraph {
		return calendar.Ref(id)
	}
	ids, err := w.sim.GraphIDs(p.Email, id)
	w.must(err)
	return calendar.Ref(ids.Immutable)
}

// abandoned reports whether an item was its booking's and is nobody's any more: what is edited in it is its owner's affair. So is one of the
// add-in's whose booking became somebody else's before anybody met it: it goes, and what it said when it was made nobody knows.
func (w *world) abandoned(p *who, booking string) bool {
	over := false
	for _, l := range w.links(booking) {
		if l.Person != p.ID {
			continue
		}
		unmet := l.State == store.LinkDeleting && len(l.Base) == 0 && len(l.Sent) == 0
		if over = l.State == store.LinkDead || unmet; !over {
			return false
		}
	}
	return over
}

// linked returns the link whose item it is.
func (w *world) linked(p *who, id string) (store.Link, bool) {
	l, found, err := w.store.LinkByRef(w.Context(), w.tenant, p.ID, w.ref(p, id))
	w.must(err)
	return l, found
}

func says(a exchangesim.Appointment) string {
	return fmt.Sprint(a.Subject, a.Start, a.End, a.Location, a.Body, a.BusyStatus, a.Sensitivity, a.ReminderSet, a.ReminderMinutes,
		addresses(a.Required, ""), addresses(a.Optional, "?"), addresses(a.Resources, ""))
}

func (w *world) edit(a soak.Act) {
	p, it, found := w.find(a)
	if !found {
		return
	}
	if a.C%10 == 4 && !w.becomesMeeting(it) {
		return
	}
	id := w.bookingOf(it)
	field, token := "", ""
	var refused error
	w.byHand(func() error {
		err := w.sim.Outlook(p.Email).Update(it.ID, func(x *exchangesim.Appointment) {
			switch a.C % 10 {
			case 0, 1:
				x.Subject = w.fresh(id, "subject")
				field, token = "subject", x.Subject
			case 2, 3:
				x.AllDay, x.Start = false, w.hour(a.C/10)
				x.End = x.Start.Add(time.Hour)
				field = "time"
			case 4:
				x.Resources = nil
				x.Resources = w.attendees(roomsOf[a.C/10%4])
				if w.meetings[x.UID] == id && id != "" && !strings.HasPrefix(x.Subject, id) {
					x.Subject = w.fresh(id, "subject")
				}
			case 5:
				friend := fmt.Sprintf("friend%d@partner.example", a.C/10%3)
				if !slices.ContainsFunc(x.Required, func(o exchangesim.Attendee) bool { return o.Address == friend }) {
					x.Required = append(x.Required, exchangesim.Attendee{Name: "Friend", Address: friend})
				}
			case 6:
				w.unique++
				x.Body = fmt.Sprintf("body %d", w.unique)
			case 7:
				w.unique++
				x.Location = fmt.Sprintf("corner %d", w.unique)
				field, token = "place", x.Location
			case 8:
				x.BusyStatus = []string{"Free", "Tentative", "Busy", "OOF"}[a.C/10%4]
				x.Sensitivity = []string{"Normal", "Private"}[a.C/40%2]
			case 9:
				x.ReminderSet, x.ReminderMinutes = a.C%20 > 9, 5+a.C/20%3
			}
		})
		if field == "time" && it.Recurrence != nil {
			refused, err = err, nil // it would begin after its end
		}
		return err
	})
	if refused != nil {
		w.say("%s cannot move %q: %v", p.ID, it.Subject, refused)
		return
	}
	now, _ := w.sim.Outlook(p.Email).Find(func(x exchangesim.Appointment) bool { return x.ID == it.ID })
	w.say("%s edits %q, kind %d: %q at %s in %q with %d rooms", p.ID, it.Subject, a.C%10, now.Subject, now.Start.Format("2 15:04"), now.Location, len(now.Resources))
	if o := w.others[it.ID]; o != nil && o.was != "" {
		o.was = says(now)
		return
	}
	n := w.note(id)
	n.touched, n.asked = true, n.asked+1
	if field == "time" {
		n.forgetOccurrences()                               // Exchange throws them away
		token = now.Start.In(w.berlin).Format(time.RFC3339) // a series begins where its pattern lets it
		if b := w.booking(id); b != nil {
			n.rewritten += len(b.Exceptions) // which hold at the new time, too, and are told with what the booking system changes then
		}
	}
	if a.C%10 == 5 || a.C%10 == 8 {
		w.veil(id)
	}
	if field != "time" {
		w.typed(p, it, token)
	}
	if field != "" && !w.abandoned(p, id) {
		n.edits[field], n.editedIn = token, p
	}
	if w.cut && w.told(id) {
		n.mails++ // where a write of the same is not known to have arrived, the booking has the last word, and those who were told otherwise hear it
	}
	if p.ConflictBehaviour != "" && a.C%10 >= 2 && a.C%10 <= 4 || w.followsRoom(id) {
		n.mayCancel = true // where a refused change of time or rooms cancels
	}
	if a.C%10 >= 2 && a.C%10 <= 4 {
		w.goesInRoom(it, id)
	}
}

// remove puts an item into Deleted Items, or shreds it.
func (w *world) remove(a soak.Act) {
	p, it, found := w.find(a)
	if !found {
		return
	}
	w.say("%s: %s of %q", p.ID, a.Do, it.Subject)
	l, known := w.linked(p, it.ID)
	w.byHand(func() error {
		if a.Do == "shred" {
			return w.sim.Outlook(p.Email).HardDelete(it.ID)
		}
		return w.sim.Outlook(p.Email).Delete(it.ID)
	})
	w.removed(p, it, l, known)
}

// removed notes that an item is gone, which was that of l if it was known.
func (w *world) removed(p *who, it exchangesim.Appointment, l store.Link, known bool) {
	id := w.bookingOf(it)
	if o := w.others[it.ID]; o != nil {
		delete(w.others, it.ID)
		if id != "" && !o.met {
			w.note(id).mayCancel = true // it may be taken for the booking's at this moment
		}
		return
	}
	w.goesInRoom(it, id)
	n := w.note(id)
	n.mayCancel, n.touched = true, true
	clear(n.edits)
	if _, waiting, err := w.store.Intent(w.Context(), w.tenant, l.Key); !known || err != nil || waiting {
		n.mails++ // told by a try whose answer was lost, and told again when it is made anew
	}
	if b := w.booking(id); known && l.State == store.LinkLive && b != nil && b.Organizer == p.ID && !w.copied(id) {
		n.removed, n.puts = true, 0
	}
}

// copied reports whether there is another item that may be taken for the booking's.
func (w *world) copied(id string) bool {
	for _, o := range w.others {
		if o.booking == id {
			return true
		}
	}
	return false
}

// move takes an item out of the calendar and back, which gives it another id.
func (w *world) move(a soak.Act) {
	p, it, found := w.find(a)
	if !found || w.copied(w.bookingOf(it)) {
		return
	}
	o, id := w.others[it.ID], ""
	w.byHand(func() error {
		gone, err := w.sim.Outlook(p.Email).Drag(it.ID)
		if err != nil {
			return err
		}
		id, err = w.sim.Outlook(p.Email).Restore(gone)
		return err
	})
	w.say("%s moves %q out of the calendar and back", p.ID, it.Subject)
	if o != nil {
		delete(w.others, it.ID)
		w.others[id] = o
	}
}

// copy makes a second item of a booking's, with all its markers.
func (w *world) copy(a soak.Act) {
	p, it, found := w.find(a)
	if !found || w.others[it.ID] != nil {
		return
	}
	if l, linked := w.linked(p, it.ID); !linked || l.State != store.LinkLive {
		return // what the engine does not know yet may be taken for its copy
	}
	var id string
	w.byHand(func() (err error) {
		id, err = w.sim.Outlook(p.Email).Copy(it.ID)
		return err
	})
	made, _ := w.sim.Outlook(p.Email).Find(func(x exchangesim.Appointment) bool { return x.ID == id })
	w.say("%s copies %q", p.ID, it.Subject)
	w.others[id] = &other{box: p.Email, booking: w.bookingOf(it), was: says(made), of: it.ID}
}

// restore brings a deleted item back into the calendar.
func (w *world) restore(a soak.Act) {
	p := w.person(a.A)
	gone := slices.DeleteFunc(w.sim.Outlook(p.Email).Deleted(), func(x exchangesim.Appointment) bool {
		return !strings.EqualFold(x.Organizer.Address, p.Email) || x.Properties[oid] == ""
	})
	if len(gone) == 0 {
		return
	}
	it := gone[a.B%len(gone)]
	var id string
	w.byHand(func() (err error) {
		id, err = w.sim.Outlook(p.Email).Restore(it.ID)
		return err
	})
	w.say("%s brings %q back", p.ID, it.Subject)
	n := w.note(it.Properties[oid])
	n.removed, n.restored, n.touched = false, true, true
	w.others[id] = &other{box: p.Email, booking: it.Properties[oid]}
}

// addIn is Outlook with the add-in: it books and makes the item, in either order, or the item never comes.
func (w *world) addIn(a soak.Act) {
	p, id := w.person(a.A), fmt.Sprintf("b%d", a.B%bookings)
	if w.booking(id) != nil || w.marked(id) {
		return
	}
	b := &booking.Booking{
		Tenant: w.tenant, ID: id, Organizer: p.ID, Zone: "Europe/Berlin", Title: w.fresh(id, "title"), ItemExpected: true,
		Start: w.hour(a.C), End: w.hour(a.C).Add(time.Hour), Resources: roomsOf[a.C/4%3],
	}
	book := func() {
		w.save(b, nil, true)
	}
	item := func() {
		w.say("%s has the add-in make the item of %s", p.ID, id)
		w.note(id).touched, w.note(id).own = true, true
		at := exchangesim.Appointment{Subject: b.Title, Start: b.Start, End: b.End, Properties: map[string]string{oid: id}}
		for _, r := range b.Resources {
			at.Resources = append(at.Resources, exchangesim.Attendee{Name: "The " + r, Address: w.address(r)})
		}
		w.byHand(func() error { _, err := w.sim.Outlook(p.Email).Create(at); return err })
	}
	switch a.C / 16 % 4 {
	case 0:
		book() // the item never comes
	case 1:
		item()
		book()
	default:
		if book(); w.booking(id) != nil {
			item()
		}
	}
}

// marked reports whether any calendar has an item with a booking's id.
func (w *world) marked(id string) bool {
	for _, name := range w.names {
		for _, it := range append(w.own(w.address(name)), w.sim.Outlook(w.address(name)).Deleted()...) {
			if it.Properties[oid] == id {
				return true
			}
		}
	}
	return false
}

// stranger makes an appointment that is nobody's business.
func (w *world) stranger(a soak.Act) {
	p := w.person(a.A)
	at := exchangesim.Appointment{Subject: w.fresh("own", "dentist"), Start: w.hour(a.B), End: w.hour(a.B).Add(time.Hour)}
	var id string
	w.byHand(func() (err error) {
		id, err = w.sim.Outlook(p.Email).Create(at)
		return err
	})
	made, _ := w.sim.Outlook(p.Email).Find(func(x exchangesim.Appointment) bool { return x.ID == id })
	w.others[id] = &other{box: p.Email, was: says(made)}
}

// answer has somebody who was invited answer.
func (w *world) answer(a soak.Act) {
	name := []string{"dave", "room-a", "room-b"}[a.A%3]
	o := w.sim.Outlook(w.address(name))
	items := slices.DeleteFunc(o.Items(), func(x exchangesim.Appointment) bool {
		return x.Cancelled || strings.EqualFold(x.Organizer.Address, w.address(name))
	})
	if len(items) == 0 {
		return
	}
	it, word := items[a.B%len(items)], []string{"Accept", "Tentative", "Decline"}[a.C%3]
	w.say("%s answers %q: %s", name, it.Subject, word)
	w.byHand(func() error { return o.Respond(it.ID, word) })
	if w.isSynced(name) {
		w.actedInRoom(w.byUID(it.UID))
	}
}
