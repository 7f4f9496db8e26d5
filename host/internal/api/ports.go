package api

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/freebusy"
	"github.com/roomwire/roomwire/host/internal/store"
)

// Bookings changes bookings. Errors are those of package booking.
type Bookings interface {
	// Put creates or replaces b. Saying the same again changes nothing, not even the version.
	Put(ctx context.Context, b *booking.Booking, match booking.Match, on booking.OnConflict) (booking.Saved, error)
	// PutOccurrence says what is different about one occurrence of a series. The fields of a *booking.InvalidError are those of
	// the exception.
	PutOccurrence(ctx context.Context, c booking.OccurrenceChange) (booking.Saved, error)
	// Cancel cancels a booking; cancelling what is cancelled changes nothing.
	Cancel(ctx context.Context, tenant, id string, match booking.Match) (*booking.Booking, error)
}

// Explainer tells of a booking on both sides.
type Explainer interface {
	// Explain returns anything that becomes a JSON object as Explanation in openapi.yaml has it. A booking that is not
	// known is booking.ErrNotFound.
	Explain(ctx context.Context, tenant, id string) (any, error)
}

// FreeBusy tells when people and rooms are busy.
type FreeBusy interface {
	// Ask answers in the order persons, resources, addresses. What cannot be found out of one of them is that answer's Err; a
	// query that cannot be answered is *booking.InvalidError.
	Ask(ctx context.Context, tenant string, q freebusy.Query) ([]freebusy.Answer, error)
}

// Resolver lets a person decide about differences.
type Resolver interface {
	// Resolve carries out a decision: use is booking, calendar or ignore; mail says that attendees may be mailed. An unknown
	// difference is booking.ErrNotFound; what cannot be decided so is *booking.InvalidError.
	Resolve(ctx context.Context, tenant string, id int64, use string, mail bool) error
}

// A Resolution says how differences are decided.
type Resolution struct {
	Use     string // booking, calendar, ignore, check or recommended
	Mail    bool   // attendees may be mailed
	Preview bool   // only say what would be done
}

// A Resolved is what was decided about one difference, or would be.
type Resolved struct {
	ID                    int64
	Person, Booking, Kind string
	Use                   string
	Does, Fields          string
	Mails                 []string
	Refused               string // why it cannot be; empty if it can
}

// A HeldItem is one booking of a unit in quarantine.
type HeldItem struct{ Booking, Does, Problem string }

// Reviewer lets a person see and decide what the two sides do not agree on, many at once.
type Reviewer interface {
	// ResolveAll decides on differences, each by itself. Its error is none of a single one.
	ResolveAll(ctx context.Context, tenant string, ids []int64, how Resolution) ([]Resolved, error)
	// StartScan begins a comparison in the background. What cannot be scanned is *booking.InvalidError or booking.ErrNotFound.
	StartScan(ctx context.Context, s store.Scan) (store.Scan, error)
	// CancelScan ends a comparison under way and changes nothing of one that is over. An unknown one is booking.ErrNotFound.
	CancelScan(ctx context.Context, tenant string, number int64) (store.Scan, error)
	// DecideQuarantine carries out approve, discard or undo. An unknown unit is booking.ErrNotFound, what cannot be decided
	// *booking.InvalidError.
	DecideQuarantine(ctx context.Context, tenant string, id int64, decision string) (store.Quarantine, error)
	// Held returns what a unit holds.
	Held(q store.Quarantine) ([]HeldItem, error)
}

// Rejecter lets the booking system refuse what a calendar did.
type Rejecter interface {
	// Reject refuses the given change of the feed and says what becomes of it. A change that is not known is
	// booking.ErrNotFound; one that cannot be refused is *booking.InvalidError.
	Reject(ctx context.Context, tenant string, seq int64, reason string) (outcome string, err error)
}

// ImportOptions say how an import deals with what is not plain.
type ImportOptions struct {
	AllOrNothing  bool // if a row is refused, none is taken
	DryRun        bool // find out what would happen, and change nothing
	RemoveMissing bool // remove the persons of the tenant that are not among the rows; implies AllOrNothing
	Force         bool // remove them though they were all persons, or more than half of them
	Shadow        bool // who is new begins in shadow mode
	// Progress, unless nil, is told how many rows are done. It may be told a smaller number than before if the work had to
	// be begun anew.
	Progress func(done int)
}

// Imported is what became of one row of an import, or in a dry run would.
type Imported struct {
	Created, Changed bool
	Kept             string // what was not taken, and why; empty if all was
	Err              error
}

// An Import is what became of all of them.
type Import struct {
	Rows    []Imported // in the order of the rows
	Removed []string   // ids of the persons that were removed, or would be
	Persons int        // how many there were before
	// Applied is false if nothing was changed: in a dry run, for a faulty row, or since too many were to be removed.
	Applied bool
	TooMany bool // to be removed without Force
}

// Persons changes persons and their sync. An unknown person is booking.ErrNotFound; a mail address that belongs to
// another person is *store.TakenError; what the directory's rules refuse is *booking.InvalidError.
type Persons interface {
	Put(ctx context.Context, p directory.Person) (created bool, err error)
	Delete(ctx context.Context, tenant, id string) error
	// Import puts every row and reports on each. Its error means that it is not known which rows were taken.
	Import(ctx context.Context, tenant string, rows []directory.Person, o ImportOptions) (Import, error)
	// ApproveDeletions and RestoreDeletions decide on deletions that were held back because they were many.
	ApproveDeletions(ctx context.Context, tenant, id string) error
	RestoreDeletions(ctx context.Context, tenant, id string) error
	// Sync wakes a pass now; full makes it read everything.
	Sync(ctx context.Context, tenant, id string, full bool) error
	// SetShadow switches the shadow mode.
	SetShadow(ctx context.Context, tenant, id string, on bool) error
}

// Moves has persons moved from one sync mode to another.
type Moves interface {
	// RequestMoves asks for moves and returns, by their number, why some cannot be made.
	RequestMoves(ctx context.Context, moves []store.Move) (refused map[int]string, err error)
	// FollowMoves asks for those that were offered and returns whose they are.
	FollowMoves(ctx context.Context, tenant string, dryRun bool) (persons []string, err error)
	// CancelMove ends a move that is not made yet; without one it is booking.ErrNotFound.
	CancelMove(ctx context.Context, tenant, person string) error
	// DecideMove decides about what a move left open, of all the bookings if none are given.
	DecideMove(ctx context.Context, tenant, person, decision string, bookings []string) (n int, err error)
}

// A TestRun is one Synchronisationstest of a person.
type TestRun struct {
	ID, Person     string
	Outcome        string // running, passed, failed or interrupted
	Way            string // how the person's notices arrived
	Started, Ended time.Time
	Steps          []TestStep
}

// A TestStep is one step of a test.
type TestStep struct {
	Name, State           string
	Began                 time.Time
	Took                  time.Duration
	Detail, Cause, Remedy string
	Checks                []TestCheck
}

// A TestCheck is one thing that was looked at to find the cause of a failure.
type TestCheck struct{ Name, State, Detail string }

// Tests runs Synchronisationstests.
type Tests interface {
	// Start begins a test; if one of the person runs already, it returns that one. An unknown person is
	// booking.ErrNotFound.
	Start(ctx context.Context, tenant, person string) (run TestRun, already bool, err error)
	Run(ctx context.Context, tenant, id string) (TestRun, bool, error)
	// Runs returns the tests of a person, newest first.
	Runs(ctx context.Context, tenant, person string, limit int) ([]TestRun, error)
	// Changed returns a channel that gets a value after the test has changed, as far as this host knows; cancel ends it.
	Changed(tenant, id string) (changed <-chan struct{}, cancel func())
}

// A Finding is one thing that was looked at.
type Finding struct {
	Area, Name   string
	Level        string // ok, warning or error
	What, Remedy string
}

// An Examination is what was found wrong with the host, and what was not.
type Examination struct {
	At       time.Time
	Findings []Finding
}

// Doctor looks for what is wrong with the host.
type Doctor interface {
	Examine(ctx context.Context) (Examination, error)
}

// A Refusal is what a room wrote when it declined.
type Refusal struct {
	Resource, Booking string // ids
	At                time.Time
	Reason            string
}

// Refusals tells what rooms wrote when they declined.
type Refusals interface {
	// Refusals returns the newest refusals of a resource that are known with a reason, the newest first.
	Refusals(ctx context.Context, tenant, resource string, limit int) ([]Refusal, error)
}

// A Plugin is a plugin that the host uses.
type Plugin struct {
	Name, Version    string
	Kind             string
	Protocol         int
	File, SHA256     string // of the binary that runs
	PID              int
	Running          bool
	Since            time.Time // of the last start or end
	Restarts         int
	Problem          string // why it does not run
	Loop             bool   // it does not stay up
	Retry            time.Time
	LastEnd          string
	LastEndAt        time.Time
	LogDroppedAt     time.Time
	TimedOutAt       time.Time
	Memory           int64
	CPU              time.Duration
	LogDropped       int64
	Calls            int64
	Failed, TimedOut int64
	P50, P99         time.Duration
	Modes, Abilities []string
	Settings         []PluginSetting
}

// A PluginSetting is a setting that a plugin declares.
type PluginSetting struct {
	Name, Type, Doc  string
	Required, Secret bool
}

// A Swap says what a plugin's process is to be replaced by: File and SHA256 are empty for the binary that is pinned.
type Swap struct {
	Plugin, File, SHA256 string
	Drain                time.Duration // 0: as the host likes
}

// A Swapped says what became of a Swap.
type Swapped struct {
	From, To  string
	Instances int
	Pause     time.Duration
	CutOff    string
	Unused    bool
}

// A Mode is a sync mode as it is in force.
type Mode struct {
	Name, Backend string
	Auth          []string
	URL           string
	Problem       string // why it cannot be used
}

// A Queue is what waits to be done.
type Queue struct {
	Mailboxes, Dirty                    int64
	OldestDirty                         time.Time
	OpenWrites, DeadMessages, OpenMails int64
}

// HostState is how the host is.
type HostState struct {
	Version string
	Started time.Time
	Plugins []Plugin
	Modes   []Mode
	Queue   Queue
}

// Host is the host itself.
type Host interface {
	State(ctx context.Context) (HostState, error)
	// Reload takes over the configuration on disk. It returns what changed and what takes effect at the next start only.
	// A faulty configuration is *booking.InvalidError, with a violation for each fault.
	Reload(ctx context.Context) (changed, restart []string, err error)
	// Swap replaces a plugin's process. If it fails the one before serves on, and the error is *booking.InvalidError with
	// the reason.
	Swap(ctx context.Context, s Swap) (Swapped, error)
	// Stop ends a plugin's process once its calls are over.
	Stop(ctx context.Context, plugin string) error
}

// Webhooks keeps webhooks and sends what they were given up for again. An unknown webhook or message is
// booking.ErrNotFound; a URL that is refused is *booking.InvalidError.
type Webhooks interface {
	List(ctx context.Context, tenant string) ([]store.Webhook, error)
	Get(ctx context.Context, tenant, id string) (store.Webhook, error)
	// Create makes a webhook of w's Tenant, Name, URL, Kinds and Disabled. What it returns has its ID and Secret.
	Create(ctx context.Context, w store.Webhook) (store.Webhook, error)
	// Update changes Name, URL, Kinds and Disabled of the webhook with w's Tenant and ID.
	Update(ctx context.Context, w store.Webhook) (store.Webhook, error)
	Delete(ctx context.Context, tenant, id string) error
	RotateSecret(ctx context.Context, tenant, id string) (secret string, err error)
	// Test sends a message that is no change. Its error means that it was not tried; problem why it did not get through.
	Test(ctx context.Context, tenant, id string) (problem string, err error)
	Dead(ctx context.Context, tenant, id string, after int64, limit int) ([]store.DeadMessage, error)
	// Resend sends the dead message of one change again, or all if seq is 0, until one does not get through.
	Resend(ctx context.Context, tenant, id string, seq int64) (sent int, problem string, err error)
}

// Answers keeps what requests with an Idempotency-Key were answered.
type Answers interface {
	// BeginAnswer claims a key; false if it is claimed already.
	BeginAnswer(ctx context.Context, a store.Answer) (bool, error)
	FinishAnswer(ctx context.Context, a store.Answer) error
	DropAnswer(ctx context.Context, tenant, apiKey, key string) error
	Answer(ctx context.Context, tenant, apiKey, key string) (store.Answer, bool, error)
}

// Reads is what the API reads of the store.
type Reads interface {
	Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error)
	Persons(ctx context.Context, tenant string, f store.PersonFilter) ([]store.PersonRow, error)
	Mailbox(ctx context.Context, tenant, person string) (store.Mailbox, bool, error)
	Booking(ctx context.Context, tenant, id string) (*booking.Booking, bool, error)
	Bookings(ctx context.Context, tenant string, f store.BookingFilter) ([]*booking.Booking, error)
	Intents(ctx context.Context, tenant, person string, now time.Time, limit int) ([]store.Intent, error)
	Changes(ctx context.Context, tenant string, after int64, limit int) ([]store.ChangeRecord, error)
	LastSeq(ctx context.Context, tenant string) (int64, error)
	WatchChanges(tenant string) (<-chan struct{}, func())
	Timeline(ctx context.Context, tenant string, f store.ActivityFilter) ([]store.Activity, error)
	Differences(ctx context.Context, tenant string, f store.DifferenceFilter) ([]store.Difference, error)
	Difference(ctx context.Context, tenant string, id int64) (store.Difference, bool, error)
	Scan(ctx context.Context, tenant string, id int64) (store.Scan, bool, error)
	Scans(ctx context.Context, tenant string, before int64, limit int) ([]store.Scan, error)
	ScanParts(ctx context.Context, scan int64, state store.ScanState, after string, limit int) ([]store.ScanPart, error)
	Quarantine(ctx context.Context, tenant string, id int64) (store.Quarantine, bool, error)
	Quarantines(ctx context.Context, tenant string, f store.QuarantineFilter) ([]store.Quarantine, error)
	Move(ctx context.Context, tenant, person string) (store.Move, bool, error)
	Moves(ctx context.Context, tenant string, f store.MoveFilter) ([]store.Move, error)
	CountMoves(ctx context.Context) ([]store.MoveCount, error)
	ShadowReport(ctx context.Context, tenant, person string) (store.ShadowReport, bool, error)
}

// Keys is the store's keeping of API keys.
type Keys interface {
	APIKeyByHash(ctx context.Context, hash []byte) (store.APIKey, bool, error)
	APIKeys(ctx context.Context, tenant string) ([]store.APIKey, error)
	AddAPIKey(ctx context.Context, k store.APIKey) error
	// RevokeAPIKey reports false if there is no such key.
	RevokeAPIKey(ctx context.Context, tenant, id string) (bool, error)
	TouchAPIKey(ctx context.Context, tenant, id string, at time.Time) error
}
