package api

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

// loop runs one test, of alice.
type loop struct {
	mu      sync.Mutex
	run     TestRun
	changed chan struct{}
}

func (l *loop) Start(_ context.Context, _, person string) (TestRun, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if person != "alice" {
		return TestRun{}, false, fmt.Errorf("person %q: %w", person, booking.ErrNotFound)
	}
	already := l.run.ID != ""
	if !already {
		l.run = TestRun{
			ID: "t1", Person: person, Outcome: "running", Started: noon,
			Steps: []TestStep{{Name: "configuration", State: "running", Began: noon}, {Name: "create", State: "pending"}},
		}
	}
	return l.run, already, nil
}

func (l *loop) Run(_ context.Context, _, id string) (TestRun, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := l.run
	run.Steps = append([]TestStep{}, run.Steps...)
	return run, id == run.ID, nil
}

func (l *loop) Runs(ctx context.Context, tenant, _ string, _ int) ([]TestRun, error) {
	run, found, err := l.Run(ctx, tenant, "t1")
	if !found {
		return nil, err
	}
	return []TestRun{run}, err
}

func (l *loop) Changed(string, string) (<-chan struct{}, func()) { return l.changed, func() {} }

func TestATestIsStartedAndFollowed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Tests = &loop{}
	h := New(g.Options)
	const of = "/Default/api/v1/persons/alice/tests"
	if r := g.call(t, h, "GET", of, ""); r.StatusCode != 200 || len(decode[rest.TestRunList](t, r.text).Items) != 0 {
		t.Errorf("before: %d %s", r.StatusCode, r.text)
	}
	for _, want := range []int{202, 200} {
		if r := g.call(t, h, "POST", of, ""); r.StatusCode != want || r.Header.Get("Location") != of+"/t1" {
			t.Errorf("start: %d, want %d, %v", r.StatusCode, want, r.Header)
		}
	}
	run := decode[rest.TestRun](t, g.call(t, h, "GET", of+"/t1", "").text)
	if run.Outcome != "running" || run.Ended != nil || len(run.Steps) != 2 || run.Steps[0].State != "running" {
		t.Errorf("%+v", run)
	}
	if list := decode[rest.TestRunList](t, g.call(t, h, "GET", of, "").text); len(list.Items) != 1 {
		t.Errorf("%+v", list)
	}
	for path, want := range map[string]int{
		of + "/t2": 404, of + "/t1?wait=61s": 400, of + "/t1?wait=x": 400,
		"/Default/api/v1/persons/bob/tests/t1": 404, "/Default/api/v1/persons/nobody/tests": 404,
	} {
		if r := g.call(t, h, "GET", path, ""); r.StatusCode != want {
			t.Errorf("GET %s: %d %s", path, r.StatusCode, r.text)
		}
	}
	if r := g.call(t, h, "POST", "/Default/api/v1/persons/nobody/tests", ""); r.StatusCode != 404 {
		t.Errorf("of nobody: %d", r.StatusCode)
	}
}

func TestWhoFollowsATestIsToldOfTheNextStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &loop{changed: make(chan struct{}, 1)}
		if _, _, err := l.Start(t.Context(), "Default", "alice"); err != nil {
			t.Fatal(err)
		}
		g := feedRig(&feed{})
		g.Tests = l
		h := New(g.Options)
		follow := func() (rest.TestRun, time.Duration) {
			began := time.Now()
			r := g.call(t, h, "GET", "/Default/api/v1/persons/alice/tests/t1?wait=30s", "")
			return decode[rest.TestRun](t, r.text), time.Since(began)
		}
		if run, took := follow(); took != 30*time.Second || run.Steps[0].State != "running" {
			t.Errorf("nothing happened: after %v, %+v", took, run)
		}
		step := func(wake bool) {
			l.mu.Lock()
			l.run.Steps[0].State, l.run.Steps[0].Took = "failed", time.Second
			l.run.Steps[0].Checks = []TestCheck{{"DNS", "failed", "no such host"}}
			l.run.Outcome, l.run.Ended = "failed", noon.Add(time.Second)
			l.mu.Unlock()
			if wake {
				l.changed <- struct{}{}
			}
		}
		time.AfterFunc(5*time.Second, func() { l.changed <- struct{}{} }) // a false alarm
		time.AfterFunc(7*time.Second, func() { step(true) })
		run, took := follow()
		if took != 7*time.Second || run.Outcome != "failed" || *run.Steps[0].TookMs != 1000 || (*run.Steps[0].Checks)[0].Name != "DNS" {
			t.Errorf("after %v: %+v", took, run)
		}
		if run, took := follow(); took != 0 || run.Ended == nil {
			t.Errorf("a test that has ended: after %v, %+v", took, run)
		}
	})
}
