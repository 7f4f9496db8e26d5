package syncer

import (
	"context"
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
		for _, a := range item.Event.Attendees {
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

// resolveGroups has the groups that a booking took over from its item become their members. Those of a group that the booking
// had before stay as they were: that others belong to it by now is nobody's edit.
func (e *Engine) resolveGroups(p *pair, next *booking.Booking) {
	if !e.limits().ResolveGroups {
		return
	}
	var out []booking.Attendee
	invited := map[string]bool{directory.FoldEmail(p.person.Email): true}
	for _, a := range next.Attendees {
		invited[directory.FoldEmail(a.Email)] = true
	}
	for _, a := range next.Attendees {
		members := membersBefore(p.booking, a)
		if members == nil {
			members = e.membersNow(p, a)
		}
		var fresh []booking.Attendee
		for _, m := range members {
			if email := directory.FoldEmail(m.Email); email != "" && !invited[email] {
				invited[email] = true
				fresh = append(fresh, m)
			}
		}
		if len(fresh) == 0 || len(next.Attendees)+len(out)+len(fresh) > booking.MaxAttendees {
			fresh = []booking.Attendee{a} // nobody else would stand for it, or too many
		}
		out = append(out, fresh...)
	}
	next.Attendees = out
	next.Normalize()
}

// membersBefore are those who stand for a group in a booking already.
func membersBefore(b *booking.Booking, group booking.Attendee) []booking.Attendee {
	var out []booking.Attendee
	for _, a := range b.Attendees {
		if a.Group != "" && strings.EqualFold(a.Group, group.Email) {
			a.Role = group.Role
			out = append(out, a)
		}
	}
	return out
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
// only told of. If somebody of a group is missing, or comes in another role, the others are invited by themselves from now on.
func regroup(old, next *booking.Booking) {
	if old == nil {
		return
	}
	broken := map[string]bool{}
	at := func(email string) int {
		return slices.IndexFunc(next.Attendees, func(a booking.Attendee) bool { return strings.EqualFold(a.Email, email) })
	}
	for _, a := range old.Attendees {
		if i := at(a.Email); a.Group != "" && (i < 0 || next.Attendees[i].Role != a.Role) {
			broken[a.Group] = true
		}
	}
	for _, a := range old.Attendees {
		if a.Group != "" && !broken[a.Group] {
			next.Attendees[at(a.Email)].Group = a.Group
		}
	}
}
