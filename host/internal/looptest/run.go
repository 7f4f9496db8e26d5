package looptest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A finding is what a step came to.
type finding struct {
	state, detail, cause, remedy string
	checks                       []Check
}

func passed(format string, args ...any) finding {
	return finding{state: StateOK, detail: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) finding {
	return finding{state: StateSkipped, detail: fmt.Sprintf(format, args...)}
}

// failed is a failure whose remedy depends on the step, on the kind of err, and on how the mode logs in.
func (a *active) failed(step string, err error) finding {
	return finding{state: StateFailed, cause: sentence(err), remedy: remedyFor(step, err, a.mode.Auth)}
}

// execute carries one run out, and ends it whatever happens. ctx ends when the host is stopped.
func (r *Runner) execute(ctx context.Context, a *active) {
	attempt, cancel := context.WithCancelCause(ctx)
	beating := r.heartbeat(attempt, cancel, a)
	defer func() { cancel(nil); <-beating }() // also when a test has the run die at a failpoint
	err := r.steps(attempt, a)
	cancel(nil)
	<-beating
	log := r.Log.With("tenant", a.run.Tenant, "person", a.run.Person, "run", a.run.ID)
	if err != nil && ctx.Err() == nil {
		if !errors.Is(err, errTaken) && !errors.Is(context.Cause(attempt), errTaken) {
			log.Error("a synchronisation test cannot be recorded and ends", "error", err)
		}
		r.abandon(ctx, a)
		return
	}
	if ctx.Err() != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		r.interrupt(grace, a)
		ctx = grace
	} else {
		r.conclude(a)
	}
	if err := r.save(ctx, a); err != nil {
		log.Warn("the end of a synchronisation test cannot be recorded; it is looked at again", "error", err)
		return
	}
	run := a.snapshot()
	log = log.With("outcome", run.Outcome, "took", run.Ended.Sub(run.Started))
	if !a.cleaned {
		log.Warn("the item of a synchronisation test may still be in the calendar; removing it is tried again")
	}
	for _, s := range run.Steps {
		if s.State == StateFailed {
			log = log.With("step", s.Name, "cause", s.Cause)
		}
	}
	log.Info("a synchronisation test ended")
}

// heartbeat says again and again that the run is alive, and ends it when it has become another's.
func (r *Runner) heartbeat(ctx context.Context, cancel context.CancelCauseFunc, a *active) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(beat)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := r.save(ctx, a); errors.Is(err, errTaken) {
					cancel(err)
					return
				}
			}
		}
	}()
	return done
}

// steps goes through the five steps. Its error means that the run could not be recorded, or is not ours any more; then
// nothing further may be done that has to be found again.
func (r *Runner) steps(ctx context.Context, a *active) error {
	select {
	case r.atOnce <- struct{}{}:
		defer func() { <-r.atOnce }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	doing := []func(context.Context, *active) (finding, error){r.configuration, r.create, r.alter, r.notification, r.remove}
	broken := ""
	for i, do := range doing {
		name := a.run.Steps[i].Name
		var f finding
		var err error
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case broken != "" && name != StepDelete:
			f = skipped("not tried: the step %q failed", broken)
		default:
			a.change(func() { a.run.Steps[i].State, a.run.Steps[i].Began = StateRunning, r.now() })
			if err := r.save(ctx, a); err != nil {
				return err
			}
			if f, err = do(ctx, a); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx) // what it found was the end of ctx
			}
		}
		if f.state == StateFailed && broken == "" {
			broken = name
		}
		a.change(func() { a.run.Steps[i].take(f, r.now()) })
		if err := r.save(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Step) take(f finding, now time.Time) {
	s.State, s.Detail, s.Cause, s.Remedy, s.Checks = f.state, f.detail, f.cause, f.remedy, f.checks
	if !s.Began.IsZero() {
		s.Took = now.Sub(s.Began)
	}
}

// conclude says what a run came to that has gone through its steps.
func (r *Runner) conclude(a *active) {
	a.change(func() {
		a.run.Outcome, a.run.Ended = Passed, r.now()
		for _, s := range a.run.Steps {
			if s.State == StateFailed {
				a.run.Outcome = Failed
			}
		}
	})
}

// interrupt ends a run whose host is stopped, and removes its item if there is time.
func (r *Runner) interrupt(ctx context.Context, a *active) {
	gone := true
	if a.key != "" && !a.cleaned {
		n, err := r.clear(ctx, target{mode: a.mode, mailbox: a.mailbox, key: a.key, ref: a.item.Ref})
		gone = err == nil && (n > 0 || !a.unsure)
	}
	a.change(func() {
		a.cleaned = gone
		a.run.interrupt(r.now(), "the host was stopped while the test ran")
	})
}

// interrupt makes what has not ended say why it never will.
func (run *Run) interrupt(now time.Time, cause string) {
	run.Outcome, run.Ended = Interrupted, now
	for i := range run.Steps {
		switch s := &run.Steps[i]; s.State {
		case StateRunning:
			s.take(finding{state: StateFailed, cause: cause, remedy: "run the test again"}, now)
		case StatePending:
			s.take(skipped("not tried: %s", cause), now)
		}
	}
}

// abandon removes the item of a run that is not recorded any more, as far as that is possible now. Whoever comes next finds
// the run by what was recorded before.
func (r *Runner) abandon(ctx context.Context, a *active) {
	if a.key == "" {
		return
	}
	if _, err := r.clear(ctx, target{mode: a.mode, mailbox: a.mailbox, key: a.key, ref: a.item.Ref}); err != nil {
		r.Log.Warn("the item of a synchronisation test could not be removed; it is tried again",
			"tenant", a.run.Tenant, "person", a.run.Person, "run", a.run.ID, "error", sentence(err))
	}
}

// call makes one request to a backend and follows the server's wish to be left alone for a while, within bounds.
func (r *Runner) call(ctx context.Context, request func(ctx context.Context) error) error {
	for budget := throttleBudget; ; {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		err := request(bounded)
		late := bounded.Err() != nil && ctx.Err() == nil
		cancel()
		wait := max(fault.After(err), time.Second)
		switch {
		case err != nil && late:
			return fmt.Errorf("the server did not answer within %s: %w", callTimeout, fault.Unavailable)
		case !errors.Is(err, fault.Throttled) || wait > budget:
			return err
		}
		budget -= wait
		if !pause(ctx, wait) {
			return err
		}
	}
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
