// Package backend is the contract of a backend plugin: it reads and writes the calendars of one kind of server.
//
// A backend keeps nothing but connections. The host owns time, storage, retries and policy; it calls Probe, Pull,
// Fetch and Apply, and whichever of the optional interfaces (Pusher, Finder, Watcher, Partial, and
// those of rooms.go and people.go) the value returned by Open implements.
// Errors carry a kind of package fault; the host reacts to kinds alone. Requests go through Env.HTTP, which authorizes
// them and ends them with their context.
package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// These are package calendar's types under the names that the contract uses.
type (
	Mailbox = calendar.Mailbox
	Ref     = calendar.Ref
	Cursor  = calendar.Cursor
	Item    = calendar.Item
	Change  = calendar.Change
)

// A Backend serves every mailbox of one sync mode. It is safe for concurrent use; the host keeps to one Pull and one
// Apply at a time per mailbox.
type Backend interface {
	// Probe reports whether the mailbox can be reached and acted for; it changes nothing.
	Probe(ctx context.Context, m Mailbox) (Status, error)
	// Pull emits what changed since req.Since, page by page. The host stores each page with its Next before emit
	// returns, so Pull may be cut off after any page. fault.StateExpired when req.Since is too old.
	Pull(ctx context.Context, req PullRequest, emit func(Page) error) error
	// Fetch reads items by reference, in the order of refs; a missing one is fault.NotFound for that item alone.
	Fetch(ctx context.Context, m Mailbox, refs []Ref) ([]Fetched, error)
	// Apply makes one mutation and reports the item after it. A Create whose Key an item of the calendar bears
	// already changes nothing and reports that item with Repeated. fault.Conflict when the item changed since
	// Mutation.IfRevision; fault.NotFound when the item to update is gone. A Delete of what is gone succeeds, with Repeated.
	Apply(ctx context.Context, m calendar.Mutation) (Result, error)
}

// Status is what Probe found.
type Status struct {
	Server string // product and version for people, e.g. "Exchange 15.2.1748.10"
	// Delegate is set when the mailbox is reached by folder permission: it cannot be subscribed to.
	Delegate bool
	// Horizon is set where changes of what lies later are not told, and only found by a pull from nothing: the end of the window
	// that Microsoft Graph's delta looks through.
	Horizon time.Time
}

// A PullRequest asks for the changes of one calendar.
type PullRequest struct {
	Mailbox Mailbox
	Since   Cursor // empty: from the beginning
	// Everything asks for every item in full, whether it bears a marker or not: it is for rooms' mailboxes, which hold nobody's
	// own affairs. Only a Complete backend heeds it. A Since of a pull without it is fault.StateExpired then, because what
	// that pull did not read would never be told.
	Everything bool
}

// A Page is a part of the changes, in order.
type Page struct {
	Changes []Change
	Next    Cursor // to go on from when this page is stored
	// Full is set on every page of a pull that began from nothing: when the page with Last arrived, whatever was not
	// mentioned is not in the calendar.
	Full bool
	Last bool // no page follows
}

// Fetched is one answer of Fetch: an item, or why there is none.
type Fetched struct {
	Item Item
	Err  error
}

// A Result is what Apply did.
type Result struct {
	Item     Item // as the server holds it now; after a Delete only Ref is set
	Repeated bool // nothing was changed: the Key was known, or what was to be deleted was gone
}

// A Pusher learns of changes by messages that the server sends to the host's public endpoint.
type Pusher interface {
	// Subscribe asks the server to notify url of changes in the mailbox's calendar.
	Subscribe(ctx context.Context, req SubscribeRequest) (Subscription, error)
	// Unsubscribe ends a subscription where the protocol can; one that is gone already is no error. A protocol that
	// ends subscriptions by the answer to a message only (EWS push) reports fault.Unsupported.
	Unsubscribe(ctx context.Context, m Mailbox, s Subscription) error
	// Receive reads one request that arrived at the endpoint and says how to answer it. It uses no network and keeps
	// no state. in.Trusted tells whether the request bore a living token; to what did not, the reply makes the server
	// stop. A body that is no message of the protocol is fault.Invalid.
	Receive(ctx context.Context, in Inbound) (Reply, error)
}

// A SubscribeRequest asks for a push subscription.
type SubscribeRequest struct {
	Mailbox        Mailbox
	URL            string        // where the server sends to; holds the secret token
	StatusInterval time.Duration // how often a server without news shall say that it is alive; whole minutes
	Existing       *Subscription // renew this one where the protocol can, else make a new one
}

// A Subscription is what the server granted.
type Subscription struct {
	ID      string
	Expires time.Time // zero: it ends when the server likes
	// Group is what Listen must be given to have further mailboxes watched together with this one: the server's affinity,
	// opaque to the host. Empty for push subscriptions.
	Group string
	// Mark is where Watch goes on (WayAsking); opaque to the host. A Hint brings the next one.
	Mark string
	// Quiet is set on a push subscription of which nothing is heard until something changes (Microsoft Graph): its silence
	// says nothing. The host then takes Subscribe's success for proof that messages arrive.
	Quiet bool
	// Kept is set by Subscribe when it renewed SubscribeRequest.Existing in place: messages go on arriving at the URL that
	// one was made with, and the URL of this request is not used.
	Kept bool
}

// Inbound is a raw HTTP request at the notification endpoint.
type Inbound struct {
	Method  string
	Query   string // raw
	Header  http.Header
	Body    []byte // bounded by the host
	Trusted bool
}

// A Reply is how to answer an Inbound, and what it meant.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
	Hints       []Hint
}

// HintKind is what a message says of a mailbox.
type HintKind int

// The hints.
const (
	Alive HintKind = iota // the subscription lives; nothing changed
	Dirty                 // something changed: pull
	Lost                  // events were missed or the subscription ended: subscribe anew and pull
)

// A Hint is one message's meaning for one subscription. It never carries content: what changed is what Pull says.
type Hint struct {
	Subscription string // id, as in Subscription.ID; with Alive it may be empty, which means all that are watched
	Kind         HintKind
	Mark         string // the subscription's new Mark; empty: as it was
}

// A Watcher learns of changes without anybody calling in, where a server cannot reach the host. The host keeps the
// subscriptions, calls Watch again and again, and backs off when it fails.
type Watcher interface {
	// Listen makes a subscription of the mailbox that Watch can be given. What changes from then on is told, even if
	// Watch is called later. fault.Unsupported when the mailbox cannot be listened to at all (a delegate's).
	Listen(ctx context.Context, req ListenRequest) (Subscription, error)
	// Watch emits what happens to the subscriptions until req.For is over, the server ends the connection, or ctx ends;
	// by WayAsking it looks once. It returns nil when it was not interrupted: call it again, with whatever mailboxes
	// there are by then. A subscription that the server does not know, or no longer serves here, is emitted as Lost and
	// is no error: what is lost must be listened to anew, and Listen tells what is wrong with the mailbox if anything is.
	// So an error of Watch is never that of one mailbox among others: it is that of the connection (fault.Unavailable:
	// it broke, the server fell silent, or somebody else took the subscriptions over), of the server, or of the budget
	// that the connection is charged to (fault.Throttled). The subscriptions stand then; call it again after a pause.
	// emit is called by one goroutine at a time.
	Watch(ctx context.Context, req WatchRequest, emit func([]Hint) error) error
}

// Way is how a Watcher learns of changes.
type Way int

// The ways.
const (
	WayStreaming Way = iota // a connection kept open, on which the server tells at once
	WayAsking               // asking at intervals; subscriptions wait at the server (EWS pull subscriptions)
)

// An AskingOnly backend is a Watcher of a server without streaming: Listen reports fault.Unsupported for WayStreaming. The host
// then asks at intervals where it would have listened.
type AskingOnly interface {
	// AskingOnly reports whether WayAsking is the only way. It is asked once, after Open.
	AskingOnly() bool
}

// MaxWatched is how many subscriptions one call of Watch may be given.
const MaxWatched = 200

// A ListenRequest asks for a subscription for Watch.
type ListenRequest struct {
	Mailbox Mailbox
	Way     Way
	Group   string        // of the subscriptions it is to be watched with; empty for the first of a group
	Timeout time.Duration // WayAsking: how long the subscription lives while nobody asks; whole minutes
}

// A WatchRequest names what is watched together: at most MaxWatched mailboxes, of one URL and way and, by WayStreaming,
// of one group.
type WatchRequest struct {
	Way     Way
	Watched []Watched
	For     time.Duration // WayStreaming: how long to listen; whole minutes, 1 to 30
}

// A Watched is one mailbox with its subscription.
type Watched struct {
	Mailbox      Mailbox
	Subscription Subscription
}

// A Finder looks items up by a marker.
type Finder interface {
	// Find returns the calendar's items that bear the marker value, in no particular order; none is no error.
	Find(ctx context.Context, m Mailbox, by Marker, value string) ([]Item, error)
}

// Marker is a mark by which an item is found.
type Marker int

// The markers. The first two tie an item to a booking, and every Finder looks for them. The iCalendar UID is looked for where
// an item has lost both, after its mailbox has moved; a Finder that cannot reports fault.Unsupported.
const (
	OurKey     Marker = iota // Item.Key
	ForeignKey               // Item.ForeignKey
	ByUID                    // Item.Event.UID
)

// A Partial backend's calendar keeps only a part of what an Event has.
type Partial interface {
	// Omits returns the fields that the calendar does not keep. It is asked once, after Open; FieldTime is always kept.
	// The host does not write these fields, and does not take their absence for a change. A backend that does not
	// carry series omits FieldRecurrence, and reads a series as an Item of its Kind without a rule.
	Omits() calendar.Fields
}

// Abilities are the optional interfaces that a backend implements, and what it cannot carry.
type Abilities struct {
	Pusher, Finder, Watcher bool
	Drift                   bool // a DriftChecker
	AskingOnly              bool // of a Watcher
	FreeBusy, GroupExpander bool
	Omits                   calendar.Fields // of a Partial; never FieldTime
	Everything              bool            // of a Complete
	Responder, Answers      bool
}

// A Limited value has the methods of optional interfaces without being able to serve all of them, because it stands for a
// backend in another process.
type Limited interface {
	// Abilities returns what the backend can do.
	Abilities() Abilities
}

// AbilitiesOf returns what b can do: what it says if it is Limited, else which of the optional interfaces it has.
func AbilitiesOf(b Backend) Abilities {
	if l, ok := b.(Limited); ok {
		return l.Abilities()
	}
	var a Abilities
	_, a.Pusher = b.(Pusher)
	_, a.Finder = b.(Finder)
	_, a.Watcher = b.(Watcher)
	_, a.Drift = b.(DriftChecker)
	_, a.Responder = b.(Responder)
	_, a.Answers = b.(Answers)
	if w, ok := b.(AskingOnly); ok && a.Watcher {
		a.AskingOnly = w.AskingOnly()
	}
	if c, ok := b.(Complete); ok {
		a.Everything = c.PullsEverything()
	}
	if p, ok := b.(Partial); ok {
		a.Omits = p.Omits() & calendar.AllFields &^ calendar.FieldTime
	}
	_, a.FreeBusy = b.(FreeBusy)
	_, a.GroupExpander = b.(GroupExpander)
	return a
}

// As returns b as one of the optional interfaces that have methods of their own to serve (Pusher, Finder, Watcher, Responder,
// Answers, FreeBusy, GroupExpander, DriftChecker), and whether b is able to serve it.
func As[A any](b Backend) (A, bool) {
	can := AbilitiesOf(b)
	able := false
	switch any((*A)(nil)).(type) {
	case *Pusher:
		able = can.Pusher
	case *Finder:
		able = can.Finder
	case *Watcher:
		able = can.Watcher
	case *Responder:
		able = can.Responder
	case *Answers:
		able = can.Answers
	case *DriftChecker:
		able = can.Drift
	case *FreeBusy:
		able = can.FreeBusy
	case *GroupExpander:
		able = can.GroupExpander
	}
	a, has := b.(A)
	if !able || !has {
		var none A
		return none, false
	}
	return a, true
}

// Env is what the host gives an instance.
type Env struct {
	// HTTP authorizes every request. The identity's secrets never pass through the backend, and the mailbox of the
	// call in progress travels in the request's context. A request whose answer is read for minutes must be made with a
	// context of WithStream.
	HTTP *http.Client
	Log  hclog.Logger // goes to the host's log under the plugin's name
	// ActAs: the identity is a service account that must tell the server whom it acts for (impersonation). When it
	// is false the identity reaches the mailboxes by folder permission.
	ActAs bool
	// Markers names the properties in which Item.Key and Item.ForeignKey are kept.
	Markers Markers
}

// Markers names the two properties. Our own is the same everywhere; the booking system's differs by installation.
type Markers struct {
	Key     Property
	Foreign Property
}

// A Property is a named string property of an item (MAPI named property).
type Property struct {
	Set  string // property set GUID without braces, or a distinguished set's name such as "PublicStrings"
	Name string
}

// DefaultMarkers are the properties used unless an installation says otherwise.
func DefaultMarkers() Markers {
	return Markers{
		Key:     Property{Set: "6b2f0c1e-93d4-4f7a-8c55-1d0e7a9b42f3", Name: "RoomwireBookingId"},
		Foreign: Property{Set: "PublicStrings", Name: "AppointmentOid"},
	}
}

// A Plugin is a backend plugin as a value. C is its settings: a struct whose fields bear `json:"name"` and, for the
// operator, `doc:"…"`, `required:"true"`, `secret:"true"`; unknown settings are refused before Open is called.
type Plugin[C any] struct {
	Name, Version string
	Open          func(ctx context.Context, settings C, env Env) (Backend, error)
}
