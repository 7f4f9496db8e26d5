package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

const tenant = "Default"

// tx runs f in a transaction that must succeed.
func tx(t *testing.T, s *store.Store, f func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := s.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// must returns what a read found.
func must[T any](t *testing.T) func(v T, ok bool, err error) T {
	return func(v T, ok bool, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Fatalf("no such %T", v)
		}
		return v
	}
}

func person(id string) directory.Person {
	return directory.Person{
		Tenant: tenant, ID: id, Email: id + "@example.com", DisplayName: strings.ToUpper(id), Kind: directory.KindPerson,
		SyncMode: "Exchange2013", SyncURL: "https://mail.example.com/EWS/Exchange.asmx",
		ConflictBehaviour: directory.Rollback, MailOnError: true,
	}
}

func addPerson(t *testing.T, s *store.Store, ids ...string) {
	t.Helper()
	tx(t, s, func(ctx context.Context, tx *store.Tx) error {
		for _, id := range ids {
			if _, err := tx.PutPerson(ctx, person(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestOpenKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		addPerson(t, s, "alice")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := storetest.New(t, store.Options{URL: url}) // migrates nothing, and finds everything
		if got := must[store.PersonRow](t)(again.Person(t.Context(), tenant, "alice")); got.Person != person("alice") {
			t.Errorf("person after reopening = %+v, want %+v", got.Person, person("alice"))
		}
	})
}

func TestASecondProcessIsRefusedOnSQLite(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	first, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), store.Options{URL: url})
	var used *store.InUseError
	if !errors.As(err, &used) {
		t.Fatalf("second Open = %v, want InUseError", err)
	}
	if _, err := strconv.Atoi(used.PID); err != nil || !strings.Contains(used.Error(), used.PID) {
		t.Errorf("error %q does not name the other process", used)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.New(t, store.Options{URL: url}) // free again
}

func TestSQLitePathsMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "räume & more? #1 100%.d", "room wire.db")
	s := storetest.New(t, store.Options{URL: "sqlite:" + path})
	addPerson(t, s, "alice")
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "room wire.db*")); err != nil || len(files) < 2 {
		t.Errorf("files beside the database = %v, %v", files, err)
	}
}

func TestOpenExplainsABadURLWithoutThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "sqlite:", "mysql://root:hunter2@db/roomwire", "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1",
		"postgres://u:hunter2@host:notaport/x", "postgres://127.0.0.1:1/x?user=u&password=hunter2",
	} {
		_, err := store.Open(t.Context(), store.Options{URL: url})
		if err == nil {
			t.Errorf("Open(%q) succeeded", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %q, which holds the password", url, err)
		}
	}
}

func TestAFailedTransactionLeavesNoTrace(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		boom := errors.New("boom")
		called := false
		run := func(f func()) error {
			return s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				tx.OnCommit(func() { called = true })
				if _, err := tx.PutPerson(ctx, person("alice")); err != nil {
					return err
				}
				f()
				return boom
			})
		}
		if err := run(func() {}); !errors.Is(err, boom) {
			t.Errorf("Tx = %v, want boom", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = run(func() { panic("bang") })
		}()
		ended, cancel := context.WithCancel(t.Context())
		err := s.Tx(ended, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, person("alice"))
			cancel()
			return err
		})
		if err == nil {
			t.Error("a transaction whose context had ended was committed")
		}
		if _, ok, err := s.Person(t.Context(), tenant, "alice"); ok || err != nil {
			t.Errorf("person after rollback = %v, %v; want none", ok, err)
		}
		if called {
			t.Error("OnCommit ran without a commit")
		}
		addPerson(t, s, "alice") // and the connection is usable
	})
}

func TestATransactionWithinATransactionIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, _ *store.Tx) error {
			if err := s.Tx(ctx, func(context.Context, *store.Tx) error { return nil }); err == nil {
				t.Error("the inner transaction ran")
			}
			return nil
		})
	})
}

func TestReadsOutsideSeeNothingBeforeTheCommit(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.PutPerson(ctx, person("alice")); err != nil {
				return err
			}
			if _, ok, err := tx.Person(ctx, tenant, "alice"); !ok || err != nil {
				t.Errorf("within: %v, %v; want the person", ok, err)
			}
			_, ok, err := s.Person(ctx, tenant, "alice")
			if ok || err != nil {
				t.Errorf("outside: %v, %v; want nobody", ok, err)
			}
			return nil
		})
	})
}

// clock is a clock that stands still between settings.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }
