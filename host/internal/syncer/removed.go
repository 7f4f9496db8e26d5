package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Persons are removed, some by mistake: they are missing in one night's table. Their items stay in their calendars, and the links that knew them are
// orphans. When the person is back a booking that stands gets its item back (see link).

// deletePerson removes a person and keeps what the orphans need.
func (e *Engine) deletePerson(ctx context.Context, tx *store.Tx, tenant, id string) error {
	var apart []store.Link // orphans of which more is to be kept than that their person is gone
	err := eachLink(ctx, tx, tenant, id, func(l store.Link) error {
		in, wanted, err := tx.Intent(ctx, tenant, l.Key)
		if err != nil {
			return err
		}
		unseen := leftByMove(l) || l.Ref == "" && len(l.Sent) > 0 // its item is there perhaps, nobody knows where
		silent := l.State == store.LinkDeleting && l.Quarantine == 0 && (!wanted || in.Mail == calendar.MailNobody)
		if !unseen && !silent {
			return nil
		}
		kept := l
		kept.Orphan, kept.Sent, kept.Held, kept.GoneAt, kept.Problem, kept.Quarantine = store.OrphanTold, nil, nil, zeroTime, "", 0
		if silent {
			kept.Orphan = store.OrphanSilent
		}
		if unseen {
			kept.Base, kept.Sent = nil, unknownSent
		}
		if l.State == store.LinkUnclear {
			kept.Problem = ambiguousAfterMove
		}
		kept.State = store.LinkDead
		apart = append(apart, kept)
		return nil
	})
	if err != nil {
		return err
	}
	if err := tx.DeletePerson(ctx, tenant, id); err != nil {
		return err
	}
	for _, l := range apart {
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
