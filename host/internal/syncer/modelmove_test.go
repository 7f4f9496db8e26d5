package syncer

import (
	"strings"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// ownRef is a reference of either mode as the server itself has it.
func (m *model) ownRef(ref calendar.Ref) calendar.Ref {
	return calendar.Ref(strings.TrimPrefix(string(ref), otherPrefix))
}

// transfer has a person moved to the other sync mode, sometimes since the one of before is switched off.
func (m *model) transfer(a act) {
	p := m.person(a.A)
	move := store.Move{
		Tenant: m.tenant, Person: p.ID, To: map[string]string{"Memory": "Other", "Other": "Memory"}[p.SyncMode],
		DryRun: a.C%8 == 0, Lenient: a.C%2 == 0,
	}
	refused, err := m.engine.RequestMoves(m.t.Context(), []store.Move{move})
	m.must(err)
	m.say("%s is to move to %s, dry run: %v, %v", p.ID, move.To, move.DryRun, refused[0])
	switch a.B % 12 {
	case 0, 1, 2:
		left := map[string]*spaced{"Memory": m.modes.memory, "Other": m.modes.other}[p.SyncMode]
		left.fail = []error{fault.MailboxMoved, fault.Forbidden, fault.Unavailable}[a.B%3]
		m.say("  %s is switched off: %v", p.SyncMode, left.fail)
	case 3:
		m.say("  and is not to move after all")
		_ = m.engine.CancelMove(m.t.Context(), m.tenant, p.ID) // there may be none
	case 5, 6, 7:
		if items := m.server.items(p.Email); len(items) > 0 && p.SyncMode == "Memory" {
			ref := items[a.C%len(items)].Ref
			m.modes.other.hidden = map[calendar.Ref]bool{ref: true}
			m.say("  and will not find %s there", ref)
		}
	case 4:
		m.modes.memory.fail, m.modes.other.fail = nil, nil
	}
}

// decideMoved has an administrator decide about what moves did not find.
func (m *model) decideMoved(n int) (decided bool) {
	for i, name := range m.names {
		if m.person(i).SyncDisabled {
			continue
		}
		links, err := m.stage.store.LinksOfPerson(m.t.Context(), m.tenant, name, "", 0)
		m.must(err)
		for _, l := range links {
			if !leftByMove(l) {
				continue
			}
			decided = true
			m.people[name].restless = true
			decision := MakeAnew
			if l.State == store.LinkUnclear {
				m.tidy(l)
				decision = LookAgain
			}
			m.say("%s: %s of %s, which is %s", decision, l.Key, name, l.State)
			_, err := m.engine.DecideMove(m.t.Context(), m.tenant, name, decision, []string{l.Booking})
			m.must(err)
		}
	}
	return decided
}

// tidy has a person throw copies away that nobody can tell from the item.
func (m *model) tidy(l store.Link) {
	for ref, d := range m.copies {
		if d.booking == l.Booking && nameOf(d.box) == l.Person && m.item(d.box, ref).Ref != "" {
			m.say("the copy %s is thrown away", ref)
			m.server.remove(d.box, ref)
			delete(m.copies, ref)
		}
	}
	m.copiesGone(l)
}

// copiesGone: of several items that are left, of which none is known to be a copy, one stays.
func (m *model) copiesGone(l store.Link) {
	box := m.people[l.Person].Email
	var same []calendar.Item
	for _, it := range m.server.items(box) {
		if it.Key == l.Key {
			same = append(same, it)
		}
	}
	for _, it := range same[min(1, len(same)):] {
		m.server.remove(box, it.Ref)
	}
}
