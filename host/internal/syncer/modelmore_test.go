package syncer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// settings are what an administrator may change while hosts run.
type settings struct {
	notices string
	deaf    bool // the backend cannot be listened to
	private bool // there is no public URL
}

// leftItem is an item that its booking let go of, because it is to stay out of the calendars.
type leftItem struct {
	box, booking string
	event        calendar.Event
	settled      bool // nothing was on its way to it any more
}

// Mode implements Modes.
func (m *model) Mode(_ context.Context, name, _ string) (Mode, error) {
	b := m.modes.memory
	switch {
	case strings.EqualFold(name, "Other"):
		name, b = "Other", m.modes.other
	case !strings.EqualFold(name, "Memory"):
		return Mode{}, fmt.Errorf("sync mode %q: %w", name, fault.Invalid)
	default:
		name = "Memory"
	}
	mode := Mode{Name: name, Backend: b, Pusher: b, Finder: b, Notices: m.set.notices}
	if !m.set.deaf {
		mode.Watcher = noWatcher{}
	}
	return mode, nil
}

// configure changes the settings, as config apply does on every host.
func (m *model) configure(a act) {
	m.set = settings{notices: []string{"push", "push", "streaming", "pull", "poll"}[a.A%5], deaf: a.B%4 == 0, private: a.C%4 == 0}
	m.say("another configuration: %+v", m.set)
	for _, e := range m.engines {
		e.Unpause("Memory")
		e.Unpause("Other")
	}
	m.tx(func(ctx context.Context, tx *store.Tx) error {
		for _, mode := range []string{"Memory", "Other"} {
			if _, err := tx.WakeMode(ctx, mode, ""); err != nil {
				return err
			}
		}
		_, err := tx.RenewSubscriptions(ctx, m.tenant)
		return err
	})
}

// watched is a mailbox as those who listen know it, which may be of before.
func (m *model) watched(person string, stale bool) []store.Watched {
	mb := m.mailbox(person)
	w := store.Watched{Tenant: m.tenant, Person: person, Epoch: mb.Epoch, Way: mb.Way, TryWay: mb.TryWay, Mode: "Memory"}
	if stale {
		w.Epoch--
	}
	return []store.Watched{w}
}

// ways is what administrators, loop tests and those who listen tell the engine of how notices arrive.
func (m *model) ways(a act) {
	ctx, id := m.t.Context(), m.person(a.A).ID
	way := []string{wayStreaming, wayStreaming, wayPull}[a.C%3]
	var err error
	switch what := []string{"falls back", "climbs", "is listened to", "is not listened to", "cannot be listened to", "is heard"}[a.B%6]; what {
	case "falls back":
		err = m.engine.FallBack(ctx, m.tenant, id, "the test")
	case "climbs":
		err = m.engine.ClimbNow(ctx, m.tenant, id)
	case "is listened to":
		err = m.engine.Listening(ctx, way, m.watched(id, a.C%5 == 0))
	case "is not listened to":
		m.told[id] = ""
		err = m.engine.Deaf(ctx, way, m.watched(id, a.C%5 == 0), "the connection broke")
	case "cannot be listened to":
		m.told[id] = ""
		err = m.engine.CannotListen(ctx, way, m.watched(id, a.C%5 == 0)[0], "a delegate")
	case "is heard":
		err = m.stage.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			subs, err := tx.Subscriptions(ctx, m.tenant, id)
			if err != nil || len(subs) == 0 {
				return err
			}
			return tx.TouchSubscription(ctx, subs[len(subs)-1].TokenHash, m.stage.now())
		})
	}
	m.must(err)
	mb := m.mailbox(id)
	m.say("ways of %s, %d, %s: %q with %q on probation", id, a.B%6, way, mb.Way, mb.TryWay)
}

// listen connects to everybody who is to be listened to and is not.
func (m *model) listen() {
	for _, name := range m.names {
		mb := m.mailbox(name)
		way := mb.Way
		if mb.TryWay == wayStreaming || mb.TryWay == wayPull {
			way = mb.TryWay
		}
		place := fmt.Sprint(mb.Epoch, way)
		switch {
		case m.people[name].SyncDisabled, way != wayStreaming && way != wayPull:
			m.told[name] = ""
		case m.told[name] != place:
			m.say("%s is listened to by %s", name, way)
			m.told[name] = place
			m.must(m.engine.Listening(m.t.Context(), way, m.watched(name, false)))
		}
	}
}

// checkWays: whatever happened, everybody learns of changes in some way, and is looked at by the clock.
func (m *model) checkWays(p *who) {
	mb := m.mailbox(p.ID)
	if p.SyncDisabled {
		if mb.Way != "" || mb.TryWay != "" {
			m.fail("%s, whose sync is off, is on way %q with %q on probation", p.ID, mb.Way, mb.TryWay)
		}
		return
	}
	mode, err := m.Mode(m.t.Context(), "Memory", "")
	m.must(err)
	l := m.engine.ladder(mode, m.tenant)
	if !slices.Contains(l.ways, mb.Way) || mb.TryWay != "" && !slices.Contains(l.above(mb.Way), mb.TryWay) {
		m.fail("%s is on way %q with %q on probation, there are %v", p.ID, mb.Way, mb.TryWay, l.ways)
	}
	if mb.NextDue.IsZero() || mb.Way == wayPoll && mb.PollAt.IsZero() {
		m.fail("%s is not looked at by the clock: %+v", p.ID, mb)
	}
	if mb.WaitUntil.After(m.stage.now()) {
		m.fail("%s waits at rest: %+v", p.ID, mb)
	}
	subs, err := m.stage.store.Subscriptions(m.t.Context(), m.tenant, p.ID)
	m.must(err)
	active := slices.ContainsFunc(subs, func(s store.Subscription) bool { return s.Active })
	if pushed := mb.Way == wayPush || mb.TryWay == wayPush; active != pushed {
		m.fail("%s is on way %q with %q on probation, subscribed: %v", p.ID, mb.Way, mb.TryWay, active)
	}
}

// reject has the booking system refuse what a calendar did.
func (m *model) reject(a act) {
	all, err := m.stage.store.Changes(m.t.Context(), m.tenant, 0, 1000)
	m.must(err)
	all = slices.DeleteFunc(all, func(c store.ChangeRecord) bool { return c.Source != sourceCalendar })
	if len(all) == 0 {
		return
	}
	c := all[len(all)-1-a.A%min(3, len(all))]
	_, before, err := m.stage.store.Rejection(m.t.Context(), m.tenant, c.Seq)
	m.must(err)
	was, err := m.stage.store.LastSeq(m.t.Context(), m.tenant)
	m.must(err)
	outcome, err := m.engine.Reject(m.t.Context(), m.tenant, c.Seq, "no")
	m.say("change %d of %s, %s, is refused: %s, %v", c.Seq, c.Booking, c.Kind, outcome, err)
	_, taken := errors.AsType[*booking.OverlapError](err)
	_, cannot := errors.AsType[*booking.InvalidError](err)
	if taken || cannot {
		return
	}
	m.must(err)
	last, err := m.stage.store.LastSeq(m.t.Context(), m.tenant)
	m.must(err)
	again, err := m.engine.Reject(m.t.Context(), m.tenant, c.Seq, "no, again")
	m.must(err)
	if after, err := m.stage.store.LastSeq(m.t.Context(), m.tenant); err != nil || after != last || again != outcome {
		m.fail("change %d refused twice: %q and %q, %d more changes, %v", c.Seq, outcome, again, after-last, err)
	}
	n := m.note(c.Booking)
	n.own = nil
	switch outcome {
	case Overtaken:
		if last != was {
			m.fail("change %d was overtaken, and refusing it led to %d changes", c.Seq, last-was)
		}
	case CalledOff:
		n.mayCancel = true
	case RolledBack, RolledBackOff, Restored:
		if last == was && !before {
			m.fail("change %d was refused, and nothing came of it", c.Seq)
		}
		n.puts++
		n.removed = n.removed && outcome != Restored
	}
}

// toggle has the booking system take a booking out of the calendars, or put it back in.
func (m *model) toggle(a act) {
	old := m.booking(fmt.Sprintf("b%d", a.A%4))
	if old == nil || old.Status == booking.Cancelled {
		return
	}
	b := old.Clone()
	if b.SyncOff = !b.SyncOff; b.SyncOff {
		b.ItemExpected = false
	}
	m.say("sync of %s off: %v", b.ID, b.SyncOff)
	if m.save(b, old) {
		m.note(b.ID).wasOff = true
		m.leave(b.ID)
	}
	if a.B%4 < 3 && a.B > 3 {
		m.toggle(act{A: a.A, B: a.B / 4}) // and back, once or more often
	}
}

// leave notes the items of a booking that were let go.
func (m *model) leave(id string) {
	if b := m.booking(id); b == nil || !b.SyncOff && b.Status == booking.Confirmed {
		return
	}
	for _, box := range m.addresses() {
		for _, it := range m.server.items(box) {
			if _, linked := m.linked(box, it.Ref); it.ForeignKey == id && m.copies[it.Ref] == nil && m.left[it.Ref] == nil && !linked {
				m.left[it.Ref] = &leftItem{box: box, booking: id, event: it.Event}
			}
		}
	}
}

// checkLeft: what was let go stays as it is, until it is taken for its booking's item again.
func (m *model) checkLeft() {
	for id, n := range m.notes {
		if n.wasOff {
			m.leave(id)
		}
	}
	for ref, l := range m.left {
		it := m.item(l.box, ref)
		if _, linked := m.linked(l.box, ref); linked {
			delete(m.left, ref)
			continue
		}
		if l.settled && !reflect.DeepEqual(it.Event, l.event) {
			m.fail("the item %s in %s, which %s let go, is not as it was: %+v, want %+v", ref, l.box, l.booking, it.Event, l.event)
		}
		if it.Ref == "" {
			delete(m.left, ref)
			continue
		}
		b := m.booking(l.booking)
		if !m.hasCopies(ref) && m.wantedAgain(b, l, ref) {
			m.fail("%s in %s was let go by %s, which has another item now", ref, l.box, b.ID)
		}
		l.event, l.settled = it.Event, b != nil && (b.SyncOff || b.Status == booking.Cancelled)
	}
}

// wantedAgain reports whether a booking that let an item go is synced with that calendar again.
func (m *model) wantedAgain(b *booking.Booking, l *leftItem, ref calendar.Ref) bool {
	if b == nil || b.Status != booking.Confirmed || b.SyncOff || b.SyncDisabled {
		return false
	}
	links, err := m.stage.store.LinksOfBooking(m.t.Context(), m.tenant, b.ID)
	m.must(err)
	known := slices.ContainsFunc(links, func(k store.Link) bool { return m.ownRef(k.Ref) == ref && k.Epoch == m.mailbox(k.Person).Epoch })
	p := m.people[b.Organizer]
	return known && p.Email == l.box && !p.SyncDisabled
}

// takeOver has another host take a mailbox over from the one that works on it, and make a whole pass. The first one comes
// back to find its call cut off.
func (m *model) takeOver() error {
	person, dead := m.passing, m.engine
	if person == "" {
		return nil
	}
	m.say("  another host takes %s over:", person)
	m.stage.set(m.stage.now().Add(leaseOfPass + time.Second))
	m.pass(person, 1-slices.Index(m.engines, dead))
	m.engine, m.passing = dead, person
	return fmt.Errorf("cut off: %w", fault.Unavailable)
}

// loopTest makes the item of a synchronisation test, or removes it.
func (m *model) loopTest(a act) {
	p := m.person(a.A)
	if at, found := m.tests[p.ID]; found {
		delete(m.tests, p.ID)
		if m.item(at.box, at.ref).Ref != "" {
			m.server.remove(at.box, at.ref)
		}
		delete(m.mine, at.ref)
		return
	}
	m.unique++
	event := calendar.Event{Subject: "test", Start: hourOf(a.B).AddDate(10, 0, 0), End: hourOf(a.B).AddDate(10, 0, 0).Add(time.Hour)}
	ref := m.server.add(p.Email, calendar.Item{Key: fmt.Sprintf("looptest-%d", m.unique), Event: event})
	m.mine[ref], m.tests[p.ID] = event, testItem{p.Email, ref}
}

type testItem struct {
	box string
	ref calendar.Ref
}

var _ backend.Watcher = noWatcher{}

// checkWaiting: an item that the add-in made before its booking came is the booking's, and no second one is made.
func (m *model) checkWaiting(ref calendar.Ref, d *duplicate) {
	b, p := m.booking(d.booking), m.people[nameOf(d.box)]
	there := d.of == "" && p.Email == d.box && !p.SyncDisabled
	if d.waits && there && b != nil && b.Status == booking.Confirmed && b.Organizer == p.ID && !b.SyncOff && !b.SyncDisabled {
		m.fail("%s of %s waited for its booking %s, which has another item", ref, d.box, b.ID)
	}
	d.waits = there && b == nil
}

// met: after a pass that went through, the items that the add-in made are known.
func (m *model) met(p *who) {
	if m.mailbox(p.ID).RoundOpen {
		return
	}
	for ref, d := range m.copies {
		unseen := p.SyncMode == "Other" && m.modes.other.hidden[ref]
		if d.of == "" && d.box == p.Email && m.booking(d.booking) == nil && !unseen {
			d.waits = true
		}
	}
}

// book has the booking system book at last what the add-in made an item for.
func (m *model) book(a act) {
	var waiting []string
	for _, d := range m.copies {
		if d.waits && m.booking(d.booking) == nil && !slices.Contains(waiting, d.booking) {
			waiting = append(waiting, d.booking+nameOf(d.box))
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.Sort(waiting)
	id, organizer := waiting[a.A%len(waiting)][:2], waiting[a.A%len(waiting)][2:]
	m.unique++
	m.save(&booking.Booking{
		Tenant: m.tenant, ID: id, Organizer: organizer, Zone: "Europe/Berlin", Title: fmt.Sprintf("title %d", m.unique),
		Start: hourOf(a.B), End: hourOf(a.B).Add(time.Hour), Resources: roomsOf[a.C%3],
	}, nil)
}
