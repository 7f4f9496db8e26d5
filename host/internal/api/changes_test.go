package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

const changes = "/Default/api/v1/changes"

func TestChangeFeedHoldsEveryChangeInOrder(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	g.call(t, h, "PUT", bookings+"/b1", simple)
	g.call(t, h, "PUT", bookings+"/b1", simple) // changes nothing
	g.call(t, h, "PUT", bookings+"/b2", `{"start":"2026-12-01","end":"2026-12-02","organizer":"bob"}`)
	cancelled := g.call(t, h, "DELETE", bookings+"/b1", "")

	var seen []string
	for after := int64(0); ; {
		page := decode[rest.ChangePage](t, g.call(t, h, "GET", fmt.Sprintf("%s?after=%d&limit=2", changes, after), "").text)
		if page.Last != 3 {
			t.Errorf("last = %d, want 3", page.Last)
		}
		if len(page.Changes) == 0 {
			if page.Next != 3 {
				t.Errorf("at the end next = %d", page.Next)
			}
			break
		}
		for _, c := range page.Changes {
			seen = append(seen, fmt.Sprintf("%d %s %s %d", c.Seq, c.Kind, c.ID, c.Version))
		}
		last := page.Changes[len(page.Changes)-1]
		if page.Next != last.Seq {
			t.Errorf("next = %d after %d", page.Next, last.Seq)
		}
		if last.Seq == 3 {
			want := cancelled.booking(t)
			if got := last.Booking; got.ID != want.ID || got.Version != want.Version || got.Status != want.Status || got.Start != want.Start || *got.ReminderMinutes != *want.ReminderMinutes {
				t.Errorf("the booking in the feed is %+v, want %+v", got, want)
			}
		}
		after = page.Next
	}
	if want := []string{"1 created b1 1", "2 created b2 1", "3 cancelled b1 2"}; !slices.Equal(seen, want) {
		t.Errorf("feed: %v, want %v", seen, want)
	}
	if r := g.call(t, h, "GET", changes+"?after=4", ""); r.StatusCode != 410 || r.problem.Type != urn+"feed-position" {
		t.Errorf("beyond the end: %d %s", r.StatusCode, r.text)
	}
	other := g.call(t, h, "GET", "/Other/api/v1/changes", "", "Authorization", "Bearer "+g.other)
	if page := decode[rest.ChangePage](t, other.text); len(page.Changes) != 0 || page.Last != 0 {
		t.Errorf("another tenant's feed: %s", other.text)
	}
}

// feed is a change feed whose first kept change is first.
type feed struct {
	Reads
	mu      sync.Mutex
	first   int64
	last    int64
	watch   chan struct{}
	reading func() // called before each read
}

func (f *feed) Changes(_ context.Context, _ string, after int64, limit int) ([]store.ChangeRecord, error) {
	if f.reading != nil {
		f.reading()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := Render(&booking.Booking{ID: "b", Organizer: "alice", Status: booking.Confirmed, Busy: booking.Free, Class: booking.Public})
	if err != nil {
		return nil, err
	}
	var list []store.ChangeRecord
	for seq := max(after+1, f.first); seq <= f.last && len(list) < limit; seq++ {
		list = append(list, store.ChangeRecord{Tenant: "Default", Seq: seq, Kind: "created", Source: "api", Booking: "b", At: noon, Data: data})
	}
	return list, nil
}

func (f *feed) LastSeq(context.Context, string) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, nil
}

func (f *feed) WatchChanges(string) (<-chan struct{}, func()) { return f.watch, func() {} }

func (f *feed) grow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
}

// feedRig is an API that has a change feed only.
func feedRig(f *feed) *rig {
	g := &rig{}
	g.key, _ = apikey.New("Default", "test", []apikey.Scope{apikey.ScopeAdmin}, noon)
	f.watch = make(chan struct{}, 1)
	g.Options = Options{Tenants: func() []string { return []string{"Default"} }, Reads: f, AdminKeyHash: apikey.Hash(g.key)}
	return g
}

func TestReaderIsToldWhatIsNoLongerKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, last, after int64
		status             int
		next               int64
	}{
		{1, 3, 0, 200, 3}, {1, 3, 3, 200, 3}, {3, 5, 0, 200, 5}, {3, 5, 2, 200, 5}, {3, 5, 1, 410, 0}, {3, 5, 4, 200, 5},
		{6, 5, 0, 200, 5}, {6, 5, 3, 410, 0}, {6, 5, 5, 200, 5}, {1, 3, 4, 410, 0}, {1, 0, 0, 200, 0},
	} {
		g := feedRig(&feed{first: c.first, last: c.last})
		r := g.call(t, New(g.Options), "GET", fmt.Sprintf("%s?after=%d", changes, c.after), "")
		if r.StatusCode != c.status {
			t.Errorf("%+v: %d %s", c, r.StatusCode, r.text)
			continue
		}
		if c.status == 200 {
			if page := decode[rest.ChangePage](t, r.text); page.Next != c.next {
				t.Errorf("%+v: next = %d", c, page.Next)
			}
		}
	}
}

func TestAChangeBetweenTwoReadsIsNotSkipped(t *testing.T) {
	t.Parallel()
	for _, after := range []int64{0, 2} {
		f := &feed{first: 1, last: after}
		g := feedRig(f)
		reads := 0
		f.reading = func() { reads++ }
		// The feed grows right after the first read of the page, before the end is read.
		g.Reads = growing{f, &reads}
		page := decode[rest.ChangePage](t, g.call(t, New(g.Options), "GET", fmt.Sprintf("%s?after=%d", changes, after), "").text)
		if len(page.Changes) != 1 || page.Next != after+1 {
			t.Errorf("after %d: %+v", after, page)
		}
	}
}

type growing struct {
	*feed
	reads *int
}

func (g growing) LastSeq(ctx context.Context, tenant string) (int64, error) {
	if *g.reads == 1 {
		g.grow()
	}
	return g.feed.LastSeq(ctx, tenant)
}

// waited runs a request for changes and returns its page and how long it took.
func waited(t *testing.T, g *rig, query string) (rest.ChangePage, time.Duration) {
	t.Helper()
	began := time.Now()
	r := g.call(t, New(g.Options), "GET", changes+query, "")
	if r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.text)
	}
	return decode[rest.ChangePage](t, r.text), time.Since(began)
}

func TestWaitingReader(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		query string
		event func(f *feed, closing chan struct{}) // 5 s after the request
		took  time.Duration
		next  int64
	}{
		"answers empty when the time is over":   {"?after=1&wait=30s", func(*feed, chan struct{}) {}, 30 * s, 1},
		"waits for a minute at most":            {"?after=1&wait=60s", func(*feed, chan struct{}) {}, 60 * s, 1},
		"does not wait unasked":                 {"?after=1", func(*feed, chan struct{}) {}, 0, 1},
		"does not wait for what is there":       {"?after=0&wait=30s", func(*feed, chan struct{}) {}, 0, 1},
		"answers a change of this host at once": {"?after=1&wait=30s", func(f *feed, _ chan struct{}) { f.grow(); f.watch <- struct{}{} }, 5 * s, 2},
		"answers another host's change soon":    {"?after=1&wait=30s", func(f *feed, _ chan struct{}) { f.grow() }, 6 * s, 2},
		"goes on waiting after a false alarm":   {"?after=1&wait=30s", func(f *feed, _ chan struct{}) { f.watch <- struct{}{} }, 30 * s, 1},
		"answers at once when the host stops":   {"?after=1&wait=30s", func(_ *feed, closing chan struct{}) { close(closing) }, 5 * s, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &feed{first: 1, last: 1}
				g := feedRig(f)
				closing := make(chan struct{})
				g.Closing = closing
				var wg sync.WaitGroup
				wg.Go(func() {
					time.Sleep(5 * s) // the bubble's clock
					c.event(f, closing)
				})
				page, took := waited(t, g, c.query)
				wg.Wait()
				if took != c.took || page.Next != c.next {
					t.Errorf("next %d after %v, want %d after %v", page.Next, took, c.next, c.took)
				}
			})
		})
	}
}

func TestWaitEndsWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := feedRig(&feed{first: 1})
		h := New(g.Options)
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r, _ := http.NewRequestWithContext(ctx, "GET", changes+"?wait=60s", http.NoBody)
			r.Header.Set("Authorization", "Bearer "+g.key)
			h.ServeHTTP(discard{}, r)
		}()
		synctest.Wait()
		began := time.Now()
		leave()
		<-done
		if time.Since(began) != 0 {
			t.Errorf("it went on for %v", time.Since(began))
		}
	})
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestWaitingReadersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := feedRig(&feed{first: 1})
		g.MaxWaiting = 2
		h := New(g.Options)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { g.call(t, h, "GET", changes+"?wait=30s", "") })
		}
		synctest.Wait()
		if r := g.call(t, h, "GET", changes+"?wait=30s", ""); r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d %s", r.StatusCode, r.text)
		}
		if r := g.call(t, h, "GET", changes, ""); r.StatusCode != 200 {
			t.Errorf("one that does not wait: %d", r.StatusCode)
		}
		wg.Wait()
	})
}
