// Package metrics shows Prometheus how the sync is doing. Nothing is labelled by person, tenant or booking: labels are
// sync modes, plugins, ways and kinds, of which there are few.
//
// What happens is counted where it happens, through a Meter; how things are is read from the store and the running parts
// at every scrape, at most once in a few seconds.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roomwire/roomwire/sdk/fault"
)

// buckets of times from a change to its reflection, in seconds: from within one process to the clock's poll.
var buckets = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}

// A Meter counts what happens. Its methods do not block, and are safe for concurrent use.
type Meter struct {
	registry  *prometheus.Registry
	reflected *prometheus.HistogramVec
	faults    *prometheus.CounterVec
	throttled *prometheus.CounterVec
	writes    *prometheus.CounterVec
	passes    *prometheus.HistogramVec
	ways      *prometheus.CounterVec
	requests  *prometheus.HistogramVec
}

// New returns a Meter and registers it, with the figures of the process and of Go.
func New(version string) *Meter {
	m := &Meter{
		registry: prometheus.NewRegistry(),
		reflected: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "roomwire_reflected_seconds",
			Help:    "Time from a change on one side until the other side has it: direction to_calendar from the booking's change to the written item, to_booking from the item's change to the change feed.",
			Buckets: buckets,
		}, []string{"direction", "mode"}),
		faults: counter("roomwire_faults_total", "Passes over a mailbox that failed, by kind of fault.", "mode", "kind"),
		throttled: counter("roomwire_throttled_seconds_total",
			"Time that mailboxes were told to wait by a busy server.", "mode"),
		writes: counter("roomwire_writes_total", "Writes to calendars: op create, update, delete; outcome ok, repeated, conflict, failed.",
			"mode", "op", "outcome"),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "roomwire_pass_seconds", Help: "Time that passes over one mailbox took.", Buckets: buckets,
		}, []string{"mode"}),
		ways: counter("roomwire_way_changes_total", "Mailboxes whose way of hearing of changes was changed.", "from", "to"),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "roomwire_rest_seconds", Help: "Time that REST requests took, by operation and class of status.", Buckets: buckets,
		}, []string{"operation", "status"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "roomwire_build_info", Help: "1, with the version as a label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.reflected, m.faults, m.throttled, m.writes, m.passes, m.ways, m.requests,
	)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Reflected records that a change of one side reached the other.
func (m *Meter) Reflected(direction, mode string, took time.Duration) {
	m.reflected.WithLabelValues(direction, mode).Observe(max(0, took.Seconds()))
}

// Failed records that a pass failed, and how long the server asked to be left alone; zero if it did not.
func (m *Meter) Failed(mode string, kind fault.Kind, wait time.Duration) {
	m.faults.WithLabelValues(mode, strings.ReplaceAll(string(kind), " ", "_")).Inc()
	if kind == fault.Throttled {
		m.throttled.WithLabelValues(mode).Add(max(0, wait.Seconds()))
	}
}

// Wrote records a write to a calendar.
func (m *Meter) Wrote(mode, op, outcome string) { m.writes.WithLabelValues(mode, op, outcome).Inc() }

// Passed records how long a pass took.
func (m *Meter) Passed(mode string, took time.Duration) {
	m.passes.WithLabelValues(mode).Observe(took.Seconds())
}

// WayChanged records that notices of a mailbox arrive in another way from now on.
func (m *Meter) WayChanged(from, to string) { m.ways.WithLabelValues(named(from), named(to)).Inc() }

// Requested records a REST request.
func (m *Meter) Requested(operation string, status int, took time.Duration) {
	class := string(rune('0'+status/100)) + "xx"
	m.requests.WithLabelValues(operation, class).Observe(took.Seconds())
}

// Handler serves the figures in Prometheus' formats.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, EnableOpenMetrics: true, Registry: m.registry,
	})
}

func named(way string) string {
	if way == "" {
		return "none"
	}
	return way
}
