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

var zeroTime time.Time

// errStopped ends a pass whose mailbox was changed under it, or whose deletions are held back.
var errStopped = errors.New("pass stopped")

// An Outcome is what a pass came to.
type Outcome struct {
	Clean bool      // whatever was wanted when it began is dealt with
	Next  time.Time // when another pass is due though nobody asks; zero: not at all
}

// A pass is the work on one mailbox, from Pass to its Outcome.
type pass struct {
	person  store.PersonRow
	mb      store.Mailbox
	mode    Mode
	mailbox backend.Mailbox
	// suspects are items that bear the key of a link whose own item lies elsewhere: moved, or a copy.
	suspects []suspect
	ladder   ladder // of ways to learn of changes
	noPush   error  // the server did not grant a subscription; whether it does anything at all, the pull tells
	stopped  error  // a fault of our own that ended the pull
	carried  bool   // something was written to the calendar
	advanced bool   // something is done that the next pass need not do again
	after    *pause // the server was left alone, and this is the first pass since
	answered bool   // the server let us in, whatever it said then
	// shadowAgain is when a calendar in shadow mode is read again, because something changed in it just after it was read.
	shadowAgain time.Time
	// items are those of a room's calendar as they were pulled, so that they need not be read again.
	items   map[calendar.Ref]*calendar.Item
	reasons map[calendar.Ref]map[string]string // what rooms wrote that declined an item, by their addresses
	mass    int64                              // the unit of the quarantine into which changes of bookings go from now on; 0: none
	changes int                                // of bookings, by the calendar
	// begun: the full read under way, or done, has told of nothing before this pass; told: it has told of an item by now, whoever's.
	begun, told bool
	// missed: some of the items that are held as gone were met where the mailbox was reached before.
	missed bool
	loud   bool  // the calendar mails whatever is changed, as was seen in this pass
	wanted int64 // the reasons to look at the mailbox that there were at the beginning
}

// isRoom reports whether the mailbox is that of a room or another resource.
func (p *pass) isRoom() bool { return p.person.Kind == directory.KindResource }

// inPass runs f in one write transaction of a pass. It begins with p.mb as the store has it by then, so that what others
// wanted of the mailbox meanwhile is not undone; f changes p.mb and saves it. ErrMoved ends a pass whose mailbox lies
// elsewhere by now: whatever it learnt is about another calendar.
func (e *Engine) inPass(ctx context.Context, p *pass, f func(ctx context.Context, tx *store.Tx) error) error {
	before, suspects := p.mb, len(p.suspects)
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		mb, found, err := tx.Mailbox(ctx, before.Tenant, before.Person)
		switch {
		case err != nil:
			return err
		case !found, mb.Epoch != before.Epoch:
			return fmt.Errorf("mailbox of %s: %w", before.Person, store.ErrMoved)
		}
		p.mb, p.suspects = mb, p.suspects[:suspects]
		return f(ctx, tx)
	})
	if err != nil {
		p.mb = before
	}
	return ours(err)
}

// Pass does whatever one mailbox needs now: subscribe, pull, decide, carry out. Faults of server, network and rights
// become the person's state and an Outcome that says when to try again; an error is a fault of our own store.
func (e *Engine) Pass(ctx context.Context, tenant, person string) (Outcome, error) {
	out, moved, err := e.carryMove(ctx, tenant, person)
	if !moved && err == nil {
		move := out.Next
		out, err = e.pass(ctx, tenant, person)
		if out.Next = earliest(out.Next, move); err == nil && !out.Clean {
			out.Next, err = e.moveSoon(ctx, tenant, person, out.Next)
		}
	}
	if errors.Is(err, store.ErrMoved) {
		return Outcome{Next: e.now()}, nil // what was done concerned the mailbox as it was
	}
	return out, err
}

func (e *Engine) pass(ctx context.Context, tenant, person string) (Outcome, error) {
	p, out, err := e.begin(ctx, tenant, person)
	if p == nil {
		return out, err
	}
	server := serverOf(p.mode.Name, p.mailbox.URL)
	pause, who := e.pauses.enter(server, e.now())
	switch who {
	case nobody:
		return e.trouble(ctx, p, pause.err, pause.until)
	case second:
		return Outcome{Next: e.now().Add(spread(followDelay, tenant, person))}, nil
	case first:
		p.after = &pause
		defer func() { e.pauses.tried(server, pause, p.answered) }()
	}
	leave, ok := e.servers.enter(server, e.limits().WorkersPerServer*max(1, p.mode.Breadth))
	if !ok {
		return Outcome{Next: e.now().Add(busyServerDelay)}, nil
	}
	defer leave()
	attempt, cancel := e.limit(ctx)
	defer cancel()
	began := time.Now()
	err = e.work(attempt, p)
	p.answered = answered(err)
	e.Meter.Passed(p.mode.Name, time.Since(began))
	if err != nil && attempt.Err() != nil && ctx.Err() == nil && p.advanced {
		return Outcome{Next: e.now()}, nil // too much for one pass, but no failure: the next one goes on
	}
	return e.conclude(ctx, p, err)
}

func (e *Engine) conclude(ctx context.Context, p *pass, err error) (Outcome, error) {
	switch {
	case err == nil, errors.Is(err, errStopped):
		return e.finish(ctx, p)
	case ctx.Err() != nil:
		return Outcome{}, ctx.Err() // the host is stopping: the pass is repeated at its next start
	}
	if _, ours := errors.AsType[storeError](err); ours {
		return Outcome{}, err
	}
	if reactionTo(err).status == store.StatusAttention {
		if failed := e.endScans(ctx, p.mb.Tenant, p.mb.Person, sentence(err)); failed != nil {
			return Outcome{}, failed
		}
	}
	return e.trouble(ctx, p, err, zeroTime)
}

// begin loads what a pass needs; p is nil when there is nothing to do.
func (e *Engine) begin(ctx context.Context, tenant, person string) (p *pass, out Outcome, err error) {
	row, found, err := e.Store.Person(ctx, tenant, person)
	if err != nil || !found {
		return nil, Outcome{Clean: true}, err
	}
	mb, found, err := e.Store.Mailbox(ctx, tenant, person)
	if err != nil || !found {
		return nil, Outcome{Clean: true}, err
	}
	p = &pass{person: row, mb: mb, wanted: mb.Wanted}
	if row.SyncDisabled || row.Email == "" || row.SyncMode == "" || p.isRoom() && !e.RoomSync(tenant) {
		if err := e.endScans(ctx, tenant, person, unsynced(row, true)); err != nil {
			return nil, Outcome{}, err
		}
		return nil, Outcome{Clean: true}, e.switchedOff(ctx, p)
	}
	now := e.now()
	if mb.WaitUntil.After(now) {
		return nil, Outcome{Next: mb.WaitUntil}, nil
	}
	mode, err := e.Modes.Mode(ctx, row.SyncMode, row.Email)
	if err != nil {
		p.mode.Auth = mode.Auth
		out, err := e.trouble(ctx, p, err, zeroTime)
		return nil, out, err
	}
	url := mode.MailboxURL(row.SyncURL)
	p.mode, p.mailbox = mode, backend.Mailbox{Address: row.Email, URL: url}
	if mode.Admit != nil {
		mode.Admit(url)
	}
	return p, Outcome{}, nil
}

// switchedOff makes the state of a person without sync true: no subscription, nothing due.
func (e *Engine) switchedOff(ctx context.Context, p *pass) error {
	reason := "sync is switched off for this person"
	switch {
	case p.person.SyncDisabled:
	case p.isRoom() && !e.RoomSync(p.mb.Tenant):
		reason = "the calendars of rooms are not synchronized here (rooms { sync = true } switches that on); they are booked and invited"
	case p.person.Email == "":
		reason = "there is no mail address, so there is no calendar to keep"
	default:
		reason = "no sync mode is set"
	}
	if p.person.State.Status == store.StatusDisabled && p.person.State.Reason == reason && p.mb.Way == "" && p.mb.TryWay == "" {
		return nil
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if err := e.leavePush(ctx, tx, &p.mb); err != nil {
			return err
		}
		e.stand(tx, &p.mb, "", "")
		p.mb.ClimbAt, p.mb.Falls = zeroTime, 0
		p.mb.NextDue, p.mb.WaitUntil = zeroTime, zeroTime
		if err := tx.SaveMailbox(ctx, p.mb); err != nil {
			return err
		}
		return tx.SetPersonState(ctx, p.mb.Tenant, p.mb.Person, store.PersonState{Status: store.StatusDisabled, Reason: reason, Since: e.now()})
	})
}

// work is one pass against a server that lets us.
func (e *Engine) work(ctx context.Context, p *pass) error {
	if p.person.State.Status != store.StatusOK {
		if _, err := p.mode.Backend.Probe(ctx, p.mailbox); err != nil {
			return err
		}
	}
	if err := e.arrange(ctx, p); err != nil {
		return err
	}
	if p.person.Shadow {
		if err := e.endScans(ctx, p.mb.Tenant, p.mb.Person, unsynced(p.person, true)); err != nil {
			return ours(err)
		}
		return e.shadow(ctx, p)
	}
	if !p.isRoom() {
		if err := e.takeOver(ctx, p); err != nil {
			return err
		}
		if err := e.linkAll(ctx, p); err != nil {
			return err
		}
	}
	if err := e.pull(ctx, p); err != nil {
		return err
	}
	if err := e.takenOver(ctx, p); err != nil {
		return err
	}
	if p.noPush != nil {
		if err := e.refuse(ctx, p, sentence(p.noPush)); err != nil {
			return err
		}
	}
	if p.isRoom() {
		return e.room(ctx, p)
	}
	if err := e.inspect(ctx, p); err != nil {
		return err
	}
	held, err := e.gone(ctx, p)
	if err != nil {
		return err
	}
	if err := e.carryAll(ctx, p); err != nil {
		return err
	}
	if err := e.scan(ctx, p); err != nil {
		return err
	}
	if held {
		return errStopped
	}
	return nil
}

// linkAll links what is not linked yet when a mailbox is read in full: at its first pass, after a switch, daily. It takes orphans up before.
func (e *Engine) linkAll(ctx context.Context, p *pass) error {
	if !e.reconcileDue(p) {
		return nil
	}
	if err := e.takeUpOrphans(ctx, p); err != nil {
		return err
	}
	for {
		n, err := e.LinkUnlinked(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil {
			return storeError{err}
		}
		if n == 0 {
			return nil
		}
	}
}

// finish stores the state after a pass that went through.
func (e *Engine) finish(ctx context.Context, p *pass) (Outcome, error) {
	now := e.now()
	var out Outcome
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		intent, waiting, err := tx.NextIntent(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil {
			return err
		}
		for _, kind := range p.mended() {
			if _, err := tx.ResumeMode(ctx, p.person.SyncMode, p.mode.Domain, kind); err != nil {
				return err
			}
		}
		if err := e.withdraw(ctx, tx, p); err != nil {
			return err
		}
		p.mb.LastPull, p.mb.Failures, p.mb.WaitUntil = now, 0, zeroTime
		if p.carried {
			p.mb.LastPush = now
		}
		if p.mb.Way == wayPoll {
			p.mb.PollAt = now.Add(e.limits().PollInterval)
		}
		state := store.PersonState{Status: store.StatusOK, Reason: wayReason(p.mb), Since: now}
		if p.person.Shadow {
			state.Reason = shadowReason(p.mb.Person)
		}
		units, err := tx.Quarantines(ctx, p.mb.Tenant, store.QuarantineFilter{Person: p.mb.Person, State: store.QuarantineWaiting})
		if err != nil {
			return err
		}
		switch {
		case p.mb.HeldDeletions > 0:
			state = heldState(p.mb.HeldDeletions, now)
			switch {
			case p.isRoom():
				state.Remedy = roomHeldRemedy
			case p.missed:
				state.Remedy = missedRemedy
			}
		case len(units) > 0:
			state = e.unitsState(units)
		}
		if err := tx.SetPersonState(ctx, p.mb.Tenant, p.mb.Person, state); err != nil {
			return err
		}
		p.mb.NextDue = earliest(e.due(p, now), p.shadowAgain)
		if waiting && !p.person.Shadow {
			if intent.Before(now) {
				intent = now // came while the pass ran: at once
			}
			p.mb.NextDue = earliest(p.mb.NextDue, intent)
		}
		if p.isRoom() {
			item, err := tx.NextRoomItem(ctx, p.mb.Tenant, p.mb.Person)
			if err != nil {
				return err
			}
			p.mb.NextDue = earliest(p.mb.NextDue, item)
		}
		out = Outcome{Clean: true, Next: p.mb.NextDue}
		return tx.SaveMailbox(ctx, p.mb)
	})
	return out, err
}

// mended returns which kinds of fault everybody else of the mode waits for in vain after this pass.
func (p *pass) mended() (kinds []fault.Kind) {
	if p.person.State.Kind == string(fault.Unauthorized) {
		kinds = append(kinds, fault.Unauthorized) // the credentials are good again, and they are everybody's
	}
	if p.after != nil && fault.Of(p.after.err) == fault.Forbidden {
		kinds = append(kinds, fault.Forbidden)
	}
	return kinds
}

// answered reports whether err says nothing against going to the server with other mailboxes.
func answered(err error) bool {
	if _, ours := errors.AsType[storeError](err); ours {
		return false
	}
	switch fault.Of(err) {
	case fault.Unauthorized:
		return false
	case fault.Unavailable: // nobody knows, unless it was we who stopped
		return errors.Is(err, errStopped)
	case fault.Forbidden, fault.Throttled:
		return !remedy.ByAll(err)
	}
	return true
}

// due is the earliest moment at which the mailbox needs a pass though nobody asks.
func (e *Engine) due(p *pass, now time.Time) time.Time {
	if p.mb.ReconcileAt.IsZero() {
		return now // somebody wants a full read, and the one under way was another
	}
	next := earliest(e.wayDue(p, now), p.mb.ReconcileAt)
	switch p.mb.Way {
	case wayPoll:
		next = earliest(next, p.mb.PollAt)
	case wayStreaming, wayPull:
		// Should nobody listen and nobody notice, it is read as often as one whose push subscription is renewed.
		next = earliest(next, now.Add(spread(e.limits().SubscriptionInterval, p.mb.Tenant, p.mb.Person)))
	}
	return next
}

// earliest returns the earliest of the times that are set.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func heldState(n int, now time.Time) store.PersonState {
	return store.PersonState{
		Status: store.StatusAttention, Kind: "mass deletion", Since: now,
		Reason: fmt.Sprintf("%s vanished from the calendar at once, or since it has another address; the bookings are kept until somebody decides", plural(n, "item", "items")),
		Remedy: "approve the deletions (roomwire sync approve), or have the items made again (roomwire sync restore)",
	}
}

const roomHeldRemedy = "see that the room's address is the right one (roomwire person set --email), or else approve what vanished (roomwire sync approve), " +
	"or keep the bookings (roomwire sync restore)"

const missedRemedy = "see that the mailbox's address, URL and sync mode are the right ones (roomwire person set), or else cancel the bookings whose items are missing " +
	"(roomwire sync approve), or have the items made again (roomwire sync restore)"

// storeError marks a fault of our own store: the pass is repeated, the person's state says nothing of it.
type storeError struct{ error }

// Unwrap makes errors.Is see the cause.
func (s storeError) Unwrap() error { return s.error }

// ours marks err as a fault of our own unless it is nil.
func ours(err error) error {
	if err == nil {
		return nil
	}
	return storeError{err}
}

// mailboxWide reports whether a fault concerns the whole mailbox, so that going on with its next item makes no sense.
func mailboxWide(err error) bool {
	switch fault.Of(err) {
	case fault.Throttled, fault.Unavailable, fault.Unauthorized, fault.Forbidden, fault.MailboxNotFound, fault.MailboxMoved, fault.Internal:
		return true
	}
	return false
}
