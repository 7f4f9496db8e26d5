package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/remedy"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A moving is one try of a move: the change of a person from one sync mode to another. Nothing is created, changed or
// deleted in the calendar, and nobody is mailed: the items are the same, and only their references are others.
//
// Up to the one transaction of switchOver nothing is kept, so a crash before it repeats everything, and after it there is
// nothing to repeat.
type moving struct {
	move     store.Move
	person   store.PersonRow
	mb       store.Mailbox
	old, new *pass // old is nil if the old mode cannot be used
	note     string
	caughtUp bool // the old mode has just told of everything that changed
}

// errMoveWaits ends a try whose server is busy or is left alone; the error it wraps says why.
type errMoveWaits struct {
	until time.Time
	why   error
}

// Error implements error.
func (w errMoveWaits) Error() string { return sentence(w.why) }

// Unwrap makes errors.Is see the cause.
func (w errMoveWaits) Unwrap() error { return w.why }

// shortestMove is how long a move may take at least: unlike a pass it cannot go on where it was cut off.
const shortestMove = 4 * time.Minute

// carryMove makes the move of a person if one is due. done is false if the usual pass is to follow; out.Next is when the
// move is due then.
func (e *Engine) carryMove(ctx context.Context, tenant, person string) (out Outcome, done bool, err error) {
	m, found, err := e.openMove(ctx, tenant, person)
	if err != nil || !found {
		return Outcome{}, false, err
	}
	if m.NextAt.After(e.now()) {
		return Outcome{Next: m.NextAt}, false, nil
	}
	limit := max(e.limits().AttemptTimeout, shortestMove)
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	mv := &moving{move: m}
	err = e.tryMove(attempt, mv)
	if err != nil && attempt.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("reading the calendar took longer than %s: %w", limit, fault.Unavailable)
	}
	_, own := errors.AsType[storeError](err)
	switch {
	case err == nil && m.DryRun:
		return Outcome{}, false, nil
	case err == nil:
		return Outcome{Next: e.now()}, true, nil
	case ctx.Err() != nil:
		return Outcome{}, true, ctx.Err() // the host is stopping: the move is repeated at its next start
	case errors.Is(err, errMoveOver), errors.Is(err, errStopped):
		return Outcome{Next: e.now()}, true, nil
	case errors.Is(err, errPlacesTaken):
		// As a pass does. Nor does the usual one follow: it would ask the old server each time.
		return Outcome{Next: e.now().Add(busyServerDelay)}, true, nil
	case own:
		return Outcome{}, true, err // store.ErrMoved among them
	}
	next, err := e.moveFailed(ctx, mv, err)
	return Outcome{Next: next}, false, err
}

// openMove returns a person's move that is to be made. In shadow mode it waits, because a move carries out what both sides want; what it
// would come to can be found out all the same.
func (e *Engine) openMove(ctx context.Context, tenant, person string) (store.Move, bool, error) {
	m, found, err := e.Store.Move(ctx, tenant, person)
	if err != nil || !found || !m.Open() || m.DryRun {
		return m, found && m.Open(), err
	}
	row, _, err := e.Store.Person(ctx, tenant, person)
	return m, !row.Shadow, err
}

// moveSoon returns when the next pass is due that was to come later: a move that was asked for meanwhile does not wait for
// a server that it may be meant to leave.
func (e *Engine) moveSoon(ctx context.Context, tenant, person string, next time.Time) (time.Time, error) {
	m, found, err := e.openMove(ctx, tenant, person)
	if err != nil || !found {
		return next, err
	}
	if due := m.NextAt; due.After(e.now()) {
		return earliest(next, due), nil
	}
	return e.now(), nil
}

// tryMove makes a move, or finds out what it would come to.
func (e *Engine) tryMove(ctx context.Context, mv *moving) error {
	over, err := e.beginMove(ctx, mv)
	if err != nil || over {
		return err
	}
	leave, err := e.goTo(mv.new)
	if err != nil {
		return err
	}
	defer func() { leave(mv.new.answered) }()
	if mv.move.State != store.MoveRunning {
		err := e.saveMove(ctx, mv, func(m *store.Move) { m.State, m.Started, m.From = store.MoveRunning, e.now(), mv.person.SyncMode })
		if err != nil {
			return err
		}
	}
	e.Failpoint("move:begun")
	if err := e.drain(ctx, mv); err != nil {
		return err
	}
	e.Failpoint("move:drained")
	_, err = mv.new.mode.Backend.Probe(ctx, mv.new.mailbox)
	if mv.new.answered = answered(err); err != nil {
		return err
	}
	e.Failpoint("move:probed")
	links, err := e.linksOf(ctx, mv.mb)
	if err != nil {
		return err
	}
	listed, err := e.listed(ctx, mv.mb)
	if err != nil {
		return err
	}
	seen, err := e.survey(ctx, mv.new, links, listed)
	if err != nil {
		return err
	}
	e.Failpoint("move:read")
	matches, err := e.match(ctx, mv.old, mv.new, links, seen)
	if err != nil {
		return err
	}
	e.Failpoint("move:matched")
	if mv.move.DryRun {
		return e.endDryRun(ctx, mv, matches)
	}
	if refused, err := e.refuseMove(ctx, mv, matches); err != nil || refused {
		return err
	}
	sub, subscribed, err := e.grantedSub(ctx, mv.new)
	if err != nil {
		return err
	}
	if err := e.switchOver(ctx, mv, matches, seen); err != nil {
		return err
	}
	e.Log.Info("a person was moved to another sync mode", "tenant", mv.move.Tenant, "person", mv.move.Person,
		"from", mv.move.From, "to", mv.move.To, "items", len(matches))
	e.Failpoint("move:switched")
	if subscribed && mv.old != nil && mv.old.mode.Pusher != nil {
		// The token is dead already; this only spares the server its messages.
		if err := mv.old.mode.Pusher.Unsubscribe(ctx, mv.old.mailbox, backend.Subscription{ID: sub.ID}); err != nil {
			e.Log.Debug("the former push subscription was not ended", "tenant", mv.mb.Tenant, "person", mv.mb.Person, "error", err)
		}
	}
	return nil
}

// beginMove loads what a move needs; over is true if there is nothing to do any more.
func (e *Engine) beginMove(ctx context.Context, mv *moving) (over bool, err error) {
	tenant, person := mv.move.Tenant, mv.move.Person
	var found bool
	if mv.person, found, err = e.Store.Person(ctx, tenant, person); err != nil || !found {
		return true, ours(err)
	}
	if mv.mb, found, err = e.Store.Mailbox(ctx, tenant, person); err != nil || !found {
		return true, ours(err)
	}
	row := mv.person
	// Whatever becomes of the move, a pass of this mailbox writes it; so it is found there.
	mv.new = &pass{person: row, mb: mv.mb}
	if row.SyncMode == mv.move.To && row.SyncURL == mv.move.URL {
		return true, e.saveMove(ctx, mv, func(m *store.Move) {
			m.State, m.Reason, m.Finished = store.MoveDone, "the person's sync mode was set otherwise meanwhile", e.now()
		})
	}
	switch {
	case row.Kind == directory.KindResource: // asked for while it was none, or by a former version
		return false, fmt.Errorf("it is a room or another resource, of which nothing needs to be moved: %s: %w", otherModeOfRoom(row.ID, mv.move.To), fault.Invalid)
	case row.SyncDisabled || row.Email == "":
		return false, fmt.Errorf("the sync of this person is switched off: %w", fault.Invalid)
	}
	mode, err := e.Modes.Mode(ctx, mv.move.To, row.Email)
	if err != nil {
		return false, err
	}
	row.SyncMode, row.SyncURL = mv.move.To, mv.move.URL
	mv.new.person, mv.new.mode = row, mode
	mv.new.mailbox = backend.Mailbox{Address: row.Email, URL: mode.MailboxURL(row.SyncURL)}
	if mode.Admit != nil {
		mode.Admit(mv.new.mailbox.URL)
	}
	return false, nil
}

// errPlacesTaken ends a try that is to be repeated in a moment, of which nobody needs to be told.
var errPlacesTaken = errors.New("the places of the server are taken")

// goTo takes a place at the server of p, unless the server is left alone (errMoveWaits) or its places are taken
// (errPlacesTaken). leave gives it back and says whether the server let us in.
func (e *Engine) goTo(p *pass) (leave func(answered bool), err error) {
	server, now := serverOf(p.mode.Name, p.mailbox.URL), e.now()
	pause, who := e.pauses.enter(server, now)
	switch who {
	case nobody:
		return nil, errMoveWaits{pause.until, fmt.Errorf("the server is left alone: %w", pause.err)}
	case second:
		return nil, errMoveWaits{now.Add(spread(followDelay, p.mb.Tenant, p.mb.Person)), fmt.Errorf("another mailbox goes first: %w", pause.err)}
	}
	back, ok := e.servers.enter(server, e.limits().WorkersPerServer*max(1, p.mode.Breadth))
	if !ok {
		if who == first {
			e.pauses.tried(server, pause, false)
		}
		return nil, errPlacesTaken
	}
	return func(answered bool) {
		back()
		if who == first {
			e.pauses.tried(server, pause, answered)
		}
	}, nil
}

// saveMove changes the stored move, unless somebody has cancelled it or asked for another one meanwhile: errMoveOver.
func (e *Engine) saveMove(ctx context.Context, mv *moving, change func(*store.Move)) error {
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		m, err := stillAsked(ctx, tx, mv)
		if err != nil {
			return err
		}
		change(&m)
		mv.move = m
		return tx.PutMove(ctx, m)
	})
	if errors.Is(err, errMoveOver) {
		return err
	}
	return ours(err)
}

// stillAsked returns the move as it is stored; errMoveOver if it is not the one that is being made any more.
func stillAsked(ctx context.Context, tx *store.Tx, mv *moving) (store.Move, error) {
	m, found, err := tx.Move(ctx, mv.move.Tenant, mv.move.Person)
	if err == nil && (!found || !m.Open() || !m.Requested.Equal(mv.move.Requested)) {
		err = errMoveOver
	}
	return m, err
}

// drainTries is how often a move waits for an old server that does not answer, before it goes on without it.
const drainTries = 3

// drain has the old mode do what is still to be done, so that little is left to be found out by comparing: what changed in
// the calendar is pulled once and intents are carried out. A mailbox that the old mode cannot reach for good loses nothing
// by going on without: what both sides agreed on is known, and so is what each has changed since.
func (e *Engine) drain(ctx context.Context, mv *moving) error {
	mode, err := e.Modes.Mode(ctx, mv.person.SyncMode, mv.person.Email)
	if err != nil {
		return e.withoutOld(ctx, mv, err)
	}
	p := &pass{person: mv.person, mb: mv.mb, mode: mode}
	p.mailbox = backend.Mailbox{Address: mv.person.Email, URL: mode.MailboxURL(mv.person.SyncURL)}
	if mode.Admit != nil {
		mode.Admit(p.mailbox.URL)
	}
	if pause, paused := e.pauses.of(serverOf(mode.Name, p.mailbox.URL), e.now()); paused {
		return e.withoutOld(ctx, mv, pause.err)
	}
	if mv.mb.WaitUntil.After(e.now()) && mv.person.State.Kind == string(fault.Throttled) {
		return errMoveWaits{mv.mb.WaitUntil, fmt.Errorf("the server asked to be left alone: %w", fault.Throttled)}
	}
	leave, err := e.goTo(p)
	if err != nil {
		return err
	}
	defer func() { leave(p.answered) }()
	if mv.move.DryRun {
		_, err := mode.Backend.Probe(ctx, p.mailbox)
		if p.answered = answered(err); err != nil {
			return e.withoutOld(ctx, mv, err)
		}
		mv.old = p
		return nil
	}
	mv.caughtUp, err = e.catchUp(ctx, p)
	p.answered = answered(err)
	if _, own := errors.AsType[storeError](err); own || ctx.Err() != nil {
		return err
	}
	mv.mb, mv.new.mb = p.mb, p.mb
	if err != nil {
		return e.withoutOld(ctx, mv, err)
	}
	mv.old = p
	return nil
}

// catchUp pulls once from where the mailbox stands, and carries out what is due. whole is false if there was nothing to go on
// from.
func (e *Engine) catchUp(ctx context.Context, p *pass) (whole bool, err error) {
	if p.mb.Cursor == "" || p.person.Shadow || p.mb.TakeOver {
		// It was never read, or only looked at: there is nothing to catch up with. What is to be written waits until it is taken over.
		_, err := p.mode.Backend.Probe(ctx, p.mailbox)
		return false, err
	}
	req := backend.PullRequest{Mailbox: p.mailbox, Since: calendar.Cursor(p.mb.Cursor)}
	err = p.mode.Backend.Pull(ctx, req, func(page backend.Page) error { return e.page(ctx, p, page) })
	if p.stopped != nil {
		return false, p.stopped
	}
	if errors.Is(err, fault.StateExpired) {
		return false, nil // what the server no longer tells, the full read by the new mode shows
	}
	if err != nil {
		return false, err
	}
	if err := e.inspect(ctx, p); err != nil {
		return false, err
	}
	if _, err := e.gone(ctx, p); err != nil {
		return false, err
	}
	return true, e.carryAll(ctx, p)
}

// withoutOld goes on without the old mode if it cannot be used for good, and else after some tries.
func (e *Engine) withoutOld(ctx context.Context, mv *moving, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	switch fault.Of(cause) {
	case fault.Throttled, fault.Unavailable, fault.Internal, fault.Conflict:
		if mv.move.Tries < drainTries && !mv.move.DryRun {
			return fmt.Errorf("sync mode %s does not answer: %w", mv.person.SyncMode, &fault.Error{
				Kind: fault.Unavailable, Message: sentence(cause), After: fault.After(cause),
			})
		}
	}
	mv.note = fmt.Sprintf("sync mode %s could not be used any more (%s)", mv.person.SyncMode, sentence(cause))
	return nil
}

// linksOf returns the living links of a mailbox.
func (e *Engine) linksOf(ctx context.Context, mb store.Mailbox) ([]store.Link, error) {
	const batch = 1000
	var all []store.Link
	for after := ""; ; {
		links, err := e.Store.LinksOfPerson(ctx, mb.Tenant, mb.Person, after, batch)
		if err != nil {
			return nil, ours(err)
		}
		all = append(all, links...)
		if len(links) < batch {
			return all, nil
		}
		after = links[len(links)-1].Key
	}
}

// moveFailed stores why a move was not made. The person stays where it is and is kept in sync there. It returns when the
// move is tried again; zero if somebody must ask for it again.
func (e *Engine) moveFailed(ctx context.Context, mv *moving, cause error) (next time.Time, err error) {
	kind, r := fault.Of(cause), reactionTo(cause)
	waits, asked := errors.AsType[errMoveWaits](cause)
	err = e.saveMove(ctx, mv, func(m *store.Move) {
		m.Reason, m.Remedy = sentence(cause), ""
		switch {
		case asked:
			m.State, m.NextAt = store.MoveWaiting, waits.until
		case r.status == store.StatusWaiting && kind != fault.MailboxMoved:
			m.Tries++
			m.State = store.MoveWaiting
			m.NextAt = e.now().Add(e.wait(mv.new, reaction{}, m.Tries, fault.After(cause)))
		default:
			m.State, m.Remedy, m.NextAt, m.Finished = store.MoveAttention, remedyFor(cause, r, mv.new.mode.Auth)+"; then ask for the move again", zeroTime, e.now()
		}
		next = m.NextAt
	})
	if errors.Is(err, errMoveOver) {
		return e.now(), nil
	}
	if mv.new.mode.Name != "" && !asked && (r.server || kind == fault.Throttled && remedy.ByAll(cause)) {
		// Every try with a wrong password counts, and the others who are to move have the same one.
		until := e.now().Add(e.wait(mv.new, r, 1, fault.After(cause)))
		e.pauses.set(serverOf(mv.new.mode.Name, mv.new.mailbox.URL), pause{until: until, err: cause})
	}
	again := "when it is asked for again"
	if !next.IsZero() {
		again = next.UTC().Format(time.RFC3339)
	}
	if asked {
		e.Log.Debug("a move waits", "tenant", mv.move.Tenant, "person", mv.move.Person, "to", mv.move.To, "why", sentence(cause), "again", again)
		return next, err
	}
	e.Log.Warn("a person could not be moved to another sync mode", "tenant", mv.move.Tenant, "person", mv.move.Person,
		"to", mv.move.To, "kind", string(kind), "error", sentence(cause), "again", again)
	return next, err
}
