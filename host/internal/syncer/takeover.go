package syncer

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// A stock is what a calendar holds, read in full at one time.
type stock struct {
	byRef     map[calendar.Ref]*calendar.Item
	byKey     map[string][]*calendar.Item // those with our marker
	byForeign map[string][]*calendar.Item // those with the booking system's
	bare      map[string][]*calendar.Item // those with neither, by what they say
	whole     bool                        // also what bears no marker was read
	owner     string                      // address of the mailbox
}

// takeStock reads a calendar without changing anything that is known of it. An error means that nothing is known: what was read by
// then is no calendar.
func (e *Engine) takeStock(ctx context.Context, p *pass) (*stock, error) {
	s := &stock{byRef: map[calendar.Ref]*calendar.Item{}, whole: p.mode.Everything, owner: p.mailbox.Address}
	complete := false
	req := backend.PullRequest{Mailbox: p.mailbox, Everything: s.whole}
	err := p.mode.Backend.Pull(ctx, req, func(page backend.Page) error {
		for _, ch := range page.Changes {
			if ch.Deleted || ch.Item == nil {
				delete(s.byRef, ch.Ref)
				continue
			}
			it := *ch.Item
			s.byRef[ch.Ref] = &it
		}
		complete = complete || page.Full && page.Last
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, fmt.Errorf("the calendar of %s was not read to its end: %w", p.mailbox.Address, fault.Unavailable)
	}
	s.sort()
	return s, nil
}

func (s *stock) sort() {
	s.byKey, s.byForeign, s.bare = map[string][]*calendar.Item{}, map[string][]*calendar.Item{}, map[string][]*calendar.Item{}
	var items []*calendar.Item
	for _, it := range s.byRef {
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b *calendar.Item) int { return cmp.Compare(a.Ref, b.Ref) })
	for _, it := range items {
		switch {
		case it.ReadOnly || it.Event.Cancelled:
		case it.Key != "" || it.ForeignKey != "":
			if it.Key != "" {
				s.byKey[it.Key] = append(s.byKey[it.Key], it)
			}
			if it.ForeignKey != "" {
				s.byForeign[it.ForeignKey] = append(s.byForeign[it.ForeignKey], it)
			}
		default:
			said := contentOfItem(it)
			s.bare[said] = append(s.bare[said], it)
		}
	}
}

// contentOfItem and contentOfBooking are the same if both say the same of what tells appointments apart: when, and what about.
func contentOfItem(it *calendar.Item) string {
	ev := it.Event
	return content(ev.Subject, ev.Start, ev.End, ev.AllDay, ruleIn(ev.Recurrence, ev.Start, ev.AllDay, ev.Zone))
}

func contentOfBooking(b *booking.Booking) string {
	return content(b.Title, b.Start, b.End, b.AllDay, ruleIn(b.Recurrence, b.Start, b.AllDay, b.Zone))
}

func content(title string, start, end time.Time, allDay bool, rule string) string {
	return fmt.Sprintf("%d %d %t %s %s", start.Unix(), end.Unix(), allDay, rule, strings.ToLower(strings.Join(strings.Fields(title), " ")))
}

func ruleIn(rule string, start time.Time, allDay bool, zone string) string {
	if rule == "" {
		return ""
	}
	at, err := time.LoadLocation(zone)
	if err != nil {
		at = time.UTC
	}
	canonical, err := recurrence.Canonical(rule, recurrence.Start{At: start, AllDay: allDay, Zone: at})
	if err != nil {
		return rule
	}
	return canonical
}

// How the item of a booking was found.
const (
	byLink    = "link"
	byMarker  = "marker"
	byID      = "booking id" // AppointmentOid
	byContent = "content"
)

// candidate returns the item of a calendar that stands for a booking, and by what it was found; nil if there is none. links are the
// booking's in this calendar. An item is given out once.
func (e *Engine) candidate(ctx context.Context, s *stock, b *booking.Booking, links []store.Link) (it *calendar.Item, by string, err error) {
	for _, l := range links {
		if l.State != store.LinkDead && l.Ref != "" {
			if it := s.byRef[l.Ref]; it != nil {
				return it, byLink, nil
			}
		}
	}
	for i := len(links) - 1; i >= 0; i-- {
		if items := s.byKey[links[i].Key]; len(items) > 0 {
			return items[0], byMarker, nil
		}
	}
	if items := s.byForeign[b.ID]; len(items) > 0 {
		return items[0], byID, nil
	}
	said := contentOfBooking(b)
	i, err := e.closest(ctx, s, b, s.bare[said])
	if err != nil || i < 0 {
		return nil, "", err
	}
	it = s.bare[said][i]
	s.bare[said] = slices.Delete(s.bare[said], i, i+1)
	return it, byContent, nil
}

// closest returns which of the items that say when and what a booking does agrees with it in most else; -1 if none may be it. What
// somebody keeps private is not made public by taking it for a booking that is.
func (e *Engine) closest(ctx context.Context, s *stock, b *booking.Booking, items []*calendar.Item) (int, error) {
	best, least := -1, 0
	if len(items) == 0 {
		return best, nil
	}
	of, err := fieldsOfBooking(ctx, e.Store, b)
	if err != nil {
		return best, ours(err)
	}
	for i, it := range items {
		said, err := fieldsOfItem(ctx, e.Store, b.Tenant, s.owner, &it.Event)
		if err != nil {
			return best, ours(err)
		}
		if hidden(said.Class) && !hidden(of.Class) && !it.Omits.Any(calendar.FieldClass) {
			continue
		}
		differ := bits.OnesCount(uint(plan.Diff(of, said) &^ it.Omits &^ calendar.FieldBody))
		if best < 0 || differ < least {
			best, least = i, differ
		}
	}
	return best, nil
}

// hidden reports whether others do not see what an item is about.
func hidden(c calendar.Class) bool { return c == calendar.Private || c == calendar.Confidential }

// eachStanding calls f for the bookings of a person that stand and are not over yet, in the order of their ids.
func (e *Engine) eachStanding(ctx context.Context, tenant, person string, f func(b *booking.Booking, links []store.Link) error) error {
	for after := ""; ; {
		bookings, err := e.Store.Bookings(ctx, tenant, store.BookingFilter{Person: person, From: e.now(), After: after, Limit: linkBatch})
		if err != nil {
			return ours(err)
		}
		for _, b := range bookings {
			after = b.ID
			if b.Organizer != person || b.SyncOff || b.SyncDisabled || e.past(b) {
				continue
			}
			links, err := e.Store.LinksOfBooking(ctx, tenant, b.ID)
			if err != nil {
				return ours(err)
			}
			links = slices.DeleteFunc(links, func(l store.Link) bool { return l.Person != person })
			if err := f(b, links); err != nil {
				return err
			}
		}
		if len(bookings) < linkBatch {
			return nil
		}
	}
}

// takeOver links bookings with items that another sync made for them and that bear no marker: those that say the same. It is done
// before anything is made in a calendar that has been in shadow mode. What bears a marker is found as ever, by the full read that
// follows; see takenOver. Nobody is mailed.
func (e *Engine) takeOver(ctx context.Context, p *pass) error {
	if !p.mb.TakeOver {
		return nil
	}
	s, err := e.takeStock(ctx, p)
	if err != nil {
		return err
	}
	return e.eachStanding(ctx, p.mb.Tenant, p.mb.Person, func(b *booking.Booking, links []store.Link) error {
		if slices.ContainsFunc(links, func(l store.Link) bool { return l.State != store.LinkDead && !unmade(l) }) {
			return nil
		}
		it, by, err := e.candidate(ctx, s, b, links)
		if err != nil || by != byContent {
			return err
		}
		return e.adoptByContent(ctx, p, b.ID, it)
	})
}

// takenOver ends the take-over once the calendar was read in full. What is heard of it before is no news to anybody: a room that has
// declined long ago cancels nothing.
func (e *Engine) takenOver(ctx context.Context, p *pass) error {
	if !p.mb.TakeOver {
		return nil
	}
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.TakeOver = false
		if err := tx.SetTakeOver(ctx, p.mb.Tenant, p.mb.Person, false); err != nil {
			return err
		}
		return e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", "calendar taken over", "it was read in full, and is kept in sync from now on")
	})
}

// unmade reports whether a link has no item yet, as far as is known.
func unmade(l store.Link) bool {
	return l.Ref == "" && len(l.Sent) == 0 && (l.State == store.LinkPending || l.State == store.LinkExpected)
}

// adoptByContent links a booking with an item, unless either was linked meanwhile.
func (e *Engine) adoptByContent(ctx context.Context, p *pass, id string, it *calendar.Item) error {
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		b, found, err := tx.Booking(ctx, p.mb.Tenant, id)
		if err != nil || !found || b.Status != booking.Confirmed || b.Organizer != p.mb.Person || b.SyncOff || b.SyncDisabled {
			return err
		}
		if _, taken, err := tx.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, it.Ref); err != nil || taken {
			return err
		}
		links, err := tx.LinksOfBooking(ctx, p.mb.Tenant, b.ID)
		if err != nil {
			return err
		}
		l := store.Link{
			Tenant: b.Tenant, Key: fmt.Sprintf("%s.%d", b.ID, len(links)+1), Booking: b.ID, Person: b.Organizer,
			Epoch: p.mb.Epoch, State: store.LinkExpected, Created: e.now(),
		}
		for _, had := range links {
			switch {
			case had.Person != p.mb.Person || had.State == store.LinkDead:
			case unmade(had):
				l = had
			default:
				return nil
			}
		}
		if err := e.pairItem(ctx, tx, p, l, it); err != nil {
			return err
		}
		return e.record(ctx, tx, b.Tenant, b.Organizer, b.ID, "item linked", "found in the calendar by its time and subject; it was made by another sync")
	})
}
