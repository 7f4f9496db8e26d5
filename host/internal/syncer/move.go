package syncer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A MoveReport says what a move found. It is stored as JSON with the move and holds no subjects.
type MoveReport struct {
	Links     int `json:"links"`     // living ones when the move was made
	Verified  int `json:"verified"`  // found, and as both sides last agreed
	Differing int `json:"differing"` // found, and changed meanwhile: the sync carries that on
	Missing   int `json:"missing"`   // not found: laid before a person
	Ambiguous int `json:"ambiguous"` // more than one item may be it: laid before a person
	Deleted   int `json:"deleted"`   // deleted in the calendar, as the old mode knows: the sync deals with that
	Open      int `json:"open"`      // no item yet, or to be deleted: the sync goes on with it
	Past      int `json:"past"`      // not found and nothing at stake: let go
	// Note says what was not as usual, such as an old mode that cannot be used any more.
	Note string `json:"note,omitempty"`
	// Items tells of those that were not simply found, up to mostMoveItems.
	Items []MoveItem `json:"items,omitempty"`
}

// A MoveItem is one booking's item in a MoveReport.
type MoveItem struct {
	Booking string `json:"booking"`
	What    string `json:"what"`             // differing, missing, ambiguous, deleted
	Fields  string `json:"fields,omitempty"` // of a differing one: in which fields it is not as agreed
}

// mostMoveItems is how many items a report names.
const mostMoveItems = 200

// ParseMoveReport reads a stored report; nil is an empty one.
func ParseMoveReport(data []byte) (MoveReport, error) {
	var r MoveReport
	if len(data) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("stored report of a move: %w", err)
	}
	return r, nil
}

func saveReport(r *MoveReport) []byte {
	data, _ := json.Marshal(r) // plain data: cannot fail
	return data
}

func (r *MoveReport) note(it MoveItem) {
	if len(r.Items) < mostMoveItems {
		r.Items = append(r.Items, it)
	}
}

// summary is the report in one sentence.
func (r *MoveReport) summary() string {
	s := fmt.Sprintf("%s: %d verified", plural(r.Links, "item", "items"), r.Verified)
	for _, part := range []struct {
		n    int
		what string
	}{
		{r.Differing, "changed meanwhile"}, {r.Missing, "not found"}, {r.Ambiguous, "ambiguous"}, {r.Deleted, "deleted"},
		{r.Open, "still to be written"}, {r.Past, "past and let go"},
	} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return s
}

// RequestMoves asks for moves; each is made by a pass of its mailbox. What cannot be moved is returned with the reason,
// by the number of the move. Asking for what is asked for already changes nothing.
func (e *Engine) RequestMoves(ctx context.Context, moves []store.Move) (refused map[int]string, err error) {
	refused = map[int]string{}
	const batch = 50
	for first := 0; first < len(moves); first += batch {
		part := moves[first:min(first+batch, len(moves))]
		var no map[int]string
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			no = map[int]string{}
			for i, m := range part {
				why, err := e.requestMove(ctx, tx, m)
				if err != nil {
					return err
				}
				if why != "" {
					no[first+i] = why
				}
			}
			return nil
		})
		if err != nil {
			return refused, err
		}
		for i, why := range no {
			refused[i] = why
		}
	}
	return refused, nil
}

// requestMove records one request, or says why it cannot be done.
func (e *Engine) requestMove(ctx context.Context, tx *store.Tx, m store.Move) (refusal string, err error) {
	row, found, err := tx.Person(ctx, m.Tenant, m.Person)
	switch {
	case err != nil:
		return "", err
	case !found:
		return "there is no such person", nil
	case row.Email == "" || row.SyncMode == "":
		return "there is no calendar that is kept in sync", nil
	case row.Kind == directory.KindResource:
		return "it is a room or another resource, of which nothing needs to be moved: " + otherModeOfRoom(row.ID, m.To), nil
	case row.SyncDisabled:
		return "the sync is switched off: switch it on first, or set the mode with roomwire person set", nil
	case row.SyncMode == m.To && row.SyncURL == m.URL:
		return fmt.Sprintf("the sync mode is %s already", m.To), nil
	}
	before, found, err := tx.Move(ctx, m.Tenant, m.Person)
	if err != nil {
		return "", err
	}
	if found && before.Open() && before.To == m.To && before.URL == m.URL && before.DryRun == m.DryRun && before.Lenient == m.Lenient {
		return "", nil
	}
	m.From, m.State, m.Requested = row.SyncMode, store.MoveWaiting, e.now()
	if found && !m.Requested.After(before.Requested) {
		m.Requested = before.Requested.Add(1e6) // each request has its own moment, by which it is known
	}
	if err := tx.PutMove(ctx, m); err != nil {
		return "", err
	}
	mb, found, err := tx.Mailbox(ctx, m.Tenant, m.Person)
	if err != nil || !found {
		return "", err
	}
	if row.State.Kind != string(fault.Throttled) { // what a server asked for is honoured
		mb.WaitUntil = zeroTime
		if err := tx.SaveMailbox(ctx, mb); err != nil {
			return "", err
		}
	}
	return "", tx.MarkDirtyBulk(ctx, m.Tenant, m.Person, zeroTime)
}

// FollowMoves asks for the moves that were offered, since the mailboxes were found elsewhere. It returns whose.
func (e *Engine) FollowMoves(ctx context.Context, tenant string, dryRun bool) (persons []string, err error) {
	for after := ""; ; {
		offered, err := e.Store.Moves(ctx, tenant, store.MoveFilter{State: store.MoveOffered, After: after})
		if err != nil || len(offered) == 0 {
			return persons, err
		}
		after = offered[len(offered)-1].Person
		for i := range offered {
			offered[i] = store.Move{Tenant: tenant, Person: offered[i].Person, To: offered[i].To, URL: offered[i].URL, DryRun: dryRun}
		}
		refused, err := e.RequestMoves(ctx, offered)
		if err != nil {
			return persons, err
		}
		for i, m := range offered {
			if refused[i] == "" {
				persons = append(persons, m.Person)
			}
		}
	}
}

// CancelMove ends a move that is not made yet; what was offered is not offered any more until the mailbox is looked for
// again. A person without such a move is booking.ErrNotFound.
func (e *Engine) CancelMove(ctx context.Context, tenant, person string) error {
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		m, found, err := tx.Move(ctx, tenant, person)
		if err != nil {
			return err
		}
		if !found || m.State == store.MoveDone || m.State == store.MoveCancelled {
			return fmt.Errorf("open move of person %q: %w", person, booking.ErrNotFound)
		}
		m.State, m.Reason, m.Remedy, m.NextAt, m.Finished = store.MoveCancelled, "cancelled by an administrator", "", zeroTime, e.now()
		return tx.PutMove(ctx, m)
	})
}

// What somebody may decide of items that a move did not find, or of which it found several.
const (
	MakeAnew  = "make-anew"  // the booking's item is made once more; nobody is mailed
	LetGo     = "let-go"     // the booking is taken out of the sync; no item is touched
	LookAgain = "look-again" // the calendar is read in full; an item is taken if no other one bears its marker by then
)

// DecideMove carries out what somebody decided of the links that a move left open: of the given bookings, or of all of the
// person's if there are none. It returns how many links it was about.
func (e *Engine) DecideMove(ctx context.Context, tenant, person, decision string, bookings []string) (n int, err error) {
	err = e.withMailbox(ctx, tenant, person, func(ctx context.Context, tx *store.Tx, mb *store.Mailbox) error {
		n = 0
		if decision == LookAgain {
			mb.ReconcileAt = zeroTime
		}
		return eachLink(ctx, tx, tenant, person, func(l store.Link) error {
			if !leftByMove(l) || len(bookings) > 0 && !slices.Contains(bookings, l.Booking) {
				return nil
			}
			n++
			return e.decideLink(ctx, tx, l, decision)
		})
	})
	return n, err
}

func (e *Engine) decideLink(ctx context.Context, tx *store.Tx, l store.Link, decision string) error {
	if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, differenceOf(l)); err != nil {
		return err
	}
	pr, err := pairUp(ctx, tx, l)
	if err != nil {
		return err
	}
	switch {
	case decision == LookAgain:
		l.State, l.Problem = store.LinkLost, notFoundAfterMove
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		return e.differ(ctx, tx, &pair{link: l}, notFoundAfterMove, "somebody asked to look for the item again")
	case decision == LetGo || pr.booking == nil:
		if err := e.bury(ctx, tx, &l); err != nil {
			return err
		}
		const why = "let go after the move to another sync mode, by an administrator"
		if pr.booking != nil {
			next := pr.booking.Clone()
			next.SyncDisabled, next.SyncProblem = true, why
			if err := e.save(ctx, tx, pr.booking, next, sourceSync, why); err != nil {
				return err
			}
		}
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item let go", why)
	case decision == MakeAnew:
		if l.Sent = l.Base; len(l.Sent) == 0 || l.State == store.LinkUnclear {
			l.Sent = unknownSent // nothing is learnt of an item that is none of the booking's, perhaps
		}
		l.State, l.Base, l.Ref, l.Revision, l.Problem = store.LinkPending, nil, "", "", ""
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		if err := e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item to be made anew", "it was not found after the move, and an administrator decided so"); err != nil {
			return err
		}
		if in, found, err := tx.Intent(ctx, l.Tenant, l.Key); err != nil {
			return err
		} else if found {
			// It was put off; nobody is mailed of an item that was there before.
			if err := tx.ReviseIntent(ctx, in.Tenant, in.Key, store.OpReset, calendar.MailNobody); err != nil {
				return err
			}
		}
		return e.intend(ctx, tx, l, store.OpReset, calendar.MailNobody, "made anew after the move")
	}
	return &booking.InvalidError{Violations: []booking.Violation{{
		Field: "decision", Reason: "is none of " + MakeAnew + ", " + LetGo + ", " + LookAgain,
	}}}
}

// What differences are called that a move leaves.
const (
	notFoundAfterMove  = "not found after the move"
	ambiguousAfterMove = "ambiguous after the move"
)

// leftByMove reports whether a link waits for somebody's decision since a move.
func leftByMove(l store.Link) bool { return l.State == store.LinkLost || l.State == store.LinkUnclear }

func differenceOf(l store.Link) string {
	if l.State == store.LinkUnclear {
		return ambiguousAfterMove
	}
	return notFoundAfterMove
}

// closeLeft ends the wait of a link for somebody's decision because the link ends. It returns what store.Link.Sent is of it from
// then on: its item is there perhaps, so that a later link of the booking looks for it before it makes one. Of several items
// nothing is learnt.
func (e *Engine) closeLeft(ctx context.Context, tx *store.Tx, l store.Link) (sent []byte, err error) {
	if !leftByMove(l) {
		return nil, nil
	}
	if sent = l.Base; len(sent) == 0 || l.State == store.LinkUnclear {
		sent = unknownSent
	}
	return sent, tx.CloseDifferences(ctx, l.Tenant, l.Booking, differenceOf(l))
}

// putOff puts an intent off whose link waits for somebody's decision.
func (e *Engine) putOff(ctx context.Context, p *pass, in store.Intent) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeferIntent(ctx, in.Tenant, in.Key, e.now().Add(e.limits().ReconcileInterval), in.Failures)
	})
}

// refound ends the wait of a link whose item turned up after all.
func (e *Engine) refound(ctx context.Context, tx *store.Tx, l *store.Link) error {
	if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, differenceOf(*l)); err != nil {
		return err
	}
	l.State, l.Problem = store.LinkLive, ""
	in, found, err := tx.Intent(ctx, l.Tenant, l.Key)
	if err != nil {
		return err
	}
	if found && in.NotBefore.After(e.now()) {
		if err := tx.DeferIntent(ctx, in.Tenant, in.Key, e.now(), in.Failures); err != nil {
			return err
		}
	}
	return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item found again", "it was not found when the person moved")
}

// candidates returns the items that may be that of a link which a move did not find.
func (e *Engine) candidates(ctx context.Context, p *pass, l store.Link) ([]calendar.Item, error) {
	found, err := e.findAll(ctx, p, l, backend.OurKey)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return e.findAll(ctx, p, l, backend.ForeignKey)
}

// carryLost has an intent wait for the item of a link that a move did not find.
func (e *Engine) carryLost(ctx context.Context, p *pass, in store.Intent, l store.Link) error {
	found, err := e.candidates(ctx, p, l)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return e.putOff(ctx, p, in)
	}
	if err := e.takeUp(ctx, p, l, found); err != nil {
		return err
	}
	return errStale // linked again: now as ever; or known to be ambiguous
}

// turnedUp looks for the item of a link that a move did not find, since an item with its marker was met.
func (e *Engine) turnedUp(ctx context.Context, p *pass, l store.Link) error {
	found, err := e.candidates(ctx, p, l)
	if err != nil || len(found) == 0 {
		return err
	}
	return e.takeUp(ctx, p, l, found)
}

// takeUp links an item that turned up, if it is the only one: of several none is chosen.
func (e *Engine) takeUp(ctx context.Context, p *pass, l store.Link, found []calendar.Item) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		now, known, err := tx.Link(ctx, l.Tenant, l.Key)
		if err != nil || !known || now.State != store.LinkLost {
			return err
		}
		if len(found) == 1 {
			return e.pairItem(ctx, tx, p, now, &found[0])
		}
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, notFoundAfterMove); err != nil {
			return err
		}
		return e.unclear(ctx, tx, now)
	})
}

// unclear lays a link before a person of which several items may be the own one.
func (e *Engine) unclear(ctx context.Context, tx *store.Tx, l store.Link) error {
	l.State, l.Problem, l.GoneAt = store.LinkUnclear, ambiguousAfterMove, zeroTime
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	return e.differ(ctx, tx, &pair{link: l}, ambiguousAfterMove,
		"several items bear the booking's marker, and which of them is its own could not be told when the person moved; none is touched until somebody decides")
}

// eachLink calls f for the living links of a person, each as it is in tx, which keeps it still.
func eachLink(ctx context.Context, tx *store.Tx, tenant, person string, f func(store.Link) error) error {
	const batch = 200
	for after := ""; ; {
		links, err := tx.LinksOfPerson(ctx, tenant, person, after, batch)
		if err != nil {
			return err
		}
		for _, l := range links {
			after = l.Key
			now, found, err := tx.Link(ctx, tenant, l.Key)
			if err != nil {
				return err
			}
			if !found || now.State == store.LinkDead {
				continue
			}
			if err := f(now); err != nil {
				return err
			}
		}
		if len(links) < batch {
			return nil
		}
	}
}

// errMoveOver ends a move that was cancelled or asked for otherwise while it was made.
var errMoveOver = errors.New("the move was cancelled, or asked for otherwise")
