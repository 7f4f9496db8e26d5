package syncer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// answers takes over what the room has answered, if that is new.
func (s *roomSettling) answers(ctx context.Context, b *booking.Booking) error {
	state := answerStates[s.item.Response]
	if s.own {
		state = booking.AnswerAccepted
	}
	known, _ := b.AnswerOf(s.pass.person.ID)
	alone, err := s.declinedAlone(ctx, b, known.Occurrences)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(known.Occurrences, alone, time.Time.Equal)
	if string(state) == s.row.Answer && same {
		return nil
	}
	a := roomAnswer{room: s.pass.person, state: state, occurrences: alone}
	if string(state) == s.row.Answer {
		a.state, a.reason = known.State, known.Reason
	}
	s.row.Answer = string(state)
	return s.engine.roomAnswers(ctx, s.tx, b, a)
}

// A roomAnswer is what a room has answered by what its own calendar says.
type roomAnswer struct {
	room   store.PersonRow
	state  booking.AnswerState
	reason string
	// occurrences are those of a series that it declined by themselves.
	occurrences []time.Time
	// heard is what the organizer's item says of it meanwhile, which is no news when that is read the next time; empty: not known.
	heard booking.AnswerState
}

func (e *Engine) roomAnswers(ctx context.Context, tx *store.Tx, b *booking.Booking, r roomAnswer) error {
	known, err := tx.Answers(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	a := store.BookingAnswer{Tenant: b.Tenant, Booking: b.ID}
	if i := slices.IndexFunc(known, func(k store.BookingAnswer) bool { return k.Resource == r.room.ID }); i >= 0 {
		a = known[i]
	}
	a.Email, a.Resource, a.State, a.Reason, a.Occurrences = strings.ToLower(r.room.Email), r.room.ID, r.state, r.reason, r.occurrences
	if r.heard != "" {
		a.Heard = r.heard
	}
	return e.answer(ctx, tx, b, a)
}
