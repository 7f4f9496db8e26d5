package store_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestAnswersComeWithTheirBooking(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		room := booking.Answer{Email: "room-a@example.com", Resource: "room-a", State: booking.AnswerDeclined, Reason: "taken", At: morning}
		person := booking.Answer{Email: "bob@example.com", State: booking.AnswerAccepted, At: morning}
		start := morning.Truncate(time.Second)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for _, id := range []string{"b1", "b2"} {
				b := &booking.Booking{Tenant: tenant, ID: id, Version: 1, Start: start, End: start.Add(time.Hour), Organizer: "alice", Status: booking.Confirmed}
				if err := tx.PutBooking(ctx, b); err != nil {
					return err
				}
			}
			for _, a := range []booking.Answer{room, person} {
				if err := tx.PutAnswer(ctx, store.BookingAnswer{Tenant: tenant, Booking: "b2", Answer: a, Heard: booking.AnswerPending}); err != nil {
					return err
				}
			}
			return tx.PutAnswer(ctx, store.BookingAnswer{Tenant: "Other", Booking: "b2", Answer: room})
		})
		want := []booking.Answer{person, room}
		b, _, err := s.Booking(t.Context(), tenant, "b2")
		if err != nil || !reflect.DeepEqual(b.Answers, want) {
			t.Errorf("answers %+v, %v; want %+v", b.Answers, err, want)
		}
		list, err := s.Bookings(t.Context(), tenant, store.BookingFilter{})
		if err != nil || len(list) != 2 || list[0].Answers != nil || !reflect.DeepEqual(list[1].Answers, want) {
			t.Errorf("list %+v, %v", list, err)
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAnswer(ctx, tenant, "b2", person.Email) })
		left, err := s.Answers(t.Context(), tenant, "b2")
		if err != nil || len(left) != 1 || left[0].Answer != room || left[0].Heard != booking.AnswerPending {
			t.Errorf("left %+v, %v", left, err)
		}
	})
}

func TestRefusalsOfARoomAreTheNewestWithAReason(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for i, a := range []booking.Answer{
				{Resource: "room-a", State: booking.AnswerDeclined, Reason: "oldest"},
				{Resource: "room-a", State: booking.AnswerDeclined, Reason: "older"},
				{Resource: "room-a", State: booking.AnswerDeclined},
				{Resource: "room-a", State: booking.AnswerAccepted, Reason: "welcome"},
				{Resource: "room-b", State: booking.AnswerDeclined, Reason: "another room"},
				{Resource: "room-a", State: booking.AnswerDeclined, Reason: "newest"},
			} {
				a.Email, a.At = a.Resource+"@example.com", morning.Add(time.Duration(i)*time.Minute)
				if err := tx.PutAnswer(ctx, store.BookingAnswer{Tenant: tenant, Booking: fmt.Sprint("b", i), Answer: a}); err != nil {
					return err
				}
			}
			return tx.PutAnswer(ctx, store.BookingAnswer{Tenant: "Other", Booking: "b", Answer: booking.Answer{
				Email: "room-a@example.com", Resource: "room-a", State: booking.AnswerDeclined, Reason: "another tenant", At: morning.Add(time.Hour),
			}})
		})
		list, err := s.Refusals(t.Context(), tenant, "room-a", 2)
		if err != nil || len(list) != 2 || list[0].Reason != "newest" || list[0].Booking != "b5" || list[1].Reason != "older" {
			t.Errorf("refusals %+v, %v", list, err)
		}
	})
}

func TestItemsOfRooms(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		item := store.RoomItem{
			Tenant: tenant, Room: "room-a", Ref: "AAMk+/=aA", UID: "u", Booking: "b", Epoch: 2, Role: store.RoomConflict, Base: []byte("x"),
			Answer: "accepted", Reason: "taken", SeenRound: 3, Due: morning, Tries: 1, Created: morning,
		}
		other := item
		other.Room, other.Ref, other.Due, other.GoneAt, other.Role = "room-b", "2", time.Time{}, morning, store.RoomSource
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.PutRoomItem(ctx, item); err != nil {
				return err
			}
			return tx.PutRoomItem(ctx, other)
		})
		got, found, err := s.RoomItem(t.Context(), tenant, "room-a", item.Ref)
		if err != nil || !found || !reflect.DeepEqual(got, item) {
			t.Errorf("item %+v, %v; want %+v", got, err, item)
		}
		for name, list := range map[string]func() ([]store.RoomItem, error){
			"due":     func() ([]store.RoomItem, error) { return s.RoomItemsDue(t.Context(), tenant, "room-a", morning, 10) },
			"unseen":  func() ([]store.RoomItem, error) { return s.RoomItemsUnseen(t.Context(), tenant, "room-a", 4) },
			"gone":    func() ([]store.RoomItem, error) { return s.RoomItemsGone(t.Context(), tenant, "room-b") },
			"uid":     func() ([]store.RoomItem, error) { return s.RoomItemsByUID(t.Context(), tenant, "u") },
			"booking": func() ([]store.RoomItem, error) { return s.RoomItemsOfBooking(t.Context(), tenant, "b") },
		} {
			want := map[string]int{"uid": 2, "booking": 2}[name]
			if rows, err := list(); err != nil || len(rows) != max(want, 1) {
				t.Errorf("%s: %+v, %v", name, rows, err)
			}
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.WakeRoomItems(ctx, tenant, store.RoomItemChoice{Booking: "b"}, morning.Add(time.Hour))
			if n != 1 {
				t.Errorf("%d items woken, want the one that is not gone", n)
			}
			return err
		})
		if at, err := s.NextRoomItem(t.Context(), tenant, "room-a"); err != nil || !at.Equal(morning.Add(time.Hour)) {
			t.Errorf("next %v, %v", at, err)
		}
	})
}
