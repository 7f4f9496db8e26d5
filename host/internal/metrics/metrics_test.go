package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/fault"
)

var now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

type figures struct {
	err   error
	reads int
	slow  func() // called while the store is read; may be nil
}

func (f *figures) QueueCounts(context.Context, time.Time) (store.QueueCounts, error) {
	f.reads++
	if f.slow != nil {
		f.slow()
	}
	return store.QueueCounts{Running: 1, Queued: 2, QueuedBulk: 3, Due: 4, Later: 5}, f.err
}

func (f *figures) OldestDirty(context.Context, time.Time) (time.Time, error) {
	return now.Add(-7 * time.Second), nil
}

func (f *figures) Ways(context.Context) ([]store.WayCount, error) {
	return []store.WayCount{{Way: "push", Mailboxes: 9, Oldest: now.Add(-time.Hour)}, {Way: "poll", Mailboxes: 1}}, nil
}

func (f *figures) States(context.Context) ([]store.StateCount, error) {
	return []store.StateCount{{Status: store.StatusWaiting, Kind: "mailbox moved", Persons: 6}}, nil
}
func (f *figures) CountMoves(context.Context) ([]store.MoveCount, error) {
	return []store.MoveCount{
		{Tenant: "a", State: store.MoveDone, Persons: 4}, {Tenant: "b", State: store.MoveDone, Persons: 3},
		{Tenant: "b", State: store.MoveDone, DryRun: true, Persons: 9},
	}, nil
}
func (f *figures) Silent(context.Context, time.Time) (int64, error) { return 2, nil }
func (f *figures) CountDeadMessages(context.Context) (int64, error) { return 3, nil }

func (f *figures) CountDifferences(context.Context) ([]store.DifferenceCount, error) {
	return []store.DifferenceCount{{Kind: "fields differ", Open: 4}}, nil
}

func (f *figures) CountScanParts(context.Context) ([]store.ScanCount, error) {
	return []store.ScanCount{{State: store.ScanWaiting, Parts: 6}}, nil
}

func (f *figures) CountQuarantine(context.Context) ([]store.QuarantineCount, error) {
	return []store.QuarantineCount{{Kind: "calendar changes", Units: 1}}, nil
}

func scrape(t *testing.T, m *Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d: %v\n%s", w.Code, err, body)
	}
	return string(body)
}

func TestFigures(t *testing.T) {
	t.Parallel()
	f, clock := &figures{}, now
	m := New("1.2.3")
	m.Reflected("to_calendar", "Exchange2013", 80*time.Millisecond)
	m.Failed("Exchange2013", fault.Throttled, 30*time.Second)
	m.Failed("Exchange2013", fault.MailboxMoved, 0)
	m.Wrote("Exchange2013", "create", "ok")
	m.Passed("Exchange2013", time.Second)
	m.WayChanged("", "push")
	m.Requested("putBooking", 201, time.Millisecond)
	m.Watch(Sources{
		Store: f, Now: func() time.Time { return clock },
		Plugins: func() []supervise.PluginStatus {
			return []supervise.PluginStatus{{Name: "auth-ntlm", Version: "1", Running: true, Restarts: 2}}
		},
		Credentials: func() []supervise.Credential {
			return []supervise.Credential{
				{Mode: "O365", Plugin: "auth-oauth", What: "client_secret", Ends: now.Add(-time.Minute)},
				{Mode: "O365", Plugin: "auth-oauth", What: "client_secret_2"},
			}
		},
		Notices: func() map[string]int64 { return map[string]int64{"dirty": 11} },
		Watch: func() Listening {
			return Listening{Groups: []WatchCount{{Mode: "EWS1", Way: "streaming", Connections: 2, Mailboxes: 300, Connected: 200}}, Lost: 4}
		},
		Webhooks:        func(context.Context) (map[string]int, error) { return map[string]int{"failing": 1}, nil },
		StatusFrequency: func() time.Duration { return 30 * time.Minute },
		Ends: func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{"O365": time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)}, nil
		},
	})
	text := scrape(t, m)
	for _, want := range []string{
		`roomwire_build_info{version="1.2.3"} 1`,
		`roomwire_reflected_seconds_bucket{direction="to_calendar",mode="Exchange2013",le="0.1"} 1`,
		`roomwire_faults_total{kind="mailbox_moved",mode="Exchange2013"} 1`,
		`roomwire_throttled_seconds_total{mode="Exchange2013"} 30`,
		`roomwire_writes_total{mode="Exchange2013",op="create",outcome="ok"} 1`,
		`roomwire_way_changes_total{from="none",to="push"} 1`,
		`roomwire_rest_seconds_count{operation="putBooking",status="2xx"} 1`,
		`roomwire_queue_mailboxes{state="bulk"} 3`,
		`roomwire_oldest_dirty_seconds 7`,
		`roomwire_mailboxes{way="push"} 9`,
		`roomwire_subscription_oldest_seconds{way="push"} 3600`,
		`roomwire_subscriptions_silent 2`,
		`roomwire_moves{state="done"} 7`,
		`roomwire_differences_open{kind="fields_differ"} 4`,
		`roomwire_scan_mailboxes{state="waiting"} 6`,
		`roomwire_quarantine_waiting{kind="calendar_changes"} 1`,
		`roomwire_persons{kind="mailbox_moved",status="waiting"} 6`,
		`roomwire_plugin_up{plugin="auth-ntlm",version="1"} 1`,
		`roomwire_plugin_restarts_total{plugin="auth-ntlm"} 2`,
		`roomwire_credential_expires_seconds{credential="client_secret",mode="O365",plugin="auth-oauth"} -60`,
		`roomwire_notices_total{kind="dirty"} 11`,
		`roomwire_watch_mailboxes{mode="EWS1",state="connected",way="streaming"} 200`,
		`roomwire_watch_lost_total 4`,
		`roomwire_webhook_dead_messages 3`,
		`roomwire_webhooks{state="failing"} 1`,
		`roomwire_sync_mode_end_timestamp_seconds{mode="O365"} 1.8065376e+09`,
		`roomwire_scrape_failed 0`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}

	// Who scrapes twice in a row costs the store nothing; a store that fails fails no scrape.
	scrape(t, m)
	if f.reads != 1 {
		t.Errorf("the store was read %d times", f.reads)
	}
	clock, f.err = clock.Add(time.Minute), errors.New("disk on fire")
	if text := scrape(t, m); !strings.Contains(text, "roomwire_scrape_failed 1") || !strings.Contains(text, `roomwire_plugin_up{plugin="auth-ntlm"`) {
		t.Errorf("with a broken store:\n%s", text)
	}
}

// With a hundred thousand persons the store takes its time; it must not be kept busy by being looked at.
func TestAStoreThatTakesLongIsReadSeldom(t *testing.T) {
	t.Parallel()
	f, clock := &figures{}, now
	f.slow = func() { clock = clock.Add(400 * time.Millisecond) }
	m := New("1.2.3")
	m.Watch(Sources{Store: f, Now: func() time.Time { return clock }})
	for range 5 { // every five seconds
		scrape(t, m)
		clock = clock.Add(5 * time.Second)
	}
	if f.reads != 2 {
		t.Errorf("the store was read %d times in 25 seconds, want at once and after 20", f.reads)
	}
	f.slow, f.err = func() { clock = clock.Add(scrapeTimeout) }, errors.New("no answer")
	clock = clock.Add(time.Hour)
	scrape(t, m)
	f.slow, f.err = nil, nil
	clock = clock.Add(freshFor)
	if text := scrape(t, m); !strings.Contains(text, "roomwire_scrape_failed 0") {
		t.Error("a store that is back is not read again soon")
	}
}
