package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// roomConflict is what a difference is called when a meeting in a room's calendar collides with a booking and stays there.
const roomConflict = "room conflict"

// declineTries is how often an answer is tried that the server refuses for its item alone.
const declineTries = 5

// canDecline reports whether the hub declines meetings in this room's calendar, and this is one.
func (s *roomSettling) canDecline() bool {
	return s.pass.person.SyncMaster && !s.own && s.pass.mode.Responder != nil
}

// refuse records that the invitation is to be declined, unless that was given up: then it is listed, and tried again only when the
// meeting is changed.
func (s *roomSettling) refuse(_ context.Context, comment string) error {
	if s.row.Role == store.RoomConflict && s.row.Reason == comment && s.base != nil && plan.Diff(*s.base, s.fields)&whenFields == 0 {
		return nil
	}
	s.row.Role, s.row.Reason, s.row.Base, s.row.Due = store.RoomDeclining, comment, saveFields(&s.fields), s.engine.now()
	return nil
}

// reconsider takes back that the item is to be declined because the room is taken, if it no longer is: nobody was told yet, for the
// item is still there. Of a series, of which one occurrence that is free is enough, all is decided anew.
func (s *roomSettling) reconsider(ctx context.Context, b *booking.Booking) error {
	if s.row.Role != store.RoomDeclining || s.row.Reason != roomNotFree {
		return nil
	}
	if s.fields.Recurrence != "" {
		s.asNew()
		return nil
	}
	if b == nil {
		b = &booking.Booking{
			Tenant: s.row.Tenant, ID: s.meetingID(), Status: booking.Confirmed, Organizer: s.organizer.ID, Zone: s.engine.Zone(s.row.Tenant),
		}
	}
	others, err := s.inTheWay(ctx, b)
	if err == nil && len(others) == 0 {
		s.asNew()
	}
	return err
}

func (s *roomSettling) asNew() {
	s.row.Role, s.row.Base, s.row.Reason, s.base = store.RoomNew, nil, "", nil
}

// decline answers an invitation in a room's calendar, as was recorded before. The server mails the organizer, once: an
// answer that was given already is not given again. A meeting that its organizer changed or called off at this very moment
// (fault.Conflict) is looked at again first.
func (e *Engine) decline(ctx context.Context, p *pass, r store.RoomItem) error {
	e.Failpoint("decline:recorded")
	outcome, err := e.respond(ctx, p, r.Ref, zeroTime, r.Reason)
	if err != nil {
		return err
	}
	return e.withRoomItem(ctx, p, r, func(ctx context.Context, tx *store.Tx, r *store.RoomItem) error {
		if r.Role != store.RoomDeclining {
			return nil
		}
		switch {
		case outcome.refusal == nil:
			r.Role, r.Due, r.Tries = store.RoomDeclined, zeroTime, 0
			if err := e.closeRoomDifferences(ctx, tx, *r, roomConflict); err != nil {
				return err
			}
			return e.record(ctx, tx, r.Tenant, r.Room, "", "meeting declined", declinedWhy(r))
		case outcome.gone:
			r.Role, r.Due = store.RoomDeclined, zeroTime
			return nil
		case outcome.never, r.Tries+1 >= declineTries:
			r.Role, r.Due = store.RoomConflict, zeroTime
			return e.differInRoom(ctx, tx, *r, roomDifference{roomConflict, "", fmt.Sprintf("%s; the meeting could not be declined: %s", r.Reason, sentence(outcome.refusal))})
		}
		r.Tries++
		r.Due = e.now().Add(min(e.limits().RetryBase<<min(r.Tries-1, 6), time.Hour))
		return nil
	})
}

// An outcome is what the server made of an answer.
type outcome struct {
	refusal     error // nil: it is given
	gone, never bool  // why: there is nothing to answer any more, or it can never be
}

// respond declines an invitation, or the occurrence at of a series. What concerns the mailbox as a whole is an error.
func (e *Engine) respond(ctx context.Context, p *pass, ref calendar.Ref, at time.Time, comment string) (outcome, error) {
	err := error(fault.Unsupported)
	if p.mode.Responder != nil {
		err = p.mode.Responder.Respond(ctx, backend.Reaction{
			Mailbox: p.mailbox, Ref: ref, Occurrence: at, Response: calendar.Declined, Comment: comment,
		})
	}
	e.Failpoint("decline:answered")
	o := outcome{
		refusal: err, gone: errors.Is(err, fault.NotFound),
		never: errors.Is(err, fault.Unsupported) || errors.Is(err, fault.Invalid),
	}
	if err != nil && !o.gone && !o.never && mailboxWide(err) {
		return o, err
	}
	p.carried = p.carried || err == nil
	return o, nil
}

// declinedWhy says why a meeting was declined, and when it is: nobody can look it up in the room's calendar any more.
func declinedWhy(r *store.RoomItem) string {
	f, err := loadFields(r.Base)
	if err != nil || f == nil {
		return r.Reason
	}
	return fmt.Sprintf("%s It was to be %s.", r.Reason, takesPlace(f))
}

// which says whose meeting it is and when, so that somebody can find it: what it is about is nobody's business.
func (s *roomSettling) which() string {
	ev := &s.item.Event
	at := takesPlace(&plan.Fields{Start: ev.Start, AllDay: ev.AllDay, Recurrence: ev.Recurrence})
	if s.own {
		return "an appointment made in the room's calendar itself, " + at
	}
	return "the meeting of " + ev.Organizer.Email + ", " + at
}

// takesPlace says when an item is.
func takesPlace(f *plan.Fields) string {
	text := "on " + f.Start.UTC().Format("2006-01-02 15:04 UTC")
	if f.AllDay {
		text = "on " + f.Start.Format(time.DateOnly)
	}
	if f.Recurrence != "" {
		text += ", a series from then on"
	}
	return text
}

// A roomDifference is what is laid before a person about an item of a room's calendar.
type roomDifference struct {
	kind    string
	booking string // that it is about; empty: the item's own
	detail  string
}

func (e *Engine) differInRoom(ctx context.Context, tx *store.Tx, r store.RoomItem, d roomDifference) error {
	if d.booking == "" {
		d.booking = r.Booking
	}
	advice := advised[d.kind]
	return tx.AddDifference(ctx, store.Difference{
		Tenant: r.Tenant, Person: r.Room, Booking: d.booking, At: e.now(), Kind: d.kind, Detail: d.detail, Ref: r.Ref, Open: true,
		Newer: store.SideUnknown, Recommend: advice.side, Why: advice.why,
	})
}

// closeRoomDifferences closes what was laid before a person about an item; an empty kind stands for all of them.
func (e *Engine) closeRoomDifferences(ctx context.Context, tx *store.Tx, r store.RoomItem, kind string) error {
	open, err := tx.Differences(ctx, r.Tenant, store.DifferenceFilter{Person: r.Room, Kind: kind})
	if err != nil {
		return err
	}
	for _, d := range open {
		if d.Ref == r.Ref {
			if _, err := tx.EndDifference(ctx, d.Tenant, d.ID, store.DifferenceClosed); err != nil {
				return err
			}
		}
	}
	return nil
}

// readdressRoomDifferences has what is laid before a person about an item be about the one that took its place.
func (e *Engine) readdressRoomDifferences(ctx context.Context, tx *store.Tx, old store.RoomItem, ref calendar.Ref) error {
	open, err := tx.Differences(ctx, old.Tenant, store.DifferenceFilter{Person: old.Room})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(open) { // the newest stays the newest
		if d.Ref == old.Ref {
			d.Ref = ref
			if err := tx.AddDifference(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// clock says when an item is, to whoever made it: by the clock of its own zone.
func clock(ev *calendar.Event) string {
	if ev.AllDay {
		return ev.Start.Format(time.DateOnly)
	}
	zone, err := time.LoadLocation(ev.Zone)
	if err != nil || ev.Zone == "" {
		zone = time.UTC
	}
	return fmt.Sprintf("%s (%s)", ev.Start.In(zone).Format("2006-01-02 15:04"), zone)
}

// takenBy names the bookings in the way.
func takenBy(others []string) string { return (&booking.OverlapError{Others: others}).Where() }
