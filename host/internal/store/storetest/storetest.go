// Package storetest gives tests a store to work on, on SQLite and on PostgreSQL.
//
//	func TestPersonsStayApart(t *testing.T) {
//		storetest.Open(t, func(t *testing.T, s *store.Store) { … })
//	}
//
// The databases have the present tables, unless a test asks for bare ones, as those do that bring an old one up to date.
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
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/roomwire/roomwire/host/internal/store"
)

// Each runs test as a parallel subtest for every kind of database, with the URL of one of its own that has the present tables and holds nothing.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, SQLite, Postgres, test)
}

// EachBare is Each with databases that have no tables yet.
func EachBare(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, bareSQLite, func(t *testing.T) string { return newDatabase(t, cluster(t), "template1") }, test)
}

func each(t *testing.T, sqlite, postgres func(*testing.T) string, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgres(t))
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

// SQLite returns the URL of an SQLite database that has the present tables and holds nothing; its folder is removed after the test. It lies in
// memory where the system has a place for that: every commit waits for the disk otherwise, which no test is about.
func SQLite(t *testing.T) string {
	t.Helper()
	file, err := migratedSQLite()
	if err != nil {
		t.Fatalf("make the SQLite database that others are copies of: %v", err)
	}
	url := bareSQLite(t)
	if err := os.WriteFile(strings.TrimPrefix(url, "sqlite:"), file, 0o600); err != nil {
		t.Fatalf("copy SQLite database: %v", err)
	}
	return url
}

func bareSQLite(t *testing.T) string {
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

// To bring a database up to date takes longer than most tests do with it. So it is done once for each kind and test binary.
var (
	migratedSQLite = sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "roomwire-test")
		if err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		path := filepath.Join(dir, "roomwire.db")
		if err := migrate("sqlite:" + path); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	})
	migratedPostgres sync.Once
)

func migrate(url string) error {
	s, err := store.Open(context.Background(), store.Options{URL: url})
	if err != nil {
		return err
	}
	return s.Close()
}

// migratedDatabase is the one in PostgreSQL that others are copies of.
const migratedDatabase = "roomwire_migrated"

// Postgres returns the URL of a PostgreSQL database that has the present tables and holds nothing; it is dropped after the test. It skips the test
// where PostgreSQL is not installed.
func Postgres(t *testing.T) string {
	t.Helper()
	server := cluster(t)
	migratedPostgres.Do(func() {
		admin(t, server, "CREATE DATABASE "+migratedDatabase)
		if err := migrate(server.url(migratedDatabase)); err != nil {
			t.Fatalf("make the PostgreSQL database that others are copies of: %v", err)
		}
	})
	return newDatabase(t, server, migratedDatabase)
}

// newDatabase makes a copy of a database to which nobody is connected, and returns its URL.
func newDatabase(t *testing.T, server *server, template string) string {
	t.Helper()
	name := fmt.Sprintf("roomwire_%d", databases.Add(1))
	admin(t, server, "CREATE DATABASE "+name+" TEMPLATE "+template)
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
