package syncer

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// How many other sync modes are asked for a mailbox that is not where it was, and how long one may take.
const (
	mostElsewhere    = 4
	elsewhereTimeout = 30 * time.Second
)

// elsewhere returns the sync mode by which a mailbox can be reached that its own mode does not find; one without a name if
// there is none.
// It is asked once for each pass that fails so, and those come ever more seldom.
func (e *Engine) elsewhere(ctx context.Context, p *pass, kind fault.Kind) Mode {
	if kind != fault.MailboxMoved && kind != fault.MailboxNotFound || e.ModeNames == nil || p.mode.Name == "" || ctx.Err() != nil {
		return Mode{}
	}
	if m, found, err := e.Store.Move(ctx, p.mb.Tenant, p.mb.Person); err != nil || found && m.Open() {
		return Mode{} // it is being moved already
	}
	asked := 0
	for _, name := range e.ModeNames() {
		mode, err := e.Modes.Mode(ctx, name, p.person.Email)
		if err != nil || mode.Name == p.mode.Name || mode.URL == "" {
			continue
		}
		server := serverOf(mode.Name, mode.URL)
		if _, paused := e.pauses.of(server, e.now()); paused {
			continue
		}
		if asked++; asked > mostElsewhere {
			return Mode{}
		}
		if mode.Admit != nil {
			mode.Admit(mode.URL)
		}
		limited, cancel := context.WithTimeout(ctx, elsewhereTimeout)
		_, err = mode.Backend.Probe(limited, backend.Mailbox{Address: p.person.Email, URL: mode.URL})
		cancel()
		if err == nil {
			mode.Name = name // that of the sync mode: a person's is never that of what holds for a mail domain
			return mode
		}
		if r := reactionTo(err); r.server {
			// Every try with a wrong password counts.
			e.pauses.set(server, pause{until: e.now().Add(e.wait(p, r, 1, fault.After(err))), err: err})
		}
	}
	return Mode{}
}

// offer lays before an administrator that a person's mailbox can be reached by another mode, or has the person moved there where that
// is wanted; for rooms see followRoom. It returns what to do about it.
func (e *Engine) offer(ctx context.Context, tx *store.Tx, p *pass, to Mode) (remedy string, err error) {
	before, found, err := tx.Move(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return "", err
	}
	remedy = fmt.Sprintf("the mailbox is reachable by sync mode %s: roomwire person move --to %s %s", to.Name, to.Name, p.mb.Person)
	same := found && before.To == to.Name
	if found && before.Open() || same && (before.State == store.MoveOffered || before.State == store.MoveAttention) {
		return remedy, nil
	}
	m := store.Move{
		Tenant: p.mb.Tenant, Person: p.mb.Person, From: p.person.SyncMode, To: to.Name, URL: to.URL, State: store.MoveOffered,
		Reason: "the mailbox was found there", Requested: e.now(),
	}
	if same && before.DryRun && before.State == store.MoveDone { // what it found still holds, and somebody is about to read it
		m.Reason, m.Report = m.Reason+"; a dry run found "+before.Reason, before.Report
	}
	if e.limits().FollowMoves && (!same || before.State != store.MoveCancelled) {
		m.State = store.MoveWaiting
		remedy = fmt.Sprintf("nothing: the mailbox was found by sync mode %s, and the person is being moved there", to.Name)
	}
	return remedy, tx.PutMove(ctx, m)
}

// withdraw takes an offer back: the mailbox is found where it was.
func (e *Engine) withdraw(ctx context.Context, tx *store.Tx, p *pass) error {
	if k := fault.Kind(p.person.State.Kind); k != fault.MailboxMoved && k != fault.MailboxNotFound {
		return nil
	}
	m, found, err := tx.Move(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil || !found || m.State != store.MoveOffered {
		return err
	}
	return tx.DropMove(ctx, p.mb.Tenant, p.mb.Person)
}
