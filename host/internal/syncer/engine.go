// Package syncer is the sync engine: it keeps bookings and calendar items the same.
//
// One direction of thought: a notice only marks a mailbox dirty; Pass pulls what changed; package plan decides; the
// store remembers; Pass carries intents out. Every effect on a calendar is ordered: intent recorded, effect with an
// idempotency key, result recorded. A crash between any two steps repeats a step that is safe to repeat.
package syncer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// A Mode is one way to reach mailboxes, ready for use.
type Mode struct {
	Name string   // unique; of an override for a mail domain that is the sync mode's name with the domain
	Auth []string // the auth plugins that it may log in by
	URL  string   // prefilled for persons without one of their own
	// Domain is set on what holds for a single mail domain; Prefilled is the URL that its persons were given then before it did.
	Domain, Prefilled string
	// Breadth is how many times Limits.WorkersPerServer mailboxes of one of its servers are worked on at once; 0 counts as 1.
	Breadth int

	Backend backend.Backend
	Pusher  backend.Pusher       // nil: it cannot be subscribed to
	Watcher backend.Watcher      // nil: it cannot be listened to
	Asking  bool                 // it can only be asked, not listened to on a connection
	Finder  backend.Finder       // nil: it cannot search
	Drift   backend.DriftChecker // nil: whether anything has changed is only known by reading
	// Everything: its Pull heeds backend.PullRequest.Everything.
	Everything bool
	// FreeBusy tells when people are busy, and Groups who is in a distribution group; nil: it cannot.
	FreeBusy backend.FreeBusy
	Groups   backend.GroupExpander
	// Responder answers invitations, Answers finds what attendees wrote; nil: it cannot.
	Responder backend.Responder
	Answers   backend.Answers
	// Notices is the preferred way to learn of changes: "push" (also if empty), "streaming", "pull" or "poll". What does
	// not work gives way to the next: push, streaming, poll.
	Notices string
	// Admit is told the URL of a mailbox before the backend is: the backend may log in there. It may be nil.
	Admit func(url string)
}

// Modes finds the Mode of a person.
type Modes interface {
	// Mode returns what serves the mailbox of an address in the sync mode called name, which may also be the Name of a Mode.
	// Its error is a sentence that says what to do about it, with a fault kind; Auth is set with it, too, where it is known.
	Mode(ctx context.Context, name, address string) (Mode, error)
}

// MailboxURL returns where the mailbox of a person is reached; own is the URL that the person has, which may be empty.
func (m Mode) MailboxURL(own string) string {
	if own == "" || own == m.Prefilled {
		return m.URL
	}
	return own
}

// Options makes an Engine.
type Options struct {
	Store *store.Store
	Modes Modes
	Log   hclog.Logger
	Now   func() time.Time
	// ModeNames returns the sync modes there are, in which a mailbox is looked for that its own mode does not find. It may be
	// nil: nowhere.
	ModeNames func() []string
	// NotificationURL returns where the servers of a sync mode shall send notices of a tenant to, with the tenant's query
	// and without a token; empty if nothing is configured.
	NotificationURL func(tenant, mode string) string
	// Zone returns the time zone (IANA) of a tenant's bookings that come without one; empty means UTC. It may be nil.
	Zone func(tenant string) string
	// Render gives a booking the form it has in the change feed.
	Render func(*booking.Booking) ([]byte, error)
	// Parse is the reverse of Render, for what a calendar did and the booking system refuses. Without it nothing can be
	// refused.
	Parse func(tenant string, data []byte) (*booking.Booking, error)
	// Mails says whether mails can be sent to people. It may be nil: they cannot.
	Mails func() bool
	// RoomSync says whether the mailboxes of a tenant's rooms are synced. It may be nil: they are not.
	RoomSync func(tenant string) bool
	// PrivateBusy says whether private bookings of a tenant are busy blocks in calendars, and private items in bookings. It may
	// be nil: they are told in full.
	PrivateBusy func(tenant string) bool
	// WayChanged is told of every mailbox that shall be listened to on another way than before. It may be nil.
	WayChanged func(tenant, person string)
	// Failpoint is called between the steps of every write; tests make it end the process. It may be nil.
	Failpoint func(step string)
	Meter     Meter  // may be nil
	Limits    Limits // at the start; see SetLimits
}

// Limits are the engine's numbers.
type Limits struct {
	SubscriptionInterval time.Duration // push subscriptions are renewed this often
	StatusFrequency      time.Duration // a server without news says this often that it is alive
	ReconcileInterval    time.Duration // a mailbox is read in full this often
	PollInterval         time.Duration // a mailbox that cannot be subscribed to is pulled this often
	AttemptTimeout       time.Duration // one pass takes at most this long
	ClimbInterval        time.Duration // a way that failed is tried again after this long, and after twice as long each time …
	ClimbMax             time.Duration // … up to this
	ExpectWait           time.Duration // how long an appointment made by the add-in is waited for
	RetryBase, RetryMax  time.Duration // back-off after failures
	WorkersPerServer     int
	MassDeletionLimit    int     // more items found gone in one pass stop it …
	MassDeletionShare    float64 // … if they are also more than this share of the mailbox's items
	MassChangeLimit      int     // more bookings changed by the calendar in one pass wait for a person's word …
	MassChangeShare      float64 // … if they are also more than this share of the mailbox's items
	RollbackTries        int
	CancelTries          int
	ResolveGroups        bool // distribution groups become their members, from calendar to booking
	FollowMoves          bool // a person whose mailbox is found by another sync mode is moved there
}

// DefaultLimits are those of an installation that configures nothing.
func DefaultLimits() Limits {
	return Limits{
		SubscriptionInterval: 240 * time.Minute, StatusFrequency: 30 * time.Minute, ReconcileInterval: 24 * time.Hour,
		PollInterval: 5 * time.Minute, ClimbInterval: time.Hour, ClimbMax: 24 * time.Hour,
		AttemptTimeout: 4 * time.Minute, ExpectWait: 15 * time.Minute,
		RetryBase: 30 * time.Second, RetryMax: 10 * time.Minute, WorkersPerServer: 10,
		MassDeletionLimit: 20, MassDeletionShare: 0.1, MassChangeLimit: 50, MassChangeShare: 0.2, RollbackTries: 5, CancelTries: 2,
	}
}

// Engine carries bookings to calendars and back. It is safe for concurrent use; Pass must not run twice at once for
// one mailbox, which the schedule sees to.
type Engine struct {
	Options
	inForce atomic.Pointer[Limits]
	pauses  *pauses
	servers *servers
	strays  *strays
	groups  *groups
	unread  unread
	// limit ends a pass that takes too long.
	limit func(context.Context) (context.Context, context.CancelFunc)
	// collide, set by tests, says whether the next transaction shall be undone at its end and made once more, as
	// PostgreSQL has it when two collide.
	collide func() bool
}

// New returns an Engine. Store, Modes and Render are required.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) {}
	}
	if o.Zone == nil {
		o.Zone = func(string) string { return "" }
	}
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Mails == nil {
		o.Mails = func() bool { return false }
	}
	if o.RoomSync == nil {
		o.RoomSync = func(string) bool { return false }
	}
	if o.PrivateBusy == nil {
		o.PrivateBusy = func(string) bool { return false }
	}
	if o.NotificationURL == nil {
		o.NotificationURL = func(string, string) string { return "" }
	}
	e := &Engine{Options: o, pauses: newPauses(), servers: newServers(), strays: newStrays(), groups: newGroups()}
	e.limit = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, e.limits().AttemptTimeout)
	}
	e.SetLimits(o.Limits)
	return e
}

// SetLimits puts other limits into force. Passes under way may still go by the old ones.
func (e *Engine) SetLimits(l Limits) { e.inForce.Store(&l) }

func (e *Engine) limits() *Limits { return e.inForce.Load() }

// now is the moment in the form in which it is stored.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Millisecond) }

// errCollided undoes a transaction that is made once more.
var errCollided = errors.New("collided")

// tx runs f in one write transaction. It may be called again after a collision, so it must not go on from what it kept.
func (e *Engine) tx(ctx context.Context, f func(ctx context.Context, tx *store.Tx) error) error {
	if e.collide != nil && e.collide() {
		_ = e.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			if err := f(ctx, tx); err != nil {
				return err
			}
			return errCollided
		})
	}
	return e.Store.Tx(ctx, f)
}

// record puts one line on a person's timeline.
func (e *Engine) record(ctx context.Context, tx *store.Tx, tenant, person, booking, what, why string) error {
	return tx.AddActivity(ctx, store.Activity{
		Tenant: tenant, Person: person, Booking: booking, At: e.now(), What: what, Why: why,
	})
}

// newToken returns 256 random bits in URL form.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
