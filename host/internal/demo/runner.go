package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A step shows one thing. run does it and looks at what came of it; its error ends the demonstration.
type step struct {
	label string // of the process, such as B1
	title string
	run   func(ctx context.Context) error
	// done names what had happened when the clock was stopped.
	done string
}

// unmet is a step's error: something is not as it should be.
type unmet struct{ what, want, got string }

// Error implements error.
func (u *unmet) Error() string { return fmt.Sprintf("%s: expected %s; seen %s", u.what, u.want, u.got) }

// runner runs steps one after the other.
type runner struct {
	paper *paper
	limit time.Duration // of one step
	log   *logbook
	begin func()               // called before a step
	took  func() time.Duration // how long the step just run took

	times []time.Duration
	steps int
	began time.Time
	total time.Duration
}

// linesShown is how many lines of the log a failed step shows.
const linesShown = 20

// run runs the steps until one fails, which it reports.
func (r *runner) run(ctx context.Context, steps []step) (failed bool) {
	r.steps, r.began = len(steps), time.Now()
	defer func() { r.total = time.Since(r.began) }()
	for i, s := range steps {
		r.begin()
		r.paper.heading(s.label, s.title)
		mark := r.log.mark()
		err := r.one(ctx, s)
		if err == nil {
			r.times = append(r.times, r.took())
			r.paper.passed(s.done, r.took())
			continue
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if !errors.Is(err, context.Canceled) {
			r.fail(err, mark)
			if rest := len(steps) - i - 1; rest > 0 {
				r.paper.gap()
				r.paper.text(fmt.Sprintf("Steps not run: %d.", rest))
			}
		}
		return true
	}
	return false
}

func (r *runner) one(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	return s.run(ctx)
}

func (r *runner) fail(err error, mark int) {
	if u, ok := errors.AsType[*unmet](err); ok {
		r.paper.failed(u.what)
		r.paper.side("expected", u.want)
		r.paper.side("seen", u.got)
	} else {
		r.paper.failed(err.Error())
	}
	if lines := r.log.since(mark, linesShown); len(lines) > 0 {
		r.paper.side("log", "from "+r.log.path)
		for _, l := range lines {
			r.paper.line("        " + l)
		}
	}
}

// summary says how it went.
func (r *runner) summary(failed bool, traffic string) {
	r.paper.gap()
	if failed {
		r.paper.line(r.paper.paint(red, fmt.Sprintf("FAILED: %d of %d steps went as they should.", len(r.times), r.steps)))
		return
	}
	sorted := slices.Sorted(slices.Values(r.times))
	r.paper.line(r.paper.paint(green, fmt.Sprintf("All %d steps went as they should, in %s.", r.steps, milliseconds(r.total))))
	r.paper.text(fmt.Sprintf("From one side to the other: half of them within %s, the slowest %s. %s",
		milliseconds(sorted[len(sorted)/2]), milliseconds(sorted[len(sorted)-1]), traffic))
}
