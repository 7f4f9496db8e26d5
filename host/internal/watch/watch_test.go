package watch

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const tenant = "Default"

// A fake is a server in memory, as a Watcher.
type fake struct {
	mu      sync.Mutex
	next    int
	listens []backend.ListenRequest
	living  map[string]string // subscription → address
	calls   []*fakeCall       // of Watch, ever
	fail    func(call, address string) error
	ends    time.Duration // streaming calls end after this long; zero: when asked to
	only    string        // asked for others there is no answer
	silent  bool          // no sign of life
	pending map[string]bool
}

type fakeCall struct {
	req  backend.WatchRequest
	emit func([]backend.Hint) error
	at   time.Time
	over bool
	end  chan error
}

func (f *fake) failure(call, address string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(call, address)
}

func (f *fake) Listen(_ context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listens = append(f.listens, req)
	if err := f.failure("listen", req.Mailbox.Address); err != nil {
		return backend.Subscription{}, err
	}
	f.next++
	sub := backend.Subscription{ID: fmt.Sprintf("s%d", f.next), Group: req.Group, Mark: "m0"}
	if sub.Group == "" {
		sub.Group = "at " + req.Mailbox.Address
	}
	f.living[sub.ID] = req.Mailbox.Address
	return sub, nil
}

func (f *fake) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	f.mu.Lock()
	c := &fakeCall{req: req, emit: emit, at: time.Now(), end: make(chan error, 1)}
	f.calls = append(f.calls, c)
	err := f.failure("watch", req.Watched[0].Mailbox.Address)
	hints := []backend.Hint{{Kind: backend.Alive}}
	if f.only != "" {
		hints = nil
	}
	for _, w := range req.Watched {
		switch id := w.Subscription.ID; {
		case f.living[id] == "":
			hints = append(hints, backend.Hint{Subscription: id, Kind: backend.Lost})
		case f.pending[f.living[id]]:
			delete(f.pending, f.living[id])
			hints = append(hints, backend.Hint{Subscription: id, Kind: backend.Dirty, Mark: "m1"})
		case f.only == f.living[id]:
			hints = append(hints, backend.Hint{Subscription: id, Kind: backend.Alive})
		}
	}
	silent, ends := f.silent, f.ends
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		c.over = true
		f.mu.Unlock()
	}()
	if err != nil {
		return err
	}
	if !silent {
		if err := emit(hints); err != nil {
			return err
		}
	}
	if req.For == 0 {
		return nil
	}
	end := time.After(req.For)
	if ends > 0 {
		end = time.After(ends)
	}
	beat := time.NewTicker(45 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.end:
			return err
		case <-end:
			return nil
		case <-beat.C:
			if !silent {
				if err := emit([]backend.Hint{{Kind: backend.Alive}}); err != nil {
					return err
				}
			}
		}
	}
}

func (f *fake) open() []*fakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.calls), func(c *fakeCall) bool { return c.over })
}

// tell emits a hint for a mailbox on whatever connection it is.
func (f *fake) tell(t *testing.T, address string, kind backend.HintKind) {
	t.Helper()
	for _, c := range f.open() {
		for _, w := range c.req.Watched {
			if w.Mailbox.Address != address {
				continue
			}
			if kind == backend.Lost {
				f.mu.Lock()
				delete(f.living, w.Subscription.ID)
				f.mu.Unlock()
			}
			if err := c.emit([]backend.Hint{{Subscription: w.Subscription.ID, Kind: kind}}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s is not watched", address)
}

// A rig is a store, an engine and a Watch in a bubble of time.
type rig struct {
	*testing.T
	store  *store.Store
	engine *syncer.Engine
	server *fake
	watch  *Watch
	log    []string // what the engine was told
	mu     sync.Mutex
	stop   func()
}

// spy writes down what the engine is told.
type spy struct {
	*syncer.Engine
	r *rig
}

func (s spy) note(what, way string, rows []store.Watched) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.log = append(s.r.log, fmt.Sprintf("%s %s %d", what, way, len(rows)))
}

func (s spy) Listening(ctx context.Context, way string, rows []store.Watched) error {
	s.note("listening", way, rows)
	return s.Engine.Listening(ctx, way, rows)
}

func (s spy) Deaf(ctx context.Context, way string, rows []store.Watched, reason string) error {
	s.note("deaf", way, rows)
	return s.Engine.Deaf(ctx, way, rows, reason)
}

func (s spy) CannotListen(ctx context.Context, way string, row store.Watched, reason string) error {
	s.note("cannot listen", way, []store.Watched{row})
	return s.Engine.CannotListen(ctx, way, row, reason)
}

type oneMode struct {
	f       *fake
	notices string
}

func (o oneMode) Mode(_ context.Context, name string) (syncer.Mode, error) {
	return syncer.Mode{Name: name, URL: "https://mail.example.com/EWS/Exchange.asmx", Watcher: o.f, Notices: o.notices}, nil
}

// bubble runs f with n persons on a way.
func bubble(t *testing.T, way string, n int, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "watch.db")
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		r := &rig{T: t, store: st, server: &fake{living: map[string]string{}, pending: map[string]bool{}}}
		modes := oneMode{r.server, way}
		r.engine = syncer.New(syncer.Options{
			Store: st, Modes: modes, Limits: syncer.DefaultLimits(),
			WayChanged: func(tenant, person string) { r.watch.Changed(tenant, person) },
		})
		r.watch = New(Options{Store: st, Engine: spy{r.engine, r}, Modes: modes, Holder: "one", Limits: DefaultLimits()})
		for i := range n {
			r.person(fmt.Sprintf("p%03d", i), way)
		}
		r.stop = r.start(r.watch)
		defer func() { r.stop() }()
		f(r)
	})
}

func (r *rig) start(w *Watch) (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// person makes one whose first pass has been.
func (r *rig) person(id, way string) {
	r.Helper()
	_, err := r.engine.PutPerson(r.Context(), directory.Person{
		Tenant: tenant, ID: id, Email: id + "@example.com", DisplayName: id, Kind: directory.KindPerson, SyncMode: "EWS",
	})
	if err != nil {
		r.Fatal(err)
	}
	r.change(id, func(mb *store.Mailbox) { mb.Way = way })
}

func (r *rig) change(id string, f func(mb *store.Mailbox)) {
	r.Helper()
	err := r.store.Tx(r.Context(), func(ctx context.Context, tx *store.Tx) error {
		mb, _, err := tx.Mailbox(ctx, tenant, id)
		if err != nil {
			return err
		}
		f(&mb)
		return tx.SaveMailbox(ctx, mb)
	})
	if err != nil {
		r.Fatal(err)
	}
	r.watch.Changed(tenant, id)
}

func (r *rig) mailbox(id string) store.Mailbox {
	r.Helper()
	mb, found, err := r.store.Mailbox(r.Context(), tenant, id)
	if err != nil || !found {
		r.Fatalf("mailbox %s: %v, %v", id, found, err)
	}
	return mb
}

func (r *rig) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := strings.Join(r.log, "; ")
	r.log = nil
	return out
}

func (r *rig) listens() []backend.ListenRequest {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Clone(r.server.listens)
}

func (r *rig) calls() []*fakeCall {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Clone(r.server.calls)
}

// sizes returns how many mailboxes each open connection watches, the largest first.
func (r *rig) sizes() []int {
	var out []int
	for _, c := range r.server.open() {
		out = append(out, len(c.req.Watched))
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

func TestStreamingGroupsMailboxesAndTellsOfChanges(t *testing.T) {
	bubble(t, "streaming", 250, func(r *rig) {
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{200, 50}) {
			t.Fatalf("connections of %v", got)
		}
		groups := map[string]int{}
		for _, l := range r.listens() {
			groups[l.Group]++
		}
		if len(r.listens()) != 250 || groups[""] != 2 || len(groups) != 3 {
			t.Errorf("%d subscriptions in groups %v", len(r.listens()), slices.Collect(maps.Values(groups)))
		}
		before := r.mailbox("p007")
		r.server.tell(t, "p007@example.com", backend.Dirty)
		if mb := r.mailbox("p007"); mb.Notices != 1 || mb.Wanted != before.Wanted+1 {
			t.Errorf("mailbox = %+v", mb)
		}
		if mb := r.mailbox("p008"); mb.Notices != 0 || mb.Way != "streaming" {
			t.Errorf("mailbox = %+v", mb)
		}
		s := r.watch.Stats()
		if s.Connections != 2 || s.Ways["streaming"] != (Count{250, 250}) || len(s.Groups) != 2 {
			t.Errorf("stats = %+v", s)
		}
		r.told()
		time.Sleep(2 * time.Hour)
		if n, got := len(r.listens()), r.told(); n != 250 || got != "" {
			t.Errorf("%d subscriptions after connections were closed and opened again; told %q", n, got)
		}
	})
}

func TestNewcomersJoinWithoutTouchingWhoIsThere(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.told()
		r.person("new", "streaming")
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{4}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
		// What was told in the moment in which the connection was cut may be lost.
		if got := r.told(); got != "listening streaming 4" {
			t.Errorf("told %q", got)
		}
		r.change("p000", func(mb *store.Mailbox) { mb.Way = "poll" })
		time.Sleep(45 * time.Minute)
		if got := r.sizes(); !slices.Equal(got, []int{3}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
	})
}

func TestLostSubscriptionIsMadeAnewAndSoonInAGroupOfItsOwn(t *testing.T) {
	bubble(t, "streaming", 5, func(r *rig) {
		time.Sleep(20 * time.Second)
		wanted := r.mailbox("p001").Wanted
		r.server.tell(t, "p001@example.com", backend.Lost)
		time.Sleep(10 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{5}) || len(r.listens()) != 6 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
		if r.mailbox("p001").Wanted == wanted {
			t.Error("the mailbox is not read")
		}
		r.server.tell(t, "p001@example.com", backend.Lost)
		time.Sleep(20 * time.Second)
		if got := r.sizes(); !slices.Equal(got, []int{5, 1}) && !slices.Equal(got, []int{4, 1}) {
			t.Errorf("connections of %v", got)
		}
		last := r.listens()[len(r.listens())-1]
		if last.Group != "" || last.Mailbox.Address != "p001@example.com" {
			t.Errorf("last subscription: %+v", last)
		}
		if s := r.watch.Stats(); s.Lost != 2 || s.Ways["streaming"] != (Count{5, 5}) {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestServerThatIsAwayHasItsMailboxesPolled(t *testing.T) {
	bubble(t, "streaming", 5, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.told()
		r.server.mu.Lock()
		r.server.fail = func(string, string) error { return fmt.Errorf("connection refused: %w", fault.Unavailable) }
		r.server.mu.Unlock()
		for _, c := range r.server.open() {
			c.end <- fault.Unavailable
		}
		time.Sleep(90 * time.Second)
		if got := r.told(); got != "" {
			t.Errorf("told %q after 90 seconds", got)
		}
		time.Sleep(time.Minute)
		if got := r.told(); got != "deaf streaming 5" {
			t.Errorf("told %q", got)
		}
		if mb := r.mailbox("p000"); mb.Way != "poll" || mb.TryWay != "streaming" || !strings.Contains(mb.WayReason, "connection refused") {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(3 * time.Hour)
		r.server.mu.Lock()
		calls := len(r.server.calls)
		r.server.fail = nil
		r.server.mu.Unlock()
		if calls > 60 {
			t.Errorf("%d calls in three hours", calls)
		}
		time.Sleep(6 * time.Minute)
		if got := r.told(); got != "listening streaming 5" || len(r.listens()) != 5 {
			t.Errorf("told %q, %d subscriptions", got, len(r.listens()))
		}
		if mb := r.mailbox("p000"); mb.Way != "streaming" || mb.TryWay != "" || mb.WayReason != "" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestSilentConnectionIsOpenedAnew(t *testing.T) {
	bubble(t, "streaming", 1, func(r *rig) {
		r.server.mu.Lock()
		r.server.silent = true
		r.server.mu.Unlock()
		time.Sleep(8 * time.Minute)
		if n := len(r.calls()); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		if mb := r.mailbox("p000"); mb.Way != "poll" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestRefusedLoginIsNotTriedOverAndOver(t *testing.T) {
	bubble(t, "streaming", 450, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(string, string) error { return fault.Unauthorized }
		r.server.mu.Unlock()
		time.Sleep(4 * time.Minute)
		first := len(r.listens())
		time.Sleep(90 * time.Minute)
		all := len(r.listens())
		if first > 3 || all > first+5 {
			t.Errorf("%d tries at first, %d within one and a half hours", first, all)
		}
		r.server.mu.Lock()
		r.server.fail = nil
		r.server.mu.Unlock()
		time.Sleep(65 * time.Minute)
		if got := r.sizes(); !slices.Equal(got, []int{200, 200, 50}) {
			t.Errorf("connections of %v", got)
		}
	})
}

func TestConnectionLimitIsHonoured(t *testing.T) {
	bubble(t, "streaming", 600, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, _ string) error {
			open := 0
			for _, c := range r.server.calls {
				if !c.over {
					open++
				}
			}
			if call == "watch" && open > 2 {
				return &fault.Error{Kind: fault.Throttled, Message: "too many connections"}
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(9 * time.Minute)
		if got, n := r.sizes(), len(r.calls()); !slices.Equal(got, []int{200, 200}) || n > 5 {
			t.Errorf("connections of %v after %d calls", got, n)
		}
		if s := r.watch.Stats(); s.Ways["streaming"] != (Count{600, 400}) {
			t.Errorf("stats = %+v", s.Ways)
		}
		polled := 0
		for i := range 600 {
			if r.mailbox(fmt.Sprintf("p%03d", i)).Way == "poll" {
				polled++
			}
		}
		if polled != 200 {
			t.Errorf("%d mailboxes are polled, want 200", polled)
		}
	})
}

func TestMailboxThatCannotBeListenedToIsGivenUp(t *testing.T) {
	bubble(t, "streaming", 4, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, address string) error {
			if call == "listen" && address == "p002@example.com" {
				return fmt.Errorf("a delegate cannot subscribe: %w", fault.Unsupported)
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(time.Minute)
		if mb := r.mailbox("p002"); mb.Way != "poll" || mb.TryWay != "" || mb.ClimbAt.IsZero() {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(time.Hour)
		if got := r.sizes(); !slices.Equal(got, []int{3}) || len(r.listens()) != 4 {
			t.Errorf("connections of %v, %d subscriptions", got, len(r.listens()))
		}
	})
}

func TestAskingKeepsToTheIntervalsOfROOMS(t *testing.T) {
	bubble(t, "pull", 150, func(r *rig) {
		time.Sleep(20 * time.Second)
		if s := r.watch.Stats(); s.Ways["pull"] != (Count{150, 150}) || len(s.Groups) != 2 {
			t.Fatalf("stats = %+v", s)
		}
		for _, l := range r.listens() {
			if l.Way != backend.WayAsking || l.Timeout != 12*time.Hour {
				t.Fatalf("subscription %+v", l)
			}
		}
		r.server.mu.Lock()
		before := len(r.server.calls)
		r.server.pending["p003@example.com"] = true
		r.server.mu.Unlock()
		time.Sleep(5 * time.Minute)
		r.server.mu.Lock()
		calls := len(r.server.calls) - before
		last := r.server.calls[len(r.server.calls)-1].req
		marks := map[string]int{}
		for _, c := range r.server.calls[len(r.server.calls)-2:] {
			for _, w := range c.req.Watched {
				marks[w.Subscription.Mark]++
			}
		}
		r.server.mu.Unlock()
		if calls != 20 || last.For != 0 || last.Way != backend.WayAsking || len(last.Watched) > 100 {
			t.Errorf("%d calls in five minutes, the last for %v of %d", calls, last.For, len(last.Watched))
		}
		if marks["m1"] != 1 || marks["m0"] != 149 {
			t.Errorf("marks %v", marks)
		}
		if mb := r.mailbox("p003"); mb.Notices != 1 {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestSubscriptionsRefusedTooOftenEndAsking(t *testing.T) {
	bubble(t, "pull", 3, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(call, address string) error {
			if call == "listen" && address == "p001@example.com" {
				return fault.Internal
			}
			return nil
		}
		r.server.mu.Unlock()
		time.Sleep(150 * time.Minute)
		if mb := r.mailbox("p001"); mb.Way != "poll" || mb.TryWay != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(20 * time.Minute) // the tenth time
		if mb := r.mailbox("p001"); mb.TryWay != "" || mb.Falls != 1 {
			t.Errorf("mailbox = %+v", mb)
		}
		tries := 0
		for _, l := range r.listens() {
			if l.Mailbox.Address == "p001@example.com" {
				tries++
			}
		}
		if tries != 10 {
			t.Errorf("%d tries, want 10", tries)
		}
	})
}

func TestMailboxThatIsNeverAnsweredForEndsAsking(t *testing.T) {
	bubble(t, "pull", 2, func(r *rig) {
		time.Sleep(20 * time.Second)
		r.server.mu.Lock()
		r.server.only = "p000@example.com"
		r.server.mu.Unlock()
		time.Sleep(4 * time.Minute)
		if got, want := r.watch.Stats().Ways["pull"], (Count{2, 1}); got != want {
			t.Errorf("listened: %+v, want %+v", got, want)
		}
		if mb := r.mailbox("p001"); mb.Way != "poll" || mb.TryWay != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
		time.Sleep(2 * time.Minute) // the tenth time
		if mb := r.mailbox("p001"); mb.TryWay != "" || !strings.Contains(mb.WayReason, "not for this mailbox") {
			t.Errorf("mailbox = %+v", mb)
		}
		if mb := r.mailbox("p000"); mb.Way != "pull" {
			t.Errorf("mailbox = %+v", mb)
		}
	})
}

func TestMovedAndSwitchedOffMailboxesLeave(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		for _, p := range []directory.Person{
			{ID: "p000", Email: "other@example.com", DisplayName: "p000"},
			{ID: "p001", Email: "p001@example.com", DisplayName: "p001", SyncDisabled: true},
		} {
			p.Tenant, p.Kind, p.SyncMode = tenant, directory.KindPerson, "EWS"
			if _, err := r.engine.PutPerson(r.Context(), p); err != nil {
				t.Fatal(err)
			}
			r.watch.Changed(tenant, p.ID)
		}
		r.change("p000", func(mb *store.Mailbox) { mb.Way = "streaming" })
		time.Sleep(time.Minute)
		var got []string
		for _, c := range r.server.open() {
			for _, w := range c.req.Watched {
				if w.Mailbox.Address != "p001@example.com" { // it leaves when the connection is opened anew
					got = append(got, w.Mailbox.Address)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"other@example.com", "p002@example.com"}) {
			t.Errorf("watched: %v", got)
		}
		if s := r.watch.Stats(); s.Ways["streaming"] != (Count{2, 2}) {
			t.Errorf("stats = %+v", s)
		}
	})
}

func TestAnotherHostTakesOver(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(20 * time.Second)
		other := New(Options{
			Store: r.store, Engine: spy{r.engine, r}, Modes: oneMode{r.server, "streaming"}, Holder: "two", Limits: DefaultLimits(),
		})
		stop := r.start(other)
		defer stop()
		time.Sleep(10 * time.Minute)
		if s := other.Stats(); len(s.Groups) != 0 {
			t.Errorf("the other host listens, too: %+v", s)
		}
		r.told()
		r.stop()
		r.stop = func() {}
		time.Sleep(30 * time.Second)
		if s := other.Stats(); s.Ways["streaming"] != (Count{3, 3}) || len(r.listens()) != 6 {
			t.Errorf("stats = %+v, %d subscriptions", s, len(r.listens()))
		}
		if got := r.told(); got != "listening streaming 3" {
			t.Errorf("told %q", got)
		}
	})
}
