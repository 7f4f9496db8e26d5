package e2e

import (
	"database/sql"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// TestPushBlockedByAFirewall has Exchange, a process of its own, not get through to the host any more. Alice's push falls
// silent; bob's is tested. Both go on by streaming, and are back on push when the way is free.
func TestPushBlockedByAFirewall(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{
		store: postgres(t), process: []string{"--minute", "2s"}, sync: map[string]string{"status_frequency": `"1m"`},
	})
	db := s.database(s.read("roomwire.hcl"))
	s.onWay("push", people...)
	s.bothWaysAt("alice", deskMeeting("free", "alice", day(1, 9), desk(1)))
	s.eventually("bob's subscription is alive", func() error {
		return yes(!s.state("bob").LastHeard.IsZero(), "%+v", s.state("bob"))
	})

	s.ask(http.MethodPost, "/notifications", map[string]bool{"blocked": true}, nil)
	tested := make(chan loopTest, 1)
	go func() { tested <- s.loopTest("bob") }()

	// Twice the status frequency pass in silence, twice. The clock is not waited for: the past is made longer, again and
	// again, because a pass that is under way knows better.
	before := s.subscribes()
	s.eventually("the silence is noticed", func() error {
		s.silent(db, "alice", 3*time.Minute)
		st := s.state("alice")
		return yes(st.Way == "streaming", "%+v", st)
	})
	s.eventually("alice was subscribed to for push once more, and then for streaming", func() error {
		n := s.subscribes() - before
		return yes(n >= 2, "%d subscriptions were made", n)
	})
	s.fellTo("alice", "streaming", "nothing was heard of 2 push subscriptions in a row")
	s.bothWaysAt("alice", deskMeeting("by-streaming", "alice", day(2, 9), desk(2)))
	s.ask(http.MethodDelete, "/streams", nil, nil)
	s.bothWaysAt("alice", deskMeeting("cut", "alice", day(3, 9), desk(3)))

	// The test of the other one finds it out by itself, and has the sync go another way.
	var got loopTest
	select {
	case got = <-tested:
	case <-time.After(4 * time.Minute): // it waits for two, then looks for the reason
		t.Fatal("the test does not end")
	}
	got.wants(s, "ok configuration", "ok create", "ok change", "FAILED notification", "ok delete")
	for _, part := range []string{"no notification came", "what to do", "subscription", "URL", "TCP", "page", "message", "bob: failed"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("the test does not say %q, but:\n%s", part, got.out)
		}
	}
	s.fellTo("bob", "streaming", "the synchronisation test")
	s.bothWaysAt("bob", deskMeeting("of-bob", "bob", day(4, 9), desk(4)))

	// On probation push proves nothing as long as nothing gets through.
	s.must("sync", "now", "alice")
	s.eventually("push is tried beside streaming", func() error {
		st := s.state("alice")
		return yes(st.Way == "streaming" && st.TryWay == "push", "%+v", st)
	})
	s.bothWaysAt("alice", deskMeeting("on-probation", "alice", day(5, 9), desk(5)))

	s.ask(http.MethodPost, "/notifications", map[string]bool{"blocked": false}, nil)
	s.must("sync", "now", "alice")
	s.past(db, "bob", "climb_at", "next_due") // its hour is over
	for _, p := range []string{"alice", "bob"} {
		s.eventually(p+" is back on push", func() error {
			st := s.state(p)
			return yes(st.Way == "push" && st.WayReason == "" && st.TryWay == "" && st.Status == "ok", "%+v", st)
		})
		if last := s.timeline(p)[0]; !strings.Contains(last, "notices arrive by push") && !strings.Contains(last, "subscribed") {
			t.Errorf("the timeline of %s ends with %q", p, last)
		}
	}
	s.bothWaysAt("alice", deskMeeting("free-again", "alice", day(6, 9), desk(6)))
	s.bothWaysAt("bob", deskMeeting("bob-again", "bob", day(7, 9), desk(7)))
}

// fellTo checks what is said of somebody who is not on the best way.
func (s *site) fellTo(person, way, why string) {
	s.Helper()
	st := s.state(person)
	if st.Way != way || !strings.Contains(st.WayReason, why) || st.ClimbAt.IsZero() || st.Status != "ok" {
		s.Errorf("%s: %+v", person, st)
	}
	if shown := s.show(person); !strings.Contains(shown, "notices arrive by "+way) || !strings.Contains(shown, why) {
		s.Errorf("person show says: %s", shown)
	}
	for _, line := range s.timeline(person) {
		if strings.Contains(line, "notices arrive by "+way) && strings.Contains(line, why) {
			return
		}
	}
	s.Errorf("the timeline does not tell of it: %q", s.timeline(person))
}

// timeline is what was done for a person, the newest first.
func (s *site) timeline(person string) []string {
	s.Helper()
	var page struct {
		Items []struct {
			What    string `json:"what"`
			Why     string `json:"why"`
			Booking string `json:"booking"`
		} `json:"items"`
	}
	s.do(http.MethodGet, "/persons/"+person+"/activity", nil, &page)
	if len(page.Items) == 0 {
		s.Fatalf("the timeline of %s is empty", person)
	}
	lines := make([]string, len(page.Items))
	for i, x := range page.Items {
		lines[i] = strings.TrimSpace(x.What + " " + x.Booking + " " + x.Why)
	}
	return lines
}

func (s *site) subscribes() int {
	s.Helper()
	counts := map[string]int{}
	s.ask(http.MethodGet, "/counts", nil, &counts)
	return counts["Subscribe"]
}

// database opens the PostgreSQL database that a configuration names, beside the host.
func (s *site) database(hcl string) *sql.DB {
	s.Helper()
	_, rest, _ := strings.Cut(hcl, `url = "postgres:`)
	dsn, _, found := strings.Cut(rest, `"`)
	if !found {
		s.Fatal("the configuration names no PostgreSQL database")
	}
	db, err := sql.Open("pgx", "postgres:"+dsn)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = db.Close() })
	return db
}

// silent has the host, which runs, believe that it has not heard of a person's push subscription for so long. The host
// writes the same rows: where PostgreSQL finds the two in a deadlock, it is this statement that is made again.
func (s *site) silent(db *sql.DB, person string, by time.Duration) {
	s.Helper()
	then := time.Now().Add(-by).UnixMilli()
	for _, q := range []string{
		"UPDATE subscription SET created = LEAST(created, $1), last_heard = LEAST(last_heard, $1) WHERE person = $2",
		"UPDATE mailbox SET subscribed_at = $1, last_heard = LEAST(last_heard, $1) WHERE person = $2",
	} {
		s.exec(db, q, then, person)
	}
	s.past(db, person, "next_due")
}

// past has the times in columns of a person's mailbox come.
func (s *site) past(db *sql.DB, person string, columns ...string) {
	s.Helper()
	q := "UPDATE mailbox SET " + strings.Join(columns, " = $1, ") + " = $1 WHERE person = $2"
	s.exec(db, q, time.Now().UnixMilli(), person)
}

// exec changes rows behind the host's back, again for as long as PostgreSQL chooses it as the victim of a deadlock.
func (s *site) exec(db *sql.DB, query string, args ...any) {
	s.Helper()
	for {
		_, err := db.ExecContext(s.Context(), query, args...)
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "40P01" {
			continue
		}
		if err != nil {
			s.Fatalf("%s: %v", query, err)
		}
		return
	}
}
