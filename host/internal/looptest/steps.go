package looptest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What the item says. Whoever meets it in a calendar shall know what it is, and that it is nobody's.
const (
	itemSubject = "Roomwire synchronisation test"
	itemChanged = "Roomwire synchronisation test (changed)"
	itemBody    = "This appointment tests the connection between Roomwire and this calendar. " +
		"It is removed by itself within minutes, and may be deleted."
	itemDuration = 15 * time.Minute
	itemHour     = 12 // UTC
)

// itemEvent is the test item: tomorrow in ten years, seen as free by others, private, without reminder and people. Where
// changes of what lies beyond a horizon are not told, it lies a month before that.
func itemEvent(now, horizon time.Time) calendar.Event {
	day := now.UTC().AddDate(10, 0, 1)
	if before := horizon.UTC().AddDate(0, -1, 0); !horizon.IsZero() && before.Before(day) {
		day = before
		if soonest := now.UTC().AddDate(0, 0, 1); day.Before(soonest) {
			day = soonest
		}
	}
	start := time.Date(day.Year(), day.Month(), day.Day(), itemHour, 0, 0, 0, time.UTC)
	return calendar.Event{
		Subject: itemSubject, Body: itemBody, Start: start, End: start.Add(itemDuration), Busy: calendar.Free, Class: calendar.Private,
	}
}

// configuration looks whether there is something to test, and how.
func (r *Runner) configuration(ctx context.Context, a *active) (finding, error) {
	row, found, err := r.Store.Person(ctx, a.run.Tenant, a.run.Person)
	switch {
	case err != nil:
		return finding{}, err
	case !found:
		return finding{state: StateFailed, cause: "the person was removed meanwhile", remedy: "import the person again"}, nil
	case row.SyncDisabled:
		return finding{
			state: StateFailed, cause: "the sync is switched off for this person",
			remedy: "switch it on (sync_disabled in persons.csv), then test again",
		}, nil
	case row.Shadow:
		return finding{
			state: StateFailed, cause: "the person is in shadow mode, in which nothing is written to the calendar, and so no test item",
			remedy: "end it (roomwire person set " + row.ID + " --shadow=false), then test again",
		}, nil
	case row.Kind == "resource":
		return finding{
			state: StateFailed, cause: "this is a room; the calendars of rooms are not synchronized in this release",
			remedy: "test the calendar of a person",
		}, nil
	case row.Email == "":
		return finding{
			state: StateFailed, cause: "the person has no mail address, so there is no calendar",
			remedy: "import the person with the mailbox's primary address",
		}, nil
	case row.SyncMode == "":
		return finding{
			state: StateFailed, cause: "the person has no sync mode, so it is not known how to reach the mailbox",
			remedy: "import the person with a sync mode; roomwire config show lists them",
		}, nil
	}
	mode, err := r.Modes.Mode(ctx, row.SyncMode, row.Email)
	if err != nil {
		return finding{state: StateFailed, cause: sentence(err), remedy: modeRemedies[fault.Of(err)]}, nil
	}
	at := target{mode: mode, mailbox: backend.Mailbox{Address: row.Email, URL: mode.MailboxURL(row.SyncURL)}}
	if u, err := url.Parse(at.mailbox.URL); err != nil || at.mailbox.URL != "" && u.Host == "" {
		return finding{
			state: StateFailed, cause: fmt.Sprintf("the sync URL %q is no URL", at.mailbox.URL),
			remedy: "correct it; for Exchange it is https://HOST/EWS/Exchange.asmx",
		}, nil
	}
	a.change(func() { a.mode, a.mailbox = at.mode, at.mailbox })
	at.admit()
	var status backend.Status
	err = r.call(ctx, func(ctx context.Context) (err error) {
		status, err = mode.Backend.Probe(ctx, at.mailbox)
		return err
	})
	if err != nil {
		return a.failed(StepConfiguration, err), nil
	}
	a.horizon = status.Horizon
	mb, f, err := r.ready(ctx, a)
	if err != nil || f.state == StateFailed {
		return f, err
	}
	a.epoch = mb.Epoch
	a.change(func() { a.run.Way = mb.Way })
	return passed("sync mode %s, %s; %s", mode.Name, status.Server, arrivalBy(mb.Way)), nil
}

func arrivalBy(way string) string {
	switch way {
	case "poll":
		return "the calendar is read by the clock"
	case "pull":
		return "the server is asked for notices at intervals"
	}
	return "notices arrive by " + way
}

// ready waits until the engine has looked at the mailbox and decided how notices arrive, having woken it if need be.
func (r *Runner) ready(ctx context.Context, a *active) (store.Mailbox, finding, error) {
	began, failures := r.now(), -1
	deadline := time.NewTimer(firstPassWait)
	defer deadline.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for late := false; ; {
		mb, found, err := r.Store.Mailbox(ctx, a.run.Tenant, a.run.Person)
		if err != nil {
			return mb, finding{}, err
		}
		row, known, err := r.Store.Person(ctx, a.run.Tenant, a.run.Person)
		trouble := row.State.Status != store.StatusNew && row.State.Status != store.StatusOK
		woken := failures >= 0
		switch {
		case err != nil:
			return mb, finding{}, err
		case !found || !known:
			return mb, finding{state: StateFailed, cause: "the person was removed meanwhile", remedy: "import the person again"}, nil
		case mb.Way == "push" && mb.SubscriptionID != "", mb.Way != "push" && mb.Way != "":
			return mb, finding{}, nil
		case woken && trouble && (mb.Failures > failures || !row.State.Since.Before(began)):
			return mb, finding{state: StateFailed, cause: row.State.Reason, remedy: row.State.Remedy}, nil
		case late:
			return mb, r.unready(row), nil
		case !woken:
			failures = mb.Failures
			if err := r.Wake(ctx, a.run.Tenant, a.run.Person); err != nil {
				return mb, a.failed(StepConfiguration, fmt.Errorf("the sync of the mailbox cannot be woken: %w", err)), nil
			}
		}
		select {
		case <-ctx.Done():
			return mb, finding{}, context.Cause(ctx)
		case <-look.C:
		case <-deadline.C:
			late = true
		}
	}
}

// unready tells of a mailbox that the engine has not got round to.
func (r *Runner) unready(row store.PersonRow) finding {
	f := finding{
		state:  StateFailed,
		cause:  fmt.Sprintf("the mailbox can be reached, but was not subscribed to within %s", firstPassWait),
		remedy: fmt.Sprintf("the host is busy: roomwire person show %s says how the sync is; test again when its state is ok", row.ID),
	}
	if row.State.Reason != "" {
		f.cause += ": " + row.State.Reason
	}
	if row.State.Remedy != "" {
		f.remedy = row.State.Remedy
	}
	return f
}

// create makes the item. Its key is stored before.
func (r *Runner) create(ctx context.Context, a *active) (finding, error) {
	a.change(func() { a.key, a.cleaned = KeyPrefix+newID(), false })
	if err := r.save(ctx, a); err != nil {
		return finding{}, err
	}
	r.Failpoint("create:key-stored")
	event := itemEvent(r.now(), a.horizon)
	var res backend.Result
	err := r.call(ctx, func(ctx context.Context) (err error) {
		res, err = a.mode.Backend.Apply(ctx, calendar.Mutation{
			Op: calendar.Create, Mailbox: a.mailbox, Key: a.key, Event: event, Mail: calendar.MailNobody,
		})
		return err
	})
	r.Failpoint("create:applied")
	if err != nil {
		// What the server refused was not made; of anything else nobody knows.
		kind := fault.Of(err)
		a.unsure = kind == fault.Unavailable || kind == fault.Internal || ctx.Err() != nil
		return a.failed(StepCreate, err), nil
	}
	a.item = res.Item
	return passed("made for %s", event.Start.Format("2006-01-02 15:04 UTC")), nil
}

// alter changes the item, and remembers how many notices there were before.
func (r *Runner) alter(ctx context.Context, a *active) (finding, error) {
	mb, _, err := r.Store.Mailbox(ctx, a.run.Tenant, a.run.Person)
	if err != nil {
		return finding{}, err
	}
	a.mark, a.before = mb.Notices, r.Arrivals()
	event := itemEvent(r.now(), a.horizon)
	event.Subject = itemChanged
	var res backend.Result
	err = r.call(ctx, func(ctx context.Context) (err error) {
		res, err = a.mode.Backend.Apply(ctx, calendar.Mutation{
			Op: calendar.Update, Mailbox: a.mailbox, Key: a.key, Ref: a.item.Ref, Event: event, Fields: calendar.FieldSubject,
			Mail: calendar.MailNobody,
		})
		return err
	})
	r.Failpoint("change:applied")
	if err != nil {
		return a.failed(StepChange, err), nil
	}
	a.item = res.Item
	if res.Item.Event.Subject != itemChanged {
		return finding{
			state: StateFailed, cause: "the server accepted the change, but the item does not show it",
			remedy: "look for something between Roomwire and the mailbox that rewrites appointments: a transport rule, an agent, an archiving product",
		}, nil
	}
	return passed("the subject was changed"), nil
}

// remove deletes the item and makes sure that nothing bears its key any more.
func (r *Runner) remove(ctx context.Context, a *active) (finding, error) {
	if a.key == "" {
		return skipped("nothing was made"), nil
	}
	r.Failpoint("delete:planned")
	n, err := r.clear(ctx, target{mode: a.mode, mailbox: a.mailbox, key: a.key, ref: a.item.Ref})
	r.Failpoint("delete:applied")
	if err != nil {
		return a.failed(StepDelete, err), nil
	}
	if n == 0 && a.unsure {
		return skipped("there is no item now; as the server did not say what became of it, it is looked for once more in %s", lease), nil
	}
	a.change(func() { a.cleaned = true })
	switch {
	case n == 0 && a.item.Ref == "":
		return passed("no item was made, and none is left"), nil
	case n == 0:
		return passed("somebody else removed it; nothing is left"), nil
	}
	return passed("removed; nothing is left in the calendar"), nil
}

// A target is the item of a test in its calendar.
type target struct {
	mode    syncer.Mode
	mailbox backend.Mailbox
	key     string
	ref     calendar.Ref // empty if unknown
}

// admit has the backend log in at the mailbox's server.
func (t target) admit() {
	if t.mode.Admit != nil {
		t.mode.Admit(t.mailbox.URL)
	}
}

// find returns the items that bear the key. Where the backend cannot search, the whole calendar is read.
func (t target) find(ctx context.Context) ([]backend.Item, error) {
	if t.mode.Finder != nil {
		return t.mode.Finder.Find(ctx, t.mailbox, backend.OurKey, t.key)
	}
	found, whole := map[backend.Ref]backend.Item{}, false
	err := t.mode.Backend.Pull(ctx, backend.PullRequest{Mailbox: t.mailbox}, func(p backend.Page) error {
		for _, c := range p.Changes {
			delete(found, c.Ref)
			if c.Item != nil && !c.Deleted && c.Item.Key == t.key {
				found[c.Ref] = *c.Item
			}
		}
		whole = p.Last
		return nil
	})
	if err == nil && !whole {
		err = fmt.Errorf("the calendar was not read to its end: %w", fault.Unavailable)
	}
	return slices.Collect(maps.Values(found)), err
}

// clear deletes whatever in the calendar bears the key, and returns how much it was. It succeeds only when a search
// finds nothing any more.
func (r *Runner) clear(ctx context.Context, t target) (n int, err error) {
	const tries = 4
	for try := range tries {
		if try > 1 && !pause(ctx, time.Second) {
			return n, context.Cause(ctx)
		}
		var items []backend.Item
		err := r.call(ctx, func(ctx context.Context) (err error) {
			items, err = t.find(ctx)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("search for the test item: %w", err)
		}
		if try == 0 && len(items) == 0 && t.ref != "" {
			items = []backend.Item{{Ref: t.ref}} // a search may be behind; the deletion of what is gone succeeds
			n--
		}
		if len(items) == 0 {
			return n, nil
		}
		for _, item := range items {
			err := r.call(ctx, func(ctx context.Context) error {
				_, err := t.mode.Backend.Apply(ctx, calendar.Mutation{
					Op: calendar.Delete, Mailbox: t.mailbox, Key: t.key, Ref: item.Ref, Mail: calendar.MailNobody,
				})
				return err
			})
			if err != nil && !errors.Is(err, fault.NotFound) {
				return n, fmt.Errorf("delete the test item: %w", err)
			}
			n++
		}
	}
	return n, fmt.Errorf("the test item is found again though the server said it was deleted: %w", fault.Conflict)
}
