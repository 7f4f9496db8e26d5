package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// TestEchoesOfAWriteShareAPass: what a server says right after a pass wrote waits a moment, what the booking system says
// does not, and neither what it says later.
func TestEchoesOfAWriteShareAPass(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, url string) {
		now := start
		s, err := store.Open(t.Context(), store.Options{URL: url, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		in := func(f func(ctx context.Context, tx *store.Tx) error) {
			t.Helper()
			if err := s.Tx(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		due := func() time.Duration {
			t.Helper()
			mb, _, err := s.Mailbox(t.Context(), "Default", "alice")
			if err != nil {
				t.Fatal(err)
			}
			return mb.NextDue.Sub(start)
		}
		written := func() {
			in(func(ctx context.Context, tx *store.Tx) error {
				mb, _, err := tx.Mailbox(ctx, "Default", "alice")
				if err != nil {
					return err
				}
				mb.NextDue, mb.LastPush = time.Time{}, start
				return tx.SaveMailbox(ctx, mb)
			})
		}
		in(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, directory.Person{Tenant: "Default", ID: "alice", Email: "alice@example.com", Kind: directory.KindPerson})
			return err
		})
		notice := func(ctx context.Context, tx *store.Tx) error { return tx.Notice(ctx, "Default", "alice", time.Time{}) }
		mark := func(ctx context.Context, tx *store.Tx) error {
			return tx.MarkDirty(ctx, "Default", "alice", time.Time{})
		}

		written()
		now = start.Add(10 * time.Millisecond)
		in(notice)
		in(notice)
		if got := due(); got != 100*time.Millisecond {
			t.Errorf("after two echoes due in %s", got)
		}
		in(mark)
		if got := due(); got != 10*time.Millisecond {
			t.Errorf("a booking waits for echoes: due in %s", got)
		}
		written()
		now = start.Add(time.Second)
		in(notice)
		if got := due(); got != time.Second {
			t.Errorf("a later notice is due in %s", got)
		}
	})
}
