package syncer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	tenant = "Default"
	alice  = "alice@example.com"
	bob    = "bob@example.com"
	carol  = "carol@example.com"
)

// world is a host's inside without processes: store, engine, and a calendar server in memory.
type world struct {
	*testing.T
	url    string
	store  *store.Store
	engine *Engine
	server *memory

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

type oneMode struct{ m *memory }

func (o oneMode) Mode(_ context.Context, name string) (Mode, error) {
	if name != "Memory" {
		return Mode{}, fmt.Errorf("sync mode %q: %w", name, fault.Invalid)
	}
	return Mode{Name: name, Backend: o.m, Pusher: o.m, Finder: o.m, Subscribe: true}, nil
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
		Store: w.store, Modes: oneMode{w.server}, Now: w.now, Limits: DefaultLimits(),
		NotificationURL: func(string) string { return "https://rooms.example.com/x?Default" },
		Render:          func(b *booking.Booking) ([]byte, error) { return json.Marshal(b) },
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
	saved, _, err := w.engine.Put(w.Context(), b, booking.Match{})
	return saved, err
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
		if out.Next.IsZero() || out.Next.After(w.now()) {
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

func TestBookingReachesTheCalendarOnce(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		if it.Event.Subject != "Planning" || it.Event.Location != "Room A" || it.Key != "b1.1" || it.ForeignKey != "b1" || len(it.Event.Attendees) != 2 {
			t := it
			w.Errorf("item = %+v", t)
		}
		for range 3 { // the echo, and a repeated request
			w.pass("alice")
			w.book("b1")
		}
		if got := w.booking("b1").Version; got != 1 {
			w.Errorf("version = %d, want 1", got)
		}
		if w.only(alice).Revision != it.Revision || len(w.server.mails) != 1 {
			w.Errorf("the echo wrote again: %v", w.server.mails)
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Errorf("state = %+v", s)
		}
	})
}

func TestChangeAndCancellationReachTheCalendar(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		if got := w.only(alice).Event.Start.Hour(); got != 14 {
			w.Errorf("item at %d, want 14", got)
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.none(alice)
		w.pass("alice")
		if want := 3; len(w.server.mails) != want {
			w.Errorf("%d mails, want %d", len(w.server.mails), want)
		}
	})
}

func TestChangeAndDeletionInTheCalendarReachTheBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		ref := w.only(alice).Ref
		w.server.edit(alice, ref, func(e *calendar.Event) {
			e.Subject = "Review"
			e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour)
		})
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" || b.Start.Hour() != 11 || b.Version != 2 {
			w.Errorf("booking = %+v", b)
		}
		w.server.remove(alice, ref)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		w.pass("alice")
		w.none(alice)
		want := "[b1 created by api b1 updated by calendar b1 cancelled by calendar]"
		if got := fmt.Sprint(w.changes()); got != want {
			w.Errorf("changes = %s, want %s", got, want)
		}
	})
}

func TestItemMadeByTheAddInIsFoundByItsBookingsID(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.pass("alice")
		w.none(alice)
		w.server.add(alice, calendar.Item{ForeignKey: "b1", Event: calendar.Event{
			Subject: "Planning", Location: "Room A", Zone: "Europe/Berlin", Busy: calendar.Occupied,
			Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
			Attendees: []calendar.Attendee{
				{Address: calendar.Address{Email: bob}},
				{Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
			},
		}})
		w.pass("alice")
		w.later(time.Hour)
		w.pass("alice")
		it := w.only(alice)
		w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Review" {
			w.Errorf("booking = %+v", b)
		}
		if len(w.server.mails) != 0 {
			w.Errorf("mails = %v", w.server.mails)
		}
	})
}

func TestExpectedItemThatNeverComesIsMade(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.pass("alice")
		w.none(alice)
		w.later(16 * time.Minute)
		w.pass("alice")
		w.only(alice)
	})
}

func TestOrganizerChangeMovesTheItem(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", by("bob"))
		w.pass("bob")
		w.pass("alice")
		w.none(alice)
		w.only(bob)
		w.book("b1")
		w.pass("alice")
		w.pass("bob")
		w.none(bob)
		w.only(alice)
	})
}

func TestRoomTakenRollsTheItemBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("b2", at(14), by("bob"))
		w.pass("alice")
		w.pass("bob")
		ref := w.only(alice).Ref
		for try := 1; try <= 5; try++ {
			w.server.edit(alice, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
			w.pass("alice")
			if got := w.only(alice).Event.Start.Hour(); got != 9 {
				w.Fatalf("try %d: item at %d, want 9", try, got)
			}
		}
		w.server.edit(alice, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
		w.pass("alice")
		if b := w.booking("b1"); !b.SyncDisabled || b.Start.Hour() != 9 {
			w.Errorf("after six conflicts: %+v", b)
		}
		if len(w.server.mails) != 2 {
			w.Errorf("rollbacks mailed: %v", w.server.mails)
		}
	})
}

func TestRoomTakenCancelsWhereThatIsThePersonsWish(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", by("carol"))
		w.book("b2", at(14), by("bob"))
		w.pass("carol")
		ref := w.only(carol).Ref
		w.server.edit(carol, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
		w.pass("carol")
		if b := w.booking("b1"); b.Status != booking.Cancelled {
			w.Errorf("booking = %+v", b)
		}
		w.pass("carol")
		w.only(carol)
	})
}

func TestOverlapOverTheAPIIsRefused(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		_, err := w.tryBook("b2", by("bob"))
		if o, ok := errors.AsType[*booking.OverlapError](err); !ok || fmt.Sprint(o.Others) != "[b1]" {
			w.Errorf("err = %v, want an overlap with b1", err)
		}
	})
}

func TestFailedReadDeletesNothing(t *testing.T) {
	each(t, func(w *world) {
		for i := range 8 {
			w.book(fmt.Sprintf("b%d", i), at(8+i))
		}
		w.pass("alice")
		n := 0
		w.server.before = func(call string) error {
			if call == "pull" {
				if n++; n > 1 {
					return fault.Unavailable
				}
			}
			return nil
		}
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusWaiting || s.Until.IsZero() {
			w.Errorf("state = %+v", s)
		}
		for i := range 8 {
			if b := w.booking(fmt.Sprintf("b%d", i)); b.Status != booking.Confirmed {
				w.Errorf("%s was cancelled by a failed read", b.ID)
			}
		}
		w.server.before = nil
		w.later(time.Hour)
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusOK || len(w.server.items(alice)) != 8 {
			w.Errorf("state = %+v with %d items", s, len(w.server.items(alice)))
		}
	})
}

func TestLostCursorReadsInFullAndFindsDeletions(t *testing.T) {
	each(t, func(w *world) {
		for i := range 5 {
			w.book(fmt.Sprintf("b%d", i), at(8+i))
		}
		w.pass("alice")
		w.pass("alice") // reads its own writes
		victim := w.server.items(alice)[0]
		w.server.remove(alice, victim.Ref)
		w.server.forget(alice)
		w.pass("alice")
		cancelled := 0
		for i := range 5 {
			if w.booking(fmt.Sprintf("b%d", i)).Status == booking.Cancelled {
				cancelled++
			}
		}
		if cancelled != 1 || w.booking(victim.ForeignKey).Status != booking.Cancelled {
			w.Errorf("%d bookings cancelled, want %s alone", cancelled, victim.ForeignKey)
		}
	})
}

func TestMassDeletionWaitsForAnAdministrator(t *testing.T) {
	each(t, func(w *world) {
		const n = 30
		for i := range n {
			w.book(fmt.Sprintf("b%02d", i), func(b *booking.Booking) { b.Start = b.Start.AddDate(0, 0, i); b.End = b.End.AddDate(0, 0, i) })
		}
		w.pass("alice")
		wipe := func() {
			for _, it := range w.server.items(alice) {
				w.server.remove(alice, it.Ref)
			}
		}
		standing := func() (k int) {
			for i := range n {
				if w.booking(fmt.Sprintf("b%02d", i)).Status == booking.Confirmed {
					k++
				}
			}
			return k
		}
		mails := len(w.server.mails)
		wipe()
		w.pass("alice")
		if s := w.state("alice"); standing() != n || s.Status != store.StatusAttention || !strings.Contains(s.Reason, "30 items") {
			w.Fatalf("%d stand, state %+v", standing(), s)
		}
		if err := w.engine.RestoreDeletions(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if got := len(w.server.items(alice)); got != n || len(w.server.mails) != mails {
			w.Fatalf("%d items restored, want %d; %d mails", got, n, len(w.server.mails)-mails)
		}
		if s := w.state("alice"); s.Status != store.StatusOK {
			w.Fatalf("state = %+v", s)
		}
		wipe()
		w.pass("alice")
		if err := w.engine.ApproveDeletions(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if standing() != 0 || w.state("alice").Status != store.StatusOK {
			w.Errorf("%d stand after approval, state %+v", standing(), w.state("alice"))
		}
	})
}

func TestCopyIsLeftAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		dup := it
		dup.Ref = ""
		copied := w.server.add(alice, dup)
		w.pass("alice")
		w.server.edit(alice, copied, func(e *calendar.Event) { e.Subject = "mine" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Planning" || w.differences("copy left alone") != 1 {
			w.Errorf("booking = %q, %d differences", b.Title, w.differences("copy left alone"))
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if left := w.only(alice); left.Ref != copied {
			w.Errorf("the copy was deleted instead of the item")
		}
	})
}

func TestMovedItemKeepsItsBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		w.server.remove(alice, it.Ref) // out of the calendar and back: a new reference
		it.Ref = ""
		w.server.add(alice, it)
		w.pass("alice")
		if b := w.booking("b1"); b.Status != booking.Confirmed || b.Version != 1 {
			w.Errorf("booking = %+v", b)
		}
		w.book("b1", at(15))
		w.pass("alice")
		if got := w.only(alice).Event.Start.Hour(); got != 15 {
			w.Errorf("item at %d, want 15", got)
		}
	})
}

func TestSeriesIsLeftAloneAndListed(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.mu.Lock()
		it := *w.server.box(alice).items[w.server.box(alice).log[0]]
		it.Kind = calendar.Master
		w.server.put(alice, it)
		w.server.mu.Unlock()
		w.pass("alice")
		w.book("b1", at(15))
		w.pass("alice")
		if got := w.only(alice); got.Event.Start.Hour() != 9 || w.differences("series left alone") != 1 {
			w.Errorf("series written to, or not listed: %+v, %d", got.Event.Start, w.differences("series left alone"))
		}
	})
}

func TestEditsOnBothSidesMerge(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.book("b1", at(15))
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Review" })
		w.pass("alice")
		it, b := w.only(alice), w.booking("b1")
		if it.Event.Subject != "Review" || it.Event.Start.Hour() != 15 || b.Title != "Review" || b.Start.Hour() != 15 {
			w.Errorf("item %q at %d, booking %q at %d", it.Event.Subject, it.Event.Start.Hour(), b.Title, b.Start.Hour())
		}
	})
}

func TestRoomSwapInTheCalendarMovesTheBooking(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) {
			for i := range e.Attendees {
				if e.Attendees[i].Role == calendar.Resource {
					e.Attendees[i].Email = "Room-B@example.com"
				}
			}
		})
		w.pass("alice")
		w.pass("alice")
		if b, it := w.booking("b1"), w.only(alice); fmt.Sprint(b.Resources) != "[room-b]" || it.Event.Location != "Room B" || b.Location != "" {
			w.Errorf("booking in %v (%q), item in %q", b.Resources, b.Location, it.Event.Location)
		}
	})
}

func TestRefusedPasswordStopsTheWholeServer(t *testing.T) {
	each(t, func(w *world) {
		w.server.before = func(string) error {
			return &fault.Error{Kind: fault.Unauthorized, Message: "the server refused the login"}
		}
		w.pass("alice")
		w.pass("bob")
		if n := w.server.calls["probe"]; n != 1 {
			w.Errorf("%d requests with a wrong password, want 1", n)
		}
		for _, p := range []string{"alice", "bob"} {
			if s := w.state(p); s.Status != store.StatusAttention || s.Remedy == "" || s.Until.IsZero() {
				w.Errorf("%s: %+v", p, s)
			}
		}
		w.server.before = nil
		w.later(2 * time.Hour)
		w.pass("alice")
		w.pass("bob")
		if s := w.state("bob"); s.Status != store.StatusOK {
			w.Errorf("bob: %+v", s)
		}
	})
}

func TestRefusedSubscriptionFallsBackToTheClock(t *testing.T) {
	each(t, func(w *world) {
		w.server.noPush = fmt.Errorf("the server refuses the URL: %w", fault.SubscriptionLost)
		w.pass("alice")
		mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice")
		if s := w.state("alice"); s.Status != store.StatusOK || mb.Way != "poll" || mb.PollAt.IsZero() || !strings.Contains(s.Reason, "refuses the URL") {
			w.Errorf("state %+v, way %q, poll at %v", s, mb.Way, mb.PollAt)
		}
		w.server.noPush = nil
		w.later(5 * time.Hour)
		w.pass("alice")
		if mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice"); mb.Way != "push" || !mb.PollAt.IsZero() {
			w.Errorf("it did not climb back: %+v", mb)
		}
	})
}

func TestSilentSubscriptionIsRenewed(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.later(59 * time.Minute)
		w.pass("alice")
		if n := len(w.server.subscribed); n != 1 {
			w.Errorf("%d subscriptions after 59 minutes, want 1", n)
		}
		w.later(2 * time.Minute)
		w.pass("alice")
		if n := len(w.server.subscribed); n != 2 {
			w.Errorf("%d subscriptions after silence, want 2", n)
		}
	})
}

func TestBookingsMadeBeforeThePersonsSyncAreCaughtUpSilently(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "dora", Email: "dora@example.com", SyncDisabled: true})
		w.book("b1", by("dora"))
		w.pass("dora")
		w.none("dora@example.com")
		w.person(directory.Person{ID: "dora", Email: "dora@example.com"})
		w.pass("dora")
		w.only("dora@example.com")
		if len(w.server.mails) != 0 {
			w.Errorf("mails = %v", w.server.mails)
		}
	})
}

func TestMailboxChangeMakesItemsAnewAndCancelsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
		w.pass("alice")
		w.pass("alice")
		w.only("alice@new.example.com")
		if b := w.booking("b1"); b.Status != booking.Confirmed || b.Version != 1 {
			w.Errorf("booking = %+v", b)
		}
	})
}

func TestMoveDuringAPassIsNotUndoneByIt(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.pass("alice")
		moved := false
		w.server.before = func(call string) error {
			if call == "pull" && !moved {
				moved = true
				w.person(directory.Person{ID: "alice", Email: "alice@new.example.com", DisplayName: "Alice"})
			}
			return nil
		}
		w.pass("alice")
		w.pass("alice")
		mb, _, _ := w.store.Mailbox(w.Context(), tenant, "alice")
		if mb.Epoch != 2 || mb.RoundOpen {
			w.Errorf("mailbox = %+v", mb)
		}
		w.only("alice@new.example.com")
		if b := w.booking("b1"); b.Status != booking.Confirmed {
			w.Errorf("booking = %+v", b)
		}
	})
}

// TestCrashBetweenAnyTwoStepsLeavesOneItem ends the pass at every failpoint in turn, as a killed host would, and goes
// on with a new engine.
func TestCrashBetweenAnyTwoStepsLeavesOneItem(t *testing.T) {
	each(t, func(w *world) {
		type crash struct{ step string }
		points := map[string]bool{}
		script := func(w *world, id string, run func(person string)) {
			w.book(id)
			run("alice")
			w.book(id, at(14))
			run("alice")
			w.server.edit(alice, w.only(alice).Ref, func(e *calendar.Event) { e.Subject = "Review" })
			run("alice")
			if b, it := w.booking(id), w.only(alice); b.Title != "Review" || it.Event.Start.Hour() != 14 {
				w.Fatalf("%s: booking %q, item at %d", id, b.Title, it.Event.Start.Hour())
			}
			w.book(id, by("bob"), at(14))
			run("bob")
			run("alice")
			w.none(alice)
			w.server.remove(bob, w.only(bob).Ref)
			run("bob")
			w.none(bob)
			if w.booking(id).Status != booking.Cancelled {
				w.Fatalf("%s still stands", id)
			}
			w.later(5 * time.Hour) // subscriptions are renewed
			run("alice")
		}
		w.engine.Failpoint = func(step string) { points[step] = true }
		script(w, "dry", w.pass)
		if len(points) < 12 {
			w.Fatalf("only %d failpoints were passed: %v", len(points), points)
		}
		for step := range points {
			mails := len(w.server.mails)
			fired := false
			arm := func() {
				w.engine.Failpoint = func(s string) {
					if s == step && !fired {
						fired = true
						panic(crash{s})
					}
				}
			}
			run := func(person string) {
				crashed := func() (crashed bool) {
					defer func() {
						if r := recover(); r != nil {
							if _, ok := r.(crash); !ok {
								panic(r)
							}
							crashed = true
						}
					}()
					w.pass(person)
					return false
				}()
				if crashed {
					_ = w.store.Close()
					w.start()
					w.pass(person)
				}
			}
			arm()
			script(w, "crash-"+strings.ReplaceAll(step, ":", "-"), run)
			if !fired {
				w.Errorf("%s was not reached", step)
			}
			// A repeated create or change may not invite twice; the steps mail four times in all.
			if got := len(w.server.mails) - mails; got > 5 {
				w.Errorf("crash at %s: %d mails", step, got)
			}
		}
	})
}
