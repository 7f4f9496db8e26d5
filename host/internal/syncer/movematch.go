package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A fate is what a move makes of a link.
type fate int

const (
	fateFound   fate = iota // match.item is its item
	fateOpen                // there is no item yet, or it is to be deleted and is not there: the sync goes on with it
	fateLost                // not found: laid before a person
	fateUnclear             // more than one item may be it: laid before a person
	fateDeleted             // the old mode says explicitly that the item is gone
	fatePast                // not found, and nothing is at stake
)

// A match is what was found for one link.
type match struct {
	link   store.Link // as it was when it was matched
	fate   fate
	item   *calendar.Item
	copies []*calendar.Item // items with the link's marker that are surely not its
	// same: the item says what both sides last agreed on, so that there is nothing to settle.
	same    bool
	differs calendar.Fields // in which the item is otherwise
}

// sighting is what was read of a mailbox through a move's new mode.
type sighting struct {
	items     map[calendar.Ref]*calendar.Item // those that bear a marker of a link
	byKey     map[string][]*calendar.Item
	byForeign map[string][]*calendar.Item
	marks     map[calendar.Ref][]string // of every item that bears a marker
	cursor    calendar.Cursor
	// What is listed of the mailbox's items, the items of which that may be, and those that may be a living link's.
	listed      *listing
	listedItems map[calendar.Ref]listedItem
	claimed     map[calendar.Ref]bool
}

// A listedItem bears a marker of a booking of which items are listed.
type listedItem struct {
	booking string
	item    *calendar.Item
}

// survey reads a calendar in full and keeps what bears a marker of the links, or of what is listed. Nothing is settled.
func (e *Engine) survey(ctx context.Context, p *pass, links []store.Link, listed *listing) (*sighting, error) {
	keys, bookings := map[string]bool{}, map[string]bool{}
	for _, l := range links {
		keys[l.Key], bookings[l.Booking] = true, true
	}
	s := &sighting{items: map[calendar.Ref]*calendar.Item{}, byKey: map[string][]*calendar.Item{}, byForeign: map[string][]*calendar.Item{}, marks: map[calendar.Ref][]string{}}
	s.listed, s.listedItems = listed, map[calendar.Ref]listedItem{}
	whole := false
	err := p.mode.Backend.Pull(ctx, backend.PullRequest{Mailbox: p.mailbox}, func(page backend.Page) error {
		for _, ch := range page.Changes {
			delete(s.marks, ch.Ref)
			if m := marksOf(ch); len(m) > 0 {
				s.marks[ch.Ref] = m
			}
			delete(s.items, ch.Ref) // pages may repeat what came before, and the later word counts
			delete(s.listedItems, ch.Ref)
			it := ch.Item
			if ch.Deleted || it == nil {
				continue
			}
			if keys[it.Key] || bookings[it.ForeignKey] {
				s.items[ch.Ref] = it
			}
			if id, bears := listed.bears(it); bears {
				s.listedItems[ch.Ref] = listedItem{id, it}
			}
		}
		s.cursor, whole = page.Next, page.Last
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the calendar by sync mode %s: %w", p.mode.Name, err)
	}
	if !whole {
		return nil, fmt.Errorf("read the calendar by sync mode %s: it ended before its last page: %w", p.mode.Name, fault.Internal)
	}
	for _, it := range s.items {
		if it.Key != "" {
			s.byKey[it.Key] = append(s.byKey[it.Key], it)
		}
		if it.ForeignKey != "" {
			s.byForeign[it.ForeignKey] = append(s.byForeign[it.ForeignKey], it)
		}
	}
	return s, nil
}

// matcher finds the items of links.
type matcher struct {
	e        *Engine
	old, new *pass // old is nil if the old mode cannot be used
	seen     *sighting
	people   *memo
	copied   map[string]bool   // bookings of whose items copies were met: their markers say too little
	uids     map[string]string // by key of the link, as far as they had to be asked for
	deleted  map[string]bool   // as the old mode says
	claimed  map[calendar.Ref]bool
}

// mostSearches is how many items that the full read did not bring are looked for one by one.
const mostSearches = 100

// match finds the item of each link: by our key, else by the booking's id, and what is left by a search of its own.
func (e *Engine) match(ctx context.Context, old, p *pass, links []store.Link, seen *sighting) ([]match, error) {
	m := &matcher{
		e: e, old: old, new: p, seen: seen, people: newMemo(e.Store), uids: map[string]string{}, deleted: map[string]bool{},
		claimed: map[calendar.Ref]bool{},
	}
	seen.claimed = m.claimed
	var err error
	if m.copied, err = e.copied(ctx, p.mb); err != nil {
		return nil, err
	}
	matches := make([]match, len(links))
	candidates := make([][]*calendar.Item, len(links))
	for i, l := range links {
		matches[i].link = l
		candidates[i] = usable(l, seen.byKey[l.Key])
		for _, it := range candidates[i] {
			m.claimed[it.Ref] = true
		}
	}
	for i, l := range links {
		if len(candidates[i]) > 0 || leftAlone(l, links) {
			continue
		}
		found, err := m.strangers(ctx, l)
		if err != nil {
			return nil, err
		}
		candidates[i] = found
	}
	if err := m.ask(ctx, links, candidates); err != nil {
		return nil, err
	}
	searches := 0
	for i := range matches {
		mt := &matches[i]
		if len(candidates[i]) == 0 && m.atStake(mt.link) {
			harmless, err := e.harmless(ctx, mt.link)
			if err != nil {
				return nil, err
			}
			if harmless {
				mt.fate = fatePast
				continue
			}
			if searches++; searches <= mostSearches {
				if candidates[i], err = m.search(ctx, mt.link); err != nil {
					return nil, err
				}
			}
		}
		if err := m.decide(ctx, mt, candidates[i]); err != nil {
			return nil, err
		}
		if copies := mt.copies; mt.fate == fateLost && len(copies) > 0 && searches < mostSearches {
			searches++
			found, err := m.search(ctx, mt.link) // which leaves out what is claimed
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				continue
			}
			if err := m.decide(ctx, mt, found); err != nil {
				return nil, err
			}
			mt.copies = append(copies, mt.copies...)
		}
	}
	return matches, nil
}

// copied returns the bookings of a mailbox of whose items copies were met.
func (e *Engine) copied(ctx context.Context, mb store.Mailbox) (map[string]bool, error) {
	all := map[string]bool{}
	f := store.DifferenceFilter{Person: mb.Person, Kind: copyLeftAlone, IncludeClosed: true}
	for {
		met, err := e.Store.Differences(ctx, mb.Tenant, f)
		if err != nil || len(met) == 0 {
			return all, ours(err)
		}
		for _, d := range met {
			all[d.Booking] = true
		}
		f.Before = met[len(met)-1].ID
	}
}

// atStake reports whether it matters that no item is found for a link: its item was there, and is not known to be gone.
func (m *matcher) atStake(l store.Link) bool {
	return (l.State == store.LinkLive || leftByMove(l)) && !m.deleted[l.Key] && l.GoneAt.IsZero()
}

// usable returns those of the items that may be a link's.
func usable(l store.Link, items []*calendar.Item) []*calendar.Item {
	return slices.DeleteFunc(slices.Clone(items), func(it *calendar.Item) bool {
		made := l.State != store.LinkPending && l.State != store.LinkExpected
		return it.ReadOnly && !made || it.Event.Cancelled && !made || copyOfWhatGoes(l, it)
	})
}

// leftAlone reports whether a link, whose item is to go, is not looked for by its booking's id: another link of the booking
// would be meant.
func leftAlone(l store.Link, links []store.Link) bool {
	return l.State == store.LinkDeleting && slices.ContainsFunc(links, func(o store.Link) bool { return o.Booking == l.Booking && o.Key != l.Key })
}

// strangers returns items that bear the id of a link's booking and no living link's key.
func (m *matcher) strangers(ctx context.Context, l store.Link) ([]*calendar.Item, error) {
	var found []*calendar.Item
	for _, it := range usable(l, m.seen.byForeign[l.Booking]) {
		if m.claimed[it.Ref] {
			continue
		}
		if it.Key != "" {
			other, known, err := m.e.Store.Link(ctx, l.Tenant, it.Key)
			if err != nil {
				return nil, ours(err)
			}
			if known && (other.State != store.LinkDead || other.Person != l.Person || other.Booking != l.Booking) {
				continue
			}
		}
		found = append(found, it)
	}
	for _, it := range found {
		m.claimed[it.Ref] = true
	}
	return found, nil
}

// ask asks the old mode about the items of which none or several were found: whether they are there, and their UIDs.
func (m *matcher) ask(ctx context.Context, links []store.Link, candidates [][]*calendar.Item) error {
	var doubtful []store.Link
	for i, l := range links {
		if len(candidates[i]) == 1 && !m.copied[l.Booking] || l.Ref == "" || l.Epoch != m.new.mb.Epoch || l.State != store.LinkLive || !l.GoneAt.IsZero() {
			continue
		}
		if len(candidates[i]) == 0 {
			if harmless, err := m.e.harmless(ctx, l); err != nil {
				return err
			} else if harmless {
				continue
			}
		}
		doubtful = append(doubtful, l)
	}
	if m.old == nil || len(doubtful) == 0 {
		return nil
	}
	const batch = 50
	for part := range slices.Chunk(doubtful, batch) {
		refs := make([]calendar.Ref, len(part))
		for i, l := range part {
			refs[i] = l.Ref
		}
		got, err := m.old.mode.Backend.Fetch(ctx, m.old.mailbox, refs)
		if err != nil || len(got) != len(refs) {
			return nil // the old mode has been asked for what it knows; without it more is laid before a person
		}
		for i, l := range part {
			switch {
			case errors.Is(got[i].Err, fault.NotFound):
				m.deleted[l.Key] = true
			case got[i].Err == nil:
				m.uids[l.Key] = got[i].Item.Event.UID
			}
		}
	}
	return nil
}

// search looks for the item of a link that the full read did not bring: it lies outside of what the read covers, or has
// lost its markers.
func (m *matcher) search(ctx context.Context, l store.Link) ([]*calendar.Item, error) {
	if m.new.mode.Finder == nil {
		return nil, nil
	}
	for _, by := range []struct {
		marker backend.Marker
		value  string
	}{{backend.OurKey, l.Key}, {backend.ByUID, cmp.Or(m.uids[l.Key], l.UID)}} { // as the old mode says it is, or was when that was read last
		if by.value == "" {
			continue
		}
		items, err := m.new.mode.Finder.Find(ctx, m.new.mailbox, by.marker, by.value)
		if errors.Is(err, fault.Unsupported) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for the item of booking %q: %w", l.Booking, err)
		}
		var found []*calendar.Item
		for i := range items {
			it := &items[i]
			if m.claimed[it.Ref] || by.marker == backend.ByUID && it.Key != "" && it.Key != l.Key {
				continue
			}
			m.claimed[it.Ref] = true
			found = append(found, it)
		}
		if found = usable(l, found); len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// decide chooses among the candidates for a link.
func (m *matcher) decide(ctx context.Context, mt *match, candidates []*calendar.Item) error {
	l := mt.link
	made := l.State == store.LinkLive || leftByMove(l)
	switch {
	case len(candidates) == 0 && m.deleted[l.Key]:
		mt.fate = fateDeleted
		return nil
	case len(candidates) == 0 && made && l.GoneAt.IsZero():
		mt.fate = fateLost
		return nil
	case len(candidates) == 0:
		mt.fate = fateOpen
		return nil
	}
	same, differs := make([]bool, len(candidates)), make([]calendar.Fields, len(candidates))
	var alike []*calendar.Item
	for i, it := range candidates {
		var err error
		if same[i], differs[i], err = m.same(ctx, l, it); err != nil {
			return err
		}
		if same[i] {
			alike = append(alike, it)
		}
	}
	chosen, sure := m.choose(l, candidates, alike)
	if !sure && !made && l.State != store.LinkDeleting {
		mt.fate = fateOpen // it is found by its marker when it is looked for, as always
		return nil
	}
	if !sure {
		mt.fate = fateUnclear
		return nil
	}
	if chosen == nil {
		if mt.fate = fateLost; !made {
			mt.fate = fateOpen
		}
		mt.copies = candidates
		return nil
	}
	i := slices.Index(candidates, chosen)
	mt.fate, mt.item, mt.same, mt.differs = fateFound, chosen, same[i], differs[i]
	for _, it := range candidates {
		if it != chosen {
			mt.copies = append(mt.copies, it)
		}
	}
	return nil
}

// choose returns which of the candidates is a link's item; nil if it is surely none of them.
func (m *matcher) choose(l store.Link, candidates, alike []*calendar.Item) (chosen *calendar.Item, sure bool) {
	only := func(is func(*calendar.Item) bool) *calendar.Item {
		i := slices.IndexFunc(candidates, is)
		if i < 0 || slices.ContainsFunc(candidates[i+1:], is) {
			return nil
		}
		return candidates[i]
	}
	uid := m.uids[l.Key]
	byUID := only(func(it *calendar.Item) bool { return strings.EqualFold(it.Event.UID, uid) })
	byRef := only(func(it *calendar.Item) bool { return it.Ref == l.Ref && l.Epoch == m.new.mb.Epoch })
	switch {
	case byRef != nil:
		return byRef, true // both modes name items alike
	case uid != "" && byUID != nil:
		return byUID, true
	case len(candidates) == 1 && !m.copied[l.Booking]:
		return candidates[0], true
	case len(candidates) == 1 && uid != "":
		return nil, true // the copy alone
	case len(candidates) > 1 && len(alike) == 1:
		return alike[0], true
	}
	return nil, false
}

// same reports whether an item says what both sides of a link last agreed on, as far as it says anything. The text alone
// is not looked at: it never goes from the calendar to the booking.
func (m *matcher) same(ctx context.Context, l store.Link, it *calendar.Item) (same bool, differs calendar.Fields, err error) {
	stored := l.Base
	if len(stored) == 0 {
		stored = l.Sent
	}
	base, err := loadCurrent(ctx, m.people, l.Tenant, stored)
	if err != nil || base == nil {
		return false, 0, ours(err)
	}
	f, err := fieldsOfItem(ctx, m.people, l.Tenant, m.new.person.Email, &it.Event)
	if err != nil {
		return false, 0, ours(err)
	}
	_, byItem, _ := plan.Compare(plan.Input{Base: base, Booking: base, Item: &f, Omits: it.Omits})
	const compared = calendar.AllFields &^ calendar.FieldRecurrence // which older bases do not say
	byItem &^= calendar.FieldBody | m.e.withheld(l.Tenant, *base)
	return byItem == 0 && (it.Omits^base.Unsaid)&compared == 0 && !it.Event.Cancelled, byItem, nil
}

// harmless reports whether nothing is at stake if a link without an item is let go: its booking is cancelled, or out of the
// sync, or over.
func (e *Engine) harmless(ctx context.Context, l store.Link) (bool, error) {
	b, found, err := e.Store.Booking(ctx, l.Tenant, l.Booking)
	if err != nil {
		return false, ours(err)
	}
	return nothingAtStake(e, b, found, l), nil
}

func nothingAtStake(e *Engine, b *booking.Booking, found bool, l store.Link) bool {
	return !found || b.Status != booking.Confirmed || b.Organizer != l.Person || b.SyncDisabled || e.past(b)
}

// memo remembers who is behind an address for as long as a calendar is compared.
type memo struct {
	people
	by map[string]memoized
}

type memoized struct {
	row   store.PersonRow
	found bool
}

func newMemo(p people) *memo { return &memo{people: p, by: map[string]memoized{}} }

// PersonByEmail implements people.
func (m *memo) PersonByEmail(ctx context.Context, tenant, email string) (store.PersonRow, bool, error) {
	key := strings.ToLower(email)
	if known, ok := m.by[key]; ok {
		return known.row, known.found, nil
	}
	row, found, err := m.people.PersonByEmail(ctx, tenant, email)
	if err == nil {
		m.by[key] = memoized{row, found}
	}
	return row, found, err
}
