package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// listeners are mailboxes on different back-end servers of the stand-in.
var listeners = []string{"alice@example.com", "bob@example.com", "carol@example.com", "room-a@example.com", "room-b@example.com"}

func newWatchedWorld(t *testing.T, o exchangesim.Options) *world {
	t.Helper()
	o.Affinity = true
	sim, err := exchangesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, sim, service)
}

// listenTo makes subscriptions of one group.
func (w *world) listenTo(t *testing.T, way backend.Way, addresses ...string) []backend.Watched {
	t.Helper()
	var all []backend.Watched
	group := ""
	for _, a := range addresses {
		sub, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: w.mailbox(a), Way: way, Group: group})
		if err != nil || sub.ID == "" || sub.Group == "" || group != "" && sub.Group != group {
			t.Fatalf("%s: %+v, %v", a, sub, err)
		}
		group = sub.Group
		all = append(all, backend.Watched{Mailbox: w.mailbox(a), Subscription: sub})
	}
	return all
}

func (w *world) appointment(t *testing.T, address string) string {
	t.Helper()
	id, err := w.sim.Outlook(address).Create(exchangesim.Appointment{Subject: "x", Start: utc("2026-12-01 08:00"), End: utc("2026-12-01 09:00")})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A watching is a Watch under way.
type watching struct {
	hints chan backend.Hint
	ended chan error
}

func (w *world) watch(ctx context.Context, all []backend.Watched) watching {
	on := watching{hints: make(chan backend.Hint, 1000), ended: make(chan error, 1)}
	go func() {
		on.ended <- w.Watch(ctx, backend.WatchRequest{Watched: all, For: 30 * time.Minute}, func(hints []backend.Hint) error {
			for _, h := range hints {
				on.hints <- h
			}
			return nil
		})
	}()
	return on
}

// until waits for a hint.
func (on watching) until(want backend.Hint) {
	for h := range on.hints {
		if h == want {
			return
		}
	}
}

var alive = backend.Hint{Kind: backend.Alive}

func dirty(w backend.Watched) backend.Hint {
	return backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Dirty}
}

func TestAStreamTellsOfManyMailboxes(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{})
	all := w.listenTo(t, backend.WayStreaming, listeners...)
	before := w.appointment(t, listeners[1]) // after Listen, before Watch
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	on := w.watch(ctx, all)
	on.until(alive)
	on.until(dirty(all[1]))
	for i, a := range listeners {
		w.appointment(t, a)
		on.until(dirty(all[i]))
	}
	if err := w.sim.Outlook(listeners[1]).Delete(before); err != nil {
		t.Fatal(err)
	}
	on.until(dirty(all[1]))
	streams := w.sim.Streams()
	if len(streams) != 1 || streams[0].Owner != listeners[0] || streams[0].Subscriptions != len(listeners) {
		t.Errorf("streams = %+v, want one on the budget of the group's first", streams)
	}
	cancel()
	if err := <-on.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v, want cancelled", err)
	}
}

func TestAStreamEndsWithItsTimeAndIsOpenedAgain(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{Minute: time.Millisecond})
	all := w.listenTo(t, backend.WayStreaming, listeners[0])
	on := w.watch(t.Context(), all)
	if err := <-on.ended; err != nil {
		t.Errorf("ended with %v, want that it is called again", err)
	}
}

func TestWhoIsLostIsToldAndTheOthersAreServedWithoutHim(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{})
	all := w.listenTo(t, backend.WayStreaming, listeners...)
	w.sim.DropSubscriptions(listeners[2])
	elsewhere, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: w.mailbox(listeners[3])}) // of another group
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere.Group == all[0].Subscription.Group {
		t.Fatal("two groups are one")
	}
	all[3].Subscription.ID = elsewhere.ID
	on := w.watch(t.Context(), all)
	if err := <-on.ended; err != nil {
		t.Errorf("ended with %v: a loss is no error", err)
	}
	close(on.hints)
	var lost []string
	for h := range on.hints {
		if h.Kind != backend.Lost {
			t.Errorf("hint %+v, want lost ones only", h)
		}
		lost = append(lost, h.Subscription)
	}
	if !slices.Contains(lost, all[2].Subscription.ID) {
		t.Errorf("lost %q, want that of %s", lost, listeners[2])
	}
	var left []backend.Watched
	for _, one := range all {
		if !slices.Contains(lost, one.Subscription.ID) {
			left = append(left, one)
		}
	}
	if len(left) < 3 {
		t.Fatalf("%d of %d are left", len(left), len(all))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	on = w.watch(ctx, left)
	on.until(alive)
	w.appointment(t, left[0].Mailbox.Address)
	on.until(dirty(left[0]))
	cancel()
	<-on.ended
}

func TestTheFirstOfAGroupDoesNotSilenceTheOthers(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{})
	all := w.listenTo(t, backend.WayStreaming, listeners[:3]...)
	w.sim.Faults().Error("GetStreamingEvents", "ErrorNonExistentMailbox", 1)
	on := w.watch(t.Context(), all)
	on.until(backend.Hint{Subscription: all[0].Subscription.ID, Kind: backend.Lost})
	if err := <-on.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	on = w.watch(ctx, all[1:])
	on.until(alive)
	if s := w.sim.Streams(); len(s) != 1 || s[0].Owner != listeners[1] {
		t.Errorf("streams = %+v, want one for %s", s, listeners[1])
	}
	cancel()
	<-on.ended
}

func TestStreamsReportRefusalsAndBreaks(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{HangingConnections: 1})
	all := w.listenTo(t, backend.WayStreaming, listeners[:2]...)
	one := w.listenTo(t, backend.WayStreaming, listeners[0])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	on := w.watch(ctx, all)
	on.until(alive)
	if err := <-w.watch(t.Context(), one).ended; fault.Of(err) != fault.Throttled {
		t.Errorf("one connection too many: %v, want throttled", err)
	}
	w.sim.CutStreams("")
	if err := <-on.ended; fault.Of(err) != fault.Unavailable {
		t.Errorf("cut off: %v, want unavailable", err)
	}
	w.sim.Faults().Busy("", 1, 7*time.Second)
	if err := <-w.watch(t.Context(), all).ended; fault.Of(err) != fault.Throttled || fault.After(err) != 7*time.Second {
		t.Errorf("busy: %v (after %s), want throttled for 7s", err, fault.After(err))
	}
	for _, n := range []int{0, backend.MaxWatched + 1} {
		if err := w.Watch(t.Context(), backend.WatchRequest{Watched: make([]backend.Watched, n)}, nil); fault.Of(err) != fault.Invalid {
			t.Errorf("%d watched: %v, want invalid", n, err)
		}
	}
}

func TestDelegatesCannotListen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bob)
	for _, way := range []backend.Way{backend.WayStreaming, backend.WayAsking} {
		if _, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: w.alice, Way: way}); fault.Of(err) != fault.Unsupported {
			t.Errorf("way %d: %v, want unsupported", way, err)
		}
	}
}

// ask looks once, and returns the hints by mailbox.
func (w *world) ask(t *testing.T, all []backend.Watched) (map[string]backend.Hint, error) {
	t.Helper()
	got := map[string]backend.Hint{}
	err := w.Watch(t.Context(), backend.WatchRequest{Way: backend.WayAsking, Watched: all}, func(hints []backend.Hint) error {
		for _, h := range hints {
			i := slices.IndexFunc(all, func(on backend.Watched) bool { return on.Subscription.ID == h.Subscription })
			got[all[i].Mailbox.Address] = h
			if h.Mark != "" {
				all[i].Subscription.Mark = h.Mark
			}
		}
		return nil
	})
	return got, err
}

func kinds(hints map[string]backend.Hint) string {
	var out []string
	for a, h := range hints {
		out = append(out, fmt.Sprintf("%s:%d", strings.TrimSuffix(a, "@example.com"), h.Kind))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAskingTellsOfEveryMailbox(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{})
	all := w.listenTo(t, backend.WayAsking, listeners...)
	expect := func(what, want string) {
		t.Helper()
		got, err := w.ask(t, all)
		if err != nil || kinds(got) != want {
			t.Errorf("%s: %s, %v; want %s", what, kinds(got), err, want)
		}
	}
	expect("nothing happened", "alice:0 bob:0 carol:0 room-a:0 room-b:0")
	w.appointment(t, listeners[1])
	for range 60 { // more events than one answer holds
		w.appointment(t, listeners[4])
	}
	before := all[4].Subscription.Mark
	expect("two have news", "alice:0 bob:1 carol:0 room-a:0 room-b:1")
	if all[4].Subscription.Mark == before {
		t.Error("the mark did not move on")
	}
	expect("all of it was told", "alice:0 bob:0 carol:0 room-a:0 room-b:0")
	w.sim.DropSubscriptions(listeners[2])
	w.appointment(t, listeners[3])
	expect("one is lost", "alice:0 bob:0 carol:2 room-a:1 room-b:0")
}

func TestWhatIsWrongWithOneDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	for code, tc := range map[string]struct{ want string }{
		"ErrorMailboxStoreUnavailable": {"alice:1 carol:1"}, // passes: asked again next time
		"ErrorServerBusy":              {"alice:1 carol:1"},
		"ErrorNonExistentMailbox":      {"alice:1 bob:2 carol:1"}, // to listen anew tells why
	} {
		w := newWatchedWorld(t, exchangesim.Options{})
		all := w.listenTo(t, backend.WayAsking, listeners[:3]...)
		for _, a := range listeners[:3] {
			w.appointment(t, a)
		}
		if err := w.sim.Faults().Add(exchangesim.Fault{
			Kind: "error", ResponseCode: code, Operation: "GetEvents", Address: listeners[1], Count: -1,
		}); err != nil {
			t.Fatal(err)
		}
		got, err := w.ask(t, all)
		if err != nil || kinds(got) != tc.want {
			t.Errorf("%s: %s, %v; want %s", code, kinds(got), err, tc.want)
		}
		w.sim.Faults().Reset()
		if got, err := w.ask(t, all[1:2]); err != nil || kinds(got) != "bob:1" {
			t.Errorf("after %s: %s, %v; want what was missed", code, kinds(got), err)
		}
	}
}

func TestWhatIsWrongWithTheServerEndsTheRound(t *testing.T) {
	t.Parallel()
	w := newWatchedWorld(t, exchangesim.Options{})
	all := w.listenTo(t, backend.WayAsking, listeners...)
	w.sim.Faults().Error("GetEvents", "ErrorInsufficientResources", -1)
	if _, err := w.ask(t, all); fault.Of(err) != fault.Throttled {
		t.Errorf("%v, want throttled", err)
	}
	w.sim.Faults().Reset()
	w.sim.Faults().Error("GetEvents", "ErrorTimeoutExpired", -1)
	if got, err := w.ask(t, all); fault.Of(err) != fault.Unavailable || len(got) > 0 {
		t.Errorf("nobody answers: %v, %v; want unavailable", got, err)
	}
	w.sim.Faults().Reset()
	full := errors.New("the disk is full")
	err := w.Watch(t.Context(), backend.WatchRequest{Way: backend.WayAsking, Watched: all}, func([]backend.Hint) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("the host's own error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Watch(ctx, backend.WatchRequest{Way: backend.WayAsking, Watched: all}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTheFirstCreateOfAKeyLooksForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk(), First: true}
	w.sim.Faults().DropAfter("CreateItem", 1)
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
		t.Fatalf("an answer that was lost: %v, want unavailable", err)
	}
	if n := w.sim.Count("FindItem"); n != 0 {
		t.Errorf("%d searches, want none", n)
	}
	m.First = false // it is not the first any more
	if r, err := w.Apply(t.Context(), m); err != nil || !r.Repeated {
		t.Errorf("the next try: %+v, %v; want that the item is there", r, err)
	}
	m.Key, m.First = "bk-2", true
	if r, err := w.Apply(t.Context(), m); err != nil || r.Repeated || r.Item.Key != "bk-2" {
		t.Errorf("another: %+v, %v", r, err)
	}
	if n := len(w.sim.Outlook("alice@example.com").Items()); n != 2 {
		t.Errorf("%d items, want 2", n)
	}
}
