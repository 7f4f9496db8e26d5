package metrics

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
)

// Sources are asked how things are. Store must be set; the others may be nil.
type Sources struct {
	Store   Store
	Plugins func() []supervise.PluginStatus
	// Credentials returns those by which sync modes log in.
	Credentials func() []supervise.Credential
	// Notices returns what arrived at the notification endpoint, by what it was.
	Notices func() map[string]int64
	// Watch returns how this host listens for changes.
	Watch func() Listening
	// Webhooks returns how many webhooks there are, by state.
	Webhooks func(context.Context) (map[string]int, error)
	// Ends returns when what a sync mode uses ends, by mode; only those that somebody is in.
	Ends func(context.Context) (map[string]time.Time, error)
	// StatusFrequency is how often push subscriptions show a sign of life.
	StatusFrequency func() time.Duration
	Now             func() time.Time
}

// Listening says how a host listens for changes.
type Listening struct {
	Groups         []WatchCount
	Reopened, Lost int64 // connections and subscriptions, ever
}

// A WatchCount describes the connections on which the changes of one sync mode are listened for.
type WatchCount struct {
	Mode, Way                         string
	Connections, Mailboxes, Connected int
}

// Store is what is read of the store.
type Store interface {
	QueueCounts(ctx context.Context, now time.Time) (store.QueueCounts, error)
	OldestDirty(ctx context.Context, now time.Time) (time.Time, error)
	Ways(ctx context.Context) ([]store.WayCount, error)
	States(ctx context.Context) ([]store.StateCount, error)
	Silent(ctx context.Context, before time.Time) (int64, error)
	CountMoves(ctx context.Context) ([]store.MoveCount, error)
	CountDeadMessages(ctx context.Context) (int64, error)
	CountDifferences(ctx context.Context) ([]store.DifferenceCount, error)
	CountScanParts(ctx context.Context) ([]store.ScanCount, error)
	CountQuarantine(ctx context.Context) ([]store.QuarantineCount, error)
}

// freshFor is how long what was read of the store is told again, so that many who scrape cost no more than one. In a very
// large installation it is longer, up to staleFor: as a rule a fiftieth of the time is spent reading.
const (
	freshFor = 5 * time.Second
	staleFor = time.Minute
	share    = 50
)

// scrapeTimeout bounds the reading of the store at a scrape.
const scrapeTimeout = 10 * time.Second

// Watch registers the states.
func (m *Meter) Watch(s Sources) {
	if s.Now == nil {
		s.Now = time.Now
	}
	m.registry.MustRegister(&states{Sources: s})
}

// states is a Collector of what is read at each scrape.
type states struct {
	Sources

	mu   sync.Mutex
	next time.Time // last is told until then
	last []prometheus.Metric
}

var (
	mailboxes     = desc("roomwire_mailboxes", "Mailboxes by the way in which their changes are heard of.", "way")
	oldestSub     = desc("roomwire_subscription_oldest_seconds", "Age of the oldest push subscription.", "way")
	silent        = desc("roomwire_subscriptions_silent", "Push subscriptions not heard of for twice their status interval.")
	queue         = desc("roomwire_queue_mailboxes", "Mailboxes by what they wait for: running, queued, bulk, due, later.", "state")
	oldest        = desc("roomwire_oldest_dirty_seconds", "How long the mailbox waits that waits longest for a pass it could have.")
	moves         = desc("roomwire_moves", "Persons who change or changed the sync mode, by the state of their latest move; dry runs are left out.", "state")
	persons       = desc("roomwire_persons", "Persons by the state of their sync and the kind of fault.", "status", "kind")
	pluginUp      = desc("roomwire_plugin_up", "1 while the plugin runs.", "plugin", "version")
	restarts      = desc("roomwire_plugin_restarts_total", "Starts of the plugin after its first that nobody asked for.", "plugin")
	memory        = desc("roomwire_plugin_memory_bytes", "Resident memory of the plugin's process.", "plugin")
	cpu           = desc("roomwire_plugin_cpu_seconds_total", "CPU time of the plugin's process.", "plugin")
	callTime      = desc("roomwire_plugin_call_seconds", "Time that calls of the plugin took: median and 99 % of the last ten minutes, count and sum since the start.", "plugin")
	callsFailed   = desc("roomwire_plugin_calls_failed_total", "Calls of the plugin that failed; what a server refuses counts as well.", "plugin")
	callsTimedOut = desc("roomwire_plugin_calls_timed_out_total", "Calls of the plugin that were given up because they took too long.", "plugin")
	logDropped    = desc("roomwire_plugin_log_dropped_total", "Lines of the plugin's log that were dropped because there were too many.", "plugin")
	credentials   = desc("roomwire_credential_expires_seconds", "Time until a credential of a sync mode ends, where that is known; negative when it has.", "mode", "plugin", "credential")
	notices       = desc("roomwire_notices_total", "Requests at the notification endpoint, by what they were.", "kind")
	watchConns    = desc("roomwire_watch_connections", "Connections on which changes are listened for.", "mode", "way")
	watched       = desc("roomwire_watch_mailboxes", "Mailboxes listened to, and how many of them are connected.", "mode", "way", "state")
	reopened      = desc("roomwire_watch_reopened_total", "Connections opened again to listen for changes.")
	lostSubs      = desc("roomwire_watch_lost_total", "Subscriptions that a server no longer knew.")
	hooks         = desc("roomwire_webhooks", "Outgoing webhooks by state.", "state")
	ends          = desc("roomwire_sync_mode_end_timestamp_seconds", "When what a sync mode uses ends (EWS in Exchange Online), for modes that somebody is in.", "mode")
	dead          = desc("roomwire_webhook_dead_messages", "Webhook messages given up, which somebody may send again.")
	differing     = desc("roomwire_differences_open", "Differences that are open, by their kind.", "kind")
	scanParts     = desc("roomwire_scan_mailboxes", "Mailboxes of the scans that are kept, by state: waiting, done, unchanged, failed.", "state")
	quarantined   = desc("roomwire_quarantine_waiting", "Units in quarantine that wait until somebody decides, by their kind.", "kind")
	unread        = desc("roomwire_scrape_failed", "1 if the store could not be read for this scrape.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector. The states are not described one by one, as there may be none of some.
func (s *states) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *states) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Now(); s.last == nil || !now.Before(s.next) {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		list, err := s.stored(ctx, now)
		cancel()
		failed, fresh := 0.0, min(max(freshFor, share*s.Now().Sub(now)), staleFor)
		if err != nil {
			failed, fresh = 1, freshFor
		}
		s.last, s.next = append(list, gauge(unread, failed)), now.Add(fresh)
	}
	for _, m := range s.last {
		out <- m
	}
	s.running(out)
}

// stored reads the store.
func (s *states) stored(ctx context.Context, now time.Time) ([]prometheus.Metric, error) {
	var list []prometheus.Metric
	counts, err := s.Store.QueueCounts(ctx, now)
	if err != nil {
		return list, err
	}
	for state, n := range map[string]int64{
		"running": counts.Running, "queued": counts.Queued, "bulk": counts.QueuedBulk, "due": counts.Due, "later": counts.Later,
	} {
		list = append(list, gauge(queue, float64(n), state))
	}
	since, err := s.Store.OldestDirty(ctx, now)
	if err != nil {
		return list, err
	}
	list = append(list, gauge(oldest, age(since, now)))
	ways, err := s.Store.Ways(ctx)
	if err != nil {
		return list, err
	}
	for _, w := range ways {
		list = append(list, gauge(mailboxes, float64(w.Mailboxes), w.Way))
		if !w.Oldest.IsZero() {
			list = append(list, gauge(oldestSub, age(w.Oldest, now), w.Way))
		}
	}
	people, err := s.Store.States(ctx)
	if err != nil {
		return list, err
	}
	for _, p := range people {
		list = append(list, gauge(persons, float64(p.Persons), string(p.Status), strings.ReplaceAll(p.Kind, " ", "_")))
	}
	counted, err := s.Store.CountMoves(ctx)
	if err != nil {
		return list, err
	}
	byState := map[store.MoveState]int64{}
	for _, c := range counted {
		if !c.DryRun {
			byState[c.State] += c.Persons
		}
	}
	for state, n := range byState {
		list = append(list, gauge(moves, float64(n), string(state)))
	}
	if list, err = s.compared(ctx, list); err != nil {
		return list, err
	}
	if s.StatusFrequency != nil {
		n, err := s.Store.Silent(ctx, now.Add(-2*s.StatusFrequency()))
		if err != nil {
			return list, err
		}
		list = append(list, gauge(silent, float64(n)))
	}
	n, err := s.Store.CountDeadMessages(ctx)
	if err != nil {
		return list, err
	}
	list = append(list, gauge(dead, float64(n)))
	if s.Ends != nil {
		modes, err := s.Ends(ctx)
		if err != nil {
			return list, err
		}
		for mode, at := range modes {
			list = append(list, gauge(ends, float64(at.Unix()), mode))
		}
	}
	if s.Webhooks != nil {
		states, err := s.Webhooks(ctx)
		if err != nil {
			return list, err
		}
		for state, n := range states {
			list = append(list, gauge(hooks, float64(n), state))
		}
	}
	return list, nil
}

// compared adds what the two sides do not agree on, and what waits for a person's word.
func (s *states) compared(ctx context.Context, list []prometheus.Metric) ([]prometheus.Metric, error) {
	kinds, err := s.Store.CountDifferences(ctx)
	if err != nil {
		return list, err
	}
	for _, k := range kinds {
		list = append(list, gauge(differing, float64(k.Open), strings.ReplaceAll(k.Kind, " ", "_")))
	}
	parts, err := s.Store.CountScanParts(ctx)
	if err != nil {
		return list, err
	}
	for _, p := range parts {
		list = append(list, gauge(scanParts, float64(p.Parts), string(p.State)))
	}
	units, err := s.Store.CountQuarantine(ctx)
	if err != nil {
		return list, err
	}
	for _, u := range units {
		list = append(list, gauge(quarantined, float64(u.Units), strings.ReplaceAll(u.Kind, " ", "_")))
	}
	return list, nil
}

// running asks the parts of this process.
func (s *states) running(out chan<- prometheus.Metric) {
	if s.Plugins != nil {
		for _, p := range s.Plugins() {
			up := 0.0
			if p.Running {
				up = 1
			}
			out <- gauge(pluginUp, up, p.Name, p.Version)
			out <- total(restarts, float64(p.Restarts), p.Name)
			out <- gauge(memory, float64(p.Memory), p.Name)
			out <- total(cpu, p.CPU.Seconds(), p.Name)
			out <- total(callsFailed, float64(p.Calls.Failed), p.Name)
			out <- total(callsTimedOut, float64(p.Calls.TimedOut), p.Name)
			out <- total(logDropped, float64(p.Dropped), p.Name)
			out <- prometheus.MustNewConstSummary(callTime, uint64(p.Calls.Calls), p.Calls.Total.Seconds(),
				map[float64]float64{0.5: p.Calls.P50.Seconds(), 0.99: p.Calls.P99.Seconds()}, p.Name)
		}
	}
	if s.Credentials != nil {
		for _, c := range s.Credentials() {
			if !c.Ends.IsZero() {
				out <- gauge(credentials, c.Ends.Sub(s.Now()).Seconds(), c.Mode, c.Plugin, c.What)
			}
		}
	}
	if s.Notices != nil {
		for kind, n := range s.Notices() {
			out <- total(notices, float64(n), kind)
		}
	}
	if s.Watch == nil {
		return
	}
	listening := s.Watch()
	out <- total(reopened, float64(listening.Reopened))
	out <- total(lostSubs, float64(listening.Lost))
	for _, w := range listening.Groups {
		out <- gauge(watchConns, float64(w.Connections), w.Mode, w.Way)
		out <- gauge(watched, float64(w.Mailboxes), w.Mode, w.Way, "all")
		out <- gauge(watched, float64(w.Connected), w.Mode, w.Way, "connected")
	}
}

func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func total(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}
