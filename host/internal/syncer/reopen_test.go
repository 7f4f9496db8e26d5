package syncer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestWhatWasIgnoredIsReopened(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		add := func(detail string, said []byte) {
			w.Helper()
			if err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.AddDifference(ctx, store.Difference{
					Tenant: tenant, Person: "alice", Booking: "b1", Kind: fieldsDiffer, Detail: detail, Ref: w.only(alice).Ref, Said: said,
				})
			}); err != nil {
				w.Fatal(err)
			}
		}
		decide := func(id int64, use string) error {
			w.Helper()
			return w.engine.Resolve(w.Context(), tenant, id, Resolution{Use: use})
		}
		refuses := func(err error, why string) {
			w.Helper()
			if v, ok := errors.AsType[*booking.InvalidError](err); !ok || !strings.Contains(v.Error(), why) {
				w.Errorf("%v, want it refused: %s", err, why)
			}
		}
		add("the titles differ", []byte("one"))
		list, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
		if err != nil || len(list) != 1 {
			w.Fatalf("%+v, %v", list, err)
		}
		id := list[0].ID
		refuses(decide(id, Reopen), "is open: only what was ignored")
		if err := decide(id, UseNeither); err != nil {
			w.Fatal(err)
		}
		add("the titles differ", []byte("one")) // which is not shown again
		if n := w.differences(fieldsDiffer); n != 0 {
			w.Errorf("%d are open after one was ignored", n)
		}
		if err := decide(id, Reopen); err != nil {
			w.Fatal(err)
		}
		if d, _, err := w.store.Difference(w.Context(), tenant, id); err != nil || !d.Open || d.Status != store.DifferenceOpen || !d.Ended.IsZero() {
			w.Errorf("reopened: %+v, %v", d, err)
		}

		// Ignored once more, another one tells of what they say by now.
		if err := decide(id, UseNeither); err != nil {
			w.Fatal(err)
		}
		add("the places differ", []byte("two"))
		refuses(decide(id, Reopen), "tells of the same as it is by now")
		if err := decide(id+99, Reopen); !errors.Is(err, booking.ErrNotFound) {
			w.Errorf("one that is not there: %v", err)
		}
		if w.server.writes != 1 {
			w.Errorf("%d writes", w.server.writes)
		}
	})
}
