package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// model is the world of one schedule, with what the people in it remember of their own doing.
type model struct {
	t      *testing.T
	stage  *stage
	tenant string
	engine *Engine // the one at work
	// Hosts that share the database, each with a memory of its own.
	engines []*Engine
	passing string // whose mailbox is worked on
	set     settings
	server  *memory
	modes   *twoModes
	trace   func(string)

	names  []string // of persons
	people map[string]*who
	notes  map[string]*note
	copies map[calendar.Ref]*duplicate
	mine   map[calendar.Ref]calendar.Event // appointments that are nobody's business
	left   map[calendar.Ref]*leftItem
	tests  map[string]testItem // by person
	told   map[string]string   // by person: epoch and way that is listened on
	unique int
	day    string // of the occurrence that somebody changed last

	armed []*arm
	crash int // failpoints until the host dies; 0: it lives
	after func() error
}

type who struct {
	directory.Person
	restless bool // switched, moved or restored since the last quiet
}

// note is what the model remembers of a booking since the last quiet, but for mails.
type note struct {
	mails     int  // that persons' doings justify, since ever
	puts      int  // changes by the booking system
	mayCancel bool // somebody deleted, cancelled, or broke a rule
	removed   bool // somebody deleted the item
	cancelled bool // last word of the booking system
	wasOff    bool // it was out of the calendars, and may have left an item
	edits     map[string]string
	own       map[string]string // by day: titles of occurrences of their own, or that they are left out, which nobody changed since
	days      map[string]bool   // of occurrences that somebody edited in the calendar
	editedIn  *who              // whose calendar
}

// duplicate is an item that bears a booking's marker and is not known to be the booking's: a copy, or one that the
// add-in made.
type duplicate struct {
	box     string
	booking string
	of      calendar.Ref // empty: made by the add-in
	event   calendar.Event
	settled bool // a copy that was met while its original was there
	waits   bool // made by the add-in and met before there was a booking
}

// arm is a fault, or an act amid a pass, that waits for a call of the server.
type arm struct {
	calls int
	kind  int
	act   act
	amid  bool
}

type crashed struct{ step string }

func newModel(t *testing.T, s *stage) *model {
	s.plays++
	s.set(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	m := &model{
		t: t, stage: s, tenant: fmt.Sprintf("t%d", s.plays), server: newMemory(),
		people: map[string]*who{}, notes: map[string]*note{}, copies: map[calendar.Ref]*duplicate{}, mine: map[calendar.Ref]calendar.Event{},
		left: map[calendar.Ref]*leftItem{}, tests: map[string]testItem{}, told: map[string]string{},
	}
	m.modes = newTwoModes(m.server)
	m.server.before, m.server.after = m.beforeCall, m.afterCall
	m.engines = []*Engine{m.newEngine(), m.newEngine()}
	m.engine = m.engines[0]
	for _, name := range []string{"alice", "bob", "carol"} {
		p := directory.Person{ID: name, Email: name + "@example.com", Kind: directory.KindPerson}
		if name == "carol" {
			p.ConflictBehaviour = directory.Cancel
		}
		m.names = append(m.names, name)
		m.putPerson(p)
	}
	for _, r := range []string{"a", "b"} {
		m.putPerson(directory.Person{ID: "room-" + r, Email: "room-" + r + "@example.com", DisplayName: "Room " + r, Kind: directory.KindResource, SyncDisabled: true})
	}
	return m
}

func (m *model) newEngine() *Engine {
	limits := DefaultLimits()
	limits.SubscriptionInterval, limits.StatusFrequency = 10000*time.Hour, 10000*time.Hour
	limits.PollInterval = 20 * time.Hour
	limits.MassDeletionLimit = 2
	e := New(Options{
		Store: m.stage.store, Modes: m, Now: m.stage.now, Limits: limits,
		NotificationURL: func(string, string) string {
			if m.set.private {
				return ""
			}
			return "https://rooms.example.com/x?Default"
		},
		Render: renderBooking, Parse: parseBooking,
		Failpoint: func(step string) {
			if m.crash == 0 {
				return
			}
			if m.crash--; m.crash == 0 {
				m.say("  dies at %s", step)
				panic(crashed{step})
			}
		},
	})
	n := 0
	e.collide = func() bool { n++; return n%3 == 0 }
	return e
}

func (m *model) say(format string, args ...any) {
	if m.trace != nil {
		m.trace(fmt.Sprintf(format, args...))
	}
}

func (m *model) fail(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

func (m *model) must(err error) {
	if err != nil {
		m.fail("%v", err)
	}
}

func (m *model) tx(f func(ctx context.Context, tx *store.Tx) error) {
	m.must(m.stage.store.Tx(m.t.Context(), f))
}

func (m *model) note(id string) *note {
	if m.notes[id] == nil {
		m.notes[id] = &note{edits: map[string]string{}}
	}
	return m.notes[id]
}

func (m *model) putPerson(p directory.Person) {
	if p.Tenant = m.tenant; p.SyncMode == "" {
		p.SyncMode = "Memory"
	}
	if m.people[p.ID] == nil {
		m.people[p.ID] = &who{}
	}
	m.people[p.ID].Person = p
	m.people[p.ID].restless = true
	_, err := m.engine.PutPerson(m.t.Context(), p)
	m.must(err)
}

func (m *model) person(n int) *who {
	p := m.people[m.names[n%len(m.names)]]
	row, _, err := m.stage.store.Person(m.t.Context(), m.tenant, p.ID)
	m.must(err)
	p.SyncMode, p.SyncURL = row.SyncMode, row.SyncURL // a move may have set them
	return p
}

// beforeCall and afterCall let armed things happen.
func (m *model) beforeCall(call string) error {
	for i, a := range m.armed {
		if a.calls--; a.calls > 0 {
			continue
		}
		m.armed = slices.Delete(m.armed, i, i+1)
		switch {
		case a.amid && a.act.Do == "takeover" && call == "apply" && a.act.A%2 == 0:
			m.after = m.takeOver
			return nil
		case a.amid && a.act.Do == "takeover":
			return m.takeOver()
		case a.amid:
			m.say("  amid %s:", call)
			m.recognize() // what was adopted and let go within one pass was the booking's when it was written to
			m.do(a.act)
			return nil
		}
		return m.faultAt(call, a.kind)
	}
	return nil
}

func (m *model) faultAt(call string, kind int) error {
	var err error
	switch kind % 8 {
	case 0, 1:
		err = fault.Unavailable
	case 2:
		err = &fault.Error{Kind: fault.Throttled, After: 90 * time.Second, Scope: fault.ScopeServer}
	case 3:
		err = fault.Unauthorized
	case 4:
		if err = fault.Unavailable; call == "pull" {
			err = fault.StateExpired
		}
	case 5, 6:
		if call == "apply" {
			m.after = func() error { return fmt.Errorf("the answer was lost: %w", fault.Unavailable) }
			m.say("  the answer to %s is lost", call)
			return nil
		}
		err = fault.Unavailable
	case 7:
		if err = fault.Unavailable; call == "apply" {
			err = fault.Conflict
		}
	}
	m.say("  %s fails: %v", call, err)
	return fmt.Errorf("%s: %w", call, err)
}

func (m *model) afterCall(string) error {
	after := m.after
	if m.after = nil; after == nil {
		return nil
	}
	return after()
}

// do carries one act out.
func (m *model) do(a act) {
	ctx := m.t.Context()
	switch a.Do {
	case "put":
		m.put(a)
	case "series":
		m.series(a)
	case "cancel":
		m.cancel(a)
	case "edit", "remove", "move", "copy", "touch", "forget", "wipe", "migrate":
		m.outlook(a)
	case "addin":
		m.addIn(a)
	case "book":
		m.book(a)
	case "stranger":
		p := m.person(a.A)
		ref := m.server.add(p.Email, calendar.Item{Event: calendar.Event{Subject: "dentist"}})
		m.mine[ref] = calendar.Event{Subject: "dentist"}
	case "switch":
		p := m.person(a.A)
		next := p.Person
		next.SyncDisabled = !next.SyncDisabled
		m.say("sync of %s disabled: %v", p.ID, next.SyncDisabled)
		m.putPerson(next)
	case "relocate":
		p := m.person(a.A)
		next := p.Person
		if strings.HasPrefix(next.Email, "new.") {
			next.Email = strings.TrimPrefix(next.Email, "new.")
		} else {
			next.Email = "new." + next.Email
		}
		m.say("%s has address %s now", p.ID, next.Email)
		m.unanswered(p.ID)
		m.putPerson(next)
	case "sync":
		m.say("sync %s", m.person(a.A).ID)
		m.must(m.engine.Sync(ctx, m.tenant, m.person(a.A).ID, a.B%2 == 0))
	case "approve":
		m.say("approve %s", m.person(a.A).ID)
		m.must(m.engine.ApproveDeletions(ctx, m.tenant, m.person(a.A).ID))
	case "restore":
		m.say("restore %s", m.person(a.A).ID)
		m.person(a.A).restless = true
		m.must(m.engine.RestoreDeletions(ctx, m.tenant, m.person(a.A).ID))
	case "lost":
		id := m.person(a.A).ID
		m.say("subscription of %s is lost", id)
		m.tx(func(ctx context.Context, tx *store.Tx) error {
			if err := tx.DropSubscriptions(ctx, m.tenant, id); err != nil {
				return err
			}
			return tx.MarkDirty(ctx, m.tenant, id, time.Time{})
		})
	case "reject":
		m.reject(a)
	case "off":
		m.toggle(a)
	case "transfer":
		m.transfer(a)
	case "ways":
		m.ways(a)
	case "config":
		m.configure(a)
	case "loud":
		m.server.loud = !m.server.loud
		m.say("the server can keep silent: %v", !m.server.loud)
	case "looptest":
		m.loopTest(a)
	case "pass":
		m.pass(m.person(a.A).ID, a.B%5/3)
	case "later":
		d := []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour}[a.A%4]
		m.say("%s later", d)
		m.stage.set(m.stage.now().Add(d))
	case "fault":
		m.armed = append(m.armed, &arm{calls: 1 + a.A%6, kind: a.B})
	case "cut":
		m.server.cut = 1 + a.A%3
	case "amid":
		inner := act{Do: innerActs[a.B%len(innerActs)], A: a.C, B: a.A / 7, C: a.B / len(innerActs)}
		m.armed = append(m.armed, &arm{calls: 1 + a.A%6, act: inner, amid: true})
	case "crash":
		m.crash = 1 + a.A%8
	case "settle":
		m.settleAll(a.A)
	}
}

// unanswered: what was asked of the old calendar and not answered may have been done, and is asked of the new one again.
func (m *model) unanswered(person string) {
	intents, err := m.stage.store.Intents(m.t.Context(), m.tenant, person, farFuture, 100)
	m.must(err)
	for _, in := range intents {
		m.note(in.Booking).mails++
	}
}

var innerActs = []string{"put", "put", "put", "series", "series", "cancel", "edit", "edit", "remove", "move", "sync", "restore", "approve", "switch", "relocate", "lost", "migrate",
	"off", "reject", "ways", "transfer", "config", "takeover", "takeover", "takeover"}

// leaseOfPass is how long a pass has its mailbox for itself.
const leaseOfPass = time.Hour

// pass makes one pass as the schedule of a host would.
func (m *model) pass(person string, host int) {
	m.say("pass of %s by host %d", person, host)
	m.engine, m.passing = m.engines[host], person
	defer func() { m.passing = "" }()
	var lease store.Lease
	m.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		var taken bool
		if lease, taken, _, err = tx.TakeLease(ctx, m.tenant, person, m.stage.now().Add(leaseOfPass)); err == nil && !taken {
			err = errors.New("the lease of " + person + " is taken")
		}
		return err
	})
	out, died, err := m.tryPass(lease)
	if died {
		m.engines[host] = m.newEngine()
		m.engine = m.engines[host]
		m.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ResetQueue(ctx) })
		m.recognize()
		return
	}
	if errors.Is(err, store.ErrLeaseLost) {
		m.recognize()
		return // another host's by now
	}
	if err != nil {
		m.fail("pass of %s: %v", person, err)
	}
	m.tx(func(ctx context.Context, tx *store.Tx) error {
		_, _, err := tx.EndLease(ctx, lease, store.PassEnd{Clean: out.Clean, Next: out.Next})
		return err
	})
	m.recognize()
	if out.Clean {
		m.met(m.people[person])
	}
}

func (m *model) tryPass(lease store.Lease) (out Outcome, died bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, died = r.(crashed); !died {
				panic(r)
			}
		}
	}()
	out, err = m.engine.Pass(store.WithLease(m.t.Context(), lease), lease.Tenant, lease.Person)
	return out, false, err
}
