package looptest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	tenant = "Default"
	alice  = "alice@example.com"
)

// server is a calendar server in memory, as a backend with search.
type server struct {
	mu      sync.Mutex
	items   map[calendar.Ref]calendar.Item
	next    int
	mails   int
	deleted int
	// before and after are asked around each call and may make it fail; written is told of every write.
	before, after func(call string) error
	written       func()
}

func (s *server) asked(call string) error {
	return s.ask(call, func() func(string) error { return s.before })
}

func (s *server) done(call string) error {
	return s.ask(call, func() func(string) error { return s.after })
}

func (s *server) ask(call string, which func() func(string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := which(); f != nil {
		return f(call)
	}
	return nil
}

func (s *server) Probe(context.Context, backend.Mailbox) (backend.Status, error) {
	return backend.Status{Server: "memory 1.0"}, s.asked("probe")
}

func (s *server) Pull(_ context.Context, _ backend.PullRequest, emit func(backend.Page) error) error {
	page := backend.Page{Full: true, Last: true, Next: "end"}
	for _, it := range s.all() {
		page.Changes = append(page.Changes, backend.Change{Ref: it.Ref, Item: &it})
	}
	return emit(page)
}

func (s *server) Fetch(_ context.Context, _ backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	out := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		s.mu.Lock()
		it, found := s.items[ref]
		s.mu.Unlock()
		if out[i].Item = it; !found {
			out[i].Err = fault.NotFound
		}
	}
	return out, nil
}

func (s *server) Apply(_ context.Context, m calendar.Mutation) (backend.Result, error) {
	call := map[calendar.Op]string{calendar.Create: "create", calendar.Update: "update", calendar.Delete: "delete"}[m.Op]
	if err := s.asked(call); err != nil {
		return backend.Result{}, err
	}
	res, err := s.apply(m)
	if err == nil {
		err = s.done(call)
	}
	s.mu.Lock()
	written := s.written
	s.mu.Unlock()
	if written != nil {
		written()
	}
	return res, err
}

func (s *server) apply(m calendar.Mutation) (backend.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Mail != calendar.MailNobody {
		s.mails++
	}
	s.next++
	it := s.items[m.Ref]
	switch m.Op {
	case calendar.Create:
		it = calendar.Item{Ref: calendar.Ref("i" + strconv.Itoa(s.next)), Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event}
	case calendar.Update:
		if it.Ref == "" {
			return backend.Result{}, fault.NotFound
		}
		if m.Fields != calendar.FieldSubject {
			return backend.Result{}, fault.Invalid
		}
		it.Event.Subject = m.Event.Subject
	case calendar.Delete:
		if it.Ref != "" {
			s.deleted++
		}
		delete(s.items, m.Ref)
		return backend.Result{Item: calendar.Item{Ref: m.Ref}}, nil
	}
	it.Revision = strconv.Itoa(s.next)
	s.items[it.Ref] = it
	return backend.Result{Item: it}, nil
}

func (s *server) Find(_ context.Context, _ backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if err := s.asked("find"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(s.all(), func(it calendar.Item) bool { return by != backend.OurKey || it.Key != value }), nil
}

func (s *server) all() []calendar.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []calendar.Item
	for _, it := range s.items {
		all = append(all, it)
	}
	return all
}

func (s *server) fail(before, after func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// on fails one kind of call.
func on(call string, err error) func(string) error {
	return func(c string) error {
		if c == call {
			return err
		}
		return nil
	}
}

// world is a host's inside, but for the engine: the person's mailbox is subscribed to already.
type world struct {
	*testing.T
	store  *store.Store
	server *server
	mode   func(name string) (syncer.Mode, error)
	o      looptest.Options

	mu     sync.Mutex
	proved int
	fallen []string
}

func (w *world) Mode(_ context.Context, name string) (syncer.Mode, error) { return w.mode(name) }

// in runs test in a bubble of time, on SQLite.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	url := storetest.SQLite(t)
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, url)) })
}

func newWorld(t *testing.T, url string) *world {
	w := &world{T: t, server: &server{items: map[calendar.Ref]calendar.Item{
		"own": {Ref: "own", Event: calendar.Event{Subject: "dentist"}},
	}}}
	w.store = storetest.New(t, store.Options{URL: url})
	w.mode = func(name string) (syncer.Mode, error) {
		if name != "Memory" {
			return syncer.Mode{}, fmt.Errorf("sync mode %q is not configured: %w", name, fault.Invalid)
		}
		return syncer.Mode{Name: name, URL: "https://mail.example.com/x", Backend: w.server, Finder: w.server}, nil
	}
	w.o = looptest.Options{
		Store: w.store, Modes: w,
		NotificationURL: func(string, string) string { return "" },
		Proved: func(context.Context, string, string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.proved++
			return nil
		},
		FallBack: func(_ context.Context, _, person, reason string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fallen = append(w.fallen, person+": "+reason)
			return nil
		},
	}
	w.person("alice", alice)
	w.way("alice", "push")
	return w
}

func (w *world) tx(f func(ctx context.Context, tx *store.Tx) error) {
	w.Helper()
	if err := w.store.Tx(context.WithoutCancel(w.Context()), f); err != nil {
		w.Error(err)
	}
}

func (w *world) person(id, email string, change ...func(*directory.Person)) {
	w.Helper()
	p := directory.Person{Tenant: tenant, ID: id, Email: email, Kind: directory.KindPerson, SyncMode: "Memory"}
	for _, c := range change {
		c(&p)
	}
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.PutPerson(ctx, p)
		return err
	})
}

// way puts a mailbox on a way, as the engine does.
func (w *world) way(person, way string) {
	w.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		mb, _, err := tx.Mailbox(ctx, tenant, person)
		if err != nil {
			return err
		}
		mb.Way = way
		if way == "push" {
			mb.SubscriptionID, mb.SubscribedAt = "s1", time.Now()
		}
		return tx.SaveMailbox(ctx, mb)
	})
}

// tells has the server tell of every write after a while.
func (w *world) tells(person string, after time.Duration) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.server.written = func() {
		time.AfterFunc(after, func() {
			w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.Notice(ctx, tenant, person, time.Now()) })
		})
	}
}

// serve runs a Runner until the returned function is called.
func (w *world) serve() (r *looptest.Runner, stop func()) {
	r = looptest.New(w.o)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	synctest.Wait()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.Errorf("Serve: %v", err)
		}
	}
	w.Cleanup(stop)
	return r, stop
}

func (w *world) begin(r *looptest.Runner, person string) looptest.Run {
	w.Helper()
	run, already, err := r.Start(w.Context(), tenant, person)
	if err != nil || already {
		w.Fatalf("start: already %v, error %v", already, err)
	}
	return run
}

// ended follows a run to its end.
func (w *world) ended(r *looptest.Runner, id string) looptest.Run {
	w.Helper()
	changed, cancel := r.Changed(tenant, id)
	defer cancel()
	for range 10000 {
		run, found, err := r.Run(w.Context(), tenant, id)
		if err != nil || !found {
			w.Fatalf("run %s: %v, %v", id, found, err)
		}
		if run.Outcome != looptest.Running {
			return run
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
		}
	}
	w.Fatal("the run does not end")
	return looptest.Run{}
}

func (w *world) row(id string) store.TestRun {
	w.Helper()
	row, found, err := w.store.TestRun(w.Context(), tenant, id)
	if err != nil || !found {
		w.Fatalf("row %s: %v, %v", id, found, err)
	}
	return row
}

// untouched fails unless the calendar holds what it held before, and nobody was mailed.
func (w *world) untouched() {
	w.Helper()
	if all := w.server.all(); len(all) != 1 || all[0].Event.Subject != "dentist" {
		w.Errorf("the calendar holds %+v", all)
	}
	if w.server.mails != 0 {
		w.Errorf("%d mutations told people", w.server.mails)
	}
}

func states(run looptest.Run) string {
	s := run.Outcome + ":"
	for _, step := range run.Steps {
		s += " " + step.State
	}
	return s
}

func step(run looptest.Run, name string) looptest.Step {
	for _, s := range run.Steps {
		if s.Name == name {
			return s
		}
	}
	return looptest.Step{}
}

// dieAt has a run end at a failpoint as when its process is killed: nothing that follows happens.
func dieAt(point string) func(string) {
	var once sync.Once
	return func(at string) {
		if at == point {
			dies := false
			once.Do(func() { dies = true })
			if dies {
				runtime.Goexit()
			}
		}
	}
}
