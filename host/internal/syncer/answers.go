package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// changeAnswered is the kind of an entry of the change feed that tells an answer.
const changeAnswered = "answered"

var answerStates = map[calendar.Response]booking.AnswerState{
	calendar.NoResponse: booking.AnswerPending, calendar.Accepted: booking.AnswerAccepted,
	calendar.TentativelyAccepted: booking.AnswerTentative, calendar.Declined: booking.AnswerDeclined,
}

// hear takes over what the organizer's item of a pair says of the answers of its booking's rooms and people. An item goes on saying
// what it once heard, also when the room itself tells otherwise by then: only what is new is taken over.
func (e *Engine) hear(ctx context.Context, tx *store.Tx, p *pair) error {
	if p.booking == nil || p.item == nil || p.item.Omits.Any(calendar.FieldResources) {
		return nil
	}
	known, err := tx.Answers(ctx, p.booking.Tenant, p.booking.ID)
	if err != nil {
		return err
	}
	for _, a := range p.item.Event.Attendees {
		row, found, err := tx.PersonByEmail(ctx, p.booking.Tenant, a.Email)
		if err != nil {
			return err
		}
		if !found || row.Kind != directory.KindResource {
			if err := e.hearAttendee(ctx, tx, p.booking, known, a); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(p.booking.Resources, row.ID) {
			continue
		}
		next := store.BookingAnswer{Tenant: p.booking.Tenant, Booking: p.booking.ID}
		if i := slices.IndexFunc(known, func(k store.BookingAnswer) bool { return k.Resource == row.ID }); i >= 0 {
			next = known[i]
		}
		heard := answerStates[a.Response]
		if next.Heard == heard {
			continue
		}
		first := next.Heard == ""
		next.Email, next.Resource, next.Heard = directory.FoldEmail(a.Email), row.ID, heard
		if next.State != heard && (next.State == "" || heard != booking.AnswerPending || !first) {
			next.State, next.Reason = heard, ""
		}
		if err := e.answer(ctx, tx, p.booking, next); err != nil {
			return err
		}
		if p.booking.Status == booking.Cancelled {
			p.booking = nil // by the organizer's conflict behaviour
			return nil
		}
	}
	return nil
}

// hearAttendee takes over what the organizer's item says of one of the people invited. It is told in the change feed, changes
// nothing else, and nothing of it is written back.
func (e *Engine) hearAttendee(ctx context.Context, tx *store.Tx, b *booking.Booking, known []store.BookingAnswer, a calendar.Attendee) error {
	email, heard := directory.FoldEmail(a.Email), answerStates[a.Response]
	if !b.Invites(email) {
		return nil
	}
	before := booking.AnswerPending // that somebody was invited is no news
	if i := slices.IndexFunc(known, func(k store.BookingAnswer) bool { return k.Resource == "" && k.Email == email }); i >= 0 {
		before = known[i].State
	}
	if before == heard {
		return nil
	}
	next := store.BookingAnswer{
		Tenant: b.Tenant, Booking: b.ID, Answer: booking.Answer{Email: email, State: heard, At: e.now()}, Heard: heard,
	}
	if err := tx.PutAnswer(ctx, next); err != nil {
		return err
	}
	b.Answers = slices.DeleteFunc(b.Answers, func(o booking.Answer) bool { return o.Email == email })
	b.Answers = append(b.Answers, next.Answer)
	slices.SortFunc(b.Answers, func(x, y booking.Answer) int { return strings.Compare(x.Email, y.Email) })
	what := fmt.Sprintf("%s: %s", email, heard)
	if err := e.tellAnswer(ctx, tx, b, what); err != nil || b.Organizer == "" {
		return err
	}
	return e.record(ctx, tx, b.Tenant, b.Organizer, b.ID, "attendee answered", what)
}

// answer stores what a room of a booking has answered, and tells of it if it is news. The booking is brought up to date.
func (e *Engine) answer(ctx context.Context, tx *store.Tx, b *booking.Booking, a store.BookingAnswer) error {
	before, known := b.Answer(a.Email)
	if !known {
		before.State = booking.AnswerPending // that somebody was invited is no news
	}
	news := before.State != a.State || a.Reason != "" && before.Reason != a.Reason
	if a.At.IsZero() || news {
		a.At = e.now()
	}
	if err := tx.PutAnswer(ctx, a); err != nil {
		return err
	}
	b.Answers = slices.DeleteFunc(b.Answers, func(o booking.Answer) bool { return o.Email == a.Email })
	b.Answers = append(b.Answers, a.Answer)
	slices.SortFunc(b.Answers, func(x, y booking.Answer) int { return strings.Compare(x.Email, y.Email) })
	if !news {
		return nil
	}
	what := fmt.Sprintf("%s: %s", a.Resource, a.State)
	if a.Reason != "" {
		what += ": " + a.Reason
	}
	if !b.SyncDisabled {
		b.SyncProblem = declinedProblem(b)
	}
	if err := e.tellAnswer(ctx, tx, b, what); err != nil {
		return err
	}
	if b.Organizer == "" {
		return e.record(ctx, tx, b.Tenant, a.Resource, b.ID, "room answered", what)
	}
	if err := e.record(ctx, tx, b.Tenant, b.Organizer, b.ID, "room answered", what); err != nil {
		return err
	}
	if a.State != booking.AnswerDeclined || known && before.State == booking.AnswerDeclined {
		return nil
	}
	return e.roomRefuses(ctx, tx, b, what)
}

// declinedProblem says which rooms of a booking declined; empty if none did.
func declinedProblem(b *booking.Booking) string {
	var parts []string
	for _, a := range b.Declined() {
		if !slices.Contains(b.Resources, a.Resource) {
			continue
		}
		part := fmt.Sprintf("the room %s declined", a.Resource)
		if a.Reason != "" {
			part += ": " + a.Reason
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// tellAnswer makes an answer an entry of the change feed. The booking says something else to who reads it, so it gets the
// next version.
func (e *Engine) tellAnswer(ctx context.Context, tx *store.Tx, b *booking.Booking, what string) error {
	b.Version++
	b.Updated = e.now()
	if err := tx.PutBooking(ctx, b); err != nil {
		return err
	}
	data, err := e.Render(b)
	if err != nil {
		return fmt.Errorf("booking %q for the change feed: %w", b.ID, err)
	}
	_, err = tx.AppendChange(ctx, store.ChangeRecord{
		Tenant: b.Tenant, Kind: changeAnswered, Source: sourceCalendar, Booking: b.ID, Version: b.Version, At: b.Updated, Data: data,
		Reason: what,
	})
	return err
}

// roomRefuses carries out the organizer's conflict behaviour: with Rollback the booking stands, with its problem, and
// nobody is invited again; with Cancel it is cancelled and its item let go. In shadow mode it stands whatever that says.
func (e *Engine) roomRefuses(ctx context.Context, tx *store.Tx, b *booking.Booking, what string) error {
	person, found, err := tx.Person(ctx, b.Tenant, b.Organizer)
	if err != nil || !found || person.Shadow {
		return err
	}
	about := store.Link{Tenant: b.Tenant, Person: b.Organizer, Booking: b.ID}
	if conflictBehaviour(person) != directory.Cancel {
		return e.mailOnError(ctx, tx, &about, mailNews{MailRoomDeclined, what})
	}
	if err := e.mailOnError(ctx, tx, &about, mailNews{MailRoomCancelled, what}); err != nil {
		return err
	}
	old := b.Clone()
	b.Status = booking.Cancelled
	if err := e.save(ctx, tx, old, b, sourceCalendar, "a room declined: "+what); err != nil {
		return err
	}
	links, err := tx.LinksOfBooking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	for i := range links {
		if links[i].State != store.LinkDead && links[i].State != store.LinkDeleting {
			if err := e.bury(ctx, tx, &links[i]); err != nil {
				return err
			}
		}
	}
	return e.record(ctx, tx, b.Tenant, b.Organizer, b.ID, "booking cancelled", "a room declined: "+what)
}

// forgetAnswers forgets the answers of rooms that a booking no longer has, and of people whom it no longer invites.
func forgetAnswers(ctx context.Context, tx *store.Tx, b *booking.Booking) error {
	var stay []booking.Answer
	for _, a := range b.Answers {
		if a.Resource == "" && b.Invites(a.Email) || a.Resource != "" && slices.Contains(b.Resources, a.Resource) {
			stay = append(stay, a)
			continue
		}
		if err := tx.DeleteAnswer(ctx, b.Tenant, b.ID, a.Email); err != nil {
			return err
		}
	}
	b.Answers = stay
	return nil
}
