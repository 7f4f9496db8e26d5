package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// An SQLite database belongs to one process, so whoever opens it knows that the one before is dead.
func TestDutiesOfADeadHostAreFreeAtOnceOnSQLite(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "duty.db")
	take := func(s *store.Store, holder string) (mine bool) {
		t.Helper()
		tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
			mine, err = tx.TakeDuty(ctx, "webhooks", holder, tx.Now().Add(time.Minute))
			return err
		})
		return mine
	}
	first := storetest.New(t, store.Options{URL: url})
	if !take(first, "first") || take(first, "other") {
		t.Fatal("a duty is not one host's alone")
	}
	if err := first.Close(); err != nil { // without giving it back
		t.Fatal(err)
	}
	if second := storetest.New(t, store.Options{URL: url}); !take(second, "second") {
		t.Error("the next host has to wait until the duty of the dead one runs out")
	}
}
