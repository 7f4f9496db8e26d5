package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// An Explanation is a booking with its items, and what the sync makes of them. It bears texts of appointments: it is for an
// authorised administrator and is never logged.
type Explanation struct {
	Booking           string          `json:"booking"` // id
	Version           int64           `json:"version"`
	Status            string          `json:"status"`
	Organizer         string          `json:"organizer"` // person id; of somebody from outside the mail address
	SyncOff           bool            `json:"sync_off"`
	SyncDisabled      bool            `json:"sync_disabled"`
	SyncProblem       string          `json:"sync_problem,omitempty"`
	ItemExpectedUntil time.Time       `json:"item_expected_until,omitzero"` // the add-in's item is waited for
	Rooms             []ExplainedRoom `json:"rooms,omitempty"`              // what they have answered, as far as it is known
	Fields            ExplainedFields `json:"fields"`                       // what the item should say
	// Series is absent of a single booking.
	Series *ExplainedSeries `json:"series,omitempty"`
	// Unlinked says why no item belongs to the booking now; empty if one does, or is on its way.
	Unlinked string          `json:"unlinked,omitempty"`
	Links    []ExplainedLink `json:"links"` // newest first, with those that are over
	// Differences are the open ones; Activities the last of the timeline, newest first.
	Differences []ExplainedDifference `json:"differences"`
	Activities  []ExplainedActivity   `json:"activities"`
}

// An ExplainedRoom is what a room has answered.
type ExplainedRoom struct {
	Resource string    `json:"resource"`
	State    string    `json:"state"` // a booking.AnswerState
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

// An ExplainedLink is the tie between a booking and an item.
type ExplainedLink struct {
	Key      string    `json:"key"` // the marker on the item
	Person   string    `json:"person"`
	State    string    `json:"state"` // a store.LinkState
	Problem  string    `json:"problem,omitempty"`
	Ref      string    `json:"ref,omitempty"` // of the item, as the server knows it
	Revision string    `json:"revision,omitempty"`
	Tries    int       `json:"tries"` // rollbacks in a row
	GoneAt   time.Time `json:"gone_at,omitzero"`
	Created  time.Time `json:"created"`

	Intent *ExplainedIntent `json:"intent,omitempty"` // a write that is still to be done

	Base *ExplainedFields `json:"base,omitempty"` // what both sides last agreed on; absent if they never did
	Item *ExplainedItem   `json:"item,omitempty"` // as it is now; absent if there is none, or it cannot be read
	// ItemProblem says why it is not known how the item is now; empty if it is known. NoItem: it is known that there is none.
	ItemProblem string `json:"item_problem,omitempty"`
	NoItem      bool   `json:"no_item,omitempty"`

	Groups   []ExplainedGroup   `json:"groups,omitempty"`   // absent if one side is missing
	Decision *ExplainedDecision `json:"decision,omitempty"` // what the next pass would decide; absent if the item is unknown or left alone
	Holds    []string           `json:"holds,omitempty"`    // why it is not done now, each a sentence
}

// An ExplainedIntent is a write to a calendar that waits.
type ExplainedIntent struct {
	Op        string    `json:"op"` // "sync", "reset", "delete" or "mark"
	Cause     string    `json:"cause"`
	Mail      string    `json:"mail"` // "nobody", "all" or "concerned"
	Created   time.Time `json:"created"`
	NotBefore time.Time `json:"not_before,omitzero"` // next try; absent: at the next pass
	Failures  int       `json:"failures"`            // tries in a row that failed
}

// An ExplainedItem is an item as its server holds it.
type ExplainedItem struct {
	Ref       string          `json:"ref"`
	Revision  string          `json:"revision"`
	Kind      string          `json:"kind"` // "single", "master", "occurrence" or "exception"
	Modified  time.Time       `json:"modified,omitzero"`
	ReadOnly  bool            `json:"read_only"` // somebody else's meeting
	Cancelled bool            `json:"cancelled"`
	Fields    ExplainedFields `json:"fields"`
}

// An ExplainedDifference was laid before a person.
type ExplainedDifference struct {
	ID     int64     `json:"id"`
	Person string    `json:"person"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail"`
}

// An ExplainedActivity is one entry of the timeline.
type ExplainedActivity struct {
	Person string    `json:"person"`
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Why    string    `json:"why"`
}

const (
	explainedActivities = 20
	explainTimeout      = 30 * time.Second // for reading one item
)

// errLooked undoes a transaction that only looked.
var errLooked = errors.New("looked")

// Explain tells what there is to tell of a booking: both sides, what they last agreed on, what the sync would do now and
// what keeps it from doing so. It reads the item from its server and changes nothing anywhere. A booking that does not
// exist is booking.ErrNotFound; an item that cannot be read is no error, but told.
func (e *Engine) Explain(ctx context.Context, tenant, id string) (Explanation, error) {
	b, found, err := e.Store.Booking(ctx, tenant, id)
	if err != nil {
		return Explanation{}, err
	}
	if !found {
		return Explanation{}, fmt.Errorf("booking %q: %w", id, booking.ErrNotFound)
	}
	f, err := e.shownFields(ctx, e.Store, b)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{
		Booking: b.ID, Version: b.Version, Status: string(b.Status), Organizer: b.Organizer, SyncOff: b.SyncOff,
		SyncDisabled: b.SyncDisabled, SyncProblem: b.SyncProblem, Fields: explainFields(f), Series: explainSeries(b, e.now()),
		Links: []ExplainedLink{}, Differences: []ExplainedDifference{}, Activities: []ExplainedActivity{},
	}
	if b.ItemExpected {
		x.ItemExpectedUntil = b.ExpectedUntil
	}
	if b.External != nil {
		x.Organizer = b.External.Email
	}
	for _, a := range b.Answers {
		if a.Resource != "" {
			x.Rooms = append(x.Rooms, ExplainedRoom{a.Resource, string(a.State), a.Reason, a.At})
		}
	}
	links, err := e.Store.LinksOfBooking(ctx, tenant, id)
	if err != nil {
		return Explanation{}, err
	}
	linked := false
	for i := len(links) - 1; i >= 0; i-- {
		l, err := e.explainLink(ctx, b, links[i])
		if err != nil {
			return Explanation{}, err
		}
		x.Links = append(x.Links, l)
		linked = linked || links[i].State != store.LinkDead && links[i].State != store.LinkDeleting
	}
	if !linked {
		if x.Unlinked, err = e.explainUnlinked(ctx, b); err != nil {
			return Explanation{}, err
		}
	}
	return x, e.explainPast(ctx, tenant, &x)
}

// explainPast adds what happened and what is open.
func (e *Engine) explainPast(ctx context.Context, tenant string, x *Explanation) error {
	differences, err := e.Store.Differences(ctx, tenant, store.DifferenceFilter{Booking: x.Booking})
	if err != nil {
		return err
	}
	for _, d := range differences {
		x.Differences = append(x.Differences, ExplainedDifference{ID: d.ID, Person: d.Person, At: d.At, Kind: d.Kind, Detail: d.Detail})
	}
	activities, err := e.Store.Activities(ctx, tenant, "", x.Booking, explainedActivities)
	if err != nil {
		return err
	}
	for _, a := range activities {
		x.Activities = append(x.Activities, ExplainedActivity{Person: a.Person, At: a.At, What: a.What, Why: a.Why})
	}
	return nil
}

// explainUnlinked says why a booking has no item and none on its way.
func (e *Engine) explainUnlinked(ctx context.Context, b *booking.Booking) (string, error) {
	switch {
	case b.Status != booking.Confirmed:
		return "the booking is cancelled", nil
	case b.External != nil:
		return "the meeting is that of somebody from outside, and was made in the calendar of a room", nil
	case b.SyncOff:
		return "whoever made the booking does not want it in a calendar", nil
	case b.SyncDisabled:
		return "the sync of this booking is disabled: " + b.SyncProblem, nil
	}
	row, found, err := e.Store.Person(ctx, b.Tenant, b.Organizer)
	switch {
	case err != nil:
		return "", err
	case !found:
		return fmt.Sprintf("the organizer %q is no person here", b.Organizer), nil
	case row.SyncDisabled:
		return "the organizer's sync is switched off", nil
	case row.Email == "" || row.SyncMode == "":
		return "the organizer has no mail address or no sync mode", nil
	case e.past(b):
		return "the booking is over", nil
	}
	return "it will be linked when the organizer's calendar is read in full the next time", nil
}

// explainLink tells of one link; of one that is over only the record.
func (e *Engine) explainLink(ctx context.Context, b *booking.Booking, l store.Link) (ExplainedLink, error) {
	x := ExplainedLink{
		Key: l.Key, Person: l.Person, State: string(l.State), Problem: l.Problem, Ref: string(l.Ref), Revision: l.Revision,
		Tries: l.Tries, GoneAt: l.GoneAt, Created: l.Created,
	}
	base, err := loadCurrent(ctx, e.Store, l.Tenant, l.Base)
	if err != nil {
		return x, fmt.Errorf("link %q: %w", l.Key, err)
	}
	x.Base = explainIf(base)
	in, found, err := e.Store.Intent(ctx, l.Tenant, l.Key)
	if err != nil {
		return x, err
	}
	if found {
		x.Intent = &ExplainedIntent{
			Op: string(in.Op), Cause: in.Cause, Mail: mailWords[in.Mail], Created: in.Created, NotBefore: in.NotBefore, Failures: in.Failures,
		}
	}
	if l.State == store.LinkDead {
		return x, nil
	}
	p, problem, err := e.onlooker(ctx, l)
	if err != nil {
		return x, err
	}
	var item *calendar.Item
	if problem == "" {
		limited, cancel := context.WithTimeout(ctx, explainTimeout)
		item, err = e.current(limited, p, l)
		cancel()
		switch _, ours := errors.AsType[storeError](err); {
		case ours || ctx.Err() != nil:
			return x, err
		case err != nil:
			problem = sentence(err)
		}
	}
	x.ItemProblem, x.NoItem = problem, problem == "" && item == nil
	x.Holds = e.explainHolds(b, l, p, x.Intent)
	if item != nil {
		if err := e.explainItem(ctx, p, item, &x); err != nil {
			return x, err
		}
		if why := untouchable(item, b); why != "" {
			x.Holds = append(x.Holds, why)
			return x, nil
		}
	}
	if problem != "" || leftByMove(l) {
		return x, nil
	}
	return x, e.explainDecision(ctx, l, item, &x)
}

// onlooker returns a pass that only looks, or why the item cannot be looked at.
func (e *Engine) onlooker(ctx context.Context, l store.Link) (p *pass, problem string, err error) {
	row, found, err := e.Store.Person(ctx, l.Tenant, l.Person)
	if err != nil || !found {
		return nil, fmt.Sprintf("%q is no person here any more", l.Person), err
	}
	mb, found, err := e.Store.Mailbox(ctx, l.Tenant, l.Person)
	if err != nil || !found {
		return nil, "there is no mailbox", err
	}
	p = &pass{person: row, mb: mb}
	switch waits := mb.WaitUntil.After(e.now()); {
	case row.Email == "" || row.SyncMode == "":
		return p, "the person has no mail address or no sync mode", nil
	case row.SyncDisabled:
		return p, "the person's sync is switched off", nil
	case waits && (row.State.Kind == string(fault.Unauthorized) || row.State.Kind == string(fault.Throttled)):
		// Another try could lock the account out, or is what the server asked not to be made.
		return p, "the server is left alone until " + mb.WaitUntil.UTC().Format(time.RFC3339) + ": " + row.State.Reason, nil
	}
	mode, err := e.Modes.Mode(ctx, row.SyncMode, row.Email)
	if err != nil {
		if ctx.Err() != nil {
			return p, "", ctx.Err()
		}
		return p, sentence(err), nil
	}
	p.mode, p.mailbox = mode, backend.Mailbox{Address: row.Email, URL: mode.MailboxURL(row.SyncURL)}
	if pause, paused := e.pauses.of(serverOf(mode.Name, p.mailbox.URL), e.now()); paused {
		return p, "the server is left alone until " + pause.until.UTC().Format(time.RFC3339) + ": " + sentence(pause.err), nil
	}
	if mode.Admit != nil {
		mode.Admit(p.mailbox.URL)
	}
	return p, "", nil
}

func (e *Engine) explainItem(ctx context.Context, p *pass, item *calendar.Item, x *ExplainedLink) error {
	f, err := fieldsOfItem(ctx, e.Store, p.mb.Tenant, p.person.Email, &item.Event)
	if err != nil {
		return err
	}
	x.Item = &ExplainedItem{
		Ref: string(item.Ref), Revision: item.Revision, Kind: kindWords[item.Kind], Modified: item.Modified, ReadOnly: item.ReadOnly,
		Cancelled: item.Event.Cancelled, Fields: explainFields(f),
	}
	return nil
}

// explainDecision says what a pass would decide now.
func (e *Engine) explainDecision(ctx context.Context, l store.Link, item *calendar.Item, x *ExplainedLink) error {
	if item != nil && item.Event.Cancelled && l.State != store.LinkDeleting {
		item = nil // called off in the calendar: it stands for nothing any more
	}
	if item != nil && l.Ref == "" && item.Key == l.Key && knowsSent(l) {
		base, err := begun(ctx, e.Store, l, item)
		if err != nil {
			return err
		}
		l.Base, l.Ref = base, item.Ref // made by a write whose answer was lost
	}
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		pr.item, pr.reset = item, x.Intent != nil && store.Op(x.Intent.Op) == store.OpReset
		in, err := e.input(ctx, tx, &pr)
		if err != nil {
			return err
		}
		d := plan.Plan(in)
		x.Groups = explainGroups(in)
		x.Decision = explainPlan(d)
		if d.BookingFields != 0 {
			if x.Decision.Refused, err = e.wouldRefuse(ctx, tx, &pr, d); err != nil {
				return err
			}
			if x.Decision.Refused != "" {
				x.Decision.Says = "the booking's rules refuse what the calendar says; then " + behaviourWords[conflictBehaviour(pr.person)]
			}
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

// wouldRefuse says why the booking's rules refuse what the calendar says; empty if they do not.
func (e *Engine) wouldRefuse(ctx context.Context, tx *store.Tx, p *pair, d plan.Decision) (string, error) {
	next := p.booking.Clone()
	fields, to := p.veil.unveiled(d)
	if err := applyFields(ctx, tx, next, fields, &to); err != nil {
		return "", err
	}
	_, not, err := e.allow(ctx, tx, p, next, d)
	return not.listed, err
}

// explainHolds lists what keeps a pair from being worked on.
func (e *Engine) explainHolds(b *booking.Booking, l store.Link, p *pass, in *ExplainedIntent) []string {
	var holds []string
	hold := func(format string, args ...any) { holds = append(holds, fmt.Sprintf(format, args...)) }
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	if b.SyncDisabled && l.State != store.LinkDeleting {
		hold("the sync of this booking is disabled: %s", b.SyncProblem)
	}
	if l.State == store.LinkExpected && b.ExpectedUntil.After(e.now()) {
		hold("the item that the add-in makes is waited for until %s", at(b.ExpectedUntil))
	}
	if in != nil && in.NotBefore.After(e.now()) {
		hold("the write is tried again at %s", at(in.NotBefore))
	}
	if l.Problem == mailHeldBack {
		hold("the calendar cannot make the write without mail: decide on the difference (roomwire sync resolve)")
	}
	if p == nil {
		return holds
	}
	if p.person.SyncDisabled || p.person.Kind == directory.KindResource {
		hold("the calendar of %s is not kept in sync", l.Person)
	}
	if p.mb.WaitUntil.After(e.now()) {
		hold("the mailbox waits until %s: %s", at(p.mb.WaitUntil), p.person.State.Reason)
	}
	if leftByMove(l) {
		hold("%s: somebody must decide (roomwire person move-decide %s)", l.Problem, l.Person)
	}
	if !l.GoneAt.IsZero() && p.mb.HeldDeletions > 0 {
		hold("%s vanished from the calendar at once, or since it has another address; somebody must decide", plural(p.mb.HeldDeletions, "item", "items"))
	}
	return holds
}

var behaviourWords = map[directory.ConflictBehaviour]string{
	directory.Rollback: "the item is reset to the booking", directory.Cancel: "the booking is cancelled and the item is let go",
}
