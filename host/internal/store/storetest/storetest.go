// Package storetest gives tests a store to work on, on SQLite and on PostgreSQL.
//
//	func TestPersonsStayApart(t *testing.T) {
//		storetest.Open(t, func(t *testing.T, s *store.Store) { … })
//	}
//
// PostgreSQL is started from the programs that Debian installs, in a temporary folder, once per test binary, and ends
// with it. Where it is not installed those subtests are skipped, and say so.
package storetest

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/roomwire/roomwire/host/internal/store"
)

// Each runs test as a parallel subtest for every kind of database, with the URL of an empty one of its own.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// Open runs test as a parallel subtest for every kind of database, with a store on an empty one of its own. The store is
// closed after the test.
func Open(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	Each(t, func(t *testing.T, url string) { test(t, New(t, store.Options{URL: url})) })
}

// New opens a store, which is closed after the test.
func New(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// SQLite returns the URL of an SQLite database that does not exist yet; its folder is removed after the test. It lies in
// memory where the system has a place for that: every commit waits for the disk otherwise, which no test is about.
func SQLite(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "roomwire-test")
	if err != nil {
		return "sqlite:" + filepath.Join(t.TempDir(), "roomwire.db")
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove folder of database: %v", err)
		}
	})
	return "sqlite:" + filepath.Join(dir, "roomwire.db")
}

// Postgres returns the URL of an empty PostgreSQL database, which is dropped after the test. It skips the test where
// PostgreSQL is not installed.
func Postgres(t *testing.T) string {
	t.Helper()
	server := cluster(t)
	name := fmt.Sprintf("roomwire_%d", databases.Add(1))
	admin(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	return server.url(name)
}

var databases atomic.Int64

func admin(t *testing.T, s *server, statement string) {
	t.Helper()
	ctx := context.Background() // also called when the test's own context has ended
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A server is a running PostgreSQL.
type server struct {
	socket, user string
	stdin        io.Closer // kept, because the server ends when it is closed
}

func (s *server) url(database string) string {
	q := url.Values{"host": {s.socket}, "user": {s.user}}
	return "postgres:///" + database + "?" + q.Encode()
}
