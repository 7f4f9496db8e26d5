package soak_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// tableText says what happens how often. An act that is new needs a line here and one in acts.
const tableText = `put 26, cancel 3, organizer 3,
	series 16, divide 3, recur 3, occurrence 14, edit 22, remove 3, shred 1, move 2, copy 2, restore 2, addin 4, stranger 1, answer 3,
	switch 1, reject 2, transfer 3, sync 1, approve 1, keep 1, shadow 2, scan 2,
	pass 30, later 4, settle 1, crash 8, kill 2, fault 12, amid 6,
	lose 2, twice 2, hold 1, release 2, forget 2, unsubscribe 2`

var table = soak.NewTable(tableText)

// acts are what may happen, by their names in table. world is the first of every schedule, and done before it begins.
var acts = map[string]func(*world, soak.Act){
	"world": func(*world, soak.Act) {},
	// The booking system.
	"put": (*world).put, "cancel": (*world).cancel, "organizer": (*world).organizer, "reject": (*world).reject, "series": (*world).series, "divide": (*world).divide,
	// People in Outlook.
	"edit": (*world).edit, "remove": (*world).remove, "shred": (*world).remove, "move": (*world).move, "copy": (*world).copy,
	"restore": (*world).restore, "addin": (*world).addIn, "stranger": (*world).stranger, "answer": (*world).answer,
	"recur": (*world).recur, "occurrence": (*world).occurrence,
	// Rooms that are synced.
	"meet": (*world).meet, "guest": (*world).guest, "inroom": (*world).inRoom,
	// Administrators.
	"switch": (*world).toggle, "transfer": (*world).transfer, "sync": (*world).sync, "approve": (*world).approve, "keep": (*world).keep,
	"shadow": (*world).shadow, "scan": (*world).scan,
	// The host and its time.
	"pass":   func(w *world, a soak.Act) { w.pass(w.waiting(a.A)) },
	"later":  (*world).later,
	"settle": func(w *world, a soak.Act) { w.settle(a.A) },
	"crash":  func(w *world, a soak.Act) { w.crash = 1 + a.A%8 },
	"kill":   func(w *world, a soak.Act) { w.arm(a, false) },
	"fault":  func(w *world, a soak.Act) { w.arm(a, false) },
	"amid":   func(w *world, a soak.Act) { w.arm(a, true) },
	// Notices and what is known of changes.
	"lose": func(w *world, _ soak.Act) { w.say("a notice is lost"); w.sim.Faults().LoseNotifications(1) },
	"twice": func(w *world, _ soak.Act) {
		w.say("a notice comes twice")
		w.sim.Faults().DuplicateNotifications(1)
	},
	"hold": func(w *world, _ soak.Act) {
		w.say("notices are late")
		w.held = true
		w.sim.Faults().HoldNotifications()
	},
	"release":     func(w *world, _ soak.Act) { w.release() },
	"forget":      (*world).forget,
	"unsubscribe": (*world).unsubscribe,
}

// innerActs are those that happen in the middle of a pass, too.
var innerActs = []string{"put", "put", "cancel", "organizer", "edit", "edit", "occurrence", "occurrence", "recur", "series", "remove", "move", "restore", "answer", "sync", "switch", "transfer", "reject", "forget", "unsubscribe", "shadow", "scan"}

func (w *world) do(a soak.Act) {
	act := acts[a.Do]
	if act == nil {
		w.fail("there is no act %q", a.Do)
	}
	w.acts++
	w.tally.acts[a.Do]++
	act(w, a)
	if !w.held && !w.amid {
		w.delivered()
	}
}

// bookings is how many there are at most: few enough that acts meet.
const bookings = 3

// hour is one of eight hours in the far future, and day one of the days after them.
func (w *world) hour(n int) time.Time {
	return w.day(n/4%2 - 3).Add(time.Duration(8+n%4) * time.Hour)
}

func (w *world) day(n int) time.Time {
	return day(w.began).AddDate(0, 0, 100+n)
}

var roomsOf = [][]string{{"room-a"}, {"room-b"}, nil, {"room-a", "room-b"}}

func (w *world) fresh(id, what string) string {
	w.unique++
	return fmt.Sprintf("%s %s %d", cmp.Or(id, "own"), what, w.unique)
}

// put is the booking system's. What it changes depends on whether the booking exists.
func (w *world) put(a soak.Act) {
	id := w.one(a.A)
	old := w.booking(id)
	if old == nil {
		b := &booking.Booking{
			Tenant: w.tenant, ID: id, Organizer: w.names[max(a.C%5-2, 0)], Zone: "Europe/Berlin", Title: w.fresh(id, "title"),
			Start: w.hour(a.B), End: w.hour(a.B).Add(time.Hour), Resources: roomsOf[a.C/5%4],
			ItemExpected: a.B/7%6 == 0,
		}
		if a.C/20%4 > 0 {
			b.Attendees = []booking.Attendee{{Email: w.address("dave")}, {Email: "guest@partner.example", Role: booking.Optional}}
		}
		if w.private && a.C%3 == 0 {
			b.Class, b.Attendees = booking.Private, nil
		}
		if a.C/80%6 == 0 {
			b.AllDay, b.Start = true, w.day(a.B%3)
			b.End = b.Start.AddDate(0, 0, 1+a.B%2)
		}
		w.save(b, nil, true)
		return
	}
	b, loud := old.Clone(), false
	if b.Status == booking.Cancelled {
		b.Status, loud = booking.Confirmed, true
	}
	switch a.B % 10 {
	case 0, 4:
		b.Title = w.fresh(id, "title")
	case 1, 2:
		b.AllDay, b.Start, loud = false, w.hour(a.C), true
		b.End = b.Start.Add(time.Duration(1+a.C/8%2) * time.Hour)
	case 3:
		b.Resources, loud = roomsOf[a.C%4], true
	case 5:
		b.Attendees, loud = append(b.Attendees, booking.Attendee{Email: fmt.Sprintf("guest%d@partner.example", a.C%3)}), true
	case 6:
		n := a.C % 60
		b.ReminderMinutes = &n
	case 7:
		b.Notes = w.fresh(id, "notes")
	case 8:
		b.Location, loud = fmt.Sprintf("floor %d", a.C%3), true
	case 9:
		b.Busy = []booking.Busy{booking.Free, booking.Tentative, booking.Occupied, booking.OutOfOffice, booking.WorkingElsewhere}[a.C%5]
		b.Class = []booking.Class{booking.Public, booking.Private}[a.C/5%2]
	}
	w.save(b, old, loud)
}

// organizer gives a booking to somebody else.
func (w *world) organizer(a soak.Act) {
	old := w.booking(w.one(a.A))
	if old == nil || old.Status == booking.Cancelled {
		return
	}
	b := old.Clone()
	b.Organizer = w.names[a.B%len(w.names)]
	if !slices.ContainsFunc(w.links(b.ID), func(l store.Link) bool { return l.State == store.LinkLive && l.Person == old.Organizer }) {
		clear(w.note(b.ID).edits) // of an item of the add-in that nobody has met, and that goes now
	}
	w.save(b, old, true)
}

// save puts a booking and notes whom it may mail; loud says that it is a change that is told.
func (w *world) save(b, old *booking.Booking, loud bool) {
	// Where nothing is silent, what is so about a whole series is told with what is not and still on its way. Of busy blocks, and of what
	// was cut off, only the host knows what is whose.
	loud = loud || b.Series() && w.told(b.ID) && (w.private || w.cut || w.organizerOf(b).SyncMode == overGraph || w.organizerOf(b).restless)
	linked := slices.ContainsFunc(w.links(b.ID), func(l store.Link) bool { return l.State == store.LinkLive && l.Person == b.Organizer })
	on := booking.Refuse
	if b.Series() && w.unique%2 == 0 {
		on = booking.Skip
	}
	put, err := w.engine.Put(w.Context(), b, booking.Match{}, on)
	saved := put.Booking
	_, taken := errors.AsType[*booking.OverlapError](err)
	_, cannot := errors.AsType[*booking.InvalidError](err)
	if taken || cannot && (b.Series() || old != nil && old.Series()) {
		w.say("put %s is refused: %v", b.ID, err)
		return
	}
	w.must(err)
	w.say("put %s: %q at %s in %v by %s, version %d %s %d", saved.ID, saved.Title, saved.Start.Format("2 15:04"), saved.Resources, saved.Organizer, saved.Version, saved.Recurrence, len(saved.Exceptions))
	if old != nil && saved.Version == old.Version {
		return
	}
	if w.private && (w.veiled(saved) != (old != nil && w.veiled(old)) || old != nil && old.Class != saved.Class) {
		w.veil(b.ID)
	}
	w.skipped += len(put.Skipped)
	n := w.note(b.ID)
	n.puts, n.asked = n.puts+1, n.asked+1
	n.cancelled, n.said = false, saved
	if old != nil && old.Status == booking.Cancelled && old.Organizer != saved.Organizer {
		clear(n.edits) // they went with the item of what was cancelled
	}
	if old != nil && saved.Series() && (old.Recurrence != saved.Recurrence || !old.Start.Equal(saved.Start) || !old.End.Equal(saved.End)) {
		n.rewritten += w.exceptions(saved) // which such a change throws away
	}
	if loud && linked && saved.Series() && n.touched {
		n.mails += max(0, w.exceptions(saved)-2*len(saved.Exceptions)) // what somebody made of occurrences in the calendar is written with it
	}
	switch {
	case old != nil && old.Status == booking.Confirmed && old.Organizer != saved.Organizer:
		n.mails += 2
	case loud || !linked:
		n.mails++
	}
	if old == nil || !linked {
		n.mails += len(saved.Exceptions) // each is a write of its own
	} else {
		n.mails += max(0, len(saved.Exceptions)-len(old.Exceptions)) // as are occurrences that are left out for a conflict
	}
}

// told reports whether something about a booking is on its way that mails.
func (w *world) told(id string) bool {
	return slices.ContainsFunc(w.links(id), func(l store.Link) bool {
		in, waiting, err := w.store.Intent(w.Context(), w.tenant, l.Key)
		w.must(err)
		return waiting && in.Mail != calendar.MailNobody
	})
}

// exceptions counts those of a series on both sides.
func (w *world) exceptions(b *booking.Booking) int {
	n, p := len(b.Exceptions), w.organizerOf(b)
	for _, it := range w.own(p.Email) {
		if it.Recurrence == nil || w.bookingOf(it) != b.ID {
			continue
		}
		all, err := w.sim.Outlook(p.Email).Occurrences(it.ID, w.began, w.day(60))
		w.must(err)
		for _, o := range all {
			if o.Exception {
				n++
			}
		}
	}
	return n
}

func (w *world) cancel(a soak.Act) {
	id := w.one(a.A)
	old := w.booking(id)
	if old == nil || old.Status == booking.Cancelled {
		return
	}
	w.say("cancel %s", id)
	_, err := w.engine.Cancel(w.Context(), w.tenant, id, booking.Match{})
	w.must(err)
	n := w.note(id)
	n.mails++
	n.puts++
	n.mayCancel, n.cancelled = true, true
}

// reject has the booking system refuse what a calendar did.
func (w *world) reject(a soak.Act) {
	all, err := w.store.Changes(w.Context(), w.tenant, 0, 1000)
	w.must(err)
	all = slices.DeleteFunc(all, func(c store.ChangeRecord) bool { return c.Source != "calendar" })
	if len(all) == 0 {
		return
	}
	c := all[len(all)-1-a.A%min(3, len(all))]
	outcome, err := w.engine.Reject(w.Context(), w.tenant, c.Seq, "no")
	w.say("change %d of %s, %s, is refused: %s, %v", c.Seq, c.Booking, c.Kind, outcome, err)
	_, taken := errors.AsType[*booking.OverlapError](err)
	_, cannot := errors.AsType[*booking.InvalidError](err)
	if taken || cannot {
		return
	}
	w.must(err)
	w.veil(c.Booking) // it may be private again
	n := w.note(c.Booking)
	n.puts++
	n.mayCancel = n.mayCancel || outcome != syncer.Restored
	n.removed, n.touched = false, true
}

// toggle switches the sync of a person off or on.
func (w *world) toggle(a soak.Act) {
	p := w.person(a.A).Person
	p.SyncDisabled = !p.SyncDisabled
	w.say("sync of %s disabled: %v", p.ID, p.SyncDisabled)
	w.putPerson(p)
}

// transfer moves a person to another sync mode.
func (w *world) transfer(a soak.Act) {
	p := w.person(a.A)
	others := slices.DeleteFunc([]string{onPremises, overEWS, overGraph}, func(m string) bool { return m == p.SyncMode })
	move := store.Move{Tenant: w.tenant, Person: p.ID, To: others[a.B%2], DryRun: a.C%8 == 0, Lenient: a.C%2 == 0}
	refused, err := w.engine.RequestMoves(w.Context(), []store.Move{move})
	w.must(err)
	w.say("%s is to move from %s to %s, dry run: %v, %v", p.ID, p.SyncMode, move.To, move.DryRun, refused[0])
}

func (w *world) sync(a soak.Act) {
	w.say("sync %s", w.anybox(a.A).ID)
	w.must(w.engine.Sync(w.Context(), w.tenant, w.anybox(a.A).ID, a.B%2 == 0))
}

func (w *world) approve(a soak.Act) {
	w.say("approve %s", w.anybox(a.A).ID)
	w.must(w.engine.ApproveDeletions(w.Context(), w.tenant, w.anybox(a.A).ID))
}

func (w *world) keep(a soak.Act) {
	w.say("what is gone with %s is made again", w.anybox(a.A).ID)
	w.anybox(a.A).restless = true
	w.must(w.engine.RestoreDeletions(w.Context(), w.tenant, w.anybox(a.A).ID))
}

// waiting returns whose mailbox a host works on next: mostly one that is due.
func (w *world) waiting(n int) string {
	var due []string
	for _, name := range w.boxes {
		if at := w.box(name).NextDue; !at.IsZero() && !at.After(w.now()) {
			due = append(due, name)
		}
	}
	if len(due) == 0 || n%8 == 0 {
		due = w.boxes
	}
	return due[n/8%len(due)]
}

func (w *world) later(a soak.Act) {
	d := []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour}[a.A%4]
	w.say("%s later", d)
	w.set(w.now().Add(d))
}

func (w *world) release() {
	if w.held {
		w.say("notices arrive")
	}
	w.held = false
	w.sim.Faults().Release()
}

// forget has the server lose its history: cursors are worth nothing.
func (w *world) forget(a soak.Act) {
	p := w.anybox(a.A)
	w.say("the server forgets the history of %s", p.ID)
	w.sim.Faults().InvalidSyncState(p.Email)
	w.must(w.sim.ExpireDelta(p.Email, []string{"gone", "notfound", "invalid"}[a.B%3]))
}

// unsubscribe has subscriptions end at the server, or here.
func (w *world) unsubscribe(a soak.Act) {
	p := w.anybox(a.A)
	w.say("subscription of %s is lost", p.ID)
	switch a.B % 3 {
	case 0:
		w.sim.DropSubscriptions(p.Email)
		w.sim.ExpireGraph(p.Email)
	case 1:
		_, err := w.sim.TellLifecycle(p.Email, []string{"subscriptionRemoved", "missed", "reauthorizationRequired"}[a.C%3])
		w.must(err)
	case 2:
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			if err := tx.DropSubscriptions(ctx, w.tenant, p.ID); err != nil {
				return err
			}
			return tx.MarkDirty(ctx, w.tenant, p.ID, time.Time{})
		})
	}
}
