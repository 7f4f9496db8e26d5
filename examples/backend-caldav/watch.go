package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
)

// askers is how many calendars are asked at once.
const askers = 4

// AskingOnly implements backend.AskingOnly.
func (b *caldav) AskingOnly() bool { return true }

// Listen implements backend.Watcher. There is nothing at the server that would have to be made: the subscription's Mark is what
// the calendar's sync-token, or its ctag, is now.
func (b *caldav) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	if req.Way != backend.WayAsking {
		return backend.Subscription{}, fmt.Errorf("CalDAV servers tell nothing by themselves; they can be asked (notices = \"pull\"): %w", fault.Unsupported)
	}
	mark, err := b.mark(ctx, req.Mailbox)
	if err != nil {
		return backend.Subscription{}, err
	}
	if mark == "" {
		return backend.Subscription{}, fmt.Errorf("the server gives the calendar of %s neither a sync-token nor a ctag, so only reading it tells of changes: %w",
			req.Mailbox.Address, fault.Unsupported)
	}
	group := req.Group // they can be asked with any others
	if group == "" {
		group = "asked"
	}
	return backend.Subscription{ID: subscriptionOf(req.Mailbox), Group: group, Mark: mark}, nil
}

func subscriptionOf(m backend.Mailbox) string { return strings.ToLower(m.Address) }

// mark returns what changes whenever the calendar does.
func (b *caldav) mark(ctx context.Context, m backend.Mailbox) (string, error) {
	at, err := b.place(ctx, m)
	if err != nil {
		return "", err
	}
	ms, err := b.dav.Propfind(ctx, at, "0", dav.Type, dav.SyncToken, dav.CTag)
	if err != nil {
		return "", calendarGone(err)
	}
	p := ms.Self()
	if !p.IsCalendar() {
		return "", notCalendar(at, m)
	}
	if p.SyncToken != "" {
		return p.SyncToken, nil
	}
	return p.CTag, nil
}

// A round asks the watched calendars once.
type round struct {
	cancel context.CancelCauseFunc
	emit   func([]backend.Hint) error

	mu      sync.Mutex
	told    bool  // of some calendar
	refused bool  // the host wants to hear no more
	trouble error // the first with one calendar; it is asked again next time
}

// Watch implements backend.Watcher. What is wrong with one calendar does not keep the others from being asked; what is wrong
// with the server does.
func (b *caldav) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	if n := len(req.Watched); n == 0 || n > backend.MaxWatched {
		return fmt.Errorf("%d subscriptions cannot be watched together, only 1 to %d: %w", n, backend.MaxWatched, fault.Invalid)
	}
	if req.Way != backend.WayAsking {
		return fmt.Errorf("CalDAV servers tell nothing by themselves: %w", fault.Unsupported)
	}
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &round{cancel: cancel, emit: emit}
	next := make(chan backend.Watched)
	var all sync.WaitGroup
	for range min(askers, len(req.Watched)) {
		all.Go(func() {
			for w := range next {
				mark, err := "", error(nil)
				if w.Subscription.ID == subscriptionOf(w.Mailbox) { // else it is none of ours, and lost
					mark, err = b.mark(backend.WithMailbox(within, w.Mailbox.Address), w.Mailbox)
				}
				r.heard(w, mark, err)
			}
		})
	}
	for _, w := range req.Watched {
		select {
		case next <- w:
		case <-within.Done():
		}
	}
	close(next)
	all.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return context.Cause(within)
	case r.told:
		return nil
	}
	return r.trouble
}

// heard passes on what was found out about one calendar.
func (r *round) heard(w backend.Watched, mark string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused {
		return
	}
	hint := backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Alive}
	switch {
	case err != nil && !ofCalendarAlone(err):
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Scope == fault.ScopeServer {
			r.cancel(err)
		}
		if r.trouble == nil {
			r.trouble = err
		}
		return
	case err != nil || mark == "":
		hint.Kind = backend.Lost
	case mark != w.Subscription.Mark:
		hint.Kind, hint.Mark = backend.Dirty, mark
	}
	r.told = true
	if err := r.emit([]backend.Hint{hint}); err != nil {
		r.refused = true
		r.cancel(err)
	}
}

// ofCalendarAlone reports whether err says something lasting of one calendar: to listen to it anew tells what.
func ofCalendarAlone(err error) bool {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Scope == fault.ScopeServer {
		return false
	}
	switch fault.Of(err) {
	case fault.Unauthorized, fault.MailboxNotFound, fault.MailboxMoved, fault.Forbidden, fault.Unsupported, fault.Invalid:
		return true
	}
	return false
}
