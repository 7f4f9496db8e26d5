package store

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBothDatabasesHaveTheSameTables compares the migrations, which may differ in the names of types alone.
func TestBothDatabasesHaveTheSameTables(t *testing.T) {
	t.Parallel()
	postgres, err := fs.Glob(migrations, "migrations/postgres/*.sql")
	if err != nil || len(postgres) == 0 {
		t.Fatal(postgres, err)
	}
	sqlite, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil || len(sqlite) != len(postgres) {
		t.Fatalf("%d migrations for SQLite, %d for PostgreSQL (%v)", len(sqlite), len(postgres), err)
	}
	same := strings.NewReplacer(` COLLATE "C"`, "", "BYTEA", "BLOB",
		"BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
	for _, name := range postgres {
		got := statements(t, strings.Replace(name, "postgres", "sqlite", 1))
		want := strings.Split(same.Replace(strings.Join(statements(t, name), "\n")), "\n")
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s: SQLite has %q where PostgreSQL has %q", filepath.Base(name), got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d lines for SQLite, %d for PostgreSQL", filepath.Base(name), len(got), len(want))
		}
	}
}

// statements returns the lines of a migration without comments of their own line.
func statements(t *testing.T, name string) []string {
	t.Helper()
	text, err := fs.ReadFile(migrations, name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "-- ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestQueriesAreServedByIndexes asks SQLite how it would find what is asked for often, or of large tables.
func TestQueriesAreServedByIndexes(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "plan.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, c := range map[string]struct{ sql, index string }{
		"due":      {"SELECT tenant FROM mailbox WHERE next_due > 0 AND next_due <= ?1 AND lease_until <= ?1 ORDER BY fresh DESC, next_due", "mailbox_due"},
		"dead":     {"SELECT tenant FROM mailbox WHERE lease_until > 0 AND lease_until <= ?1 ORDER BY lease_until", "mailbox_lease"},
		"email":    {"SELECT * FROM person WHERE tenant = ?1 AND email_key = ?2 AND email_key <> ''", "person_email"},
		"unseen":   {"SELECT * FROM link WHERE tenant = ?1 AND person = ?2 AND state = 'live' AND seen_round < ?3 ORDER BY key", "link_person"},
		"links":    {"SELECT * FROM link WHERE tenant = ?1 AND person = ?2 AND state <> 'dead' AND key > ?3 ORDER BY key LIMIT ?4", "link_person"},
		"ref":      {"SELECT * FROM link WHERE tenant = ?1 AND person = ?2 AND ref = ?3 AND state <> 'dead'", "link_ref"},
		"orphans":  {"SELECT * FROM link WHERE tenant = ?1 AND person = ?2 AND orphan <> '' AND key > ?3 ORDER BY key LIMIT ?4", "link_orphan"},
		"gone":     {"SELECT * FROM link WHERE tenant = ?1 AND person = ?2 AND gone_at > 0 AND state <> 'dead'", "link_gone"},
		"overlap":  {"SELECT booking FROM booking_resource WHERE tenant = ?1 AND resource = ?2 AND span_end > ?3 AND span_end <= ?4 + 172800000 AND span_end - span_start <= 172800000", "booking_resource_span"},
		"long":     {"SELECT booking FROM booking_resource WHERE tenant = ?1 AND resource = ?2 AND span_end > ?3 AND span_start < ?4 AND span_end - span_start > 172800000", "booking_resource_long"},
		"extend":   {"SELECT * FROM booking WHERE occupied_until > 0 AND occupied_until < ?1 AND status = 'confirmed' ORDER BY occupied_until LIMIT ?2", "booking_occupied"},
		"unlinked": {"SELECT * FROM booking WHERE tenant = ?1 AND organizer = ?2 AND span_end > ?3", "booking_organizer"},
		"timeline": {"SELECT * FROM activity WHERE tenant = ?1 AND person = ?2 AND (booking = ?3 OR ?3 = '') ORDER BY id DESC", "activity_person"},
	} {
		plan := explain(t, s, c.sql)
		if !strings.Contains(plan, "USING INDEX "+c.index+" ") && !strings.Contains(plan, "USING COVERING INDEX "+c.index+" ") &&
			!strings.HasSuffix(plan, "USING INDEX "+c.index) {
			t.Errorf("%s: plan is %q, want index %s", name, plan, c.index)
		}
		if strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: plan %q sorts", name, plan)
		}
	}
}

// Everybody who is listened to is read page by page, every half minute: no page may begin at the beginning.
func TestPagesOfWatchedMailboxesGoOnWhereTheLastEnded(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "plan.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text, err := os.ReadFile(filepath.Join("queries", "mailbox.sql"))
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(string(text), "-- name: ListWatched :many\n")
	query, _, _ = strings.Cut(query, ";")
	for i, name := range []string{"@after_tenant", "@after_person", "@max_rows"} {
		query = strings.ReplaceAll(query, name, "?"+strconv.Itoa(i+1))
	}
	if plan := explain(t, s, query); !strings.Contains(plan, "((tenant,person)>(?,?))") || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("plan is %q", plan)
	}
}

func explain(t *testing.T, s *Store, query string) string {
	t.Helper()
	rows, err := s.reader.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, 1, 2, 3, 4)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}
