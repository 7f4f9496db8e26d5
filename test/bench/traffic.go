package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"
)

// itemsEach is how many bookings everybody has whose items are moved in Outlook. An item is not moved again before its
// last move has arrived, so this bounds how far traffic runs ahead.
const itemsEach = 8

// A wait is how long one change took to arrive at the other side.
type wait struct {
	who            int
	booking        bool // else an edit in Outlook
	due, reflected time.Time
}

func (w wait) took() time.Duration { return w.reflected.Sub(w.due) }

// Traffic changes calendars on both sides at a steady rate, follows every change until it has arrived, and keeps count.
// One traffic runs at a time.
type traffic struct {
	*site
	base  time.Time
	read  chan error // gets why the feed is read no more
	ended context.CancelFunc

	mu       sync.Mutex
	items    [][]*moving        // by person
	byID     map[string]*moving // by booking
	arrived  []wait             // edits that have
	bookings int                // sent over REST
	edits    int                // made in Outlook
	turn     int                // whose item is moved next
}

// A moving is an item that is moved in Outlook again and again.
type moving struct {
	who     int
	booking string
	item    string
	moves   int
	start   time.Time // where it was moved last
	due     time.Time // of the move that has not arrived; zero: none
}

// newTraffic gives everybody bookings, waits until their items are there, and begins to read the feed.
func newTraffic(ctx context.Context, s *site) (*traffic, error) {
	t := &traffic{
		site: s, base: time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour), read: make(chan error, 1),
		items: make([][]*moving, s.people), byID: map[string]*moving{},
	}
	n := s.people * itemsEach
	err := s.putAll(ctx, n, func(i int) booking { return t.booking(movingID(i/itemsEach, i%itemsEach), i/itemsEach, t.base) })
	if err != nil {
		return nil, err
	}
	if err := s.created(ctx, n); err != nil {
		return nil, err
	}
	for who := range s.people {
		list, err := s.appointments(person(who))
		if err != nil {
			return nil, err
		}
		if len(list) != itemsEach {
			return nil, fmt.Errorf("%s has %d items, want %d", person(who), len(list), itemsEach)
		}
		for _, a := range list {
			m := &moving{who: who, booking: a.Properties[foreignMarker], item: a.ID, start: t.base}
			t.items[who], t.byID[m.booking] = append(t.items[who], m), m
		}
	}
	if err := s.quiet(ctx); err != nil {
		return nil, err
	}
	ctx, t.ended = context.WithCancel(ctx)
	go func() { t.read <- t.follow(ctx, int64(n)) }()
	return t, nil
}

func movingID(who, k int) string { return fmt.Sprintf("m%d-%d", who, k) }

func (t *traffic) booking(id string, who int, start time.Time) booking {
	return booking{
		ID: id, Title: "Meeting " + id, Organizer: person(who),
		Start: start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339),
	}
}

// follow reads the feed until ctx ends, and notes which moves have arrived.
func (t *traffic) follow(ctx context.Context, after int64) error {
	for ctx.Err() == nil {
		var page struct {
			Changes []struct {
				ID      string `json:"id"`
				Booking struct {
					Start time.Time `json:"start"`
				} `json:"booking"`
			} `json:"changes"`
			Next int64 `json:"next"`
		}
		if err := t.rest(http.MethodGet, fmt.Sprintf("/changes?after=%d&wait=1s", after), nil, &page); err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		now := time.Now()
		after = page.Next
		t.mu.Lock()
		for _, c := range page.Changes {
			if m := t.byID[c.ID]; m != nil && !m.due.IsZero() && c.Booking.Start.Equal(m.start) {
				t.arrived = append(t.arrived, wait{who: m.who, due: m.due, reflected: now})
				m.due = time.Time{}
			}
		}
		t.mu.Unlock()
	}
	return nil
}

// A stretch is what a time of traffic brought.
type stretch struct {
	waits []wait
	took  time.Duration // while changes were made
	made  int
	lost  int // changes that have not arrived after settleFor
}

func (s *stretch) perSecond() float64 { return float64(s.made) / s.took.Seconds() }

// settleFor is how long the last changes may take to arrive.
const settleFor = 90 * time.Second

// run makes so many changes a second, half of them on each side, while do lasts, and then waits until all have arrived.
func (t *traffic) run(ctx context.Context, perSecond int, do func(ctx context.Context) error) (*stretch, error) {
	t.mu.Lock()
	t.arrived = nil
	firstBooking, firstEdit := t.bookings, t.edits
	t.mu.Unlock()
	sending, stop := context.WithCancel(ctx)
	defer stop()
	began, sent := time.Now(), map[string]wait{}
	var mu sync.Mutex
	errs := make([]error, 3)
	var all sync.WaitGroup
	for i, send := range []func(time.Time) error{
		func(due time.Time) error {
			t.mu.Lock()
			n := t.bookings
			t.bookings++
			t.mu.Unlock()
			id, who := fmt.Sprintf("n%d", n), n%t.people
			mu.Lock()
			sent[id] = wait{who: who, booking: true, due: due}
			mu.Unlock()
			return t.put(t.booking(id, who, t.base.Add(60*24*time.Hour+time.Duration(n%500)*time.Hour)))
		},
		t.move,
	} {
		all.Go(func() {
			err := paced(sending, perSecond/2, math.MaxInt32, func(_ int, due time.Time) error {
				err := send(due)
				if err != nil {
					stop()
				}
				return err
			})
			errs[i] = withoutCancelled(err)
		})
	}
	errs[2] = do(sending)
	stop()
	all.Wait()
	s := &stretch{took: time.Since(began)}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.made = t.bookings - firstBooking + t.edits - firstEdit
	return s, t.settle(ctx, s, sent)
}

// withoutCancelled is what remains of a joined error without the ends that were wanted.
func withoutCancelled(err error) error {
	var out []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, withoutCancelled(e))
		}
		return errors.Join(out...)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// move moves the next free item of the next person in Outlook.
func (t *traffic) move(due time.Time) error {
	t.mu.Lock()
	var m *moving
	for tries := 0; m == nil && tries < t.people; tries++ {
		for _, one := range t.items[t.turn%t.people] {
			if one.due.IsZero() && (m == nil || one.moves < m.moves) {
				m = one
			}
		}
		t.turn++
	}
	if m == nil { // as far ahead as it may be
		t.mu.Unlock()
		return nil
	}
	t.edits++
	m.moves++
	m.due, m.start = due, t.base.Add(time.Duration(m.moves%20+1)*24*time.Hour)
	who, item, start := m.who, m.item, m.start
	t.mu.Unlock()
	return t.site.move(person(who), item, start)
}

// settle waits until every change has arrived, or does not, and looks up when the items of bookings were made.
func (t *traffic) settle(ctx context.Context, s *stretch, sent map[string]wait) error {
	deadline, open := time.Now().Add(settleFor), 1
	for open > 0 && time.Now().Before(deadline) && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		open = 0
		t.mu.Lock()
		for _, m := range t.byID {
			if !m.due.IsZero() {
				open++
			}
		}
		t.mu.Unlock()
	}
	err := t.awaitFor(ctx, time.Until(deadline), "the items are made", func() error {
		counts, err := t.counts()
		if want := t.people*itemsEach + t.bookings; err == nil && counts["CreateItem"] < want {
			err = fmt.Errorf("%d of %d", counts["CreateItem"], want)
		}
		return err
	})
	if err != nil && ctx.Err() != nil { // what is not there in time is counted below
		return err
	}
	if err := t.quiet(ctx); err != nil {
		return err
	}
	made := map[string]time.Time{}
	for who := range t.people {
		list, err := t.appointments(person(who))
		if err != nil {
			return err
		}
		for _, a := range list {
			made[a.Properties[foreignMarker]] = a.Created
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.waits = append(s.waits, t.arrived...)
	s.lost = open
	for id, w := range sent {
		if w.reflected = made[id]; w.reflected.IsZero() {
			s.lost++
			continue
		}
		s.waits = append(s.waits, w)
	}
	return ctx.Err()
}

// An inventory is what is wrong on either side when all is done.
type inventory struct {
	items            int // that were looked at
	doubled, missing int // items
	apart            int // items that are not where their booking is
}

// stop ends the reading of the feed and compares every item with its booking.
func (t *traffic) stop() (inventory, error) {
	t.ended()
	if err := <-t.read; err != nil {
		return inventory{}, err
	}
	var in inventory
	want := t.people*itemsEach + t.bookings
	seen := map[string]int{}
	for who := range t.people {
		list, err := t.appointments(person(who))
		if err != nil {
			return in, err
		}
		for _, a := range list {
			in.items++
			id := a.Properties[foreignMarker]
			if seen[id]++; seen[id] > 1 {
				in.doubled++
			}
			m := t.byID[id]
			if m == nil {
				continue
			}
			var b struct {
				Start time.Time `json:"start"`
			}
			if err := t.rest(http.MethodGet, "/bookings/"+id, nil, &b); err != nil {
				return in, err
			}
			if !b.Start.Equal(a.Start) || !a.Start.Equal(m.start) {
				in.apart++
			}
		}
	}
	in.missing = want - len(seen)
	return in, nil
}
