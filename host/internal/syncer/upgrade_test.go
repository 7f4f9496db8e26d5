package syncer

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// beforeSeries is the last migration of the time when there were no series, no synced rooms and no scans.
const beforeSeries = 5

// rowsOfThatTime are a tenant's data by the tables of migration 5: alice's booking b1, which is in her calendar, her b2, which is over,
// and bob's b3, which is still to be written. The times are those of the tests' world.
var rowsOfThatTime = []string{
	person("alice", "person"), person("bob", "person"), person("carol", "person"), person("room-a", "resource"), person("room-b", "resource"),
	`INSERT INTO mailbox (tenant, person, epoch, pull_cursor, round, wanted, done, reconcile_at) VALUES
		('Default', 'alice', 1, '1', 3, 7, 7, 1795507200000), ('Default', 'bob', 1, '1', 1, 2, 1, 1795507200000), ('Default', 'carol', 1, '', 0, 0, 0, 0)`,
	`INSERT INTO booking (tenant, id, version, title, notes, start_at, end_at, all_day, zone, organizer, resources, attendees, location, busy, class,
		reminder_minutes, status, sync_disabled, sync_problem, item_expected, expected_until, span_start, span_end, created, updated, sync_off) VALUES
		('Default', 'b1', 2, 'Planning', 'the notes', 1796115600000, 1796119200000, FALSE, 'Europe/Berlin', 'alice', '["room-a"]',
			'[{"email":"bob@example.com","role":"required"}]', '', 'busy', 'public', NULL, 'confirmed', FALSE, '', FALSE, 0, 1796115600000, 1796119200000, 1795248000000, 1795248000000, FALSE),
		('Default', 'b2', 2, 'Over', '', 1796122800000, 1796126400000, FALSE, 'Europe/Berlin', 'alice', '["room-a"]',
			'[]', '', 'busy', 'public', 15, 'cancelled', FALSE, '', FALSE, 0, 1796122800000, 1796126400000, 1795248000000, 1795248000000, FALSE),
		('Default', 'b3', 1, 'Whole days', '', 1796169600000, 1796342400000, TRUE, 'Europe/Berlin', 'bob', '["room-b"]',
			'[]', '', 'busy', 'public', NULL, 'confirmed', FALSE, '', FALSE, 0, 1796166000000, 1796338800000, 1795248000000, 1795248000000, FALSE)`,
	`INSERT INTO booking_resource (tenant, resource, booking, span_start, span_end) VALUES
		('Default', 'room-a', 'b1', 1796115600000, 1796119200000), ('Default', 'room-b', 'b3', 1796166000000, 1796338800000)`,
	`INSERT INTO change_seq (tenant, seq) VALUES ('Default', 5)`,
	`INSERT INTO change (tenant, seq, kind, source, booking, version, at, data, reason) VALUES
		('Default', 1, 'created', 'api', 'b1', 1, 1795248000000, NULL, ''), ('Default', 2, 'updated', 'calendar', 'b1', 2, 1795248000000, NULL, ''),
		('Default', 3, 'created', 'api', 'b2', 1, 1795248000000, NULL, ''), ('Default', 4, 'cancelled', 'api', 'b2', 2, 1795248000000, NULL, ''),
		('Default', 5, 'created', 'api', 'b3', 1, 1795248000000, NULL, '')`,
	`INSERT INTO link (tenant, key, booking, person, epoch, state, ref, revision, base, sent, tries, seen_round, gone_at, problem, created) VALUES
		('Default', 'b1.1', 'b1', 'alice', 1, 'live', 'i000001', 'r1', BASE, NULL, 0, 3, 0, '', 1795248000000),
		('Default', 'b2.1', 'b2', 'alice', 1, 'dead', '', '', NULL, NULL, 0, 0, 0, '', 1795248000000),
		('Default', 'b3.1', 'b3', 'bob', 1, 'pending', '', '', NULL, NULL, 0, 0, 0, '', 1795248000000)`,
	`INSERT INTO intent (tenant, key, person, booking, op, mail, cause, wanted, created, not_before, failures) VALUES
		('Default', 'b3.1', 'bob', 'b3', 'create', 2, 'api', 1, 1795248000000, 0, 0)`,
	`INSERT INTO activity (tenant, person, booking, at, what, why) VALUES ('Default', 'alice', 'b1', 1795248000000, 'item made', '')`,
	`INSERT INTO difference (tenant, person, booking, at, kind, detail, ref, is_open) VALUES
		('Default', 'alice', 'b1', 1795248000000, 'copy left alone', 'a copy', 'i9', TRUE),
		('Default', 'alice', 'b2', 1795248000000, 'edit lost', 'an edit', 'i8', FALSE)`,
}

func person(id, kind string) string {
	return fmt.Sprintf(`INSERT INTO person (tenant, id, email, email_key, display_name, kind, sync_mode, sync_url, sync_disabled, conflict_behaviour, mail_on_error,
		status, fault, reason, remedy, state_since, state_until, created, updated) VALUES ('Default', '%s', '%[1]s@example.com', '%[1]s@example.com', '%s', '%s', 'Memory', '',
		%t, 'rollback', FALSE, 'ok', '', '', '', 1795248000000, 0, 1795248000000, 1795248000000)`, id,
		map[string]string{"alice": "Alice", "bob": "Bob", "carol": "Carol", "room-a": "Room A", "room-b": "Room B"}[id], kind, kind == "resource")
}

// baseOfThatTime is what alice's booking and her item last agreed on, in the words of that time.
const baseOfThatTime = `{"subject":"Planning","body":"the notes","location":"Room A","start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z",` +
	`"zone":"Europe/Berlin","busy":3,"attendees":[{"email":"bob@example.com"}],"resources":["room-a@example.com"]}`

// databaseAt opens a new database as a migration left it.
func databaseAt(t *testing.T, url string, migration int64) *sql.DB {
	t.Helper()
	driver, source, dialect, kind := "pgx", url, goose.DialectPostgres, "postgres"
	if path, sqlite := strings.CutPrefix(url, "sqlite:"); sqlite {
		driver, source, dialect, kind = "sqlite", path, goose.DialectSQLite3, "sqlite"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	files := os.DirFS(filepath.Join("..", "store", "migrations", kind))
	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	return db
}

// old opens a database with data as it was before series.
func old(t *testing.T, url string) *sql.DB {
	t.Helper()
	db := databaseAt(t, url, beforeSeries)
	base := "CAST('" + baseOfThatTime + "' AS BLOB)"
	if !strings.HasPrefix(url, "sqlite:") {
		base = "convert_to('" + baseOfThatTime + "', 'UTF8')"
	}
	for _, statement := range rowsOfThatTime {
		if _, err := db.ExecContext(t.Context(), strings.Replace(statement, "BASE", base, 1)); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	return db
}

// countsOf counts the rows of the tables that there were.
func countsOf(t *testing.T, db *sql.DB) string {
	t.Helper()
	out := ""
	for _, table := range []string{"person", "mailbox", "booking", "booking_resource", "change", "link", "intent", "activity", "difference"} {
		n := 0
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%s %d ", table, n)
	}
	return out
}

// TestADatabaseFromBeforeSeriesIsTakenOver brings a database with data of the time before series up to date: all is there, the rooms are
// held as they were, what was agreed on is still known, so that nothing is written, and what was to be written is.
func TestADatabaseFromBeforeSeriesIsTakenOver(t *testing.T) {
	t.Parallel()
	storetest.EachBare(t, func(t *testing.T, url string) {
		db := old(t, url)
		before := countsOf(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, url: url, server: newMemory(), time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		w.server.put(alice, calendar.Item{Ref: "i000001", Key: "b1.1", ForeignKey: "b1", Event: calendar.Event{
			UID: "u1", Subject: "Planning", Body: "the notes", Location: "Room A", Zone: "Europe/Berlin", Busy: calendar.Occupied, Class: calendar.Public,
			Organizer: calendar.Address{Email: alice}, Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
			Attendees: []calendar.Attendee{
				{Address: calendar.Address{Email: bob}}, {Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
			},
		}})
		w.start() // which brings it up to date
		t.Cleanup(func() { _ = w.store.Close() })
		source, driver := url, "pgx"
		if path, sqlite := strings.CutPrefix(url, "sqlite:"); sqlite {
			source, driver = path, "sqlite"
		}
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		if after := countsOf(t, db); after != before {
			t.Errorf("there were %s\nand are %s", before, after)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		b := w.booking("b1")
		if b.Version != 2 || b.Title != "Planning" || b.Notes != "the notes" || b.Series() || len(b.Exceptions) > 0 || b.External != nil ||
			b.LeadMinutes != 0 || !slices.Equal(b.Attendees, []booking.Attendee{{Email: bob, Role: booking.Required}}) {
			t.Errorf("b1 is %+v", b)
		}
		if b := w.booking("b2"); b.Status != booking.Cancelled || b.ReminderMinutes == nil || *b.ReminderMinutes != 15 {
			t.Errorf("b2 is %+v", b)
		}
		if p, found, err := w.store.Person(w.Context(), tenant, "room-a"); err != nil || !found || p.Kind != directory.KindResource || p.SyncMaster || p.Shadow {
			t.Errorf("room-a: %+v, %t, %v", p, found, err)
		}
		open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{IncludeClosed: true})
		if err != nil || len(open) != 2 || open[0].Status != store.DifferenceClosed || open[1].Status != store.DifferenceOpen {
			t.Errorf("the differences: %+v, %v", open, err)
		}

		// The rooms are held as they were, and only they.
		var taken *booking.OverlapError
		if _, err := w.tryBook("n1", by("carol")); !errors.As(err, &taken) || !slices.Contains(taken.Others, "b1") {
			t.Errorf("a booking in the way of b1: %v", err)
		}
		if _, err := w.tryBook("n2", by("carol"), ruled("FREQ=DAILY"), func(b *booking.Booking) {
			b.Resources, b.Attendees = []string{"room-b"}, nil
		}); !errors.As(err, &taken) || !slices.Contains(taken.Others, "b3") {
			t.Errorf("a series in the way of b3: %v", err)
		}
		if _, err := w.tryBook("n3", by("carol"), at(11), func(b *booking.Booking) { b.Attendees = nil }); err != nil {
			t.Errorf("where b2 was: %v", err)
		}

		// What was agreed on is still known.
		for _, full := range []bool{false, true} {
			if err := w.engine.Sync(w.Context(), tenant, "alice", full); err != nil {
				t.Fatal(err)
			}
			w.pass("alice")
		}
		if w.server.writes != 0 || len(w.server.mails) != 0 || w.booking("b1").Version != 2 {
			t.Errorf("%d writes, mails %q, version %d", w.server.writes, w.server.mails, w.booking("b1").Version)
		}
		w.server.edit(alice, "i000001", func(e *calendar.Event) { e.Subject = "Another" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Another" || b.Version != 3 || w.server.writes != 0 {
			t.Errorf("after an edit: %+v, %d writes", b, w.server.writes)
		}
		// And so is what was still to be written.
		w.pass("bob")
		if it := w.only(bob); it.Key != "b3.1" || !it.Event.AllDay || w.server.writes != 1 || !slices.Equal(w.server.mails, []string{"1 b3.1"}) { // which invites the room
			t.Errorf("bob has %+v after %d writes, mails %q", it, w.server.writes, w.server.mails)
		}
	})
}
