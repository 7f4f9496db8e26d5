package syncer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// world is a host's inside without processes: store, engine, and a calendar server in memory.
type world struct {
	*testing.T
	url    string
	store  *store.Store
	engine *Engine
	server *memory
	rooms  bool // their calendars are synced
	// answers: what rooms wrote when they answered can be read.
	answers bool

	mu   sync.Mutex
	time time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

type oneMode struct {
	m       *memory
	notices string
	watcher backend.Watcher
	asking  bool
	drift   bool
	answers bool
}

func (o oneMode) Mode(_ context.Context, name, _ string) (Mode, error) {
	if name != "Memory" {
		return Mode{}, fmt.Errorf("sync mode %q: %w", name, fault.Invalid)
	}
	mode := Mode{
		Name: name, Backend: o.m, Everything: true, Pusher: o.m, Finder: o.m, Responder: o.m, Watcher: o.watcher, Asking: o.asking, Notices: o.notices,
	}
	if o.answers {
		mode.Answers = o.m
	}
	if o.drift {
		mode.Drift = o.m
	}
	return mode, nil
}

// How the host writes bookings into the change feed and reads them again: see feed_test.go.
var (
	renderBooking func(*booking.Booking) ([]byte, error)
	parseBooking  func(tenant string, data []byte) (*booking.Booking, error)
)

// SetFeed says how the change feed is written and read.
func SetFeed(render func(*booking.Booking) ([]byte, error), parse func(string, []byte) (*booking.Booking, error)) {
	renderBooking, parseBooking = render, parse
}

// each runs f on both databases.
func each(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		w := &world{T: t, url: url, server: newMemory(), time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		w.start()
		t.Cleanup(func() { _ = w.store.Close() })
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
		w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob"})
		w.person(directory.Person{ID: "carol", Email: carol, DisplayName: "Carol", ConflictBehaviour: directory.Cancel})
		for _, r := range []string{"a", "b"} {
			w.person(directory.Person{ID: "room-" + r, Email: "room-" + r + "@example.com", DisplayName: "Room " + strings.ToUpper(r), Kind: directory.KindResource, SyncDisabled: true})
		}
		f(w)
	})
}

func (w *world) start() {
	w.Helper()
	var err error
	w.store, err = store.Open(w.Context(), store.Options{URL: w.url, Now: w.now})
	if err != nil {
		w.Fatal(err)
	}
	w.engine = New(Options{
		Store: w.store, Modes: oneMode{m: w.server, answers: w.answers}, Now: w.now, Limits: DefaultLimits(),
		NotificationURL: func(string, string) string { return "https://rooms.example.com/x?Default" },
		Render:          renderBooking, Parse: parseBooking,
		RoomSync: func(string) bool { return w.rooms },
	})
}

func (w *world) person(p directory.Person) {
	w.Helper()
	p.Tenant, p.SyncMode = tenant, "Memory"
	if p.Kind == "" {
		p.Kind = directory.KindPerson
	}
	if _, err := w.engine.PutPerson(w.Context(), p); err != nil {
		w.Fatal(err)
	}
}

func (w *world) book(id string, change ...func(*booking.Booking)) *booking.Booking {
	w.Helper()
	saved, err := w.tryBook(id, change...)
	if err != nil {
		w.Fatal(err)
	}
	return saved
}

func (w *world) tryBook(id string, change ...func(*booking.Booking)) (*booking.Booking, error) {
	b := &booking.Booking{
		Tenant: tenant, ID: id, Title: "Planning", Organizer: "alice", Resources: []string{"room-a"},
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
		Zone: "Europe/Berlin", Attendees: []booking.Attendee{{Email: bob}},
	}
	for _, c := range change {
		c(b)
	}
	saved, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse)
	return saved.Booking, err
}

func at(hour int) func(*booking.Booking) {
	return func(b *booking.Booking) {
		b.Start = time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC)
		b.End = b.Start.Add(time.Hour)
	}
}

func by(organizer string) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Organizer = organizer }
}

// pass runs passes until nothing is due.
func (w *world) pass(person string) {
	w.Helper()
	for range 10 {
		before := w.mailbox(person).Wanted
		out, err := w.engine.Pass(w.Context(), tenant, person)
		if err != nil {
			w.Fatal(err)
		}
		mb, _, err := w.store.Mailbox(w.Context(), tenant, person)
		if err != nil {
			w.Fatal(err)
		}
		if out.Clean {
			if err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.SetDone(ctx, tenant, person, mb.Wanted)
			}); err != nil {
				w.Fatal(err)
			}
		}
		if mb.Wanted == before && (out.Next.IsZero() || out.Next.After(w.now())) {
			return
		}
	}
	w.Fatalf("%s is due again and again", person)
}

func (w *world) booking(id string) *booking.Booking {
	w.Helper()
	b, found, err := w.store.Booking(w.Context(), tenant, id)
	if err != nil || !found {
		w.Fatalf("booking %s: %v, %v", id, found, err)
	}
	return b
}

func (w *world) state(person string) store.PersonState {
	w.Helper()
	p, found, err := w.store.Person(w.Context(), tenant, person)
	if err != nil || !found {
		w.Fatalf("person %s: %v, %v", person, found, err)
	}
	return p.State
}

// only returns the one item of a calendar.
func (w *world) only(address string) calendar.Item {
	w.Helper()
	items := w.server.items(address)
	if len(items) != 1 {
		w.Fatalf("%s has %d items, want 1", address, len(items))
	}
	return items[0]
}

func (w *world) none(address string) {
	w.Helper()
	if items := w.server.items(address); len(items) != 0 {
		w.Fatalf("%s has %d items, want none", address, len(items))
	}
}

func (w *world) differences(kind string) int {
	w.Helper()
	all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, d := range all {
		if d.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) changes() []string {
	w.Helper()
	all, err := w.store.Changes(w.Context(), tenant, 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	var s []string
	for _, c := range all {
		s = append(s, fmt.Sprintf("%s %s by %s", c.Booking, c.Kind, c.Source))
	}
	return s
}
