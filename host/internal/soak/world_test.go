package soak_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// A world is what one schedule is played in, with what the people in it remember of their own doing.
type world struct {
	*stage
	tenant string
	engine *syncer.Engine
	trace  func(string)
	began  time.Time
	berlin *time.Location
	tally  *tally

	names    []string
	private  bool              // private bookings and items are busy blocks on the other side
	boxes    []string          // theirs, and those of synced rooms
	synced   []string          // rooms
	meetings map[string]string // made in Outlook, by UID: the ids of their bookings
	people   map[string]*who
	notes    map[string]*note
	others   map[string]*other // by item id
	unmet    map[string]bool   // rooms and bookings whose copy was changed there before anybody read it
	unsent   map[string]bool   // items that stand for bookings and are copies, by which nobody was invited
	unique   int
	scans    []int64 // under way

	armed   []*arm
	crash   int // failpoints until the host dies; 0: it lives
	lost    func() error
	held    bool // notices are held back
	amid    bool // something happens in the middle of a pass
	cut     bool // something was cut off since the last quiet
	mails   int  // of the server's, so many are accounted for
	acts    int
	units   int // of quarantines, so many were decided
	skipped int // occurrences left out of series for a conflict, each a write of its own wherever the series is made
	passing string
	base    map[string]int // what the server had counted when the world began
}

type who struct {
	directory.Person
	restless bool // switched or moved since the last quiet
}

// note is what is remembered of a booking since the last quiet, but for mails.
type note struct {
	mails     int            // to one person, that doings of persons justify, since ever
	mailed    map[string]int // by whom it was sent to: what the engine caused, since ever
	rewritten int            // mails about exceptions that a server forgot with their rule, and copies with them
	leftOut   bool           // a person deleted occurrences of it
	asked     int            // doings of persons that ask a room for it, since ever
	puts      int            // changes by the booking system
	mayCancel bool           // somebody deleted or cancelled it, or broke a rule
	removed   bool           // its item was deleted
	restored  bool           // … and brought back
	cancelled bool           // last word of the booking system
	edits     map[string]string
	editedIn  *who
	said      *booking.Booking // as the booking system put it last, or as it was when all was quiet
	veil      bool             // it was private at some time since, or is
	hidden    bool             // … all the time, on both sides
	secrets   []string         // which its owner wrote into it meanwhile
	own       bool             // the words of its private item are its owner's: it came from the add-in, or somebody decided that they stay
	touched   bool             // somebody did something to its item, or refused what somebody did
}

// An other is an item that is not its booking's: a copy, or one that is nobody's business.
type other struct {
	box, booking string
	was          string // what it says; empty: it may be the booking's again
	of           string // the item that it is a copy of
	met          bool   // it was there beside that one when all was quiet
}

type arm struct {
	calls int
	act   soak.Act
	amid  bool
}

type (
	// broken is the panic of a model whose promise is broken: what kind of promise, and how.
	broken  struct{ kind, how string }
	crashed struct{}
)

// newWorld makes the people of a schedule. how says which sync mode each begins with.
func newWorld(s *stage, how soak.Act, tl *tally, trace func(string)) *world {
	s.plays++
	// The backend of Graph says until when it subscribes, by the clock of its process: ours begins there, too.
	began := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	s.set(began)
	s.plugins.forget(s.T)
	berlin, err := time.LoadLocation("Europe/Berlin")
	w := &world{
		stage: s, tenant: fmt.Sprintf("t%d", s.plays), tally: tl, trace: trace, mails: len(s.sim.Mails()),
		began: began, berlin: berlin,
		meetings: map[string]string{}, unmet: map[string]bool{}, unsent: map[string]bool{}, people: map[string]*who{}, notes: map[string]*note{}, others: map[string]*other{}, base: counts(s.sim),
	}
	w.must(err)
	s.mu.Lock()
	s.tenants = []string{w.tenant}
	s.mu.Unlock()
	s.sim.Faults().Reset()
	s.sim.SetGraphQuirks(exchangesim.GraphQuirks{Replay: how.A % 3, InOrder: how.B%2 == 0, DeletedEventsFound: how.C%4 == 0})
	s.plugins.before, s.plugins.after = w.beforeCall, w.afterCall
	w.private = isPrivate(how)
	w.engine = w.newEngine()
	modes := []string{onPremises, overGraph, overEWS}
	for i, name := range []string{"alice", "bob", "carol"} {
		p := directory.Person{ID: name, Email: w.address(name), Kind: directory.KindPerson, SyncMode: modes[(i+how.A)%3]}
		if how.B%3 == 0 {
			p.SyncMode = modes[how.A%3] // all the same
		}
		if name == "carol" {
			p.ConflictBehaviour = directory.Cancel
		}
		w.names = append(w.names, name)
		w.mailbox(name, false)
		w.putPerson(p)
	}
	w.mailbox("dave", false)
	w.furnish(how)
	return w
}

func (w *world) address(name string) string { return fmt.Sprintf("%s.%d@example.com", name, w.plays) }

// mailbox makes an account of Exchange's.
func (w *world) mailbox(name string, room bool) {
	w.must(w.sim.AddPerson(exchangesim.Person{Name: strings.ToUpper(name[:1]) + name[1:], Address: w.address(name), Password: "secret", Room: room}))
}

func (w *world) newEngine() *syncer.Engine {
	limits := syncer.DefaultLimits()
	limits.SubscriptionInterval, limits.StatusFrequency = 10000*time.Hour, 24*time.Hour
	limits.PollInterval, limits.MassDeletionLimit, limits.MassChangeLimit = 20*time.Hour, 2, 1
	return syncer.New(syncer.Options{
		Store: w.store, Modes: w.plugins, Now: w.now, Limits: limits, NotificationURL: w.noticesTo,
		ModeNames:   func() []string { return []string{onPremises, overEWS, overGraph} },
		Zone:        func(string) string { return "Europe/Berlin" },
		PrivateBusy: func(string) bool { return w.private },
		RoomSync:    func(string) bool { return len(w.synced) > 0 },
		Render:      api.Render, Parse: api.Parse,
		Failpoint: func(step string) {
			if w.crash == 0 {
				return
			}
			if w.crash--; w.crash == 0 {
				w.say("  the host dies at %s", step)
				w.tally.crashes[step]++
				w.cut = true
				panic(crashed{})
			}
		},
	})
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) { panic(broken{format, fmt.Sprintf(format, args...)}) }

// recall tells what became of a booking.
func (w *world) recall(id string) {
	if w.trace == nil {
		return
	}
	acts, err := w.store.Activities(w.Context(), w.tenant, "", id, 0)
	w.must(err)
	for _, a := range slices.Backward(acts) {
		w.say("  recorded: %s of %s: %s, %s", a.Booking, a.Person, a.What, a.Why)
	}
	for _, c := range w.history(id) {
		b, err := api.Parse(c.Tenant, c.Data)
		w.must(err)
		w.say("  version %d by %s, %s %s: %v %s %v", b.Version, c.Source, c.Kind, c.Reason, b.Resources, b.Recurrence, b.Exceptions)
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.fail("%v", err)
	}
}

func (w *world) tx(f func(ctx context.Context, tx *store.Tx) error) {
	w.must(w.store.Tx(w.Context(), f))
}

func (w *world) note(id string) *note {
	if w.notes[id] == nil {
		w.notes[id] = &note{edits: map[string]string{}, mailed: map[string]int{}}
	}
	return w.notes[id]
}

func (w *world) putPerson(p directory.Person) {
	p.Tenant = w.tenant
	if w.people[p.ID] == nil {
		w.people[p.ID] = &who{}
	}
	w.people[p.ID].Person, w.people[p.ID].restless = p, true
	_, err := w.engine.PutPerson(w.Context(), p)
	w.must(err)
}

// person returns one of the three as the directory has them now: a move may have changed the mode.
func (w *world) person(n int) *who {
	return w.anyone(w.names[n%len(w.names)])
}

func (w *world) box(name string) store.Mailbox {
	mb, _, err := w.store.Mailbox(w.Context(), w.tenant, name)
	w.must(err)
	return mb
}

func (w *world) booking(id string) *booking.Booking {
	b, _, err := w.store.Booking(w.Context(), w.tenant, id)
	w.must(err)
	return b
}

func (w *world) links(id string) []store.Link {
	links, err := w.store.LinksOfBooking(w.Context(), w.tenant, id)
	w.must(err)
	return links
}

func (w *world) differences(id string) []store.Difference {
	d, err := w.store.Differences(w.Context(), w.tenant, store.DifferenceFilter{Booking: id})
	w.must(err)
	return d
}

func (w *world) history(id string) (list []store.ChangeRecord) {
	all, err := w.store.Changes(w.Context(), w.tenant, 0, 1000)
	w.must(err)
	return slices.DeleteFunc(all, func(c store.ChangeRecord) bool { return c.Booking != id })
}

// leaseOfPass is how long a pass has its mailbox for itself.
const leaseOfPass = time.Hour

// pass makes one pass as the schedule of a host does.
func (w *world) pass(person string) {
	w.say("pass of %s", person)
	defer func() {
		if !w.held {
			w.delivered()
		}
	}()
	w.tally.passes++
	w.passing = person
	defer func() { w.passing = "" }()
	var lease store.Lease
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		var taken bool
		if lease, taken, _, err = tx.TakeLease(ctx, w.tenant, person, w.now().Add(leaseOfPass)); err == nil && !taken {
			err = errors.New("the lease of " + person + " is taken")
		}
		return err
	})
	shadow, written := w.shadowed(person), w.written()
	out, died, err := w.tryPass(lease)
	if n := w.written() - written; n > 0 && shadow && w.shadowed(person) {
		w.fail("%d writes to calendars in the shadow mode of %s", n, person)
	}
	if died {
		w.engine = w.newEngine()
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ResetQueue(ctx) })
		return
	}
	w.must(err)
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, _, err := tx.EndLease(ctx, lease, store.PassEnd{Clean: out.Clean, Next: out.Next})
		return err
	})
	if w.trace != nil {
		row, _, _ := w.store.Person(w.Context(), w.tenant, person)
		w.say("  %s %s, next in %s", row.State.Status, row.State.Reason, out.Next.Sub(w.now()))
	}
}

func (w *world) tryPass(lease store.Lease) (out syncer.Outcome, died bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, died = r.(crashed); !died {
				panic(r)
			}
		}
	}()
	out, err = w.engine.Pass(store.WithLease(w.Context(), lease), lease.Tenant, lease.Person)
	return out, false, err
}
