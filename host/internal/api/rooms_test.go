package api

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

type refusals func(resource string, limit int) ([]Refusal, error)

func (f refusals) Refusals(_ context.Context, _, resource string, limit int) ([]Refusal, error) {
	return f(resource, limit)
}

func TestRoomsAreReviewedWithWhatTheyRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	review := func() (rest.RoomReview, answer) {
		t.Helper()
		r := g.call(t, New(g.Options), "GET", "/Default/api/v1/doctor/rooms", "", "Authorization", "Bearer "+g.key)
		if r.StatusCode != 200 {
			return rest.RoomReview{}, r
		}
		return decode[rest.RoomReview](t, r.text), r
	}
	got, _ := review()
	if len(got.Rooms) != 2 || got.Rooms[0].ID != "r1" || got.Rooms[1].Email != "r2@example.com" || len(got.Rooms[0].Refusals) != 0 || len(got.Settings) < 10 {
		t.Fatalf("without refusals: %+v", got)
	}
	g.Refusals = refusals(func(resource string, limit int) ([]Refusal, error) {
		if resource != "r2" || limit != refusalsShown {
			return nil, nil
		}
		return []Refusal{{resource, "b1", noon, "there are conflicts"}, {resource, "b2", noon, "painters"}}, nil
	})
	got, _ = review()
	list := got.Rooms[1].Refusals
	if len(got.Rooms[0].Refusals) != 0 || len(list) != 2 || !slices.Contains(list[0].Settings, "AllowConflicts") || list[1].Settings == nil || len(list[1].Settings) != 0 {
		t.Errorf("with refusals: %+v", got.Rooms)
	}
	g.Refusals = refusals(func(string, int) ([]Refusal, error) { return nil, errors.New("no store") })
	if _, r := review(); r.StatusCode != 500 {
		t.Errorf("when the store fails: %d %s", r.StatusCode, r.text)
	}
}
