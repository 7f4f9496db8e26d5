package store

import (
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// Status is the state of a person's sync, as an administrator sees it.
type Status string

// The states of a person's sync.
const (
	StatusNew       Status = "new"       // nothing was tried yet
	StatusOK        Status = "ok"        // the last pass went through
	StatusWaiting   Status = "waiting"   // it will be tried again by itself
	StatusAttention Status = "attention" // somebody must do something; tried again at long intervals
	StatusDisabled  Status = "disabled"  // switched off
)

// PersonState says how a person's sync is, and why.
type PersonState struct {
	Status Status
	Kind   string    // kind of fault (package fault); empty when there is none
	Reason string    // what failed and why, one sentence
	Remedy string    // what to do; empty if nothing
	Since  time.Time // when Status or Kind last changed
	Until  time.Time // when it is tried again; zero if unknown
}

// A Mailbox is what is remembered of one person's calendar.
type Mailbox struct {
	Tenant, Person string
	// Epoch grows when the person's address, mode or URL changes: what was linked before lies elsewhere.
	Epoch int64

	Cursor    string // where to go on pulling
	Round     int64  // number of the last full read begun
	RoundOpen bool   // that full read has not reached its end

	// Wanted counts the reasons to look at the mailbox, Done those that a pass has dealt with.
	Wanted, Done int64

	// Way is how notices arrive: "push", "streaming", "pull" (asking at intervals), "poll" (the calendar is read by the
	// clock), or "" before the first pass.
	Way       string
	WayReason string    // why it is not the way that the sync mode prefers; empty if it is
	TryWay    string    // a better way on probation beside Way; empty if none
	TrySince  time.Time // when the probation began
	ClimbAt   time.Time // when the next better way is tried; zero: not at all
	Falls     int       // ways given up since one proved itself
	Silences  int       // push subscriptions in a row that were silent for too long

	Notices    int64     // those that said something changed, ever
	LastNotice time.Time // when the last of them came

	// SubscriptionID and SubscribedAt describe the push subscription in force; empty without one.
	SubscriptionID string
	SubscribedAt   time.Time
	Quiet          bool      // nothing is heard of it until something changes
	LastHeard      time.Time // last message that bore a living token

	LastPull, LastPush time.Time // last success
	RenewAt            time.Time // when to subscribe anew; zero: not at all
	PollAt             time.Time // when to pull by the clock; zero: not at all
	ReconcileAt        time.Time // when to read in full; zero: at the next pass
	WaitUntil          time.Time // no request before; zero: none pending
	Failures           int       // passes failed in a row
	NextDue            time.Time // earliest moment at which a pass has something to do; zero: never

	// HeldDeletions counts the items found gone in a pass that was stopped because they were too many;
	// DeletionsApproved is an administrator's word that they are meant.
	HeldDeletions     int
	DeletionsApproved bool
	// TakeOver: what another sync left in the calendar is still to be matched with the bookings, also by what it says. It is
	// written by SetTakeOver alone.
	TakeOver bool

	// Drift stands for the calendar as it was when the last full read began, which ended at DriftAt; DriftNext for the
	// calendar when the one under way began. Empty where nobody can tell.
	Drift, DriftNext string
	DriftAt          time.Time
}

// LinkState tells how a booking and an item hang together.
type LinkState string

// The states of a link.
const (
	LinkPending  LinkState = "pending"  // the item is not known to exist yet
	LinkExpected LinkState = "expected" // the item was made in the calendar and will be found there
	LinkLive     LinkState = "live"     // both sides are known
	LinkDeleting LinkState = "deleting" // the item is to be removed
	LinkLost     LinkState = "lost"     // the item was not found when the person moved; it is neither made nor taken for deleted
	LinkUnclear  LinkState = "unclear"  // several items may be it since the person moved; none of them is touched
	LinkDead     LinkState = "dead"     // over; kept so that its key is never taken for a living one
)

// A Link ties a booking to an item in the organizer's calendar.
type Link struct {
	Tenant  string
	Key     string // our marker on the item; unique within the tenant, never used twice
	Booking string
	Person  string
	Epoch   int64 // of the mailbox when Ref was learnt
	State   LinkState

	Ref      calendar.Ref
	Revision string
	Base     []byte // the fields both sides last agreed on (package plan, JSON); nil before the first agreement
	Sent     []byte // what a create under way has sent; nil otherwise

	Tries     int       // rollbacks, or failed writes of one, in a row
	SeenRound int64     // last full read in which the item was seen
	GoneAt    time.Time // when the item was found gone and the booking's fate is not decided yet; zero otherwise
	Problem   string    // why the link needs a person; empty if it does not
	UID       string    // of the item (iCalendar), as last read; empty while unknown
	Held      []byte    // what both sides said when a write was held back that would have mailed; nil if none is
	Created   time.Time

	Quarantine int64 // the unit that the pair waits with until somebody decides; 0: none

	Orphan   Orphan // of a dead link; OrphanNot of any other
	OrphanOf string // id of the person whose it was, and who was removed perhaps; Person may be who has the mailbox since
}

// Orphan tells a link that ended because its person was removed from one whose item was let go or is gone: should its booking be cancelled, or
// given to somebody else, before the person is back, its item is still to go. It says who is told then.
type Orphan string

// The kinds of dead links.
const (
	OrphanNot    Orphan = ""
	OrphanTold   Orphan = "told"   // all who were invited, as of any cancellation
	OrphanSilent Orphan = "silent" // nobody: its item was to go without a word already

	// The same of links that ended though their persons are there: their items were to go, were met where the mailbox was reached once, and are not
	// where it was reached in the link's epoch. In another one they are looked for again.
	OrphanToldElsewhere   Orphan = "told elsewhere"
	OrphanSilentElsewhere Orphan = "silent elsewhere"
)

// Elsewhere reports whether o is of an item that was met where the mailbox is not reached any more.
func (o Orphan) Elsewhere() bool { return o == OrphanToldElsewhere || o == OrphanSilentElsewhere }

// Op is what an Intent wants done to the calendar.
type Op string

// The operations of intents.
const (
	OpSync   Op = "sync"   // bring item and booking together (create the item if there is none)
	OpReset  Op = "reset"  // the item shall be as the booking is, whatever it says now (rollback)
	OpDelete Op = "delete" // the item shall go
	OpMark   Op = "mark"   // the item shall bear its booking's markers; nothing else is written
)

// An Intent is a write to a calendar that must happen. There is one per link: a later one is folded into it.
type Intent struct {
	Tenant, Key     string // of the link
	Person, Booking string
	Op              Op
	Mail            calendar.Mail // the widest audience asked for since it was recorded
	Cause           string        // for the timeline, e.g. "booking changed over REST"
	Wanted          int64         // grows with every folding; an executor removes only the Wanted it has seen
	Created         time.Time
	NotBefore       time.Time // zero: at once
	Failures        int       // tries in a row that failed for this item alone
}

// A ChangeRecord is one entry of the change feed.
type ChangeRecord struct {
	Tenant  string
	Seq     int64  // grows by one per tenant, in the order of commits
	Kind    string // "created", "updated", "cancelled", "problem", "answered"
	Source  string // "api", "calendar", "sync"
	Booking string
	Version int64
	At      time.Time
	Data    []byte // the booking as it was then, as the REST API shows it (JSON)
	Reason  string // for people; empty if plain
}

// An Activity is one entry of a person's timeline. It holds no subject and no body.
type Activity struct {
	Tenant, Person, Booking string // Booking may be empty
	ID                      int64
	At                      time.Time
	What                    string // e.g. "item created", "booking cancelled"
	Why                     string
}

// A Difference is something that the two sides do not agree on, or an edit that lost, laid before a person.
type Difference struct {
	Tenant, Person, Booking string
	ID                      int64
	At                      time.Time
	Kind                    string // e.g. "edit lost", "series left alone", "copy left alone", "mail held back"
	Detail                  string // which fields; no subject and no body
	Ref                     calendar.Ref
	Open                    bool

	Status    DifferenceStatus
	Newer     Side   // which side was changed last
	Recommend Side   // which side to use
	Why       string // of the recommendation
	Settles   bool   // a pass ends it by itself: nothing is to be done
	Said      []byte // stands for what both sides said; nil if that was not looked at
	Ended     time.Time
}

// A DifferenceStatus is what became of a difference.
type DifferenceStatus string

// The statuses of differences.
const (
	DifferenceOpen    DifferenceStatus = "open"
	DifferenceSolved  DifferenceStatus = "solved"  // a person chose a side
	DifferenceIgnored DifferenceStatus = "ignored" // a person leaves both sides as they are
	DifferenceClosed  DifferenceStatus = "closed"  // by itself
)

// A Side of a difference.
type Side string

// The sides.
const (
	SideBooking  Side = "booking"
	SideCalendar Side = "calendar"
	SideNeither  Side = "neither" // of a recommendation
	SideUnknown  Side = "unknown" // of what is newer
)

// An APIKey is a credential of the REST API; the secret itself is not stored.
type APIKey struct {
	Tenant, ID, Name string
	Hash             []byte   // SHA-256 of the secret
	Scopes           []string // what it may do, as the REST API names it
	Created, Revoked time.Time
	LastUsed         time.Time
}

// A Subscription is a push subscription asked for or in force, found by its token.
type Subscription struct {
	Tenant, Person string
	TokenHash      []byte // SHA-256 of the token
	ID             string // the server's; empty until the answer to Subscribe was stored
	Active         bool   // the answer was stored
	Mode           string // sync mode it was made with
	Created        time.Time
	LastHeard      time.Time
	Quiet          bool   // nothing is heard of it until something changes, and it does not end by the answer to a message
	URL            string // where its messages go, without the token; empty if unknown
	Email          string // of the mailbox, as the server was asked
	MailboxURL     string
}

// A Leftover is a push subscription that lives on at its server though nobody wants it any more.
type Leftover struct {
	Tenant, Person    string
	Mode, ID          string // the sync mode it was made with, and the server's id
	Email, MailboxURL string
	Created           time.Time // when it was left
	Tries             int
}
