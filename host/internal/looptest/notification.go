package looptest

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// notification waits until a server has said that something changed in the mailbox, to whichever host.
func (r *Runner) notification(ctx context.Context, a *active) (finding, error) {
	r.Failpoint("notification:waiting")
	heard, cancel := r.noted.listen(a.run.Tenant + "\x00" + a.run.Person)
	defer cancel()
	began := r.now()
	patience := r.Patience(a.run.Way)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for last := false; ; {
		mb, found, err := r.Store.Mailbox(ctx, a.run.Tenant, a.run.Person)
		switch {
		case err != nil:
			return finding{}, err
		case !found || mb.Epoch != a.epoch:
			return finding{
				state: StateFailed, cause: "the person's mailbox, sync mode or URL was changed while the test ran", remedy: "run the test again",
			}, nil
		case mb.Way == "poll" && a.run.Way == "poll":
			return r.byTheClock(ctx, a, mb)
		case mb.Notices > a.mark:
			if err := r.Proved(ctx, a.run.Tenant, a.run.Person); err != nil {
				r.Log.Warn("that notifications arrive could not be recorded", "tenant", a.run.Tenant, "person", a.run.Person, "error", err)
			}
			return passed("arrived by %s, %s after the change", a.run.Way, max(r.now().Sub(began), 0).Round(time.Millisecond)), nil
		case mb.Way == "poll":
			return finding{
				state: StateFailed, cause: "the sync gave notifications up while one was waited for: " + reasonOf(mb, "it says no reason"),
				remedy: "remove what it names, then test again",
			}, nil
		case last:
			return r.silence(ctx, a, mb, patience), nil
		}
		select {
		case <-ctx.Done():
			return finding{}, context.Cause(ctx)
		case <-heard:
		case <-look.C:
		case <-deadline.C:
			last = true // a last look: the notice may be another host's
		}
	}
}

// byTheClock tells why nothing is waited for.
func (r *Runner) byTheClock(ctx context.Context, a *active, mb store.Mailbox) (finding, error) {
	otherwise := "this sync mode has no notifications, or the account reaches the mailbox by folder permission"
	row, found, err := r.Store.Person(ctx, a.run.Tenant, a.run.Person)
	if err != nil {
		return finding{}, err
	}
	if found && row.State.Status == store.StatusOK && row.State.Reason != "" {
		otherwise = row.State.Reason
	}
	next := "soon"
	if !mb.PollAt.IsZero() {
		next = "at " + mb.PollAt.Format("2006-01-02 15:04:05 UTC")
	}
	return skipped("no notifications: the calendar is read by the clock, next %s. Why: %s", next, reasonOf(mb, otherwise)), nil
}

func reasonOf(mb store.Mailbox, otherwise string) string {
	if mb.WayReason != "" {
		return mb.WayReason
	}
	return otherwise
}

// silence finds out why no notification came, and has the sync use another way.
func (r *Runner) silence(ctx context.Context, a *active, mb store.Mailbox, patience time.Duration) finding {
	d := r.diagnose(ctx, a, mb)
	f := finding{
		state: StateFailed, cause: fmt.Sprintf("no notification came within %s: %s", patience, d.cause), remedy: d.remedy, checks: d.checks,
	}
	// Finding out took a while. What was found is about the way of then, and a notice that comes late comes all the same.
	now, found, err := r.Store.Mailbox(ctx, a.run.Tenant, a.run.Person)
	if err != nil || !found || now.Epoch != a.epoch || now.Way != a.run.Way || now.Notices > a.mark {
		return f
	}
	if err := r.FallBack(ctx, a.run.Tenant, a.run.Person, "the synchronisation test: "+f.cause); err != nil {
		r.Log.Warn("the sync of a mailbox could not be told that notifications do not arrive",
			"tenant", a.run.Tenant, "person", a.run.Person, "error", err)
	}
	return f
}
