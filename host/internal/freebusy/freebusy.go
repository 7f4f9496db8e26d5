// Package freebusy tells when people and rooms are busy: by their calendars, which are asked now, and by the bookings of
// rooms and desks.
//
// Those of one sync mode and server are asked for together, on behalf of one of them, who is shown no more than colleagues
// are. What cannot be found out of one of them is said of that one, and never read as "free".
package freebusy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The bounds of a Query.
const (
	MaxSpan = backend.MaxFreeBusy
	MaxWho  = 500 // persons, resources and addresses together
)

// askers is on behalf of how many, one after the other, a server is asked while it does not let them ask.
const askers = 3

// A Query asks when somebody is busy.
type Query struct {
	Persons, Resources []string // ids
	Addresses          []string // of mailboxes that need not be in the directory
	From, To           time.Time
}

// An Answer tells of one of those who were asked about. Exactly one of Person, Resource and Asked is set.
type Answer struct {
	Person, Resource string // id
	Asked            string // address
	Email            string // of the mailbox that was asked; empty for a desk without one
	Busy             []Time // by Start; they may overlap
	// Err is why nothing, or nothing but our own bookings, is known.
	Err error
}

// A Time is a time at which somebody is busy.
type Time struct {
	Start, End time.Time
	Busy       booking.Busy
	// Subject and Location are told as far as colleagues may see them, and never of what is private.
	Subject, Location string
	Private           bool
	Booking           string // id, if it is one of our own
}

// Reads is what is read of the store.
type Reads interface {
	Person(ctx context.Context, tenant, id string) (store.PersonRow, bool, error)
	PersonByEmail(ctx context.Context, tenant, email string) (store.PersonRow, bool, error)
	Persons(ctx context.Context, tenant string, f store.PersonFilter) ([]store.PersonRow, error)
	Bookings(ctx context.Context, tenant string, f store.BookingFilter) ([]*booking.Booking, error)
}

// A Service answers queries. It keeps nothing.
type Service struct {
	Reads Reads
	Modes syncer.Modes
	// ModeNames are the sync modes there are, in the order in which an address that is in no directory is looked for.
	ModeNames func() []string
}

// Ask answers a query, in the order persons, resources, addresses. Its error is that of the store, or *booking.InvalidError.
func (s *Service) Ask(ctx context.Context, tenant string, q Query) ([]Answer, error) {
	if v := q.check(); len(v) > 0 {
		return nil, &booking.InvalidError{Violations: v}
	}
	a := &asking{Service: s, tenant: tenant, query: q, groups: map[groupKey]*group{}}
	if err := a.collect(ctx); err != nil {
		return nil, err
	}
	var all errgroup.Group
	for _, g := range a.order {
		all.Go(func() error {
			a.ask(ctx, g)
			return nil
		})
	}
	_ = all.Wait() // what goes wrong is said of each
	for i := range a.answers {
		if err := a.addBookings(ctx, &a.answers[i]); err != nil {
			return nil, err
		}
	}
	return a.answers, ctx.Err()
}

func (q Query) check() []booking.Violation {
	var v []booking.Violation
	n := len(q.Persons) + len(q.Resources) + len(q.Addresses)
	switch {
	case n == 0:
		v = append(v, booking.Violation{Field: "persons", Reason: "names nobody: give persons, resources or addresses"})
	case n > MaxWho:
		v = append(v, booking.Violation{Field: "persons", Reason: fmt.Sprintf("names %d with resources and addresses; at most %d can be asked about at a time", n, MaxWho)})
	}
	switch {
	case !q.To.After(q.From):
		v = append(v, booking.Violation{Field: "to", Reason: "is not after from"})
	case q.To.Sub(q.From) > MaxSpan:
		v = append(v, booking.Violation{Field: "to", Reason: "is more than 62 days after from, and Exchange looks no further: ask in parts"})
	}
	for i, a := range q.Addresses {
		if local, domain, ok := strings.Cut(a, "@"); !ok || local == "" || domain == "" || strings.ContainsAny(a, " \t\r\n<>") {
			v = append(v, booking.Violation{Field: fmt.Sprintf("addresses[%d]", i), Reason: fmt.Sprintf("%q is no e-mail address", a)})
		}
	}
	return v
}

// A groupKey tells apart whom one server answers for.
type groupKey struct{ mode, url string }

// A group are those who are asked for together.
type group struct {
	mode    syncer.Mode
	url     string
	askers  []store.PersonRow // on whose behalf, the first preferred
	members []int             // of asking.answers
}

type asking struct {
	*Service
	tenant  string
	query   Query
	answers []Answer
	groups  map[groupKey]*group
	order   []*group
}

// collect finds everybody's mailbox and server.
func (a *asking) collect(ctx context.Context) error {
	for _, id := range a.query.Persons {
		if err := a.collectPerson(ctx, Answer{Person: id}, directory.KindPerson); err != nil {
			return err
		}
	}
	for _, id := range a.query.Resources {
		if err := a.collectPerson(ctx, Answer{Resource: id}, directory.KindResource); err != nil {
			return err
		}
	}
	for _, address := range a.query.Addresses {
		row, known, err := a.Reads.PersonByEmail(ctx, a.tenant, address)
		if err != nil {
			return err
		}
		answer := Answer{Asked: address, Email: address}
		if known && row.SyncMode != "" {
			a.enlist(ctx, answer, row)
		} else if err := a.enlistStranger(ctx, answer); err != nil {
			return err
		}
	}
	return nil
}

func (a *asking) collectPerson(ctx context.Context, answer Answer, kind directory.Kind) error {
	id := answer.Person + answer.Resource
	row, known, err := a.Reads.Person(ctx, a.tenant, id)
	if err != nil {
		return err
	}
	if known {
		answer.Email = row.Email
	}
	switch {
	case !known:
		answer.Err = &fault.Error{Kind: fault.NotFound, Message: fmt.Sprintf("there is no %s %q: import it first", kind, id)}
	case row.Kind != kind:
		answer.Err = &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("%q is a %s, not a %s", id, row.Kind, kind)}
	case row.Email == "": // a desk: our own bookings are all there is
	case row.SyncMode == "":
		return a.enlistStranger(ctx, answer)
	default:
		a.enlist(ctx, answer, row)
		return nil
	}
	a.answers = append(a.answers, answer)
	return nil
}

// enlist puts one who has a sync mode among those who are asked for by it.
func (a *asking) enlist(ctx context.Context, answer Answer, row store.PersonRow) {
	mode, err := a.Modes.Mode(ctx, row.SyncMode, row.Email)
	if err == nil && mode.FreeBusy == nil {
		err = &fault.Error{Kind: fault.Unsupported, Message: fmt.Sprintf("the backend of sync mode %q tells no free/busy", mode.Name)}
	}
	if err != nil {
		answer.Err = err
		a.answers = append(a.answers, answer)
		return
	}
	g := a.group(mode, mode.MailboxURL(row.SyncURL))
	if len(g.askers) < askers {
		g.askers = append(g.askers, row)
	}
	g.members = append(g.members, len(a.answers))
	a.answers = append(a.answers, answer)
}

func (a *asking) group(mode syncer.Mode, url string) *group {
	key := groupKey{mode.Name, url}
	g := a.groups[key]
	if g == nil {
		g = &group{mode: mode, url: url}
		a.groups[key], a.order = g, append(a.order, g)
	}
	return g
}

// enlistStranger puts a mailbox without a sync mode among those who are asked for by the mode of its mail domain; where
// nobody of the directory has that domain, by the first that there is.
func (a *asking) enlistStranger(ctx context.Context, answer Answer) error {
	_, domain, _ := strings.Cut(answer.Email, "@")
	var some *store.PersonRow
	for _, name := range a.ModeNames() {
		rows, err := a.Reads.Persons(ctx, a.tenant, store.PersonFilter{Mode: name, Limit: 100})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.SyncDisabled || row.Email == "" || row.State.Status == store.StatusAttention {
				continue
			}
			_, d, _ := strings.Cut(row.Email, "@")
			if some == nil || strings.EqualFold(d, domain) {
				some = &row
			}
			if strings.EqualFold(d, domain) {
				a.enlistBy(ctx, answer, *some)
				return nil
			}
		}
	}
	if some != nil {
		a.enlistBy(ctx, answer, *some)
		return nil
	}
	answer.Err = &fault.Error{Kind: fault.Unsupported, Message: "nobody with a sync mode could ask about " + answer.Email + ": import somebody whose mailbox lies on the same server first"}
	a.answers = append(a.answers, answer)
	return nil
}

// enlistBy has somebody else ask.
func (a *asking) enlistBy(ctx context.Context, answer Answer, by store.PersonRow) {
	before := len(a.answers)
	a.enlist(ctx, answer, by)
	a.answers[before].Email = answer.Email
}

// ask asks a group's server and sets the answers of its members.
func (a *asking) ask(ctx context.Context, g *group) {
	var addresses []string // each once
	at := map[string]int{}
	for _, m := range g.members {
		email := a.answers[m].Email
		if _, there := at[strings.ToLower(email)]; !there {
			at[strings.ToLower(email)] = len(addresses)
			addresses = append(addresses, email)
		}
	}
	if g.mode.Admit != nil {
		g.mode.Admit(g.url)
	}
	var got []backend.Availability
	var err error
	asker := ""
	for _, row := range g.askers {
		asker = row.Email
		got, err = g.mode.FreeBusy.FreeBusy(ctx, backend.Mailbox{Address: asker, URL: g.url}, addresses, a.query.From, a.query.To)
		// It is this one who may not ask: another may.
		if kind := fault.Of(err); err == nil || kind != fault.MailboxNotFound && kind != fault.MailboxMoved && kind != fault.Forbidden {
			break
		}
	}
	if err == nil && len(got) != len(addresses) {
		err = &fault.Error{Kind: fault.Internal, Message: fmt.Sprintf("the backend answered %d mailboxes for %d", len(got), len(addresses))}
	}
	for _, m := range g.members {
		answer := &a.answers[m]
		if err != nil {
			answer.Err = err
			continue
		}
		one := got[at[strings.ToLower(answer.Email)]]
		if answer.Err = one.Err; one.Err != nil {
			continue
		}
		for _, t := range one.Busy {
			answer.Busy = append(answer.Busy, shown(t, strings.EqualFold(asker, answer.Email)))
		}
	}
}

// shown is a time of a calendar as colleagues see it: who asked was shown all of their own.
func shown(t backend.BusyTime, own bool) Time {
	out := Time{Start: t.Start, End: t.End, Busy: busyOf(t.Busy), Private: t.Private}
	if !t.Private && !own {
		out.Subject, out.Location = t.Subject, t.Location
	}
	return out
}

func busyOf(b calendar.Busy) booking.Busy {
	switch b {
	case calendar.Free:
		return booking.Free
	case calendar.Tentative:
		return booking.Tentative
	case calendar.OutOfOffice:
		return booking.OutOfOffice
	case calendar.WorkingElsewhere:
		return booking.WorkingElsewhere
	}
	return booking.Occupied
}

// addBookings adds our own bookings of a room or desk that its calendar does not show already.
func (a *asking) addBookings(ctx context.Context, answer *Answer) error {
	if answer.Resource == "" || fault.Of(answer.Err) == fault.NotFound || fault.Of(answer.Err) == fault.Invalid {
		return nil
	}
	const pageSize = 500
	f := store.BookingFilter{Resource: answer.Resource, From: a.query.From, To: a.query.To, Limit: pageSize}
	for {
		list, err := a.Reads.Bookings(ctx, a.tenant, f)
		if err != nil {
			return err
		}
		for _, b := range list {
			for _, t := range a.times(b, answer.Resource) {
				answer.add(t)
			}
		}
		if len(list) < pageSize {
			break
		}
		f.After = list[len(list)-1].ID
	}
	slices.SortStableFunc(answer.Busy, func(x, y Time) int { return cmp.Or(x.Start.Compare(y.Start), x.End.Compare(y.End)) })
	return nil
}

// add adds a booking, as the mark on the calendar's own entry where that shows the same time.
func (answer *Answer) add(t Time) {
	for i, there := range answer.Busy {
		if there.Booking == "" && there.Start.Equal(t.Start) && there.End.Equal(t.End) {
			answer.Busy[i].Booking = t.Booking
			return
		}
	}
	answer.Busy = append(answer.Busy, t)
}

// times are when a booking takes a resource within the query's span, with lead and follow-up time. A room is taken whatever the
// person is shown as.
func (a *asking) times(b *booking.Booking, resource string) []Time {
	var out []Time
	for o := range booking.Touching(b, a.query.From, a.query.To) {
		if !slices.Contains(o.Resources(), resource) {
			continue // this occurrence is elsewhere
		}
		is := o.Booking()
		t := Time{Busy: booking.Occupied, Booking: b.ID, Private: is.Class == booking.Private || is.Class == booking.Confidential}
		t.Start, t.End = o.Span()
		if !t.Private {
			t.Subject, t.Location = is.Title, is.Location
		}
		out = append(out, t)
	}
	return out
}
