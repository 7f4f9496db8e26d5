package backendtest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fixture gives the suite all that a world has. Its mailboxes have a URL, behind which a server says that all is well.
func (w *world) fixture(t *testing.T) Fixture {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("calendar")) }))
	t.Cleanup(server.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return Fixture{
		Open: w.open, CutOff: w.cutOff,
		Mailboxes: []backend.Mailbox{{Address: "one@example.com", URL: server.URL}, {Address: "two@example.com", URL: server.URL}},
		Absent:    &backend.Mailbox{Address: "nobody@example.com", URL: server.URL},
		Notices:   &Notices{Listener: l}, Attendees: true, AtOnce: true,
	}
}

// TestEveryDefectIsNoticed: each thing that can be wrong makes the check fail that is named after the rule.
func TestEveryDefectIsNoticed(t *testing.T) {
	t.Parallel()
	known := Checks()
	for defect, names := range pairs() {
		for _, name := range names {
			t.Run(defect+"/"+name, func(t *testing.T) {
				t.Parallel()
				if !slices.Contains(known, name) {
					t.Fatalf("there is no check %s", name)
				}
				notices(t, defect, name)
			})
		}
	}
}

func notices(t *testing.T, defect, name string) {
	t.Helper()
	f := newWorld(defect).fixture(t)
	f.Only = func(check string) bool { return check == name }
	f.Patience = 300 * time.Millisecond // it is waited for what never comes
	r := conformance.NewReport(t.Context(), nil)
	Run(r, f)
	for _, one := range r.Results() {
		if one.Name != name {
			continue
		}
		if one.Outcome != conformance.Failed || !strings.Contains(strings.Join(one.Said, "\n"), "docs/plugins/contract.md") {
			t.Errorf("the check %s %s: %q", name, one.Outcome, one.Said)
		}
		return
	}
	t.Errorf("the check %s was not made: %+v", name, r.Results())
}

// TestEveryCheckNoticesSomething: there is no check that no backend could fail.
func TestEveryCheckNoticesSomething(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{"End/NothingIsLeft": true} // by TestWhatIsLeftIsTold
	for _, names := range pairs() {
		for _, name := range names {
			noticed[name] = true
		}
	}
	for _, name := range Checks() {
		if !noticed[name] && !alike(name, noticed) {
			t.Errorf("no defect shows that the check %s notices anything", name)
		}
	}
}

// alike reports whether a check differs only in its data from one that is known to notice something.
func alike(name string, noticed map[string]bool) bool {
	for _, family := range []string{
		"Event/In", "Event/AroundTheGap", "Event/TheHour", "Event/AllDay", "Event/SubjectWith", "Event/LocationWith", "Event/BodyWith",
		"Event/Reminder", "Event/Busy", "Event/Class", "Unavailable/HTTP", "Unavailable/A", "Watcher/",
	} {
		if !strings.HasPrefix(name, family) {
			continue
		}
		for other := range noticed {
			if strings.HasPrefix(other, family) {
				return true
			}
		}
	}
	return false
}

func TestAGoodBackendPasses(t *testing.T) {
	t.Parallel()
	for name, habit := range map[string]string{"plain": "", "renews subscriptions in place": "renews in place", "mails at every meeting": "cannot be silent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(habit)
			t.Cleanup(func() {
				for address, x := range w.boxes {
					if len(x.items) != 1 || x.items["own"].Event.Subject != "Dentist" {
						t.Errorf("in the calendar of %s there is %+v, want what was there before", address, x.items)
					}
				}
			})
			Run(t, w.fixture(t))
		})
	}
}

// TestWhatCannotBeCheckedIsSkipped: backends that can do little pass, and the report says what was not shown.
func TestWhatCannotBeCheckedIsSkipped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		open    func(w *world) backend.Backend
		skipped []string
	}{
		"keeps times alone": {
			func(w *world) backend.Backend {
				return struct{ partial }{partial{w.instance(false).(*memory), calendar.AllFields &^ calendar.FieldTime}}
			},
			[]string{"Series/MovedAndLeftOut", "Update/SubjectAlone", "Event/BusyFree"},
		},
		"only reads": {
			func(w *world) backend.Backend { return readOnly{w.instance(false)} },
			[]string{"Apply/CreateTwiceIsOnce", "Fetch/NothingForNothing", "Finder/FindsByKey", "Pusher/TellsOfAChange"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld("")
			f := w.fixture(t)
			f.Open = func(context.Context) (backend.Backend, error) { return tc.open(w), nil }
			f.CutOff = nil
			r := conformance.NewReport(t.Context(), nil)
			Run(r, f)
			outcomes := map[string]conformance.Outcome{}
			for _, one := range r.Results() {
				outcomes[one.Name] = one.Outcome
				if one.Outcome == conformance.Failed {
					t.Errorf("%s: %q", one.Name, one.Said)
				}
				if one.Outcome == conformance.Skipped && len(one.Said) == 0 {
					t.Errorf("%s is skipped without a reason", one.Name)
				}
			}
			for _, name := range tc.skipped {
				if outcomes[name] != conformance.Skipped {
					t.Errorf("%s is %q, want skipped", name, outcomes[name])
				}
			}
		})
	}
}

// readOnly reads what a world has.
type readOnly struct{ backend.Backend }

// Fetch implements backend.Backend.
func (r readOnly) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	return backend.ReadOnly{}.Fetch(ctx, m, refs)
}

// Apply implements backend.Backend.
func (r readOnly) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	return backend.ReadOnly{}.Apply(ctx, m)
}

func TestWhatIsLeftIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	f := w.fixture(t)
	f.Only = func(check string) bool { return check == "Apply/CreateMakesTheItem" }
	f.Open = func(context.Context) (backend.Backend, error) { return undeletable{w.instance(false).(*memory)}, nil }
	r := conformance.NewReport(t.Context(), nil)
	Run(r, f)
	want := map[string]conformance.Outcome{"Apply/CreateMakesTheItem": conformance.Passed, "End/NothingIsLeft": conformance.Failed}
	got := map[string]conformance.Outcome{}
	for _, one := range r.Results() {
		got[one.Name] = one.Outcome
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWhatIsCalledOffIsRemoved: the checks end with the context of the report, and what they made is removed after it.
func TestWhatIsCalledOffIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	f := w.fixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.Only = func(check string) bool { return strings.HasPrefix(check, "Pages/") }
	made := 0
	f.Open = func(context.Context) (backend.Backend, error) {
		return counting{w.instance(false).(*memory), func() {
			if made++; made == 7 {
				cancel()
			}
		}}, nil
	}
	r := conformance.NewReport(ctx, nil)
	Run(r, f)
	if n := len(w.boxes["one@example.com"].items); n != 1 || !r.Failed() || made < 7 {
		t.Errorf("%d items are there after %d were made, failed: %v; want the one of before, and a failure", n, made, r.Failed())
	}
}

// TestWhatCannotBeOpenedIsAFailure: nothing is examined then.
func TestWhatCannotBeOpenedIsAFailure(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Fixture{
		"nothing": {},
		"no settings": {
			Open:      func(context.Context) (backend.Backend, error) { return nil, fault.Invalid },
			Mailboxes: []backend.Mailbox{{Address: "one@example.com"}},
		},
	} {
		r := conformance.NewReport(t.Context(), nil)
		Run(r, f)
		if got := r.Results(); len(got) != 1 || got[0].Name != "Begin" || got[0].Outcome != conformance.Failed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// counting calls done with each create.
type counting struct {
	*memory
	done func()
}

// Apply implements backend.Backend.
func (c counting) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Op == calendar.Create {
		defer c.done()
	}
	return c.memory.Apply(ctx, m)
}

type undeletable struct{ *memory }

// Apply implements backend.Backend.
func (u undeletable) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Op == calendar.Delete {
		return backend.Result{}, fmt.Errorf("the server refuses: %w", fault.Invalid)
	}
	return u.memory.Apply(ctx, m)
}
