package watch

import (
	"context"
	"fmt"
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
	apart  string   // the address of whom an override serves
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
	r       *rig
	notices string
}

func (o oneMode) Mode(_ context.Context, name, _ string) (syncer.Mode, error) {
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	return syncer.Mode{Name: name, URL: "https://mail.example.com/EWS/Exchange.asmx", Watcher: o.r.server, Notices: o.notices}, nil
}

func newFake() *fake { return &fake{living: map[string]string{}, pending: map[string]bool{}} }

func (r *rig) instance(mode, address string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if address == r.apart {
		return mode + "/example.com"
	}
	return mode
}

// configure has the mode mean another server, or the same one with another login.
func (r *rig) configure(f *fake) {
	f.next = r.server.subscriptions() + 1000 // no server grants the ids of another
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = f
}

// subscriptions is how many were asked for, whether granted or not.
func (f *fake) subscriptions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listens)
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
		r := &rig{T: t, store: st, server: newFake()}
		modes := oneMode{r, way}
		r.engine = syncer.New(syncer.Options{
			Store: st, Modes: modes, Limits: syncer.DefaultLimits(),
			WayChanged: func(tenant, person string) { r.watch.Changed(tenant, person) },
		})
		r.watch = New(Options{Store: st, Engine: spy{r.engine, r}, Modes: modes, Holder: "one", Limits: DefaultLimits(), Instance: r.instance})
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
