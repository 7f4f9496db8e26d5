package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

func openFile(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "group.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestTransactionsThatShareACommit has many write at once, some of which fail, panic or are given up: each finds its own
// work done or undone, and nobody else's touched.
func TestTransactionsThatShareACommit(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	failed := errors.New("failed")
	put := func(ctx context.Context, i int, fail func() error) (err error) {
		defer func() {
			if recover() != nil {
				err = failed
			}
		}()
		return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			p := directory.Person{Tenant: "Default", ID: fmt.Sprint(i), Email: fmt.Sprintf("p%d@example.com", i), Kind: directory.KindPerson}
			if _, err := tx.PutPerson(ctx, p); err != nil {
				return err
			}
			return fail()
		})
	}
	const many = 400
	results := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := func() error { return nil }
			switch i % 5 {
			case 1:
				end = func() error { return failed }
			case 2:
				end = func() error { panic("a defect") }
			case 3:
				end = func() error { cancel(); return nil }
			case 4:
				cancel()
			}
			results[i] = put(ctx, i, end)
		})
	}
	all.Wait()
	for i, err := range results {
		_, found, readErr := s.Person(t.Context(), "Default", fmt.Sprint(i))
		if readErr != nil {
			t.Fatal(readErr)
		}
		wantErr := i%5 != 0
		if (err != nil) != wantErr || found == wantErr {
			t.Errorf("%d: error %v, found %v", i, err, found)
		}
	}
}

// TestCommitLeftToSomebodyWhoGivesUp has a transaction leave its commit to one that waits, and is not there when its turn
// comes.
func TestCommitLeftToSomebodyWhoGivesUp(t *testing.T) {
	t.Parallel()
	for range 8 {
		s := openFile(t)
		ctx, cancel := context.WithCancel(t.Context())
		waits := make(chan error, 1)
		err := s.Tx(t.Context(), func(ctx2 context.Context, tx *store.Tx) error {
			go func() { waits <- s.Tx(ctx, func(context.Context, *store.Tx) error { return nil }) }()
			err := tx.AddActivity(ctx2, store.Activity{Tenant: "Default", Person: "a", What: "x"})
			cancel()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		<-waits
		got, err := s.Activities(t.Context(), "Default", "a", "", 10)
		if err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func BenchmarkTx(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openFile(b)
			work := make(chan struct{})
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for range work {
						err := s.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
							return tx.AddActivity(ctx, store.Activity{Tenant: "Default", Person: "a", What: "x"})
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			all.Wait()
		})
	}
}
