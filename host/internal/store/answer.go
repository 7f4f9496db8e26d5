package store

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A BookingAnswer is what somebody invited to a booking has answered, and what the organizer's item last said of it. A calendar
// goes on saying what it once heard, so only what it says otherwise than before is news.
type BookingAnswer struct {
	Tenant, Booking string
	booking.Answer
	Heard booking.AnswerState // empty: the organizer's item has not been asked yet
}

// Answers returns the answers to a booking, sorted by address.
func (r Reads) Answers(ctx context.Context, tenant, id string) ([]BookingAnswer, error) {
	rows, err := r.q.ListAnswers(ctx, db.ListAnswersParams{Tenant: tenant, Booking: id})
	if err != nil {
		return nil, fmt.Errorf("list answers to booking %s: %w", id, err)
	}
	return mapped(rows, answerFromRow), nil
}

// Refusals returns the answers with which a resource declined, as far as they are known with a reason, the newest first.
func (r Reads) Refusals(ctx context.Context, tenant, resource string, limit int) ([]BookingAnswer, error) {
	rows, err := r.q.ListRefusals(ctx, db.ListRefusalsParams{Tenant: tenant, Resource: resource, MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list refusals of resource %s: %w", resource, err)
	}
	return mapped(rows, answerFromRow), nil
}

// answered completes bookings, sorted by id, with their answers.
func (r Reads) answered(ctx context.Context, tenant string, list []*booking.Booking) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := r.q.ListAnswersBetween(ctx, db.ListAnswersBetweenParams{
		Tenant: tenant, First: list[0].ID, Last: list[len(list)-1].ID,
	})
	if err != nil {
		return fmt.Errorf("list answers to bookings: %w", err)
	}
	by := map[string][]BookingAnswer{}
	for _, row := range rows {
		by[row.Booking] = append(by[row.Booking], answerFromRow(row))
	}
	for _, b := range list {
		b.Answers = sayings(by[b.ID])
	}
	return nil
}

// sayings leaves out what is the engine's alone.
func sayings(answers []BookingAnswer) []booking.Answer {
	if len(answers) == 0 {
		return nil
	}
	return mapped(answers, func(a BookingAnswer) booking.Answer { return a.Answer })
}

// PutAnswer writes a, in place of the earlier answer of the same address.
func (t *Tx) PutAnswer(ctx context.Context, a BookingAnswer) error {
	err := t.q.UpsertAnswer(ctx, db.UpsertAnswerParams{
		Tenant: a.Tenant, Booking: a.Booking, Address: a.Email, Resource: a.Resource, State: string(a.State), Reason: a.Reason,
		At: millis(a.At), Heard: string(a.Heard),
	})
	if err != nil {
		return fmt.Errorf("save answer to booking %s: %w", a.Booking, err)
	}
	return nil
}

// DeleteAnswer forgets what an address, in lower case, has answered.
func (t *Tx) DeleteAnswer(ctx context.Context, tenant, id, address string) error {
	err := t.q.DeleteAnswer(ctx, db.DeleteAnswerParams{Tenant: tenant, Booking: id, Address: address})
	if err != nil {
		return fmt.Errorf("forget answer to booking %s: %w", id, err)
	}
	return nil
}

func answerFromRow(row db.BookingAnswer) BookingAnswer {
	return BookingAnswer{
		Tenant: row.Tenant, Booking: row.Booking, Heard: booking.AnswerState(row.Heard),
		Answer: booking.Answer{
			Email: row.Address, Resource: row.Resource, State: booking.AnswerState(row.State), Reason: row.Reason, At: moment(row.At),
		},
	}
}
