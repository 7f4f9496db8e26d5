package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// Whoever reads a booking while an answer to it comes in gets both as they were, or both as they are.
func TestABookingIsReadWithTheAnswersOfItsVersion(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		b := meeting("b1", 9, 1, "red")
		putBooking(t, s, b)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for v := int64(2); v < 300; v++ {
				next := b.Clone()
				next.Version = v
				err := s.Tx(context.Background(), func(ctx context.Context, tx *store.Tx) error {
					if err := tx.PutBooking(ctx, next); err != nil {
						return err
					}
					return tx.PutAnswer(ctx, store.BookingAnswer{Tenant: tenant, Booking: "b1", Answer: booking.Answer{
						Email: "red@example.com", Resource: "red", State: booking.AnswerDeclined, Reason: fmt.Sprint(v),
					}})
				})
				if err != nil {
					t.Error(err)
				}
			}
		}()
		matches := func(how string, b *booking.Booking) bool {
			a, known := b.AnswerOf("red")
			if b.Version == 1 && !known || a.Reason == fmt.Sprint(b.Version) {
				return true
			}
			t.Errorf("%s: version %d with the answer of version %q", how, b.Version, a.Reason)
			return false
		}
		for ok := true; ok; {
			select {
			case <-done:
				return
			default:
			}
			list, err := s.Bookings(t.Context(), tenant, store.BookingFilter{})
			if err != nil {
				t.Error(err)
			}
			one, _, err := s.Booking(t.Context(), tenant, "b1")
			if err != nil {
				t.Error(err)
			}
			ok = matches("one", one) && !slices.ContainsFunc(list, func(b *booking.Booking) bool { return !matches("list", b) })
		}
		<-done
	})
}
