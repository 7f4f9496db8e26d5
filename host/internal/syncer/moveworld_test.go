package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// spaced is another way to the calendars of a memory: the same items under other references.
type spaced struct {
	*memory
	prefix  string
	fail    error                 // of every call
	hidden  map[calendar.Ref]bool // items, by their own reference, that are not told of here
	refused int                   // probes that failed so
	noUID   bool                  // it cannot search for UIDs
	ended   []string              // subscriptions that were unsubscribed
}

func (s *spaced) out(it calendar.Item) calendar.Item {
	it.Ref, it.Revision = calendar.Ref(s.prefix)+it.Ref, s.prefix+it.Revision
	return it
}

func (s *spaced) in(text string) string {
	own, ok := strings.CutPrefix(text, s.prefix)
	if text != "" && !ok || s.prefix == "" && strings.HasPrefix(text, otherPrefix) {
		panic(broken(fmt.Sprintf("%q is asked for in the mode with the references %q…", text, s.prefix)))
	}
	return own
}

const otherPrefix = "other:"

func (s *spaced) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	if s.fail != nil {
		s.refused++
		return backend.Status{}, s.fail
	}
	return s.memory.Probe(ctx, m)
}

func (s *spaced) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	if s.fail != nil {
		return s.fail
	}
	req.Since = calendar.Cursor(s.in(string(req.Since)))
	return s.memory.Pull(ctx, req, func(p backend.Page) error {
		changes := p.Changes
		p.Changes = nil
		for _, ch := range changes {
			if s.hidden[ch.Ref] {
				continue
			}
			ch.Ref = calendar.Ref(s.prefix) + ch.Ref
			if ch.Item != nil {
				it := s.out(*ch.Item)
				ch.Item = &it
			}
			p.Changes = append(p.Changes, ch)
		}
		p.Next = calendar.Cursor(s.prefix) + p.Next
		return emit(p)
	})
}

func (s *spaced) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	own := make([]backend.Ref, len(refs))
	for i, ref := range refs {
		own[i] = backend.Ref(s.in(string(ref)))
	}
	got, err := s.memory.Fetch(ctx, m, own)
	for i := range got {
		if s.hidden[own[i]] {
			got[i].Err = fmt.Errorf("item %q: %w", own[i], fault.NotFound)
		}
		if got[i].Err == nil {
			got[i].Item = s.out(got[i].Item)
		}
	}
	return got, err
}

func (s *spaced) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	if by == backend.ByUID && s.noUID {
		return nil, fault.Unsupported
	}
	got, err := s.memory.Find(ctx, m, by, value)
	var found []backend.Item
	for _, it := range got {
		if !s.hidden[it.Ref] {
			found = append(found, s.out(it))
		}
	}
	return found, err
}

func (s *spaced) Apply(ctx context.Context, mu calendar.Mutation) (backend.Result, error) {
	if s.fail != nil {
		return backend.Result{}, s.fail
	}
	mu.Ref, mu.IfRevision = calendar.Ref(s.in(string(mu.Ref))), s.in(mu.IfRevision)
	res, err := s.memory.Apply(ctx, mu)
	res.Item = s.out(res.Item)
	return res, err
}

func (s *spaced) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	if s.fail != nil {
		return backend.Subscription{}, s.fail
	}
	return s.memory.Subscribe(ctx, req)
}

func (s *spaced) Unsubscribe(_ context.Context, _ backend.Mailbox, sub backend.Subscription) error {
	s.ended = append(s.ended, sub.ID)
	return s.fail
}

// twoModes are two ways to the same calendars.
type twoModes struct{ memory, other *spaced }

func newTwoModes(m *memory) *twoModes {
	return &twoModes{memory: &spaced{memory: m}, other: &spaced{memory: m, prefix: otherPrefix}}
}

func (t *twoModes) Mode(_ context.Context, name, _ string) (Mode, error) {
	b := t.memory
	switch name {
	case "Memory":
	case "Other":
		b = t.other
	default:
		return Mode{}, fmt.Errorf("sync mode %q: %w", name, fault.Invalid)
	}
	return Mode{Name: name, URL: "https://" + strings.ToLower(name) + ".example.com", Backend: b, Pusher: b, Finder: b}, nil
}

// movers runs f on both databases, with two modes.
func movers(t *testing.T, f func(w *world, m *twoModes)) {
	t.Helper()
	each(t, func(w *world) {
		m := newTwoModes(w.server)
		w.engine.Modes = m
		w.engine.ModeNames = func() []string { return []string{"Memory", "Other"} }
		f(w, m)
	})
}

func (w *world) ask(to string, change ...func(*store.Move)) {
	w.Helper()
	m := store.Move{Tenant: tenant, Person: "alice", To: to}
	for _, c := range change {
		c(&m)
	}
	refused, err := w.engine.RequestMoves(w.Context(), []store.Move{m})
	if err != nil || len(refused) > 0 {
		w.Fatal(refused, err)
	}
}

func dry(m *store.Move)     { m.DryRun = true }
func lenient(m *store.Move) { m.Lenient = true }

// moved returns the move of alice, whose state must be the given one, and its report.
func (w *world) moved(state store.MoveState) (store.Move, MoveReport) {
	w.Helper()
	m, found, err := w.store.Move(w.Context(), tenant, "alice")
	if err != nil || !found || m.State != state {
		w.Fatalf("move: %+v, %v, %v; want %s", m, found, err, state)
	}
	r, err := ParseMoveReport(m.Report)
	if err != nil {
		w.Fatal(err)
	}
	return m, r
}

func (w *world) mode(want string) {
	w.Helper()
	p, _, err := w.store.Person(w.Context(), tenant, "alice")
	if err != nil || p.SyncMode != want {
		w.Fatalf("alice has sync mode %q, %v; want %q", p.SyncMode, err, want)
	}
}

// links returns alice's links, by booking.
func (w *world) links() map[string]store.Link {
	w.Helper()
	all, err := w.store.LinksOfPerson(w.Context(), tenant, "alice", "", 0)
	if err != nil {
		w.Fatal(err)
	}
	by := map[string]store.Link{}
	for _, l := range all {
		by[l.Booking] = l
	}
	return by
}

// silently fails if f writes to a calendar or mails anybody.
func (w *world) silently(f func()) {
	w.Helper()
	writes, mails := w.server.writes, len(w.server.mails)
	f()
	if w.server.writes != writes || len(w.server.mails) != mails {
		w.Fatalf("%d writes and %d mails", w.server.writes-writes, len(w.server.mails)-mails)
	}
}
