package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// crowd is a world with many people, all of them listened to.
func crowd(t *testing.T, n int) (*world, []backend.Watched) {
	t.Helper()
	people := exchangesim.SamplePeople()
	for i := range n {
		people = append(people, exchangesim.Person{Address: fmt.Sprintf("p%02d@example.com", i), Name: fmt.Sprintf("Person %d", i)})
	}
	w := newWorldOf(t, exchangesim.Options{People: people}, Settings{})
	var all []backend.Watched
	for i := range n {
		m := w.mailbox(fmt.Sprintf("p%02d@example.com", i))
		s, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: m, Way: backend.WayAsking, Group: "g"})
		if err != nil || s.Group != "g" || len(s.Mark) > 2000 {
			t.Fatalf("%+v, %v", s, err)
		}
		all = append(all, backend.Watched{Mailbox: m, Subscription: s})
	}
	return w, all
}

func (w *world) watch(t *testing.T, all []backend.Watched) (map[string]backend.Hint, error) {
	t.Helper()
	said := map[string]backend.Hint{}
	err := w.Watch(t.Context(), backend.WatchRequest{Way: backend.WayAsking, Watched: all}, func(hints []backend.Hint) error {
		for _, h := range hints {
			if _, twice := said[h.Subscription]; twice {
				t.Errorf("%s is told twice", h.Subscription)
			}
			said[h.Subscription] = h
		}
		return nil
	})
	return said, err
}

func TestWatchAsksTwentyMailboxesAtATime(t *testing.T) {
	t.Parallel()
	w, all := crowd(t, 45)
	for _, i := range []int{3, 30, 44} {
		_, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: all[i].Mailbox, Key: "k", Event: desk()})
		if err != nil {
			t.Fatal(err)
		}
	}
	before := w.line.count("", "")
	all[7].Subscription.ID = all[8].Subscription.ID + "0"
	all[9].Subscription.Mark = "/v1.0/users/p09@example.com/calendarView/delta?$deltatoken=garbage"
	w.sim.Disconnect("p11@example.com", true)
	said, err := w.watch(t, all)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.line.count("", "") - before; n != 3 {
		t.Errorf("%d requests for 45 mailboxes, want 3", n)
	}
	for i, one := range all {
		want := backend.Alive
		switch i {
		case 3, 30, 44:
			want = backend.Dirty
		case 7, 9, 11:
			want = backend.Lost
		}
		h, ok := said[one.Subscription.ID]
		if !ok || h.Kind != want || (h.Mark != "") != (want == backend.Dirty) {
			t.Errorf("%s: %+v, told: %t; want %d", one.Mailbox.Address, h, ok, want)
		}
		if h.Mark != "" {
			all[i].Subscription.Mark = h.Mark
		}
	}
	if said, err := w.watch(t, all[:5]); err != nil || said[all[3].Subscription.ID].Kind != backend.Alive {
		t.Errorf("from the new mark: %+v, %v", said, err)
	}
}

// What does not work for one mailbox is left out; what works for none is an error.
func TestTroubleWhileWatching(t *testing.T) {
	t.Parallel()
	w, all := crowd(t, 3)
	if err := w.sim.Faults().Add(exchangesim.Fault{Kind: "status", Operation: "GraphDelta", Address: "p01@example.com", Status: 503, Count: 1}); err != nil {
		t.Fatal(err)
	}
	said, err := w.watch(t, all)
	if err != nil || len(said) != 2 {
		t.Errorf("%+v, %v; want two that are alive", said, err)
	}
	for _, status := range []int{401, 429, 500, 404} {
		w.line.twisted(func(r *http.Request) (*http.Response, error) {
			return answered(r, status, "", "Retry-After", "100"), nil
		})
		said, err := w.watch(t, all)
		want := map[int]fault.Kind{401: fault.Unauthorized, 429: fault.Throttled, 500: fault.Unavailable, 404: fault.Unavailable}[status]
		if fault.Of(err) != want || len(said) > 0 {
			t.Errorf("HTTP %d: %+v, %v", status, said, err)
		}
	}
	w.line.twisted(nil)
	for name, req := range map[string]backend.WatchRequest{
		"nobody":    {Way: backend.WayAsking},
		"too many":  {Way: backend.WayAsking, Watched: make([]backend.Watched, backend.MaxWatched+1)},
		"streaming": {Way: backend.WayStreaming, Watched: all},
	} {
		err := w.Watch(t.Context(), req, func([]backend.Hint) error { return nil })
		if k := fault.Of(err); k != fault.Invalid && k != fault.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: w.alice}); fault.Of(err) != fault.Unsupported || !strings.Contains(err.Error(), "alice") {
		t.Errorf("streaming: %v", err)
	}
}
