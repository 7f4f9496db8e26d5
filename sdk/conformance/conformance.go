// Package conformance is what the suites of packages authtest and backendtest report to: a test of Go's own, or a Report
// where a bare executable is examined without any.
package conformance

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// A T is what a suite reports to; Self is the type itself. *testing.T is one, and so is *Report.
type T[Self any] interface {
	Context() context.Context // ends just before the functions of Cleanup run
	Cleanup(f func())
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // ends the check
	Skipf(format string, args ...any)  // ends the check
	Failed() bool
	// Run makes a check of a name and waits for it; it reports whether the check did not fail.
	Run(name string, check func(Self)) bool
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// A Result is one check that was made.
type Result struct {
	Name    string // with those of the checks around it: Apply/CreateTwiceIsOnce
	Outcome Outcome
	Said    []string // what it logged, why it failed or was skipped
}

// A Report is a T that keeps what it is told. Checks are made one after the other; within one, it may be used by several
// goroutines, but for Fatalf and Skipf, which end the goroutine of the check.
type Report struct {
	ctx  context.Context
	name string
	all  *results

	mu      sync.Mutex
	outcome Outcome
	said    []string
	cleanup []func()
	inner   bool // it has checks within, which tell for themselves
}

type results struct {
	mu   sync.Mutex
	list []Result
	told func(Result)
}

// NewReport returns a report of checks that are made until ctx ends; told, which may be nil, is called with each result
// at once.
func NewReport(ctx context.Context, told func(Result)) *Report {
	if told == nil {
		told = func(Result) {}
	}
	return &Report{ctx: ctx, all: &results{told: told}, outcome: Passed}
}

// Results lists the checks in the order in which they ended. A check that has others within is listed only if it has
// something to say itself.
func (r *Report) Results() []Result {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	return slices.Clone(r.all.list)
}

// ended is what Fatalf and Skipf unwind the check with.
type ended struct{ r *Report }

// Run implements T. Once the report's context has ended nothing more is begun.
func (r *Report) Run(name string, check func(*Report)) bool {
	r.mu.Lock()
	r.inner = true
	r.mu.Unlock()
	full := strings.TrimPrefix(r.name+"/"+name, "/")
	ctx, cancel := context.WithCancel(r.ctx)
	in := &Report{ctx: ctx, name: full, all: r.all, outcome: Passed}
	if err := r.ctx.Err(); err != nil {
		in.outcome, in.said = Failed, []string{"it was not made: " + err.Error()}
	} else {
		in.protect(func() { check(in) })
	}
	cancel()
	for _, f := range slices.Backward(in.cleanup) {
		in.protect(f)
	}
	if !in.inner || in.outcome == Failed && len(in.said) > 0 || in.outcome == Skipped {
		r.all.add(Result{Name: full, Outcome: in.outcome, Said: in.said})
	}
	if in.outcome == Failed {
		r.mu.Lock()
		r.outcome = Failed
		r.mu.Unlock()
	}
	return in.outcome != Failed
}

func (r *results) add(one Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
	r.told(one)
}

// protect calls f; a panic in it is a failure of the check.
func (r *Report) protect(f func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case ended:
			if p.r != r {
				panic(p)
			}
		default:
			r.Errorf("the check panicked: %v\n%s", p, debug.Stack())
		}
	}()
	f()
}

// Context implements T.
func (r *Report) Context() context.Context { return r.ctx }

// Cleanup implements T: f is called when the check has ended, the last given first.
func (r *Report) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanup = append(r.cleanup, f)
}

// Helper implements T.
func (r *Report) Helper() {}

// Logf implements T.
func (r *Report) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// Errorf implements T.
func (r *Report) Errorf(format string, args ...any) {
	r.Logf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcome = Failed
}

// Fatalf implements T. It must be called in the goroutine of the check.
func (r *Report) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(ended{r})
}

// Skipf implements T. It must be called in the goroutine of the check.
func (r *Report) Skipf(format string, args ...any) {
	r.Logf(format, args...)
	r.mu.Lock()
	if r.outcome == Passed {
		r.outcome = Skipped
	}
	r.mu.Unlock()
	panic(ended{r})
}

// Failed implements T. Of the whole report it says whether any check failed.
func (r *Report) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome == Failed
}
