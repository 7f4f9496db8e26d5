package syncer

import (
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer/plan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func (m *model) checkBooking(b *booking.Booking) {
	ctx, n, organizer := m.t.Context(), m.note(b.ID), m.people[b.Organizer]
	history := m.history(b.ID)
	if b.Status == booking.Cancelled && !n.mayCancel {
		m.fail("%s is cancelled though nobody cancelled or deleted it: %s", b.ID, history[len(history)-1].Reason)
	}
	if n.cancelled && b.Status != booking.Cancelled {
		m.fail("%s stands though the booking system cancelled it", b.ID)
	}
	if b.Status != booking.Confirmed || organizer.SyncDisabled || b.SyncOff {
		return
	}
	open := m.differences(b.ID)
	if len(open) == 0 {
		m.checkOccurrences(b)
	}
	if b.SyncDisabled {
		if b.SyncProblem == "" {
			m.fail("%s is out of the sync and nobody knows why", b.ID)
		}
		return
	}
	if n.removed && n.puts == 0 && len(open) == 0 && !organizer.restless {
		m.fail("%s stands though its item was deleted", b.ID)
	}
	var found []calendar.Item
	for _, it := range m.server.items(organizer.Email) {
		if it.ForeignKey == b.ID && m.copies[it.Ref] == nil && m.left[it.Ref] == nil {
			found = append(found, it)
		}
	}
	if len(found) != 1 {
		m.fail("%s has %d items with %s, want 1", b.ID, len(found), organizer.Email)
	}
	if m.heldStill(b) {
		return
	}
	want, err := fieldsOfBooking(ctx, m.stage.store, b)
	m.must(err)
	got, err := fieldsOfItem(ctx, m.stage.store, m.tenant, organizer.Email, &found[0].Event)
	m.must(err)
	if d := plan.Diff(want, got) &^ calendar.FieldBody; d != 0 {
		m.fail("%s and its item differ in %s:\n%+v\n%+v", b.ID, d, want, got)
	}
	m.checkEdits(b, history, open)
}

// checkEdits looks for what people changed in the calendar: in the booking, in its history, or laid before somebody.
func (m *model) checkEdits(b *booking.Booking, history []store.ChangeRecord, open []store.Difference) {
	n := m.note(b.ID)
	if n.removed || m.people[b.Organizer].restless || n.editedIn != nil && n.editedIn.restless || len(open) > 0 {
		return
	}
	for field, token := range n.edits {
		kept := false
		for _, c := range history {
			switch {
			case field == "subject":
				kept = kept || strings.Contains(string(c.Data), token)
			case strings.HasPrefix(field, "occurrence"):
				kept = kept || token == "" || strings.Contains(string(c.Data), token)
			case field == "place":
				kept = kept || strings.Contains(string(c.Data), token)
			case field == "time":
				was, err := parseBooking(c.Tenant, c.Data)
				m.must(err)
				kept = kept || was.Start.Equal(startIn(token))
			}
		}
		if !kept {
			m.fail("%s: the calendar's %s %q was lost", b.ID, field, token)
		}
	}
}

func startIn(token string) time.Time {
	at, _ := time.Parse("2006-01-02 15:04:05 -0700 MST", token)
	return at
}

// checkCalendar looks for items of ours that no booking stands behind.
func (m *model) checkCalendar(p *who) {
	if p.SyncDisabled {
		return
	}
	if mb := m.mailbox(p.ID); mb.RoundOpen || mb.Wanted > mb.Done {
		m.fail("the mailbox of %s is not done with: %+v", p.ID, mb)
	}
	if left, err := m.stage.store.Intents(m.t.Context(), m.tenant, p.ID, farFuture, 100); err != nil || len(left) > 0 {
		m.fail("intents of %s are left: %+v, %v", p.ID, left, err)
	}
	for _, it := range m.server.items(p.Email) {
		if it.ForeignKey == "" || m.copies[it.Ref] != nil || m.left[it.Ref] != nil {
			continue
		}
		b := m.booking(it.ForeignKey)
		switch {
		case b == nil:
			m.fail("item %s of %s bears an unknown booking %s", it.Ref, p.ID, it.ForeignKey)
		case b.Status == booking.Confirmed && b.Organizer == p.ID, b.SyncDisabled:
		case m.leftByRule(b.ID):
		case slices.ContainsFunc(m.differences(b.ID), func(d store.Difference) bool {
			return m.ownRef(d.Ref) == it.Ref || d.Ref == "" && d.Kind == itemNotDeleted
		}):
			m.copies[it.Ref] = &duplicate{box: p.Email, booking: b.ID, of: "?", event: it.Event, settled: true} // listed
		default:
			m.fail("item %s of %s is left though %s is %s and organized by %s", it.Ref, p.ID, b.ID, b.Status, b.Organizer)
		}
	}
}

// leftByRule: where a conflict cancels, the item stays and loses its link.
func (m *model) leftByRule(id string) bool {
	for _, c := range m.history(id) {
		if strings.HasPrefix(c.Reason, "conflict") || c.Kind == "problem" || c.Kind == "cancelled" && c.Source == sourceSync {
			return true
		}
	}
	return false
}

// repeatsNothing reads everything in full once more: nothing may be written, neither here nor there.
func (m *model) repeatsNothing() {
	writes := m.server.writes
	seq, err := m.stage.store.LastSeq(m.t.Context(), m.tenant)
	m.must(err)
	for _, name := range m.names {
		m.must(m.engine.Sync(m.t.Context(), m.tenant, name, true))
	}
	m.settleAll(1)
	after, err := m.stage.store.LastSeq(m.t.Context(), m.tenant)
	m.must(err)
	if m.server.writes != writes || after != seq {
		m.fail("a full read of what is at rest led to %d writes and %d changes", m.server.writes-writes, after-seq)
	}
}
