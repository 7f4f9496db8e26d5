package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A hold is a resource occupied by one occurrence. The times are in milliseconds.
type hold struct {
	resource   string
	occurrence int64 // 0 of a single booking
	start, end int64
}

// holdsOf returns what the occurrences occupy, in the order of the table's key.
func holdsOf(occurrences []booking.Occurrence) []hold {
	var list []hold
	for _, o := range occurrences {
		start, end := o.Span()
		h := hold{start: start.UnixMilli(), end: end.UnixMilli()}
		if !o.Occurrence.IsZero() {
			h.occurrence = o.Occurrence.UnixMilli()
		}
		for _, h.resource = range unique(o.Resources()) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, holdsInOrder)
	return list
}

func holdsInOrder(a, b hold) int {
	return cmp.Or(strings.Compare(a.resource, b.resource), cmp.Compare(a.occurrence, b.occurrence))
}

// unique returns a list without repeats, sorted, whether it was or not.
func unique(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// occupying returns the occurrences for which b occupies its resources as seen now, and until when that is all of them; zero: for
// good.
func (t *Tx) occupying(b *booking.Booking) (list []booking.Occurrence, until time.Time) {
	from, until, rest := booking.Reach(b, t.s.now())
	list = slices.Collect(booking.OccurrencesFrom(b, from, until))
	if !rest || !holdsAny(b) {
		until = time.Time{}
	}
	return list, until
}

// holdsAny reports whether b can occupy anything at all.
func holdsAny(b *booking.Booking) bool {
	return len(b.Resources) > 0 || slices.ContainsFunc(b.Exceptions, func(x booking.Exception) bool { return x.Resources != nil && len(*x.Resources) > 0 })
}

// occupy writes what b occupies. Of many occurrences only those are written that are not there as they shall be.
func (t *Tx) occupy(ctx context.Context, b *booking.Booking, occurrences []booking.Occurrence) error {
	var wanted []hold
	if b.Status == booking.Confirmed {
		wanted = holdsOf(occurrences)
	}
	failed := func(err error) error { return fmt.Errorf("save resources of booking %s: %w", b.ID, err) }
	if len(wanted) <= smallBooking {
		if err := t.q.DeleteBookingResources(ctx, db.DeleteBookingResourcesParams{Tenant: b.Tenant, Booking: b.ID}); err != nil {
			return failed(err)
		}
		return t.insertHolds(ctx, b, wanted)
	}
	rows, err := t.q.ListBookingResources(ctx, db.ListBookingResourcesParams{Tenant: b.Tenant, Booking: b.ID})
	if err != nil {
		return failed(err)
	}
	there := make(map[hold]bool, len(rows))
	for _, r := range rows {
		there[hold{r.Resource, r.Occurrence, r.SpanStart, r.SpanEnd}] = true
	}
	var fresh []hold
	for _, h := range wanted {
		if !there[h] {
			fresh = append(fresh, h)
		}
		delete(there, h)
	}
	if len(there) == len(rows) {
		err = t.q.DeleteBookingResources(ctx, db.DeleteBookingResourcesParams{Tenant: b.Tenant, Booking: b.ID})
		there = nil
	}
	for h := range there {
		err = errors.Join(err, t.q.DeleteBookingResource(ctx, db.DeleteBookingResourceParams{
			Tenant: b.Tenant, Booking: b.ID, Resource: h.resource, Occurrence: h.occurrence,
		}))
	}
	if err != nil {
		return failed(err)
	}
	return t.insertHolds(ctx, b, fresh)
}

// smallBooking is up to how many rows a booking's are written anew rather than compared.
const smallBooking = 4

// insertHolds adds rows, many with one statement: a series on PostgreSQL would else wait for the network at each of them.
func (t *Tx) insertHolds(ctx context.Context, b *booking.Booking, list []hold) error {
	const many, columns = 50, 6
	for len(list) >= many {
		var sql strings.Builder
		sql.WriteString("INSERT INTO booking_resource (tenant, resource, booking, occurrence, span_start, span_end) VALUES ")
		args := make([]any, 0, many*columns)
		for i, h := range list[:many] {
			if i > 0 {
				sql.WriteString(", ")
			}
			fmt.Fprintf(&sql, "($%d, $%d, $%d, $%d, $%d, $%d)", i*columns+1, i*columns+2, i*columns+3, i*columns+4, i*columns+5, i*columns+6)
			args = append(args, b.Tenant, h.resource, b.ID, h.occurrence, h.start, h.end)
		}
		if _, err := t.exec.ExecContext(ctx, sql.String(), args...); err != nil {
			return fmt.Errorf("save resources of booking %s: %w", b.ID, err)
		}
		list = list[many:]
	}
	for _, h := range list {
		err := t.q.InsertBookingResource(ctx, db.InsertBookingResourceParams{
			Tenant: b.Tenant, Resource: h.resource, Booking: b.ID, Occurrence: h.occurrence, SpanStart: h.start, SpanEnd: h.end,
		})
		if err != nil {
			return fmt.Errorf("save resources of booking %s: %w", b.ID, err)
		}
	}
	return nil
}

// Overlapping returns the ids of other bookings that stand and occupy one of b's resources at the same time, sorted.
// Until the transaction ends nobody else gets an answer about those resources, so b may be saved if there are none.
func (t *Tx) Overlapping(ctx context.Context, b *booking.Booking) ([]string, error) {
	conflicts, err := t.Conflicts(ctx, nil, b)
	return booking.OthersOf(conflicts), err
}

// Conflicts returns where other bookings that stand occupy the resources of next at the time of an occurrence, by time and
// resource. What old, the booking as it is stored, occupies already is no conflict, whoever else may be there; old may be nil.
// Of a series what is over is in nobody's way, and what lies beyond booking.Reach is not looked at.
//
// Until the transaction ends nobody else gets an answer about those resources, so next may be saved if there are none.
func (t *Tx) Conflicts(ctx context.Context, old, next *booking.Booking) ([]booking.Conflict, error) {
	if next.Status != booking.Confirmed || !holdsAny(next) || old != nil && booking.SameOccupancy(old, next) {
		return nil, nil
	}
	occurrences, _ := t.occupying(next)
	has := map[hold]bool{} // without the occurrence: what counts is the time
	if old != nil && old.Status == booking.Confirmed {
		before, _ := t.occupying(old)
		for _, h := range holdsOf(before) {
			has[hold{resource: h.resource, start: h.start, end: h.end}] = true
		}
	}
	return t.conflicts(ctx, next, occurrences, func(h hold) bool { return has[hold{resource: h.resource, start: h.start, end: h.end}] })
}

// conflicts looks for others in the way of some occurrences of b, but for what is known to be b's already.
func (t *Tx) conflicts(ctx context.Context, b *booking.Booking, occurrences []booking.Occurrence, known func(hold) bool) ([]booking.Conflict, error) {
	type want struct {
		hold
		of int // index of the occurrence
	}
	now := t.s.now().UnixMilli()
	wanted := map[string][]want{}
	for i, o := range occurrences {
		for _, h := range holdsOf([]booking.Occurrence{o}) {
			if !known(h) && (!b.Series() || h.end > now) {
				wanted[h.resource] = append(wanted[h.resource], want{h, i})
			}
		}
	}
	resources := make([]string, 0, len(wanted))
	names := make([]string, 0, len(wanted))
	for resource := range wanted {
		resources = append(resources, resource)
		names = append(names, "resource\x00"+b.Tenant+"\x00"+resource)
	}
	slices.Sort(resources)
	if err := t.reserveNames(ctx, names...); err != nil {
		return nil, fmt.Errorf("look for bookings in the way of %s: %w", b.ID, err)
	}
	var found []booking.Conflict
	for _, resource := range resources {
		mine := wanted[resource]
		slices.SortFunc(mine, func(a, b want) int { return cmp.Compare(a.start, b.start) })
		last := slices.MaxFunc(mine, func(a, b want) int { return cmp.Compare(a.end, b.end) }).end
		others, err := t.q.ListOverlapping(ctx, db.ListOverlappingParams{
			Tenant: b.Tenant, Resource: resource, Booking: b.ID, After: mine[0].start, Before: last,
		})
		if err != nil {
			return nil, fmt.Errorf("look for bookings in the way of %s: %w", b.ID, err)
		}
		slices.SortFunc(others, func(a, b db.ListOverlappingRow) int { return cmp.Compare(a.SpanStart, b.SpanStart) })
		var open []db.ListOverlappingRow // those that have begun and may not be over
		for _, w := range mine {
			for len(others) > 0 && others[0].SpanStart < w.end {
				open, others = append(open, others[0]), others[1:]
			}
			open = slices.DeleteFunc(open, func(o db.ListOverlappingRow) bool { return o.SpanEnd <= w.start })
			var ids []string
			for _, o := range open {
				if o.SpanStart < w.end {
					ids = append(ids, o.Booking)
				}
			}
			if ids = unique(ids); len(ids) > 0 {
				o := occurrences[w.of]
				found = append(found, booking.Conflict{
					Occurrence: o.Occurrence, Name: o.Name(), Start: o.Start, End: o.End, AllDay: o.AllDay, Resource: resource, Others: ids,
				})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b booking.Conflict) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Resource, b.Resource))
	})
	return found, nil
}

// An Extended is a series that occupies its resources for longer than before.
type Extended struct {
	Booking   *booking.Booking
	Conflicts []booking.Conflict // others that have them at the time of what was added
}

// An Unreadable is a series that is not what any booking can be: somebody wrote into the database, or it is damaged.
type Unreadable struct {
	Tenant, ID, Organizer string
	Err                   error
}

// An Extension is what ExtendSeries did with some of the series that go on.
type Extension struct {
	Series     []Extended
	Unreadable []Unreadable // which stay as they are
	More       bool         // there may be more
}

// ExtendSeries lets series that go on occupy their resources as far ahead as booking.Reach says now. It looks at up to limit of
// them, of all tenants; call again while there are more, and have as many skipped as were found unreadable.
func (t *Tx) ExtendSeries(ctx context.Context, skipped, limit int) (Extension, error) {
	now := t.s.now()
	rows, err := t.q.ListToExtend(ctx, db.ListToExtendParams{
		Until: millis(now.UTC().Truncate(24 * time.Hour).Add(booking.Horizon)), Skipped: int32(skipped), MaxRows: page(limit),
	})
	if err != nil {
		return Extension{}, fmt.Errorf("list series that go on: %w", err)
	}
	var out Extension
	for _, row := range rows {
		x, err := t.extend(ctx, row.Tenant, row.ID, now)
		switch damaged, ok := errors.AsType[*unreadable](err); {
		case ok:
			out.Unreadable = append(out.Unreadable, Unreadable{row.Tenant, row.ID, row.Organizer, damaged.error})
		case err != nil:
			return Extension{}, err
		case x != nil:
			out.Series = append(out.Series, *x)
		}
	}
	out.More = len(rows) == int(page(limit))
	return out, nil
}

// unreadable is why a row is no booking.
type unreadable struct{ error }

// extend lets one series occupy its resources; nil if there is nothing to do by now.
func (t *Tx) extend(ctx context.Context, tenant, id string, now time.Time) (*Extended, error) {
	if err := t.holdBooking(ctx, tenant, id); err != nil {
		return nil, fmt.Errorf("read booking %s: %w", id, err)
	}
	row, err := t.q.GetBooking(ctx, db.GetBookingParams{Tenant: tenant, ID: id})
	if there, err := found(err); err != nil {
		return nil, fmt.Errorf("read booking %s: %w", id, err)
	} else if !there {
		return nil, nil
	}
	b, err := bookingFromRow(row)
	if err == nil {
		err = booking.CheckRule(b)
	}
	if err != nil {
		return nil, &unreadable{err}
	}
	_, until, rest := booking.Reach(b, now)
	if row.OccupiedUntil == 0 || b.Status != booking.Confirmed || !until.After(moment(row.OccupiedUntil)) {
		return nil, nil // somebody was quicker
	}
	added := slices.Collect(booking.OccurrencesFrom(b, moment(row.OccupiedUntil), until))
	conflicts, err := t.conflicts(ctx, b, added, func(hold) bool { return false })
	if err != nil {
		return nil, err
	}
	if err := t.insertHolds(ctx, b, holdsOf(added)); err != nil {
		return nil, err
	}
	if !rest {
		until = time.Time{}
	}
	err = t.q.SetOccupiedUntil(ctx, db.SetOccupiedUntilParams{Tenant: b.Tenant, ID: b.ID, OccupiedUntil: millis(until)})
	if err != nil {
		return nil, fmt.Errorf("save how long booking %s occupies its resources: %w", b.ID, err)
	}
	return &Extended{b, conflicts}, nil
}
