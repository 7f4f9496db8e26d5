package store_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestMovesAreKept(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		s := storetest.New(t, store.Options{URL: url})
		at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		m := store.Move{
			Tenant: "t", Person: "a", From: "O365", To: "Microsoft365", URL: "https://graph.example.com/v1.0", Lenient: true,
			State: store.MoveRunning, Reason: "why", Remedy: "what", Report: []byte(`{"links":1}`), Tries: 2, NextAt: at, Requested: at, Started: at,
		}
		dry := store.Move{Tenant: "t", Person: "b", From: "O365", To: "Microsoft365", DryRun: true, State: store.MoveDone, Requested: at, Finished: at}
		alien := store.Move{Tenant: "u", Person: "a", State: store.MoveWaiting, Requested: at}
		err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for _, one := range []store.Move{{Tenant: "t", Person: "a", State: store.MoveDone}, m, dry, alien} {
				if err := tx.PutMove(ctx, one); err != nil {
					return err
				}
			}
			_, err := tx.PutPerson(ctx, directory.Person{Tenant: "t", ID: "a", Email: "a@example.com", Kind: directory.KindPerson})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, found, err := s.Move(t.Context(), "t", "a"); err != nil || !found || !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, %v, %v; want %+v", got, found, err, m)
		}
		for name, tc := range map[string]struct {
			filter store.MoveFilter
			want   []store.Move
		}{
			"all":        {store.MoveFilter{}, []store.Move{m, dry}},
			"by state":   {store.MoveFilter{State: store.MoveDone}, []store.Move{dry}},
			"first page": {store.MoveFilter{Limit: 1}, []store.Move{m}},
			"next page":  {store.MoveFilter{Limit: 1, After: "a"}, []store.Move{dry}},
		} {
			if got, err := s.Moves(t.Context(), "t", tc.filter); err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, tc.want)
			}
		}
		counts, err := s.CountMoves(t.Context())
		want := []store.MoveCount{
			{Tenant: "t", State: store.MoveDone, DryRun: true, Persons: 1}, {Tenant: "t", State: store.MoveRunning, Persons: 1},
			{Tenant: "u", State: store.MoveWaiting, Persons: 1},
		}
		if err != nil || !reflect.DeepEqual(counts, want) {
			t.Errorf("counts = %+v, %v; want %+v", counts, err, want)
		}
		if err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, "t", "a") }); err != nil {
			t.Fatal(err)
		}
		if got, found, err := s.Move(t.Context(), "t", "a"); err != nil || found {
			t.Errorf("the move outlived its person: %+v, %v", got, err)
		}
	})
}
