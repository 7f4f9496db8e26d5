package syncer

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// outlook is what a person does to a calendar.
func (m *model) outlook(a act) {
	p := m.person(a.A)
	address := p.Email
	if a.A/3%8 == 0 { // sometimes at the address of before
		address = m.addresses()[a.A/24%6]
	}
	switch a.Do {
	case "forget":
		m.say("the server forgets the history of %s", address)
		m.server.forget(address)
		return
	case "migrate":
		m.migrate(p)
		return
	}
	m.recognize()
	items := m.server.items(address)
	if len(items) == 0 {
		return
	}
	if a.Do == "wipe" {
		for _, it := range items {
			m.remove(address, it)
		}
		return
	}
	it := items[a.B%len(items)]
	switch a.Do {
	case "edit":
		m.edit(address, it, a.C)
	case "remove":
		m.remove(address, it)
	case "touch":
		m.say("the server touches %s", it.Ref)
		m.server.edit(address, it.Ref, func(*calendar.Event) {})
	case "move":
		if m.hasCopies(it.Ref) {
			return
		}
		ref := m.server.move(address, it.Ref)
		m.say("%s is moved out of %s and back as %s", it.Ref, address, ref)
		if d := m.copies[it.Ref]; d != nil {
			delete(m.copies, it.Ref)
			d.settled = false
			m.copies[ref] = d
		}
		if e, found := m.mine[it.Ref]; found {
			delete(m.mine, it.Ref)
			m.mine[ref] = e
		}
		if l := m.left[it.Ref]; l != nil {
			delete(m.left, it.Ref)
			m.left[ref] = l
		}
		for id, at := range m.tests {
			if at.ref == it.Ref {
				m.tests[id] = testItem{at.box, ref}
			}
		}
	case "copy":
		l, linked := m.linked(p.Email, it.Ref)
		if !linked || l.State != store.LinkLive || m.copies[it.Ref] != nil || address != p.Email {
			return // what the engine does not know yet may be taken for its copy
		}
		of := it.Ref
		it.Ref = ""
		ref := m.server.add(address, it)
		m.say("%s in %s is copied to %s", of, address, ref)
		m.copies[ref] = &duplicate{box: address, booking: it.ForeignKey, of: of, event: it.Event}
	}
}

func (m *model) hasCopies(of calendar.Ref) bool {
	for _, d := range m.copies {
		if d.of == of {
			return true
		}
	}
	return false
}

// migrate moves a mailbox to another server: everything has another reference there.
func (m *model) migrate(p *who) {
	if len(m.copies) > 0 || len(m.mine) > 0 || len(m.left) > 0 {
		return // nobody could tell them apart any more
	}
	next := p.Person
	m.unique++
	next.SyncURL = fmt.Sprintf("https://server%d.example.com", m.unique)
	m.say("the mailbox of %s migrates", p.ID)
	m.server.migrate(p.Email)
	m.putPerson(next)
}

func (m *model) edit(address string, it calendar.Item, n int) {
	m.unique++
	field, token := "", ""
	retimed := false
	m.day = ""
	m.server.edit(address, it.Ref, func(e *calendar.Event) {
		kind := n % 12
		if kind > 7 && it.Event.Start.Year() != 2027 {
			kind = 0
		}
		switch kind {
		case 0, 1:
			e.Subject = fmt.Sprintf("subject %d", m.unique)
			field, token = "subject", e.Subject
		case 2, 3:
			e.Start = hourOf(n / 8)
			e.End = e.Start.Add(time.Hour)
			field, token, retimed = "time", e.Start.String(), true
		case 4:
			e.Attendees = slices.DeleteFunc(e.Attendees, func(a calendar.Attendee) bool { return a.Role == calendar.Resource })
			for _, id := range roomsOf[n/8%3] {
				e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: id + "@example.com"}, Role: calendar.Resource})
			}
		case 5:
			e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: fmt.Sprintf("friend%d@example.com", n/8%3)}})
		case 6:
			e.Body = fmt.Sprintf("body %d", m.unique)
		case 7:
			e.Location = fmt.Sprintf("corner %d", m.unique)
			field, token = "place", e.Location
		case 8:
			e.Recurrence, retimed = ruleOf(n/12), true
		case 9, 10, 11:
			field, token = m.editSeries(e, n/12)
		}
	})
	now := m.item(address, it.Ref)
	m.say("edit of %s in %s, kind %d: %q at %s in %q, %q, %s", it.Ref, address, n%12, now.Event.Subject, now.Event.Start.Format("15:04"), now.Event.Location,
		now.Event.Recurrence, exceptionsIn(now.Event))
	if d := m.copies[it.Ref]; d != nil {
		d.event = now.Event
		return
	}
	if _, found := m.mine[it.Ref]; found {
		m.mine[it.Ref] = now.Event
		return
	}
	if l := m.left[it.Ref]; l != nil {
		l.event = now.Event
		if _, linked := m.linked(address, it.Ref); !linked {
			return
		}
	}
	notes := m.note(it.ForeignKey)
	if notes.days == nil {
		notes.days = map[string]bool{}
	}
	notes.days[m.day] = true
	if delete(notes.own, m.day); now.Event.Recurrence == "" {
		clear(notes.own)
	}
	if retimed { // which throws away what became of single occurrences
		maps.DeleteFunc(notes.edits, func(field, _ string) bool { return strings.HasPrefix(field, "occurrence") })
	}
	if field != "" {
		notes.edits[field] = token
		notes.editedIn = m.people[nameOf(address)]
	}
	if strings.Contains(address, "carol") {
		notes.mayCancel = true // where a refused change cancels
	}
}

func nameOf(address string) string {
	return strings.TrimSuffix(strings.TrimPrefix(address, "new."), "@example.com")
}

func (m *model) item(address string, ref calendar.Ref) calendar.Item {
	for _, it := range m.server.items(address) {
		if it.Ref == ref {
			return it
		}
	}
	return calendar.Item{}
}

func (m *model) remove(address string, it calendar.Item) {
	m.say("%s is deleted in %s", it.Ref, address)
	m.server.remove(address, it.Ref)
	if m.copies[it.Ref] != nil {
		if m.copies[it.Ref].of == "" {
			m.note(it.ForeignKey).mayCancel = true // it may be adopted at this moment
		}
		delete(m.copies, it.Ref)
		return
	}
	if _, found := m.mine[it.Ref]; found {
		delete(m.mine, it.Ref)
		return
	}
	if m.left[it.Ref] != nil {
		delete(m.left, it.Ref)
		if _, linked := m.linked(address, it.Ref); !linked {
			m.note(it.ForeignKey).mails++ // it may have been found by a try whose answer was lost
			return
		}
	}
	n := m.note(it.ForeignKey)
	n.mayCancel = true
	clear(n.edits)
	l, known := m.linked(address, it.Ref)
	if !known {
		n.mails++ // made by a try whose answer was lost: nobody can know that it ever was
	} else if _, waiting, err := m.stage.store.Intent(m.t.Context(), m.tenant, l.Key); err != nil || waiting {
		n.mails++ // told by such a try, perhaps, and told again when the item is made anew
	}
	b := m.booking(it.ForeignKey)
	if l.State == store.LinkLive && b != nil && m.people[b.Organizer].Email == address && !m.hasCopies(it.Ref) {
		n.removed, n.puts = true, 0 // otherwise it is no longer, or not the only one, that stands for the booking
	}
}

// recognize finds out which duplicates stand for their booking by now, and whether they may.
func (m *model) recognize() {
	for ref, d := range m.copies {
		if m.item(d.box, ref).Ref == "" && m.overIn(d) && (d.of == "" || !d.settled && m.item(d.box, d.of).Ref == "") {
			delete(m.copies, ref) // taken for the booking's item, as it may be, and gone with the booking
			continue
		}
		l, found := m.linked(d.box, ref)
		if !found || l.State != store.LinkLive && l.State != store.LinkDeleting {
			continue
		}
		original := m.item(d.box, d.of)
		if hidden := m.modes.other.hidden[d.of] && !d.settled; hidden {
			// Nobody ever met the copy beside its original, which the mode does not tell of: now the original is the other one.
			m.copies[d.of] = &duplicate{box: d.box, booking: d.booking, of: ref, event: original.Event}
		} else if d.of != "" && (d.settled || original.Ref != "") {
			m.fail("the copy %s of %s in %s was taken for the item of %s", ref, d.of, d.box, l.Booking)
		}
		delete(m.copies, ref)
	}
}

func (m *model) linked(box string, ref calendar.Ref) (store.Link, bool) {
	l, found, err := m.stage.store.LinkByRef(m.t.Context(), m.tenant, nameOf(box), ref)
	if err == nil && !found {
		l, found, err = m.stage.store.LinkByRef(m.t.Context(), m.tenant, nameOf(box), otherPrefix+ref)
	}
	m.must(err)
	return l, found
}

// settleAll lets everything come to rest, and checks what must be true then.
func (m *model) settleAll(n int) {
	m.armed, m.crash, m.after = nil, 0, nil
	m.modes.memory.fail, m.modes.other.fail, m.modes.other.hidden = nil, nil, nil
	m.server.cut = 0
	m.say("-- quiet")
	m.listen()
	limit := m.stage.now().Add(26 * time.Hour)
	for round := 0; ; round++ {
		if round > 150 {
			m.fail("it does not come to rest: %d passes", round)
		}
		name, at := m.nextDue()
		if name == "" || at.After(limit) {
			if !m.decideHeld(n) && !m.decideMails(n) {
				break
			}
			limit = m.stage.now().Add(26 * time.Hour)
			continue
		}
		if at.After(m.stage.now()) {
			m.stage.set(at)
		}
		m.pass(name, (n+round)%3/2)
		m.listen()
	}
	m.check()
}

func (m *model) mailbox(name string) store.Mailbox {
	mb, _, err := m.stage.store.Mailbox(m.t.Context(), m.tenant, name)
	m.must(err)
	return mb
}

func (m *model) nextDue() (name string, at time.Time) {
	for _, n := range m.names {
		if due := m.mailbox(n).NextDue; !due.IsZero() && (name == "" || due.Before(at)) {
			name, at = n, due
		}
	}
	return name, at
}

// decideHeld has an administrator decide on deletions that are held.
func (m *model) decideHeld(n int) (decided bool) {
	if m.decideMoved(n) {
		return true
	}
	for _, name := range m.names {
		if m.mailbox(name).HeldDeletions == 0 || m.people[name].SyncDisabled {
			continue
		}
		decided = true
		if n%2 == 0 {
			m.do(act{Do: "approve", A: slices.Index(m.names, name)})
		} else {
			m.do(act{Do: "restore", A: slices.Index(m.names, name)})
		}
	}
	return decided
}

// check looks at everything that must be true when nothing is due any more.
func (m *model) check() {
	ctx := m.t.Context()
	m.recognize()
	m.checkLeft()
	for ref, d := range m.copies {
		if it := m.item(d.box, ref); !reflect.DeepEqual(it.Event, d.event) {
			m.fail("the copy %s in %s is not as it was left: %+v, want %+v", ref, d.box, it.Event, d.event)
		}
		d.settled = d.of == "" || m.item(d.box, d.of).Ref != ""
		m.checkWaiting(ref, d)
	}
	for ref, e := range m.mine {
		if !slices.ContainsFunc(m.addresses(), func(box string) bool { return reflect.DeepEqual(m.item(box, ref).Event, e) }) {
			m.fail("the appointment %s, which is nobody's business, is not as it was left", ref)
		}
	}
	bookings, err := m.stage.store.Bookings(ctx, m.tenant, store.BookingFilter{IncludeCancelled: true})
	m.must(err)
	for i, b := range bookings {
		m.checkBooking(b)
		for _, other := range bookings[:i] {
			if booking.Overlaps(b, other) {
				m.fail("%s and %s have the same room at the same time", other.ID, b.ID)
			}
		}
	}
	for _, name := range m.names {
		m.checkWays(m.people[name])
		m.checkCalendar(m.people[name])
	}
	for _, b := range bookings {
		n := m.note(b.ID)
		mails := 0
		for _, mail := range m.server.mails {
			if strings.Contains(mail, " "+b.ID+".") {
				mails++
			}
		}
		if mails > n.mails {
			m.fail("%s was mailed about %d times, %d are justified: %v", b.ID, mails, n.mails, m.server.mails)
		}
		if !m.people[b.Organizer].SyncDisabled {
			out := b.SyncOff || n.wasOff && b.Status == booking.Cancelled
			*n = note{mails: n.mails, edits: map[string]string{}, own: ownOf(b), mayCancel: b.Status == booking.Cancelled, wasOff: out}
		}
	}
	open, err := m.stage.store.Differences(ctx, m.tenant, store.DifferenceFilter{})
	m.must(err)
	m.tx(func(ctx context.Context, tx *store.Tx) error {
		for _, d := range open {
			if _, err := tx.EndDifference(ctx, m.tenant, d.ID, store.DifferenceIgnored); err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range m.people {
		p.restless = p.SyncDisabled
	}
}

// overIn reports whether the booking of a duplicate has no place in its calendar any more.
func (m *model) overIn(d *duplicate) bool {
	b := m.booking(d.booking)
	return b != nil && (b.Status == booking.Cancelled || m.people[b.Organizer].Email != d.box)
}

func (m *model) history(id string) (list []store.ChangeRecord) {
	all, err := m.stage.store.Changes(m.t.Context(), m.tenant, 0, 1000)
	m.must(err)
	for _, c := range all {
		if c.Booking == id {
			list = append(list, c)
		}
	}
	return list
}

func (m *model) differences(id string) []store.Difference {
	d, err := m.stage.store.Differences(m.t.Context(), m.tenant, store.DifferenceFilter{Booking: id})
	m.must(err)
	return d
}
