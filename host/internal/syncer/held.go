package syncer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// mailHeldBack is what a difference is called when a write was not made because the calendar cannot make it without mail and
// nobody was to be mailed. It is closed when a write goes through, when either side changes, or by a person (Resolve).
const mailHeldBack = "mail held back"

// mailAllowed is what store.Link.Held is once a person has decided that the write is made though it mails.
var mailAllowed = []byte("mail allowed")

// stateOf stands for what both sides of a pair say. It is the same as long as neither changes.
func stateOf(in plan.Input) []byte {
	h := sha256.New()
	for _, side := range []*plan.Fields{in.Booking, in.Item} {
		data := []byte("none")
		if side != nil {
			data = saveFields(side)
		}
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(data)))
		_, _ = h.Write(size[:]) // never fails
		_, _ = h.Write(data)
	}
	return fmt.Appendf(h.Sum(nil), " %d", in.Omits)
}

// held reports whether the write to the link's item is held back. It is no longer when either side has changed: what is
// wanted now is another write. The link is not stored.
func (e *Engine) held(ctx context.Context, tx *store.Tx, l *store.Link, in plan.Input) (bool, error) {
	switch {
	case len(l.Held) == 0, bytes.Equal(l.Held, mailAllowed):
		return false, nil
	case bytes.Equal(l.Held, stateOf(in)):
		return true, nil
	}
	return false, e.letGo(ctx, tx, l)
}

// letGo ends the holding back of a write, if there is any. The link is not stored.
func (e *Engine) letGo(ctx context.Context, tx *store.Tx, l *store.Link) error {
	if len(l.Held) == 0 {
		return nil
	}
	l.Held = nil
	if l.Problem == mailHeldBack {
		l.Problem = ""
	}
	return tx.CloseDifferences(ctx, l.Tenant, l.Booking, mailHeldBack)
}

// endHeld ends an intent whose write is held back and that still mails nobody.
func (e *Engine) endHeld(ctx context.Context, tx *store.Tx, p *pair, in store.Intent) (bool, error) {
	if in.Mail != calendar.MailNobody || len(p.link.Held) == 0 {
		return false, nil
	}
	given, err := e.input(ctx, tx, p)
	if err != nil {
		return false, err
	}
	if held, err := e.held(ctx, tx, &p.link, given); err != nil || !held {
		return false, err
	}
	return true, e.dropTx(ctx, tx, in)
}

// unlessItMails holds a write back that failed because it would have mailed.
func (e *Engine) unlessItMails(ctx context.Context, p *pass, s step, err error) error {
	if _, our := errors.AsType[storeError](err); our || s.intent.Mail != calendar.MailNobody || !errors.Is(err, fault.Unsupported) {
		return err
	}
	if s.over && s.DeleteItem {
		if left, failed := e.leaveOver(ctx, p, s); failed != nil || left {
			return failed
		}
	}
	return e.holdBack(ctx, p, s, err)
}

// holdBack lays a write before a person that the calendar cannot make without mail. The pair stays as it is and in sync for
// everything else; the write is not tried again until either side changes or the person decides. Of what is over nobody needs to decide
// anything: a change of it is just not made.
func (e *Engine) holdBack(ctx context.Context, p *pass, s step, cause error) error {
	e.Log.Info("a write to a calendar was held back: it would have mailed", "tenant", s.link.Tenant, "person", s.link.Person,
		"booking", s.link.Booking, "error", cause.Error())
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		l, found, err := tx.Link(ctx, s.link.Tenant, s.link.Key)
		if err != nil || !found || l.State == store.LinkDead {
			return err
		}
		was := s.pair
		given, err := e.input(ctx, tx, &was)
		if err != nil {
			return err
		}
		quietly := s.over && !s.DeleteItem
		if l.Held = stateOf(given); !quietly {
			l.Problem = mailHeldBack
		}
		if l.Ref != "" {
			l.Sent = nil // nothing of it was written
		}
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		if _, err := tx.FinishIntent(ctx, l.Tenant, l.Key, s.intent.Wanted); err != nil {
			return err
		}
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, mailHeldBack); err != nil {
			return err
		}
		was.link = l
		what := "not changed (" + inWords(s.ItemFields) + ")"
		switch {
		case s.CreateItem:
			what = "not made"
		case s.DeleteItem:
			what = "not deleted"
		}
		if quietly {
			return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item left alone", "it is over, and the calendar cannot be written without mailing: it was "+what)
		}
		detail := fmt.Sprintf("the item was %s, because nobody was to be mailed and the calendar cannot do it without: %s (%s)", what, sentence(cause), s.intent.Cause)
		if err := e.differ(ctx, tx, &was, mailHeldBack, detail); err != nil {
			return err
		}
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, mailHeldBack, "the item was "+what)
	})
}
