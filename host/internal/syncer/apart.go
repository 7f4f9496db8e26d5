package syncer

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// setApart has only that of a change written now of which nobody is to be told, where it would be told with what else is written: a server
// is told for a whole write whom to mail, so that what was to be silent and is written late would be told together with what comes after
// it. The rest follows as a write of its own. A calendar that mails whatever is written gets all of it at once.
func (s *step) setApart(p *pass) {
	switch {
	case p.loud, s.CreateItem, s.DeleteItem, s.ItemFields == 0, s.item == nil, s.pair.reset, s.pair.veil.which != 0, len(s.link.Held) > 0:
		return
	case s.intent.Mail == calendar.MailNobody, s.pair.item.Omits != 0:
		return
	}
	first, fields := plan.Apart(*s.item, plan.Take(*s.item, s.fields, s.ItemFields), heardByAll|calendar.FieldAttendees)
	if fields == 0 {
		return
	}
	s.apart, s.fields, s.ItemFields, s.intent.Mail = true, first, fields, calendar.MailNobody
}

// updateApart writes what nobody is to be told of. What is left is planned anew.
func (e *Engine) updateApart(ctx context.Context, p *pass, s step) error {
	err := e.updateItem(ctx, p, s)
	if errors.Is(err, fault.Unsupported) {
		p.loud = true
		err = nil
	}
	if err == nil {
		err = fmt.Errorf("the rest is still to be written: %w", errStale)
	}
	return err
}
