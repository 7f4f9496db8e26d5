// Package doctor examines an installation: what is well, what is not, and what to do about it. It changes nothing.
package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Level says how grave a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and will not for ever, or not for everybody
	Error   Level = "error"   // something does not work
)

// A Finding is one line of a report.
type Finding struct {
	Area   string `json:"area"` // configuration, plugins, credentials, store, queue, server, notifications, persons, host, …
	Name   string `json:"name"` // of what was examined, e.g. a sync mode with its server
	Level  Level  `json:"level"`
	What   string `json:"what"`             // one sentence
	Remedy string `json:"remedy,omitempty"` // what to do; empty with OK
}

// A Report lists what was found, by area.
type Report struct {
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
}

// Worst is the gravest level of the findings.
func (r Report) Worst() Level {
	worst := OK
	for _, f := range r.Findings {
		if f.Level == Error || f.Level == Warning && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// Store is what the doctor reads of the store.
type Store interface {
	Ping(ctx context.Context) error
	QueueCounts(ctx context.Context, now time.Time) (store.QueueCounts, error)
	OldestDirty(ctx context.Context, now time.Time) (time.Time, error)
	Ways(ctx context.Context) ([]store.WayCount, error)
	States(ctx context.Context) ([]store.StateCount, error)
	Silent(ctx context.Context, before time.Time) (int64, error)
	Modes(ctx context.Context) ([]store.ModeCount, error)
	Samples(ctx context.Context, m store.ModeCount, limit int) ([]store.PersonRow, error)
	Webhooks(ctx context.Context, tenant string) ([]store.Webhook, error)
	CountDeadMessages(ctx context.Context) (int64, error)
}

// A Pause is a server that is left alone for a while.
type Pause struct {
	Server string // MODE@HOST
	Until  time.Time
	Kind   fault.Kind
	Reason string
}

// A Group is what one connection listens for.
type Group struct {
	Server, Way     string // MODE@HOST; streaming or pull
	Meant, Listened int    // mailboxes
	Connected       bool
	Problem         string // what went wrong last; empty if nothing since
}

// An Unread is a sync mode in which it may not be read what rooms write when they decline.
type Unread struct{ Mode, Why string }

// Options are what a Doctor works with. Config must be set; what else is nil is not examined.
type Options struct {
	Config func() *config.Config
	Reload func() (*config.Config, config.Diagnostics) // reads the files as they are now
	// Settings holds a configuration's plugin settings against what the plugins declare.
	Settings func(context.Context, *config.Config) config.Diagnostics
	Running  bool // a host runs, and this is it
	Started  time.Time
	Version  string
	DataDir  string

	Catalog func() ([]supervise.Entry, error)
	Plugins func() []supervise.PluginStatus
	// Credentials lists those by which sync modes log in, with their ends.
	Credentials func() []supervise.Credential
	Store       Store
	// Probe tries a mailbox of a sync mode, as the sync does.
	Probe func(ctx context.Context, mode string, m backend.Mailbox) (backend.Status, error)
	// Pauses lists the servers that are left alone.
	Pauses func() []Pause
	// Unread lists the sync modes in which it may not be read what rooms write.
	Unread func() []Unread
	// Watch lists the groups of mailboxes that are listened to by this host.
	Watch func() []Group
	// Untrusted counts the messages at the notification endpoint that bore no living token.
	Untrusted func() int64

	Now     func() time.Time
	Timeout time.Duration // of one check; zero: 15 s
}

// A Doctor examines. It is safe for concurrent use; one examination runs at a time.
type Doctor struct {
	Options
	turn sync.Mutex
}

// New returns a Doctor.
func New(o Options) *Doctor {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	return &Doctor{Options: o}
}

// Examine makes all checks, those of servers at the same time. It never fails: what cannot be found out is a finding.
func (d *Doctor) Examine(ctx context.Context) Report {
	d.turn.Lock()
	defer d.turn.Unlock()
	checks := []func(context.Context) []Finding{
		d.host, d.configuration, d.plugins, d.credentials, d.store, d.queue, d.disk, d.servers, d.endings, d.notifications, d.people,
		d.webhooks, d.answers,
	}
	found := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() { found[i] = check(ctx) })
	}
	all.Wait()
	return Report{At: d.Now().UTC().Truncate(time.Second), Findings: slices.Concat(found...)}
}

func good(area, name, what string) Finding {
	return Finding{Area: area, Name: name, Level: OK, What: what}
}

func warn(area, name, what, remedy string) Finding {
	return Finding{Area: area, Name: name, Level: Warning, What: what, Remedy: remedy}
}

func bad(area, name, what, remedy string) Finding {
	return Finding{Area: area, Name: name, Level: Error, What: what, Remedy: remedy}
}
