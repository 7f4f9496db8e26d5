package syncer

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// How long it is believed who is in a distribution group, that an address is no group's, and that it could not be found out.
const (
	groupHolds   = time.Hour
	noGroupHolds = 12 * time.Hour
	groupFails   = 10 * time.Minute
	// groupLookups is how many addresses one page of changes, or one item, may have looked up.
	groupLookups = 50
	// groupsKept bounds the memory; beyond it all is looked up anew.
	groupsKept = 20_000
)

// groups remembers who is in which distribution group.
type groups struct {
	mu sync.Mutex
	by map[groupOf]membership
}

type groupOf struct{ tenant, mode, address string }

type membership struct {
	members []calendar.Address // nil: it is no group, or nobody knows
	until   time.Time
}

func newGroups() *groups { return &groups{by: map[groupOf]membership{}} }

// known returns the members of a group, and whether it is known by now what the address is.
func (g *groups) known(of groupOf, now time.Time) ([]calendar.Address, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one, ok := g.by[of]
	return one.members, ok && now.Before(one.until)
}

func (g *groups) learn(of groupOf, one membership) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.by) >= groupsKept {
		clear(g.by)
	}
	g.by[of] = one
}

// learnGroups asks the server about the addresses among an item's attendees that may be groups': those that are nobody's in the
// directory. A failure leaves the group what it is, one attendee.
func (e *Engine) learnGroups(ctx context.Context, p *pass, items ...*calendar.Item) {
	if !e.limits().ResolveGroups || p.mode.Groups == nil {
		return
	}
	asked := 0
	for _, item := range items {
		if item == nil || item.ReadOnly {
			continue
		}
		for a := range invitedTo(&item.Event) {
			of := groupOf{p.mb.Tenant, p.mode.Name, directory.FoldEmail(a.Email)}
			if a.Role == calendar.Resource || of.address == "" || asked == groupLookups {
				continue
			}
			if _, known := e.groups.known(of, e.now()); known {
				continue
			}
			if _, person, err := e.Store.PersonByEmail(ctx, of.tenant, of.address); err != nil || person {
				continue
			}
			asked++
			e.learnGroup(ctx, p, of)
		}
	}
}

// invitedTo yields who is invited to an item, or to single occurrences of it.
func invitedTo(ev *calendar.Event) iter.Seq[calendar.Attendee] {
	return func(yield func(calendar.Attendee) bool) {
		for _, a := range ev.Attendees {
			if !yield(a) {
				return
			}
		}
		for _, x := range ev.Exceptions {
			if x.Event == nil {
				continue
			}
			for _, a := range x.Event.Attendees {
				if !yield(a) {
					return
				}
			}
		}
	}
}

func (e *Engine) learnGroup(ctx context.Context, p *pass, of groupOf) {
	members, err := p.mode.Groups.Members(ctx, p.mailbox, of.address)
	one := membership{members: members, until: e.now().Add(groupHolds)}
	switch {
	case fault.Of(err) == fault.NotFound:
		one = membership{until: e.now().Add(noGroupHolds)}
	case err != nil:
		if ctx.Err() != nil {
			return
		}
		one = membership{until: e.now().Add(groupFails)}
		e.Log.Warn("who is in a distribution group could not be found out: it stays one attendee", "tenant", of.tenant, "person", p.mb.Person,
			"group", of.address, "error", err)
	}
	e.groups.learn(of, one)
}

// resolveGroups has the groups that a booking took over from its item become their members, those of single occurrences, too. Those of
// a group that the booking had before stay as they were: that others belong to it by now is nobody's edit.
func (e *Engine) resolveGroups(p *pair, next *booking.Booking, changed calendar.Fields) {
	if !e.limits().ResolveGroups {
		return
	}
	if changed.Any(calendar.FieldAttendees) {
		next.Attendees = e.withMembers(p, next.Attendees, p.booking.Attendees)
	}
	for i := range next.Exceptions {
		x := &next.Exceptions[i]
		if x.Attendees == nil {
			continue
		}
		before := [][]booking.Attendee{p.booking.Attendees, next.Attendees}
		if old := p.booking.Exception(x.Occurrence); old != nil && old.Attendees != nil {
			before = append([][]booking.Attendee{*old.Attendees}, before...)
		}
		list := e.withMembers(p, *x.Attendees, before...)
		x.Attendees = &list
	}
	next.Normalize()
}

// withMembers returns attendees with the members of groups in the place of those. Who stood for a group in one of the lists of before
// does so again. Who came by himself, or by another group, comes by the group alone once that invitation is taken back.
func (e *Engine) withMembers(p *pair, list []booking.Attendee, before ...[]booking.Attendee) []booking.Attendee {
	var out []booking.Attendee
	invited := map[string]bool{directory.FoldEmail(p.person.Email): true}
	for _, a := range list {
		invited[directory.FoldEmail(a.Email)] = true
	}
	for _, a := range list {
		members := membersBefore(before, a)
		known := members != nil
		for _, m := range e.membersNow(p, a) {
			if !known || attended(before, m.Email) {
				members = append(members, m)
			}
		}
		var fresh []booking.Attendee
		for _, m := range members {
			if email := directory.FoldEmail(m.Email); email != "" && !invited[email] {
				invited[email] = true
				fresh = append(fresh, m)
			}
		}
		if len(fresh) == 0 || len(list)+len(out)+len(fresh) > booking.MaxAttendees {
			fresh = []booking.Attendee{a} // nobody else would stand for it, or too many
		}
		out = append(out, fresh...)
	}
	return out
}

func attended(lists [][]booking.Attendee, email string) bool {
	email = directory.FoldEmail(email)
	return slices.ContainsFunc(lists, func(list []booking.Attendee) bool {
		return slices.ContainsFunc(list, func(a booking.Attendee) bool { return directory.FoldEmail(a.Email) == email })
	})
}

// membersBefore are those who stand for a group already, in the first of the lists in which somebody does.
func membersBefore(lists [][]booking.Attendee, group booking.Attendee) []booking.Attendee {
	for _, list := range lists {
		var out []booking.Attendee
		for _, a := range list {
			if a.Group != "" && strings.EqualFold(a.Group, group.Email) {
				a.Role = group.Role
				out = append(out, a)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (e *Engine) membersNow(p *pair, group booking.Attendee) []booking.Attendee {
	address := directory.FoldEmail(group.Email)
	members, _ := e.groups.known(groupOf{p.link.Tenant, p.mode, address}, e.now())
	var out []booking.Attendee
	for _, m := range members {
		out = append(out, booking.Attendee{Email: m.Email, Name: m.Name, Role: group.Role, Group: address})
	}
	return out
}

// regroup ties those of a booking that is put to the groups that they stood for in the one before, which the booking system is
// only told of. If somebody of a group is missing, or comes in another role, the others are invited by themselves from now on. Both
// must be normalized, and next is so afterwards: an occurrence has no guests of its own who are those of the series.
func regroup(old, next *booking.Booking) {
	if old == nil {
		return
	}
	regroupList(old.Attendees, next.Attendees)
	for i := range next.Exceptions {
		x := &next.Exceptions[i]
		if x.Attendees == nil {
			continue
		}
		before := old.Attendees
		if was := old.Exception(x.Occurrence); was != nil && was.Attendees != nil {
			before = *was.Attendees
		}
		regroupList(before, *x.Attendees)
	}
	next.Normalize()
}

func regroupList(old, next []booking.Attendee) {
	broken := map[string]bool{}
	at := func(email string) int {
		return slices.IndexFunc(next, func(a booking.Attendee) bool { return strings.EqualFold(a.Email, email) })
	}
	for _, a := range old {
		if i := at(a.Email); a.Group != "" && (i < 0 || next[i].Role != a.Role) {
			broken[a.Group] = true
		}
	}
	for _, a := range old {
		if a.Group != "" && !broken[a.Group] {
			next[at(a.Email)].Group = a.Group
		}
	}
}
