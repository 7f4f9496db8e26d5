package graph

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Graph has no subscriptions that wait at the server. A subscription here is a delta of its own: its Mark is where the next
// round begins, and its ID says whose it is.

// AskingOnly implements backend.AskingOnly: Graph has no connections on which it tells of changes.
func (b *Backend) AskingOnly() bool { return true }

// Listen implements backend.Watcher. It goes through the window once, so that what changes from then on is told.
func (b *Backend) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	m := req.Mailbox
	if req.Way != backend.WayAsking {
		return backend.Subscription{}, fmt.Errorf("there is no connection on which Microsoft Graph tells of changes in the calendar of %s: %w",
			m.Address, fault.Unsupported)
	}
	from, to := b.window()
	r := firstTurn(m, from, to)
	for range maxPages {
		_, link, last, err := b.turn(ctx, r)
		if fault.Of(err) == fault.StateExpired {
			err = fmt.Errorf("%s: %w", err.Error(), fault.Unavailable)
		}
		if err != nil {
			return backend.Subscription{}, err
		}
		if last {
			return backend.Subscription{ID: newListening(m), Group: req.Group, Mark: link}, nil
		}
		r = linked(m, link)
	}
	return backend.Subscription{}, r.wrap(fmt.Errorf("the changes do not come to an end: %w", fault.Unavailable))
}

// newListening returns a new id, and listensTo whether one is that of a mailbox.
func newListening(m calendar.Mailbox) string {
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return listening(m, hex.EncodeToString(nonce[:]))
}

func listening(m calendar.Mailbox, nonce string) string {
	h := sha256.Sum256([]byte("roomwire listens to " + strings.ToLower(m.Address) + " " + nonce))
	return nonce + "." + hex.EncodeToString(h[:12])
}

func listensTo(m calendar.Mailbox, id string) bool {
	nonce, _, ok := strings.Cut(id, ".")
	return ok && listening(m, nonce) == id
}

// Watch implements backend.Watcher: it looks once at every mailbox, twenty at a time.
func (b *Backend) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	if n := len(req.Watched); n == 0 || n > backend.MaxWatched {
		return fmt.Errorf("%d subscriptions cannot be watched together, only 1 to %d: %w", n, backend.MaxWatched, fault.Invalid)
	}
	if req.Way != backend.WayAsking {
		return fmt.Errorf("there is no connection on which Microsoft Graph tells of changes: %w", fault.Unsupported)
	}
	var lost []backend.Hint
	var known []backend.Watched
	for _, w := range req.Watched {
		if _, ok := within(w.Mailbox.URL, w.Subscription.Mark); !ok || !listensTo(w.Mailbox, w.Subscription.ID) {
			lost = append(lost, backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Lost})
			continue
		}
		known = append(known, w)
	}
	if len(lost) > 0 {
		if err := emit(lost); err != nil {
			return err
		}
	}
	// In an order of its own, so that two that look at the same mailboxes do not wait for each other.
	slices.SortFunc(known, func(a, b backend.Watched) int { return strings.Compare(a.Mailbox.Address, b.Mailbox.Address) })
	var failed error
	worked := len(lost) > 0
	for some := range slices.Chunk(known, maxBatch) {
		said, err := b.look(ctx, some)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && (len(said) == 0 || failed == nil) {
			failed = err
		}
		if len(said) == 0 {
			continue
		}
		worked = true
		if err := emit(said); err != nil {
			return err
		}
	}
	if worked {
		return nil // what did not work for one of many is left out
	}
	return failed
}

// look asks for what changed in up to twenty mailboxes. Its error is that of what it could not look at.
func (b *Backend) look(ctx context.Context, some []backend.Watched) (said []backend.Hint, failed error) {
	first := some[0].Mailbox
	ctx = backend.WithMailbox(ctx, first.Address)
	parts := make([]*part, len(some))
	for i, w := range some {
		path, _ := within(w.Mailbox.URL, w.Subscription.Mark)
		leave, err := b.lanes.enter(ctx, w.Mailbox, 1)
		if err != nil {
			return nil, err
		}
		defer leave()
		parts[i] = &part{request: request{
			mailbox: w.Mailbox, doing: "asking for changes in the calendar", method: http.MethodGet, ok: http.StatusOK, target: path, prefer: preferItems,
		}}
	}
	if err := b.batch(ctx, first, parts); err != nil {
		return nil, err
	}
	for i, p := range parts {
		hint, err := p.changes(some[i])
		switch {
		case err == nil:
			said = append(said, hint)
		case ofMailboxAlone(err):
			said = append(said, backend.Hint{Subscription: some[i].Subscription.ID, Kind: backend.Lost})
		default:
			failed = err
		}
	}
	return said, failed
}

// changes reads what a mailbox's delta says. The mark moves only when there was something: an old one stays good.
func (p *part) changes(w backend.Watched) (backend.Hint, error) {
	var l list
	if err := p.result(&l); err != nil {
		return backend.Hint{}, expired(err, true)
	}
	entries, link, last, err := l.turned(p.request)
	if err != nil {
		return backend.Hint{}, err
	}
	if len(entries) == 0 && last {
		return backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Alive}, nil
	}
	return backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Dirty, Mark: link}, nil
}

// ofMailboxAlone reports whether err says something lasting of one mailbox or its subscription: to listen to it anew tells
// what is wrong with it, or helps.
func ofMailboxAlone(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Scope == fault.ScopeServer {
		return false
	}
	switch e.Kind {
	case fault.StateExpired, fault.MailboxNotFound, fault.MailboxMoved, fault.Forbidden, fault.NotFound, fault.Invalid:
		return true
	}
	return false
}
