package syncer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const (
	// A calendar in shadow mode is read in full whenever something changes in it, so after each reading it is left alone for a
	// multiple of the time that took, within bounds.
	shadowShare                    = 20
	shadowPauseMin, shadowPauseMax = 2 * time.Second, 10 * time.Minute
	// shadowEntries bounds a report; what agrees is counted and not listed.
	shadowEntries = 5000
)

// A ShadowReport says what the sync of a person would do. It names no subjects.
type ShadowReport struct {
	At         time.Time      `json:"at"`             // when the calendar was read
	TookMillis int64          `json:"took_ms"`        // the reading
	Items      int            `json:"items"`          // in the calendar
	Bookings   int            `json:"bookings"`       // of the person that stand and are not over
	Found      map[string]int `json:"found"`          // bookings whose item was found, by "link", "marker", "booking id" or "content"
	Does       map[string]int `json:"does"`           // what would be done, by action
	Entries    []ShadowEntry  `json:"entries"`        // what would be done to bookings and items that do not agree as they are
	Left       int            `json:"left,omitempty"` // entries that are too many to be listed
	// MarkersOnly: the backend tells in full what bears a marker alone, so items without one are not found by what they say.
	MarkersOnly bool `json:"markers_only,omitempty"`
}

// What would be done, as ShadowEntry.Action has it.
const (
	ShadowNothing = "nothing"        // both agree
	ShadowAdopt   = "adopt"          // the item is linked with its booking; both agree
	ShadowCreate  = "create item"    // there is none
	ShadowUpdate  = "update item"    // the booking's fields are written
	ShadowDelete  = "delete item"    // its booking is over
	ShadowChange  = "change booking" // the calendar's fields are taken over
	ShadowCancel  = "cancel booking" // its item is gone
	ShadowRefuse  = "refuse"         // the booking rules do not allow what the calendar says
	ShadowLeave   = "leave alone"    // see Why
)

// A ShadowEntry is what would become of one booking or item.
type ShadowEntry struct {
	Booking string    `json:"booking,omitempty"` // id
	Start   time.Time `json:"start"`
	Action  string    `json:"action"`
	Found   string    `json:"found,omitempty"`  // by what the item was found
	Fields  []string  `json:"fields,omitempty"` // that would be written or taken over
	Why     string    `json:"why"`
}

// ParseShadowReport reads what a store keeps.
func ParseShadowReport(data []byte) (ShadowReport, error) {
	var r ShadowReport
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("stored shadow report: %w", err)
	}
	return r, nil
}

func (r *ShadowReport) add(x ShadowEntry) {
	r.Does[x.Action]++
	switch {
	case x.Action == ShadowNothing:
	case len(r.Entries) < shadowEntries:
		r.Entries = append(r.Entries, x)
	default:
		r.Left++
	}
}

// SetShadow switches the shadow mode of a person: on, nothing is written any more, neither bookings nor calendar; off, the calendar is
// taken over and kept in sync from then on. What is to be written waits meanwhile. booking.ErrNotFound for nobody.
func (e *Engine) SetShadow(ctx context.Context, tenant, person string, on bool) error {
	return e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.Person(ctx, tenant, person)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("person %q: %w", person, booking.ErrNotFound)
		case on && row.Kind == directory.KindResource:
			return &booking.InvalidError{Booking: person, Violations: []booking.Violation{{
				Field: "on", Reason: "shadow mode is for persons: the calendar of a room is read where rooms { sync = true } is set and its sync is not disabled",
			}}}
		}
		changed, err := tx.SetShadow(ctx, tenant, person, on)
		if err != nil || !changed {
			return err
		}
		what, why := "shadow mode on", "everything is read and planned, nothing is written"
		if !on {
			what, why = "shadow mode off", "the calendar is taken over and kept in sync"
		}
		return e.record(ctx, tx, tenant, person, "", what, why)
	})
}

// shadow is a pass of a person in shadow mode: everything is read and planned, and a report is all that is written.
func (e *Engine) shadow(ctx context.Context, p *pass) error {
	last, found, err := e.Store.ShadowReport(ctx, p.mb.Tenant, p.mb.Person)
	if err != nil {
		return ours(err)
	}
	if found && !e.reconcileDue(p) {
		before, err := ParseShadowReport(last.Data)
		if err != nil {
			return ours(err)
		}
		pause := min(max(shadowShare*time.Duration(before.TookMillis)*time.Millisecond, shadowPauseMin), shadowPauseMax)
		if again := last.At.Add(pause); again.After(e.now()) {
			p.shadowAgain = again
			return nil
		}
	}
	began := e.now()
	s, err := e.takeStock(ctx, p)
	if err != nil {
		return err
	}
	r := &ShadowReport{At: e.now(), TookMillis: e.now().Sub(began).Milliseconds(), Items: len(s.byRef), MarkersOnly: !s.whole, Found: map[string]int{}, Does: map[string]int{}, Entries: []ShadowEntry{}}
	known := map[calendar.Ref]bool{}
	err = e.eachStanding(ctx, p.mb.Tenant, p.mb.Person, func(b *booking.Booking, links []store.Link) error {
		r.Bookings++
		it, by, err := e.candidate(ctx, s, b, links)
		if err != nil {
			return err
		}
		if it != nil {
			known[it.Ref] = true
			r.Found[by]++
		}
		return e.forecast(ctx, p, r, expectation{booking: b, links: links, item: it, by: by})
	})
	if err != nil {
		return err
	}
	if err := e.forecastRest(ctx, p, r, s, known); err != nil {
		return err
	}
	slices.SortStableFunc(r.Entries, func(a, b ShadowEntry) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), a.Start.Compare(b.Start))
	})
	data, err := json.Marshal(r)
	if err != nil {
		return ours(err)
	}
	p.advanced = true
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if row, found, err := tx.Person(ctx, p.mb.Tenant, p.mb.Person); err != nil || !found || !row.Shadow {
			return err // left it meanwhile
		}
		p.mb.ReconcileAt = e.now().Add(e.limits().ReconcileInterval)
		if err := tx.SaveMailbox(ctx, p.mb); err != nil {
			return err
		}
		return tx.PutShadowReport(ctx, store.ShadowReport{Tenant: p.mb.Tenant, Person: p.mb.Person, At: r.At, Data: data})
	})
}

// An expectation is a booking with what was found of it in a calendar.
type expectation struct {
	booking *booking.Booking
	links   []store.Link
	item    *calendar.Item
	by      string
}

// forecast notes what would become of a booking.
func (e *Engine) forecast(ctx context.Context, p *pass, r *ShadowReport, x expectation) error {
	entry := ShadowEntry{Booking: x.booking.ID, Start: x.booking.Start, Found: x.by}
	if x.item != nil {
		if why := untouchable(x.item, x.booking); why != "" {
			entry.Action, entry.Why = ShadowLeave, why
			r.add(entry)
			return nil
		}
	}
	l := store.Link{Tenant: p.mb.Tenant, Booking: x.booking.ID, Person: p.mb.Person, State: store.LinkExpected}
	for _, had := range x.links {
		if had.State != store.LinkDead {
			l = had
		}
	}
	if x.by != byLink && x.by != "" {
		l.Base = nil // it would be adopted
	}
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		pr, err := pairUp(ctx, tx, l)
		if err != nil {
			return err
		}
		if pr.booking == nil {
			return errLooked // cancelled meanwhile
		}
		pr.item = x.item
		in, err := e.input(ctx, tx, &pr)
		if err != nil {
			return err
		}
		d := plan.Plan(in)
		if err := e.outlook(ctx, tx, &pr, d, &entry); err != nil {
			return err
		}
		return errLooked
	})
	if !errors.Is(err, errLooked) {
		return ours(err)
	}
	if entry.Action != "" {
		r.add(entry)
	}
	return nil
}

// outlook puts a decision into words.
func (e *Engine) outlook(ctx context.Context, tx *store.Tx, pr *pair, d plan.Decision, entry *ShadowEntry) error {
	entry.Why = explainPlan(d).Says
	switch {
	case d.CreateItem:
		entry.Action, entry.Why = ShadowCreate, "the calendar has no item of the booking, neither by link, marker and booking id nor by time and subject; it would be made without mail"
	case d.CancelBooking:
		entry.Action = ShadowCancel
	case d.DeleteItem:
		entry.Action = ShadowDelete
	case d.BookingFields != 0:
		entry.Action, entry.Fields = ShadowChange, listed(d.BookingFields)
		refusal, err := e.wouldRefuse(ctx, tx, pr, d)
		if err != nil {
			return err
		}
		if refusal != "" {
			entry.Action, entry.Why = ShadowRefuse, refusal+"; then "+behaviourWords[conflictBehaviour(pr.person)]
		}
	case d.ItemFields != 0:
		entry.Action, entry.Fields = ShadowUpdate, listed(d.ItemFields)
	case entry.Found != byLink && pr.item != nil:
		entry.Action, entry.Why = ShadowAdopt, "booking and item say the same: the item would be linked, nothing written"
	default:
		entry.Action = ShadowNothing
	}
	return nil
}

// forecastRest notes what would become of items that bear a marker and belong to no booking that stands.
func (e *Engine) forecastRest(ctx context.Context, p *pass, r *ShadowReport, s *stock, known map[calendar.Ref]bool) error {
	for ref, it := range s.byRef {
		if known[ref] || it.Key == "" && it.ForeignKey == "" || it.ReadOnly || it.Event.Cancelled || !it.Event.End.After(e.now()) && it.Event.Recurrence == "" {
			continue
		}
		entry := ShadowEntry{Booking: it.ForeignKey, Start: it.Event.Start, Action: ShadowLeave}
		id := it.ForeignKey
		if l, found, err := e.Store.Link(ctx, p.mb.Tenant, it.Key); err != nil {
			return ours(err)
		} else if it.Key != "" && found {
			id, entry.Booking = l.Booking, l.Booking
			if l.State == store.LinkDeleting && l.Ref == ref {
				entry.Action, entry.Why = ShadowDelete, "its booking is over"
				r.add(entry)
				continue
			}
		}
		b, found, err := e.Store.Booking(ctx, p.mb.Tenant, id)
		switch {
		case err != nil:
			return ours(err)
		case !found:
			entry.Why = fmt.Sprintf("it bears the booking id %q, and there is no such booking: perhaps it was not handed over, or is long over", id)
		case b.Status != booking.Confirmed:
			entry.Why = "its booking is cancelled"
		case b.Organizer != p.mb.Person:
			entry.Why = fmt.Sprintf("its booking's organizer is %q", b.Organizer)
		case b.SyncOff || b.SyncDisabled:
			entry.Why = "its booking is not synced"
		default:
			entry.Why = "a second item that bears the id of its booking, perhaps a copy"
		}
		r.add(entry)
	}
	return nil
}

// shadowReason is the state of a person in shadow mode.
func shadowReason(person string) string {
	return "shadow mode: everything is read and planned, nothing is written; roomwire person shadow " + person + " says what would be done"
}
