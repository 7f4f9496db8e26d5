package exchange

import (
	"context"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// inviting says what a series is to be to which nobody is invited yet.
type inviting struct {
	want     calendar.Event
	revision string // the first write is made only if the series still is at it; empty: whatever it is at
}

// unfinished reports whether an item lacks the marker that goes with the invitation: what a create was cut off from.
func unfinished(m calendar.Mutation, now backend.Item) bool {
	return m.ForeignKey == "" || now.ForeignKey == ""
}

// begun reports whether an item is one that a create of ours was cut off from: nobody has been told anything of it.
func begun(m calendar.Mutation, now backend.Item) bool {
	return m.ForeignKey != "" && now.ForeignKey == ""
}

// invite writes the exceptions of a series, of which nobody is told, then its guests, who get one invitation that has all of it, and
// then the guests of single occurrences who are others. Whatever it is cut off from is found lacking. The foreign marker comes with the
// guests: an item that has it was sent, so that its guests are missing because somebody took them off.
func (b *Backend) invite(ctx context.Context, m calendar.Mutation, now backend.Item, x inviting) (backend.Item, error) {
	if _, err := toEWS(x.want, series.Guests); err != nil {
		return now, err
	}
	if len(now.Event.Attendees) > 0 {
		return now, series.InvitedMeanwhile(m.Mailbox)
	}
	fields := changedPeople(now.Event, x.want, series.Guests)
	known := now.Event
	if begun(m, now) { // whoever is in its exceptions was put there by us, and may be another by now
		known.Exceptions = nil
	}
	early := excepting{want: series.Early(known, x.want, true), revision: x.revision, early: true}
	written, err := b.exceptWith(ctx, m, now, early)
	if err != nil {
		return now, err
	}
	id := ews.ItemID{ID: string(now.Ref), ChangeKey: now.Revision}
	if len(written) > 0 {
		got, err := b.ews.GetItems(ctx, m.Mailbox, []string{id.ID}, b.markers())
		if err == nil {
			err = got[0].Err
		}
		if err != nil {
			return now, standing(err)
		}
		its, err := b.fromEWS(m.Mailbox, &got[0].Item)
		if err != nil {
			return now, err
		}
		if len(its.Event.Attendees) > 0 {
			return now, series.InvitedMeanwhile(m.Mailbox)
		}
		id.ChangeKey = got[0].Item.ChangeKey
	}
	if m.ForeignKey != "" && now.ForeignKey == "" {
		fields = append(fields, ews.Named(valued(b.foreign, m.ForeignKey)))
	}
	if _, err := b.ews.UpdateItem(ctx, m.Mailbox, id, fields, ews.All); err != nil {
		return now, err
	}
	if now, err = b.readOne(ctx, m.Mailbox, id.ID); err != nil {
		return now, standing(err)
	}
	m.Mail = calendar.MailConcerned // everybody has been told of the rest
	if written, err = b.exceptWith(ctx, m, now, excepting{want: x.want}); err != nil || len(written) == 0 {
		return now, err
	}
	if now, err = b.readAgain(ctx, m.Mailbox, now, written); err != nil {
		return now, standing(err)
	}
	return now, nil
}
