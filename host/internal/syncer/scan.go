package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A scan compares bookings and items in full and changes neither. It has a part for each mailbox, which the mailbox's own
// passes do, behind whatever else is wanted of it: so what a pass settles by itself is settled before it is compared, a
// server that wants to be left alone is, and a crash or a fault costs one batch. Package store keeps how far each part is.

// scanBatches is how many batches of a scan one pass does. Then the mailbox queues again among the bulk work, so that fresh
// notices get its place.
const scanBatches = 8

// wakeBatch is how many mailboxes are woken in one transaction.
const wakeBatch = 200

// StartScan records a scan and wakes the mailboxes that it is about, which yield to fresh notices. Only Tenant, Target, Name,
// From, To and Thorough of s are looked at.
//
// Errors: *booking.InvalidError for what cannot be scanned, booking.ErrNotFound for a booking, person or room that is unknown.
func (e *Engine) StartScan(ctx context.Context, s store.Scan) (store.Scan, error) {
	if err := e.checkScan(ctx, s); err != nil {
		return store.Scan{}, err
	}
	persons, err := e.scanned(ctx, s)
	if err != nil {
		return store.Scan{}, err
	}
	var id int64
	var waiting []string
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		waiting = nil
		s.Started = e.now()
		if id, err = tx.AddScan(ctx, s); err != nil {
			return err
		}
		for _, person := range persons {
			part := store.ScanPart{Scan: id, Tenant: s.Tenant, Person: person, State: store.ScanWaiting}
			row, found, err := tx.Person(ctx, s.Tenant, person)
			if err != nil {
				return err
			}
			if part.Problem = unsynced(row, found); part.Problem != "" {
				part.State = store.ScanFailed
			} else {
				waiting = append(waiting, person)
			}
			if err := tx.PutScanPart(ctx, part); err != nil {
				return err
			}
		}
		return tx.EndScan(ctx, id)
	})
	if err != nil {
		return store.Scan{}, err
	}
	// The parts are recorded: a mailbox that is not woken any more is scanned by whatever pass it has next.
	for first := 0; first < len(waiting); first += wakeBatch {
		part := waiting[first:min(first+wakeBatch, len(waiting))]
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, person := range part {
				if err := tx.MarkDirtyBulk(ctx, s.Tenant, person, zeroTime); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return store.Scan{}, err
		}
	}
	scan, _, err := e.Store.Scan(ctx, s.Tenant, id)
	return scan, err
}

// scanCancelled is why a mailbox is not compared whose scan was cancelled.
const scanCancelled = "the scan was cancelled"

// CancelScan has the mailboxes that a scan still waits for not compared. What it found stays; a scan that is over stays as it
// is. An unknown one is booking.ErrNotFound.
func (e *Engine) CancelScan(ctx context.Context, tenant string, id int64) (store.Scan, error) {
	if _, found, err := e.Store.Scan(ctx, tenant, id); err != nil {
		return store.Scan{}, err
	} else if !found {
		return store.Scan{}, fmt.Errorf("scan %d: %w", id, booking.ErrNotFound)
	}
	for more := true; more; {
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			parts, err := tx.ScanParts(ctx, id, store.ScanWaiting, "", wakeBatch)
			if err != nil {
				return err
			}
			more = len(parts) == wakeBatch
			for _, part := range parts {
				part.State, part.Problem = store.ScanFailed, scanCancelled
				if err := tx.PutScanPart(ctx, part); err != nil {
					return err
				}
			}
			return tx.EndScan(ctx, id)
		})
		if err != nil {
			return store.Scan{}, err
		}
	}
	scan, _, err := e.Store.Scan(ctx, tenant, id)
	return scan, err
}

// unsynced says why nothing of a person's calendar can be compared; empty if it can.
func unsynced(row store.PersonRow, found bool) string {
	switch {
	case !found:
		return "there is no such person any more"
	case row.SyncDisabled:
		return "the person's sync is switched off"
	case row.Kind == directory.KindResource:
		return "this is a resource: what is booked in it is compared in its organizers' calendars"
	case row.Email == "" || row.SyncMode == "":
		return "the person has no mail address or no sync mode"
	case row.Shadow:
		return "the person is in shadow mode, whose report tells what differs: roomwire person shadow " + row.ID
	}
	return ""
}

func unscannable(field, format string, args ...any) error {
	return &booking.InvalidError{Violations: []booking.Violation{{Field: field, Reason: fmt.Sprintf(format, args...)}}}
}

func (e *Engine) checkScan(ctx context.Context, s store.Scan) error {
	if !s.From.IsZero() && !s.To.IsZero() && !s.To.After(s.From) {
		return unscannable("to", "the window ends at %s, before it begins", s.To.UTC().Format(time.RFC3339))
	}
	switch s.Target {
	case store.ScanBooking, store.ScanSeries:
		b, found, err := e.Store.Booking(ctx, s.Tenant, s.Name)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("booking %q: %w", s.Name, booking.ErrNotFound)
		case s.Target == store.ScanSeries && !b.Series():
			return unscannable("name", "%q is a single booking, not a series: scan the booking", s.Name)
		}
		return nil
	case store.ScanPerson, store.ScanRoom:
		row, found, err := e.Store.Person(ctx, s.Tenant, s.Name)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%s %q: %w", s.Target, s.Name, booking.ErrNotFound)
		case s.Target == store.ScanRoom && row.Kind != directory.KindResource:
			return unscannable("name", "%q is a person, not a room: scan the person", s.Name)
		case s.Target == store.ScanPerson && row.Kind == directory.KindResource:
			return unscannable("name", "%q is a room, not a person: scan the room", s.Name)
		}
		return nil
	case store.ScanWindow:
		if s.From.IsZero() && s.To.IsZero() {
			return unscannable("from", "a window begins or ends somewhere: give from, to or both, or scan all")
		}
		return nil
	case store.ScanAll:
		return nil
	}
	return unscannable("target", "%q is none of booking, series, person, room, window and all", s.Target)
}

// scanned returns the persons whose calendars a scan is about.
func (e *Engine) scanned(ctx context.Context, s store.Scan) ([]string, error) {
	switch s.Target {
	case store.ScanBooking, store.ScanSeries:
		return e.holders(ctx, s.Tenant, s.Name)
	case store.ScanPerson:
		return []string{s.Name}, nil
	case store.ScanRoom:
		return e.organizersIn(ctx, s)
	}
	var persons []string
	f := store.PersonFilter{Kind: string(directory.KindPerson)}
	for {
		rows, err := e.Store.Persons(ctx, s.Tenant, f)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			f.After = row.ID
			if unsynced(row, true) == "" {
				persons = append(persons, row.ID)
			}
		}
		if len(rows) == 0 {
			return persons, nil
		}
	}
}

// holders returns the persons in whose calendars a booking has, or should have, an item.
func (e *Engine) holders(ctx context.Context, tenant, id string) ([]string, error) {
	b, found, err := e.Store.Booking(ctx, tenant, id)
	if err != nil || !found {
		return nil, err
	}
	persons := []string{b.Organizer}
	links, err := e.Store.LinksOfBooking(ctx, tenant, id)
	for _, l := range links {
		if l.State != store.LinkDead && l.Person != b.Organizer {
			persons = append(persons, l.Person)
		}
	}
	return distinct(persons), err
}

// organizersIn returns the organizers of the bookings of a room.
func (e *Engine) organizersIn(ctx context.Context, s store.Scan) ([]string, error) {
	var persons []string
	f := store.BookingFilter{Resource: s.Name, From: s.From, To: s.To}
	if f.From.IsZero() {
		f.From = e.now()
	}
	for {
		list, err := e.Store.Bookings(ctx, s.Tenant, f)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			f.After = b.ID
			persons = append(persons, b.Organizer)
		}
		if len(list) == 0 {
			return distinct(persons), nil
		}
	}
}

// distinct returns list without repeats, in the order of first appearance.
func distinct(list []string) []string {
	seen := make(map[string]bool, len(list))
	var out []string
	for _, s := range list {
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// about reports whether a scan is about a booking.
func about(s store.Scan, b *booking.Booking) bool {
	switch s.Target {
	case store.ScanBooking, store.ScanSeries:
		return b.ID == s.Name
	case store.ScanRoom:
		in := false
		for _, r := range b.Resources {
			in = in || r == s.Name
		}
		if !in {
			return false
		}
	}
	start, end := booking.Span(b)
	return within(s, start, end)
}

// within reports whether what lasts from start to end touches the window of a scan.
func within(s store.Scan, start, end time.Time) bool {
	return (s.From.IsZero() || end.After(s.From)) && (s.To.IsZero() || start.Before(s.To))
}

// scan does what the mailbox owes to scans, up to what one pass may. It stops when something else is wanted of the mailbox.
func (e *Engine) scan(ctx context.Context, p *pass) error {
	for range scanBatches {
		part, found, err := e.Store.NextScanPart(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil || !found {
			return ours(err)
		}
		s, found, err := e.Store.Scan(ctx, part.Tenant, part.Scan)
		if err != nil {
			return ours(err)
		}
		if !found {
			part.State, part.Problem = store.ScanFailed, "the scan is gone"
		} else if err := e.scanBatch(ctx, p, s, &part); err != nil {
			if _, our := errors.AsType[storeError](err); our || ctx.Err() != nil || mailboxWide(err) {
				return err
			}
			part.State, part.Problem = store.ScanFailed, sentence(err)
		}
		err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
			now, waiting, err := tx.NextScanPart(ctx, part.Tenant, part.Person)
			if err != nil || !waiting || now.Scan != part.Scan {
				return err // cancelled meanwhile
			}
			return tx.PutScanPart(ctx, part)
		})
		if err != nil {
			return err
		}
		p.advanced = true
		e.Failpoint("scan:stored")
		if p.mb.Wanted != p.wanted {
			return nil // and so there is another pass, which goes on
		}
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		if _, more, err := tx.NextScanPart(ctx, p.mb.Tenant, p.mb.Person); err != nil || !more {
			return err
		}
		return tx.MarkDirtyBulk(ctx, p.mb.Tenant, p.mb.Person, zeroTime)
	})
}

// endScans fails the parts of scans of a mailbox that nobody can read for now.
func (e *Engine) endScans(ctx context.Context, tenant, person, why string) error {
	for {
		part, found, err := e.Store.NextScanPart(ctx, tenant, person)
		if err != nil || !found {
			return err
		}
		part.State, part.Problem = store.ScanFailed, why
		if err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.PutScanPart(ctx, part) }); err != nil {
			return err
		}
	}
}
