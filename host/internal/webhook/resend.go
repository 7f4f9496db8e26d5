package webhook

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/store"
)

// Test sends a message of type webhook.test now. A nil error means that the other side took it; ErrNotFound that there is
// no such webhook; another one says for people why it did not get through.
func (s *Service) Test(ctx context.Context, tenant, id string) error {
	w, found, err := s.Store.Webhook(ctx, tenant, id)
	if err == nil && !found {
		err = notFound(id)
	}
	if err != nil {
		return err
	}
	return s.send(ctx, w, s.trial(w))
}

// Resend sends a dead message once more and forgets it if the other side takes it; else the error says for people why it
// did not get through. It is sent out of order, with the webhook-id of before. The error may be ErrNotFound.
func (s *Service) Resend(ctx context.Context, tenant, id string, seq int64) error {
	w, found, err := s.Store.Webhook(ctx, tenant, id)
	if err == nil && !found {
		err = notFound(id)
	}
	if err != nil {
		return err
	}
	dead, err := s.Store.DeadMessages(ctx, w, seq-1, 1)
	if err != nil {
		return err
	}
	if len(dead) == 0 || dead[0].Seq != seq {
		return fmt.Errorf("dead message %d of webhook %q: %w", seq, id, ErrNotFound)
	}
	return s.resend(ctx, w, dead[0])
}

// ResendAll sends all dead messages of a webhook once more, in the order of their changes, until one does not get through;
// the error says why. It returns how many did. The error may be ErrNotFound.
func (s *Service) ResendAll(ctx context.Context, tenant, id string) (sent int, err error) {
	w, found, err := s.Store.Webhook(ctx, tenant, id)
	if err == nil && !found {
		err = notFound(id)
	}
	for after := int64(0); err == nil; {
		var dead []store.DeadMessage
		if dead, err = s.Store.DeadMessages(ctx, w, after, batch); err != nil || len(dead) == 0 {
			break
		}
		for _, d := range dead {
			if err = s.resend(ctx, w, d); err != nil {
				return sent, err
			}
			sent, after = sent+1, d.Seq
		}
	}
	return sent, err
}

func (s *Service) resend(ctx context.Context, w store.Webhook, d store.DeadMessage) error {
	c, kept, err := s.Store.Change(ctx, w.Tenant, d.Seq)
	if err != nil {
		return err
	}
	if !kept {
		return fmt.Errorf("change %d is so old that it is no longer kept: read the booking instead", d.Seq)
	}
	m, err := s.message(w, c)
	if err != nil {
		return err
	}
	failed := s.send(ctx, w, m)
	if failed != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	err = s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if failed == nil {
			_, err := tx.DropDeadMessage(ctx, w.Tenant, w.ID, d.Seq)
			return err
		}
		d.Attempts++
		d.At, d.Problem = s.now(), failed.Error()
		return tx.AddDeadMessage(ctx, d)
	})
	if err != nil {
		return err
	}
	return failed
}
