package freebusy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A world is a directory with bookings, and calendars that answer.
type world struct {
	persons  []store.PersonRow
	bookings []*booking.Booking

	mu    sync.Mutex
	asked []string // MODE by ASKER: ADDRESSES
	refer func(mode, asker string) error
	busy  map[string][]backend.BusyTime
}

func (w *world) Person(_ context.Context, _, id string) (store.PersonRow, bool, error) {
	return w.find(func(p store.PersonRow) bool { return p.ID == id })
}

func (w *world) PersonByEmail(_ context.Context, _, email string) (store.PersonRow, bool, error) {
	return w.find(func(p store.PersonRow) bool { return strings.EqualFold(p.Email, email) })
}

func (w *world) find(is func(store.PersonRow) bool) (store.PersonRow, bool, error) {
	if i := slices.IndexFunc(w.persons, is); i >= 0 {
		return w.persons[i], true, nil
	}
	return store.PersonRow{}, false, nil
}

func (w *world) Persons(_ context.Context, _ string, f store.PersonFilter) (out []store.PersonRow, _ error) {
	for _, p := range w.persons {
		if p.SyncMode == f.Mode {
			out = append(out, p)
		}
	}
	return out, nil
}

func (w *world) Bookings(_ context.Context, _ string, f store.BookingFilter) (out []*booking.Booking, _ error) {
	for _, b := range w.bookings {
		if slices.Contains(b.Resources, f.Resource) && b.ID > f.After {
			out = append(out, b)
		}
	}
	return out[:min(len(out), f.Limit)], nil
}

func (w *world) Mode(_ context.Context, name, _ string) (syncer.Mode, error) {
	if name == "broken" {
		return syncer.Mode{}, fmt.Errorf("the plugin rests: %w", fault.Unavailable)
	}
	m := syncer.Mode{Name: name, URL: "https://" + name}
	if name != "plain" {
		m.FreeBusy = asker{w, name}
	}
	return m, nil
}

type asker struct {
	w    *world
	mode string
}

func (a asker) FreeBusy(_ context.Context, m backend.Mailbox, addresses []string, _, _ time.Time) ([]backend.Availability, error) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.w.asked = append(a.w.asked, fmt.Sprintf("%s by %s: %s", a.mode, m.Address, strings.Join(addresses, " ")))
	if a.w.refer != nil {
		if err := a.w.refer(a.mode, m.Address); err != nil {
			return nil, err
		}
	}
	var out []backend.Availability
	for _, address := range addresses {
		one := backend.Availability{Address: address, Busy: a.w.busy[address]}
		if strings.HasPrefix(address, "nobody") {
			one.Err = fmt.Errorf("no mailbox %s: %w", address, fault.MailboxNotFound)
		}
		out = append(out, one)
	}
	return out, nil
}

func person(id, mode string, kind directory.Kind) store.PersonRow {
	p := directory.Person{ID: id, Email: id + "@example.com", Kind: kind, SyncMode: mode}
	if mode == "desk" {
		p.SyncMode, p.Email = "", ""
	}
	return store.PersonRow{Person: p}
}

func at(hour int) time.Time { return time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC) }

func newWorld() *world {
	return &world{
		persons: []store.PersonRow{
			person("alice", "ews", directory.KindPerson), person("bob", "ews", directory.KindPerson), person("carol", "graph", directory.KindPerson),
			person("dave", "broken", directory.KindPerson), person("eve", "plain", directory.KindPerson), person("nobody", "ews", directory.KindPerson),
			person("room", "ews", directory.KindResource), person("desk", "desk", directory.KindResource),
		},
		busy: map[string][]backend.BusyTime{
			"alice@example.com": {{Start: at(9), End: at(10), Busy: calendar.OutOfOffice, Subject: "Doctor", Location: "Practice"}},
			"bob@example.com": {
				{Start: at(9), End: at(10), Busy: calendar.Tentative, Subject: "Lunch", Location: "Café"},
				{Start: at(11), End: at(12), Busy: calendar.WorkingElsewhere, Subject: "Secret", Private: true},
			},
			"room@example.com": {{Start: at(9), End: at(10), Busy: calendar.Occupied}},
		},
	}
}

func (w *world) ask(t *testing.T, q Query) []Answer {
	t.Helper()
	if q.From.IsZero() {
		q.From, q.To = at(0), at(24)
	}
	s := Service{Reads: w, Modes: w, ModeNames: func() []string { return []string{"graph", "ews", "broken", "plain"} }}
	got, err := s.Ask(t.Context(), "Default", q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestThoseOfAModeAreAskedForTogether(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got := w.ask(t, Query{Persons: []string{"alice", "carol", "bob", "nobody"}, Addresses: []string{"bob@example.com", "guest@example.com"}})
	slices.Sort(w.asked)
	// A stranger is asked for by the first mode that has somebody with such an address.
	want := []string{
		"ews by alice@example.com: alice@example.com bob@example.com nobody@example.com",
		"graph by carol@example.com: carol@example.com guest@example.com",
	}
	if !slices.Equal(w.asked, want) {
		t.Errorf("asked %q, want %q", w.asked, want)
	}
	if len(got) != 6 || got[0].Person != "alice" || got[1].Person != "carol" || got[4].Asked != "bob@example.com" || got[5].Email != "guest@example.com" {
		t.Fatalf("%+v", got)
	}
	// Who asked is shown all of their own: colleagues are not.
	if !slices.Equal(got[4].Busy, got[2].Busy) {
		t.Errorf("bob is %+v by his address and %+v by his id", got[4].Busy, got[2].Busy)
	}
	if want := []Time{{Start: at(9), End: at(10), Busy: booking.OutOfOffice}}; !slices.Equal(got[0].Busy, want) || got[0].Err != nil {
		t.Errorf("alice: %+v, want %+v", got[0], want)
	}
	bobs := []Time{
		{Start: at(9), End: at(10), Busy: booking.Tentative, Subject: "Lunch", Location: "Café"},
		{Start: at(11), End: at(12), Busy: booking.WorkingElsewhere, Private: true},
	}
	if !slices.Equal(got[2].Busy, bobs) {
		t.Errorf("bob: %+v, want %+v", got[2].Busy, bobs)
	}
	if fault.Of(got[3].Err) != fault.MailboxNotFound || got[3].Busy != nil {
		t.Errorf("nobody: %+v", got[3])
	}
}

func TestTroubleIsThatOfThoseItConcerns(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.refer = func(mode, _ string) error {
		if mode == "graph" {
			return &fault.Error{Kind: fault.Throttled, Message: "busy"}
		}
		return nil
	}
	got := w.ask(t, Query{Persons: []string{"bob", "carol", "dave", "eve", "zoe", "room"}, Resources: []string{"alice"}})
	want := []fault.Kind{"", fault.Throttled, fault.Unavailable, fault.Unsupported, fault.NotFound, fault.Invalid, fault.Invalid}
	for i, a := range got {
		if (a.Err == nil) != (want[i] == "") || a.Err != nil && fault.Of(a.Err) != want[i] {
			t.Errorf("%s%s: %v, want %q", a.Person, a.Resource, a.Err, want[i])
		}
		if a.Err != nil && a.Busy != nil {
			t.Errorf("%s%s: an error and %+v", a.Person, a.Resource, a.Busy)
		}
	}
}

func TestAnotherAsksForOneWhoMayNot(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.refer = func(_, asker string) error {
		if asker != "bob@example.com" {
			return fmt.Errorf("out of scope: %w", fault.Forbidden)
		}
		return nil
	}
	got := w.ask(t, Query{Persons: []string{"nobody", "alice", "bob"}})
	if got[1].Err != nil || len(got[1].Busy) != 1 || got[1].Busy[0].Subject != "Doctor" {
		t.Errorf("alice, asked for by bob: %+v", got[1])
	}
	if len(w.asked) != 3 {
		t.Errorf("asked %q, want one after the other", w.asked)
	}
}

func TestRoomsAndDesksHaveTheirBookings(t *testing.T) {
	t.Parallel()
	w := newWorld()
	book := func(id, resource string, from, to int, class booking.Class) {
		b := &booking.Booking{ID: id, Title: "About " + id, Resources: []string{resource}, Start: at(from), End: at(to), Class: class, Busy: booking.Free}
		b.Normalize()
		w.bookings = append(w.bookings, b)
	}
	book("b1", "room", 9, 10, booking.Public)
	book("b2", "room", 14, 15, booking.Private)
	book("b3", "desk", 8, 17, booking.Public)
	book("b4", "desk", 30, 31, booking.Public) // on another day
	series := &booking.Booking{
		ID: "b5", Title: "Weekly", Resources: []string{"desk"}, Start: at(18).AddDate(0, 0, -7), End: at(19).AddDate(0, 0, -7), Recurrence: "FREQ=WEEKLY",
		LeadMinutes: 30, Class: booking.Public,
	}
	series.Normalize()
	w.bookings = append(w.bookings, series)
	got := w.ask(t, Query{Resources: []string{"room", "desk"}})
	room := []Time{
		{Start: at(9), End: at(10), Busy: booking.Occupied, Booking: "b1"},
		{Start: at(14), End: at(15), Busy: booking.Occupied, Private: true, Booking: "b2"},
	}
	if got[0].Err != nil || !slices.Equal(got[0].Busy, room) {
		t.Errorf("room: %+v, want %+v", got[0], room)
	}
	desk := []Time{
		{Start: at(8), End: at(17), Busy: booking.Occupied, Subject: "About b3", Booking: "b3"},
		{Start: at(17).Add(30 * time.Minute), End: at(19), Busy: booking.Occupied, Subject: "Weekly", Booking: "b5"},
	}
	if got[1].Err != nil || got[1].Email != "" || !slices.Equal(got[1].Busy, desk) {
		t.Errorf("desk: %+v, want %+v", got[1], desk)
	}
	w.refer = func(string, string) error { return fmt.Errorf("away: %w", fault.Unavailable) }
	if got := w.ask(t, Query{Resources: []string{"room"}}); got[0].Err == nil || len(got[0].Busy) != 2 {
		t.Errorf("of a room whose server is away our bookings are known: %+v", got[0])
	}
}

func TestImpossibleQueriesAreRefused(t *testing.T) {
	t.Parallel()
	s := Service{Reads: newWorld(), Modes: newWorld()}
	for name, q := range map[string]Query{
		"nobody":     {From: at(0), To: at(1)},
		"no time":    {Persons: []string{"alice"}, From: at(1), To: at(1)},
		"63 days":    {Persons: []string{"alice"}, From: at(0), To: at(0).AddDate(0, 0, 63)},
		"no address": {Addresses: []string{"Alice <alice@example.com>"}, From: at(0), To: at(1)},
		"too many":   {Persons: make([]string, MaxWho+1), From: at(0), To: at(1)},
	} {
		_, err := s.Ask(t.Context(), "Default", q)
		if bad, is := errors.AsType[*booking.InvalidError](err); !is || len(bad.Violations) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
