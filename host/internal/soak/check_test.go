package soak_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// settle lets everything come to rest, and checks what must be true then.
func (w *world) settle(n int) {
	w.armed, w.crash, w.lost, w.held = nil, 0, nil, false
	w.say("-- quiet")
	w.sim.Faults().Reset()
	w.delivered()
	limit := w.now().Add(26 * time.Hour)
	for round := 0; ; round++ {
		if round > 150+50*len(w.synced) {
			w.fail("it does not come to rest: %d passes", round)
		}
		name, at := w.nextDue()
		if name == "" || at.After(limit) {
			if !w.decide(n) {
				break
			}
			limit = w.now().Add(26 * time.Hour)
			continue
		}
		if at.After(w.now()) {
			w.set(at)
		}
		w.pass(name)
	}
	w.check()
}

func (w *world) nextDue() (name string, at time.Time) {
	for _, n := range w.boxes {
		if due := w.box(n).NextDue; !due.IsZero() && (name == "" || due.Before(at)) {
			name, at = n, due
		}
	}
	return name, at
}

// decide has an administrator decide about all that waits for one.
func (w *world) decide(n int) (decided bool) {
	decided = w.takeOver()
	for i, name := range w.boxes {
		p := w.anyone(name)
		if p.SyncDisabled {
			continue
		}
		if w.box(name).HeldDeletions > 0 {
			decided = true
			w.tally.held++
			if (n+i)%2 == 0 {
				w.say("approve what is gone with %s", name)
				w.must(w.engine.ApproveDeletions(w.Context(), w.tenant, name))
			} else {
				w.say("what is gone with %s is made again", name)
				p.restless = true
				w.must(w.engine.RestoreDeletions(w.Context(), w.tenant, name))
			}
		}
		if w.decideMoved(p) || w.decideUnits(p, n) || w.decideMails(p, n) {
			decided = true
		}
	}
	return decided
}

// decideMoved decides about items that a move did not find, or could not tell from copies.
func (w *world) decideMoved(p *who) (decided bool) {
	links, err := w.store.LinksOfPerson(w.Context(), w.tenant, p.ID, "", 0)
	w.must(err)
	for _, l := range links {
		decision := syncer.MakeAnew
		switch l.State {
		case store.LinkLost:
		case store.LinkUnclear:
			decision = syncer.LookAgain
			w.tidy(p, l)
		default:
			continue
		}
		decided, p.restless = true, true
		w.tally.held++
		w.say("%s: %s of %s, which is %s", decision, l.Key, p.ID, l.State)
		_, err := w.engine.DecideMove(w.Context(), w.tenant, p.ID, decision, []string{l.Booking})
		w.must(err)
	}
	return decided
}

// tidy has a person throw copies away that nobody can tell from the item.
func (w *world) tidy(p *who, l store.Link) {
	first := true
	for _, it := range w.own(p.Email) {
		if w.bookingOf(it) != l.Booking {
			continue
		}
		if w.others[it.ID] == nil && first {
			first = false
			continue
		}
		w.say("%s throws a copy of %s away", p.ID, l.Booking)
		w.byHand(func() error { return w.sim.Outlook(p.Email).HardDelete(it.ID) })
		delete(w.others, it.ID)
	}
}

// decideMails decides about writes that were held back because they would have mailed.
func (w *world) decideMails(p *who, n int) (decided bool) {
	open, err := w.store.Differences(w.Context(), w.tenant, store.DifferenceFilter{Person: p.ID, Kind: "mail held back"})
	w.must(err)
	for i, d := range open {
		decided = true
		w.tally.held++
		if (n+i)%2 == 0 {
			err := w.engine.Resolve(w.Context(), w.tenant, d.ID, syncer.Resolution{Use: syncer.UseCalendar})
			w.say("%s takes what the calendar says: %v", d.Booking, err)
			if err == nil {
				w.note(d.Booking).puts++
				w.note(d.Booking).touched, w.note(d.Booking).own = true, true
				w.stays(p, d.Booking)
				continue
			}
		}
		w.say("%s is written though it mails", d.Booking)
		b, mails := w.booking(d.Booking), 1
		if b.Series() {
			mails += w.exceptions(b)
		}
		w.note(d.Booking).mails += mails
		if of, _, _ := strings.Cut(b.Title, " "); of != b.ID { // the rest of a series is called like the whole
			w.note(of).mails += mails
		}
		w.must(w.engine.Resolve(w.Context(), w.tenant, d.ID, syncer.Resolution{Use: syncer.UseBooking, Mail: true}))
	}
	return decided
}

// check looks at everything that must be true when nothing is due any more.
func (w *world) check() {
	w.counted()
	bookings, err := w.store.Bookings(w.Context(), w.tenant, store.BookingFilter{IncludeCancelled: true})
	w.must(err)
	for _, name := range w.boxes {
		w.checkMailbox(w.anyone(name))
	}
	w.settleSplits()
	w.settleMeetings()
	for _, b := range bookings {
		w.checkBooking(b)
	}
	w.checkRooms(bookings)
	w.checkHeld(bookings)
	w.checkAccepted()
	w.checkDeclines()
	w.checkOthers()
	w.checkScans()
	for i := range w.names {
		w.checkCalendar(w.person(i))
	}
	for _, b := range bookings {
		w.allowRewritten(b)
	}
	for id, n := range w.notes {
		for to, sent := range n.mailed {
			most := n.mails
			if strings.HasPrefix(to, "room-") {
				most += w.acts // a room may hear of what is silent for people
			}
			if sent > most {
				w.recall(id)
				w.fail("%s was mailed about %s %d times, %d are justified", to, id, sent, most)
			}
		}
	}
	w.forgive(bookings)
}

// allowRewritten: what a series is excepted from goes with its rule or times; an update of the whole, which has none of it, replaces the copies
// of all who are invited, so that each exception is told after it. An occurrence that a person left out, where the booking's rules refuse
// that, comes back only with the rule, which is written anew, and over Graph taken away first; with a change of the booking system all of that
// is told.
func (w *world) allowRewritten(b *booking.Booking) {
	n, p := w.note(b.ID), w.organizerOf(b)
	if p.SyncDisabled {
		return // still to be written
	}
	n.mails += n.rewritten
	n.rewritten = 0
	if n.leftOut && n.puts > 0 {
		n.mails += len(b.Exceptions)
		if p.SyncMode == overGraph {
			n.mails += 2
		}
	}
}

// forgive has the world remember only what still matters: all is quiet.
func (w *world) forgive(bookings []*booking.Booking) {
	for _, b := range bookings {
		if n := w.note(b.ID); !w.organizerOf(b).SyncDisabled {
			*n = note{mails: n.mails, mailed: n.mailed, asked: n.asked, veil: w.veiled(b), hidden: w.veiled(b), own: n.own && w.veiled(b), touched: w.waits(b), said: b.Clone(), edits: map[string]string{}, mayCancel: b.Status == booking.Cancelled}
		}
	}
	open, err := w.store.Differences(w.Context(), w.tenant, store.DifferenceFilter{})
	w.must(err)
	w.tally.differences += len(open)
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		for _, d := range open {
			if _, err := tx.EndDifference(ctx, w.tenant, d.ID, store.DifferenceIgnored); err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range w.people {
		p.restless = p.SyncDisabled
	}
	w.cut = false
}

// checkMailbox: there is nothing left to do, and the person's state says so.
func (w *world) checkMailbox(p *who) {
	if p.SyncDisabled {
		return
	}
	mb := w.box(p.ID)
	if mb.RoundOpen || mb.Wanted > mb.Done || mb.Failures > 0 || mb.WaitUntil.After(w.now()) {
		w.fail("the mailbox of %s is not done with: %+v", p.ID, mb)
	}
	if left, err := w.store.Intents(w.Context(), w.tenant, p.ID, w.now().AddDate(100, 0, 0), 100); err != nil || len(left) > 0 {
		w.fail("intents of %s are left: %+v, %v", p.ID, left, err)
	}
	row, _, err := w.store.Person(w.Context(), w.tenant, p.ID)
	w.must(err)
	if row.State.Status != store.StatusOK {
		w.fail("the state of %s is %+v", p.ID, row.State)
	}
}

func (w *world) checkBooking(b *booking.Booking) {
	n, organizer := w.note(b.ID), w.organizerOf(b)
	history := w.history(b.ID)
	if b.Status == booking.Cancelled && !n.mayCancel && !w.declined(b) && !w.turnedOut(b) {
		w.recall(b.ID)
		w.fail("%s is cancelled though nobody cancelled or deleted it: %s", b.ID, history[len(history)-1].Reason)
	}
	if n.cancelled && b.Status != booking.Cancelled {
		w.fail("%s stands though the booking system cancelled it", b.ID)
	}
	if b.Status != booking.Confirmed || organizer.SyncDisabled {
		return
	}
	same := booking.Same
	if n.veil && b.Series() && !w.veiled(b) { // what its owner wrote into single occurrences meanwhile is not withheld any more
		same = func(x, y *booking.Booking) bool { return booking.Same(withoutDayTexts(x), withoutDayTexts(y)) }
	}
	if n.said != nil && !n.touched && !organizer.restless && !same(b, n.said) {
		w.recall(b.ID)
		w.fail("%s is not as the booking system put it, and nobody touched its item: %+v, want %+v", b.ID, b, n.said)
	}
	open := w.differences(b.ID)
	if b.SyncDisabled {
		if b.SyncProblem == "" {
			w.fail("%s is out of the sync and nobody knows why", b.ID)
		}
		return
	}
	if n.removed && n.puts == 0 && len(open) == 0 && !organizer.restless {
		w.fail("%s stands though its item was deleted", b.ID)
	}
	if b.SyncOff {
		return // no item is kept: rooms' calendars say what it is
	}
	it := w.itemOf(b, organizer)
	w.checkPrivate(b, organizer, it)
	if !w.heldStill(b) {
		wrong := w.unlike(b, it)
		if (it.Recurrence != nil) != b.Series() {
			wrong = fmt.Sprintf("its pattern is %+v, want %q", it.Recurrence, b.Recurrence)
		} else if b.Series() && wrong == "" {
			wrong = w.unlikeSeries(b, organizer, it)
		}
		if wrong != "" {
			w.recall(b.ID)
			w.fail("%s and its item differ: %s", b.ID, wrong)
		}
	}
	w.checkEdits(b, history, open)
}

// declined reports whether a room declined a booking, or the series that it was split off, whose organizer wants it cancelled then.
func (w *world) declined(b *booking.Booking) bool {
	p := w.organizerOf(b)
	return p.ConflictBehaviour == directory.Cancel && slices.ContainsFunc(w.sim.Answers(), func(a exchangesim.Answer) bool {
		id, _, _ := strings.Cut(a.Subject, " ")
		of := w.byUID(a.UID) // what follows in a series that was split may still bear the first one's marker
		return a.Response == "Decline" && (id == b.ID || of == b.ID || meetingID(a.UID) == b.ID || of != "" && strings.HasPrefix(b.ID, of+"-")) && strings.EqualFold(a.To, p.Email) && strings.HasPrefix(a.From, "room-")
	})
}

// itemOf returns the only item that stands for a booking.
func (w *world) itemOf(b *booking.Booking, p *who) exchangesim.Appointment {
	var found, linked []exchangesim.Appointment
	for _, it := range w.own(p.Email) {
		if w.bookingOf(it) != b.ID {
			continue
		}
		if l, known := w.linked(p, it.ID); known && l.State == store.LinkLive && l.Booking == b.ID {
			linked = append(linked, it)
			if o := w.others[it.ID]; o != nil && o.was != "" && !w.orphaned(o) {
				w.recall(b.ID)
				w.fail("a copy of %s in %s was taken for its item", b.ID, p.ID)
			}
			if w.others[it.ID] != nil {
				w.unsent[it.ID] = true // whoever copied it invited nobody by that
			}
			delete(w.others, it.ID)
		}
		if w.others[it.ID] == nil {
			found = append(found, it)
		}
	}
	if len(found) != 1 || len(linked) != 1 || found[0].ID != linked[0].ID {
		w.fail("%s has %d items with %s, and is linked to %d; want 1", b.ID, len(found), p.ID, len(linked))
	}
	if found[0].Properties[oid] == "" && w.meetings[found[0].UID] == "" {
		w.fail("the item of %s with %s was never finished: it lacks the booking's id", b.ID, p.ID)
	}
	return found[0]
}

// orphaned reports whether a copy lost its original before anybody could tell them apart: it may stand for the booking then.
func (w *world) orphaned(o *other) bool {
	if o.of == "" || o.met {
		return false
	}
	_, found := w.sim.Outlook(o.box).Find(func(x exchangesim.Appointment) bool { return x.ID == o.of })
	return !found
}

// heldStill reports whether somebody decided that the item stays as it is, though the booking cannot say all that it says.
func (w *world) heldStill(b *booking.Booking) bool {
	return slices.ContainsFunc(w.links(b.ID), func(l store.Link) bool { return l.State == store.LinkLive && len(l.Held) > 0 })
}

var (
	busy  = map[booking.Busy]string{booking.Free: "Free", booking.Tentative: "Tentative", booking.Occupied: "Busy", booking.OutOfOffice: "OOF", booking.WorkingElsewhere: "WorkingElsewhere"}
	class = map[booking.Class]string{booking.Public: "Normal", booking.Personal: "Personal", booking.Private: "Private", booking.Confidential: "Confidential"}
)

// unlike says in what an item is not as its booking; empty if it is.
func (w *world) unlike(b *booking.Booking, it exchangesim.Appointment) string {
	var wrong []string
	want := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	hidden := w.veiled(b)
	if !hidden {
		want("subject", it.Subject, b.Title)
	}
	want("all day", it.AllDay, b.AllDay)
	start, end := it.Start.UTC(), it.End.UTC()
	if b.AllDay {
		start, end = day(it.Start.In(w.berlin)), day(it.End.In(w.berlin))
	}
	want("start", start, b.Start)
	want("end", end, b.End)
	var rooms, people []string
	for _, r := range b.Resources {
		rooms = append(rooms, w.address(r))
	}
	rooms = append(rooms, w.excused(b, it)...)
	if !hidden && (it.Location != "" || b.Location != "") { // an item without one is where its rooms are
		want("location", it.Location, w.placeOf(b))
	}
	want("busy", it.BusyStatus, busy[b.Busy])
	want("class", it.Sensitivity, class[b.Class])
	reminder := -1
	if it.ReminderSet {
		reminder = it.ReminderMinutes
	}
	if b.ReminderMinutes != nil {
		want("reminder", reminder, *b.ReminderMinutes)
	} else {
		want("reminder", reminder, -1)
	}
	slices.Sort(rooms)
	want("rooms", addresses(it.Resources, ""), rooms)
	for _, a := range b.Attendees {
		people = append(people, a.Email+map[booking.Role]string{booking.Optional: "?"}[a.Role])
	}
	slices.Sort(people)
	got := append(addresses(it.Required, ""), addresses(it.Optional, "?")...)
	slices.Sort(got)
	want("people", got, people)
	return strings.Join(wrong, "; ")
}

// placeOf is what the item of a booking has for its location.
func (w *world) placeOf(b *booking.Booking) string {
	if b.Location != "" {
		return b.Location
	}
	var names []string
	for _, r := range b.Resources {
		names = append(names, "The "+r)
	}
	return strings.Join(names, ", ")
}

func day(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }

func addresses(list []exchangesim.Attendee, suffix string) (all []string) {
	for _, a := range list {
		all = append(all, a.Address+suffix)
	}
	slices.Sort(all)
	return all
}

// checkEdits looks for what people changed in the calendar: in the booking, in its history, or laid before somebody.
func (w *world) checkEdits(b *booking.Booking, history []store.ChangeRecord, open []store.Difference) {
	n := w.note(b.ID)
	if n.removed || n.restored || w.organizerOf(b).restless || n.editedIn != nil && n.editedIn.restless || len(open) > 0 {
		return
	}
	for field, token := range n.edits {
		if n.veil && field != "time" {
			continue // its owner's own words
		}
		if !slices.ContainsFunc(history, func(c store.ChangeRecord) bool { return strings.Contains(string(c.Data), token) }) {
			w.recall(b.ID)
			w.fail("%s: the calendar's %s %q was lost", b.ID, field, token)
		}
	}
}

// checkRooms: nobody has a room that somebody else has.
func (w *world) checkRooms(bookings []*booking.Booking) {
	taken := map[string][]booking.Occurrence{} // by room
	of := map[string][]string{}
	for _, b := range bookings {
		if b.Status != booking.Confirmed {
			continue
		}
		for _, o := range first(b, 20) {
			for _, r := range o.Resources() {
				start, end := o.Span()
				for i, other := range taken[r] {
					if s, e := other.Span(); of[r][i] != b.ID && start.Before(e) && s.Before(end) {
						w.fail("%s and %s have %s at the same time, %s", of[r][i], b.ID, r, start)
					}
				}
			}
		}
		for _, o := range first(b, 20) {
			for _, r := range o.Resources() {
				taken[r], of[r] = append(taken[r], o), append(of[r], b.ID)
			}
		}
	}
}

// repeatsNothing reads everything in full once more: nothing may be written, neither here nor there.
func (w *world) repeatsNothing() {
	seq, err := w.store.LastSeq(w.Context(), w.tenant)
	w.must(err)
	before := counts(w.sim)
	for _, name := range w.boxes {
		w.must(w.engine.Sync(w.Context(), w.tenant, name, true))
	}
	w.settle(1)
	after, err := w.store.LastSeq(w.Context(), w.tenant)
	w.must(err)
	for _, op := range writes {
		if n := w.sim.Count(op) - before[op]; n > 0 || after != seq {
			w.fail("a full read of what is at rest led to %d writes by %s and %d changes", n, op, after-seq)
		}
	}
}
