package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	who := guestsOf(tx, p.booking, &p.item.Event)
	for _, a := range p.item.Event.Attendees {
		row, found, err := who.PersonByEmail(ctx, p.booking.Tenant, a.Email)
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
		heard, reason := answerStates[a.Response], p.reasons[directory.FoldEmail(a.Email)]
		alone, err := e.heardAlone(ctx, tx, p, a, row.ID, next.Occurrences)
		if err != nil {
			return err
		}
		if next.Heard == heard && slices.EqualFunc(next.Occurrences, alone, time.Time.Equal) {
			continue
		}
		first, news := next.Heard == "", next.Heard != heard
		next.Email, next.Resource, next.Heard, next.Occurrences = addressOf(row, a.Email), row.ID, heard, alone
		if next.State == "" || news && next.State != heard && (heard != booking.AnswerPending || !first) {
			next.State, next.Reason = heard, ""
		}
		if reason != "" && (next.State == booking.AnswerDeclined || len(alone) > 0) {
			next.Reason = reason
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

// heardAlone returns the occurrences of a series that a room, which is invited as a, declined by themselves, as the organizer's
// item of a pair tells. Where the room's own calendar is read that one knows better: what is known stays.
func (e *Engine) heardAlone(ctx context.Context, tx *store.Tx, p *pair, a calendar.Attendee, room string, known []time.Time) ([]time.Time, error) {
	if !p.booking.Series() || a.Response == calendar.Declined {
		return nil, nil
	}
	rows, err := tx.RoomItemsByUID(ctx, p.booking.Tenant, p.item.Event.UID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(rows, func(r store.RoomItem) bool {
		return r.Room == room && r.Role == store.RoomCopy && r.GoneAt.IsZero() && !isPlaceholder(r)
	}) {
		return known, nil
	}
	return declinedIn(&p.item.Event, a.Email), nil
}

// declinedIn returns the occurrences of a series that an attendee declined by themselves.
func declinedIn(ev *calendar.Event, email string) (list []time.Time) {
	for _, x := range ev.Exceptions {
		if x.Event != nil && slices.ContainsFunc(x.Event.Attendees, func(a calendar.Attendee) bool {
			return strings.EqualFold(a.Email, email) && a.Response == calendar.Declined
		}) {
			list = append(list, x.Occurrence)
		}
	}
	return list
}

// learnReasons asks what rooms wrote that declined, by what the organizer's items of a pull say, before that is recorded: once,
// because what is recorded is not asked for again.
func (e *Engine) learnReasons(ctx context.Context, p *pass, item *calendar.Item) error {
	if item == nil || p.mode.Answers == nil || item.ReadOnly || item.Event.Cancelled {
		return nil
	}
	var known []booking.Answer
	asked := false
	for _, a := range item.Event.Attendees {
		alone := declinedIn(&item.Event, a.Email)
		if a.Response != calendar.Declined && len(alone) == 0 {
			continue
		}
		row, found, err := e.Store.PersonByEmail(ctx, p.mb.Tenant, a.Email)
		if err != nil {
			return ours(err)
		}
		if !found || row.Kind != directory.KindResource {
			continue
		}
		if !asked {
			if known, err = e.answersOf(ctx, p, item.Ref); err != nil {
				return ours(err)
			}
			asked = true
		}
		email := directory.FoldEmail(a.Email)
		i := slices.IndexFunc(known, func(k booking.Answer) bool { return k.Resource == row.ID })
		switch {
		case i < 0:
		case a.Response == calendar.Declined && known[i].State == booking.AnswerDeclined:
			continue
		case a.Response != calendar.Declined && !slices.ContainsFunc(alone, func(at time.Time) bool {
			return !slices.ContainsFunc(known[i].Occurrences, at.Equal)
		}):
			continue
		}
		if p.reasons == nil {
			p.reasons = map[calendar.Ref]map[string]string{}
		}
		if p.reasons[item.Ref] == nil {
			p.reasons[item.Ref] = map[string]string{}
		}
		if _, asked := p.reasons[item.Ref][email]; asked {
			continue
		}
		p.reasons[item.Ref][email] = e.whyDeclined(ctx, p, item, a.Email)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// answersOf returns what is known of the answers to the booking of an item.
func (e *Engine) answersOf(ctx context.Context, p *pass, ref calendar.Ref) ([]booking.Answer, error) {
	l, found, err := e.Store.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ref)
	if err != nil || !found {
		return nil, err
	}
	b, found, err := e.Store.Booking(ctx, l.Tenant, l.Booking)
	if err != nil || !found {
		return nil, err
	}
	return b.Answers, nil
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
	before, known := b.AnswerOf(a.Resource)
	if !known {
		before.State = booking.AnswerPending // that somebody was invited is no news
	}
	alone := !slices.EqualFunc(before.Occurrences, a.Occurrences, time.Time.Equal)
	news := before.State != a.State || a.Reason != "" && before.Reason != a.Reason || alone
	if a.At.IsZero() || news {
		a.At = e.now()
	}
	if known && before.Email != a.Email { // the room has another address now
		if err := tx.DeleteAnswer(ctx, a.Tenant, a.Booking, before.Email); err != nil {
			return err
		}
	}
	if err := tx.PutAnswer(ctx, a); err != nil {
		return err
	}
	b.Answers = slices.DeleteFunc(b.Answers, func(o booking.Answer) bool { return o.Email == a.Email || o.Resource == a.Resource })
	b.Answers = append(b.Answers, a.Answer)
	slices.SortFunc(b.Answers, func(x, y booking.Answer) int { return strings.Compare(x.Email, y.Email) })
	if !news {
		return nil
	}
	what := fmt.Sprintf("%s: %s", a.Resource, a.State)
	if len(a.Occurrences) > 0 {
		what += ", but declined " + datesOf(b, a.Occurrences)
	}
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
	if more := slices.ContainsFunc(missed(b, a.Answer), func(at time.Time) bool { return !slices.ContainsFunc(before.Occurrences, at.Equal) }); more {
		about := store.Link{Tenant: b.Tenant, Person: b.Organizer, Booking: b.ID}
		return e.mailOnError(ctx, tx, &about, mailNews{MailRoomDeclined, what}) // the rest of the series stands, whatever is wanted of conflicts
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
	for _, a := range b.Answers {
		list := missed(b, a)
		if a.Resource == "" || a.State == booking.AnswerDeclined || len(list) == 0 {
			continue
		}
		part := fmt.Sprintf("the room %s declined %s", a.Resource, datesOf(b, list))
		if a.Reason != "" {
			part += ": " + a.Reason
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// missed returns the occurrences that a room declined by themselves and that the booking has it for all the same.
func missed(b *booking.Booking, a booking.Answer) (list []time.Time) {
	for _, at := range a.Occurrences {
		if has, _ := roomAt(b, a.Resource, at); has {
			list = append(list, at)
		}
	}
	return list
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
// nobody is invited again; with Cancel it is cancelled and its item let go. In shadow mode, and while a calendar is taken over, it
// stands whatever that says, and nobody is mailed: the answer is perhaps an old one.
func (e *Engine) roomRefuses(ctx context.Context, tx *store.Tx, b *booking.Booking, what string) error {
	person, found, err := tx.Person(ctx, b.Tenant, b.Organizer)
	if err != nil || !found || person.Shadow {
		return err
	}
	if mb, _, err := tx.Mailbox(ctx, b.Tenant, b.Organizer); err != nil || mb.TakeOver {
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
	if err := e.wakeCopies(ctx, tx, b); err != nil {
		return err
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
