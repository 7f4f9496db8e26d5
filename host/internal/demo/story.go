package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// story is the order of the steps. Meetings change as it goes on: a step finds them as the one before left them.
func story(s *scene) []step {
	a := s.agenda
	kickoff := &meeting{id: "kickoff", organizer: alice, title: "Project kick-off", when: a.hours(0, 10, 11), place: roomA, attendees: []player{bob}}
	desk := &meeting{id: "desk-day", organizer: bob, title: "Desk for Bob", when: a.days(0, 1), place: desk1}
	review := &meeting{id: "review", organizer: carol, title: "Design review", when: a.hours(0, 16, 17), place: roomB, attendees: []player{alice}}
	visit := &meeting{id: "visit", organizer: carol, title: "Visit in Berlin", when: a.days(1, 2), place: desk2}
	budget := &meeting{id: "budget", organizer: bob, title: "Budget", when: a.hours(2, 11, 12), place: roomA}
	offsite := &meeting{id: "offsite", organizer: dora, title: "Plan the offsite", when: a.hours(0, 9, 10), place: roomB, attendees: []player{alice}}
	focus := &meeting{id: "focus-day", organizer: dora, title: "Desk for Dora", when: a.days(1, 2), place: desk2}
	standup := &meeting{id: "standup", organizer: alice, title: "Stand-up", when: a.hours(3, 9, 10), place: roomB, attendees: []player{bob}}
	workshop := meeting{organizer: carol, title: "Workshop", when: a.hours(3, 15, 16), place: roomC}
	inventory := &meeting{id: "inventory", organizer: fred, title: "Inventory", when: a.hours(4, 11, 12), place: roomA, attendees: []player{bob}}
	handover := &meeting{id: "handover", organizer: emil, title: "Handover", when: a.hours(0, 13, 14), place: roomA, attendees: []player{bob}}

	const inCalendar, inBookings = "in the calendar", "in the booking system"
	return []step{
		{"A", "Subscribe: Exchange reports changes from now on", s.subscribe, "six plugins started, all calendars subscribed"},
		{"B1", "A new booking in the web app", func(ctx context.Context) error { return s.newBooking(ctx, kickoff) }, inCalendar},
		{"B2", "A new booking for a whole day", func(ctx context.Context) error { return s.newDesk(ctx, desk) }, inCalendar},
		{"C1", "A new meeting in Outlook, with the add-in", func(ctx context.Context) error { return s.addInFirst(ctx, review) }, "tied together"},
		{"C2", "A whole day in Outlook, with the add-in; the item is there first", func(ctx context.Context) error { return s.itemFirst(ctx, visit) }, "tied together"},
		{"D1", "A change in the web app", func(ctx context.Context) error { return s.changed(ctx, kickoff, a.hours(0, 14, 15)) }, inCalendar},
		{"D2", "A change of a whole day in the web app", func(ctx context.Context) error { return s.changed(ctx, desk, a.days(1, 2)) }, inCalendar},
		{"D3", "A cancellation in the web app", func(ctx context.Context) error { return s.cancelled(ctx, review) }, "gone from the calendar"},
		{"E1", "A change in Outlook, with the add-in", func(ctx context.Context) error { return s.changedTwice(ctx, kickoff, a.hours(0, 15, 16)) }, inBookings},
		{"E2", "A change of a whole day in Outlook, with the add-in", func(ctx context.Context) error { return s.changedTwice(ctx, desk, a.days(2, 3)) }, inBookings},
		{"F1", "A change in Outlook, without the add-in", func(ctx context.Context) error { return s.dragged(ctx, kickoff, a.hours(1, 9, 10)) }, inBookings},
		{"F2", "A whole day made two in Outlook, without the add-in", func(ctx context.Context) error { return s.dragged(ctx, desk, a.days(2, 4)) }, inBookings},
		{"F3", "A conflict: the room is taken where the meeting is moved to", func(ctx context.Context) error { return s.conflict(ctx, kickoff, budget) }, "reset in the calendar"},
		{"F4", "A whole day deleted in Outlook", func(ctx context.Context) error { return s.deleted(ctx, visit) }, inBookings},
		{"F5", "A meeting deleted in Outlook", func(ctx context.Context) error { return s.deleted(ctx, kickoff) }, inBookings},
		{"G1", "Exchange Online over EWS: two new bookings", func(ctx context.Context) error { return s.newOnline(ctx, offsite, focus) }, inCalendar},
		{"G2", "Exchange Online over Microsoft Graph: a new booking, then a change in Outlook", func(ctx context.Context) error { return s.overGraph(ctx, handover, a.hours(1, 14, 15)) }, inBookings},
		{"G3", "The move: a person goes from EWS to Microsoft Graph", func(ctx context.Context) error { return s.moved(ctx, dora, offsite, focus) }, "moved"},
		{"G4", "After the move: a change in the web app, then one in Outlook", func(ctx context.Context) error {
			return s.afterMove(ctx, offsite, a.hours(1, 10, 11), a.hours(2, 15, 16))
		}, inBookings},
		{"H1", "A series: one occurrence changed in the web app, another in Outlook", func(ctx context.Context) error { return s.series(ctx, standup, a.hours(3+14, 13, 14)) }, "on both sides"},
		{"H2", "A room invited in Outlook", func(ctx context.Context) error { return s.roomInvited(ctx, workshop) }, "booked"},
		{"H3", "A difference: listed, looked at, resolved", func(ctx context.Context) error { return s.decided(ctx, budget) }, "resolved"},
		{"H4", "The take-over: from another sync to this one", func(ctx context.Context) error { return s.takenOver(ctx, inventory) }, "taken over"},
	}
}

func (s *scene) subscribe(ctx context.Context) error {
	people, err := os.Open(filepath.Join(s.stage.cfg.Dir, "persons.csv"))
	if err != nil {
		return fmt.Errorf("read the persons: %w", err)
	}
	defer people.Close()
	s.story("An administrator imports persons.csv: Alice and Carol reach Exchange with NTLM, Bob with Basic; Dora is in")
	s.story("Exchange Online over EWS, Emil over Microsoft Graph, both with OAuth. Three rooms and two desks can be booked; the")
	s.story("calendar of Room C is synced, too.")
	s.start()
	r, err := s.rest.ImportPersonsWithBodyWithResponse(ctx, tenant, nil, "text/csv", people)
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("import the persons: %w", err)
	}
	if err := same("persons.csv is imported", fmt.Sprintf("%d created", len(cast())), fmt.Sprintf("%d created", r.JSON200.Created)); err != nil {
		return err
	}
	for _, p := range synced() {
		err := until(ctx, func() error {
			person, err := s.person(ctx, p)
			if err != nil {
				return err
			}
			way := "none"
			if person.Sync.Way != nil {
				way = string(*person.Sync.Way)
			}
			return same(p.name+"'s calendar is subscribed to", "status ok, way push",
				fmt.Sprintf("status %s, way %s%s", person.Sync.Status, way, trouble(person)))
		})
		if err != nil {
			return err
		}
	}
	s.stop()
	if err := s.quiet(ctx); err != nil {
		return err
	}
	var boxes []string
	for _, sub := range s.sim.Subscriptions() {
		boxes = append(boxes, nameOf(sub.Mailbox))
	}
	slices.Sort(boxes)
	if err := same("push subscriptions over EWS", "Alice, Bob, Carol, Dora, Room C", strings.Join(boxes, ", ")); err != nil {
		return err
	}
	if err := same("subscriptions of Graph", "Emil", s.graphSubscribers()); err != nil {
		return err
	}
	s.side("bookings", fmt.Sprintf("%d persons, rooms and desks, no booking yet", r.JSON200.Created))
	s.side("calendars", "push subscriptions of "+strings.Join(boxes, ", ")+", and of Emil in Graph; each has a secret address to call")
	return s.mailed("mailed", "nobody")
}

// heard waits for the next entry in the change feed about a booking and checks what it says; no source means any.
func (s *scene) heard(ctx context.Context, m *meeting, kind client.ChangeKind, source client.ChangeSource) error {
	c, err := s.change(ctx, m.id)
	if err != nil {
		return err
	}
	m.version++
	if source == "" {
		source = c.Source
	}
	return same("the change feed", entry(kind, source, m.version), entry(c.Kind, c.Source, c.Version))
}

func entry(kind client.ChangeKind, source client.ChangeSource, version int64) string {
	return fmt.Sprintf("%s by %s, version %d", kind, source, version)
}

// book puts a meeting and waits until the calendar shows it.
func (s *scene) book(ctx context.Context, m *meeting, kind client.ChangeKind) error {
	s.start()
	if _, err := s.put(ctx, *m, nil); err != nil {
		return err
	}
	if err := s.sawItem(ctx, *m); err != nil {
		return err
	}
	s.stop()
	if err := s.heard(ctx, m, kind, client.ChangeSourceAPI); err != nil {
		return err
	}
	return s.agree(ctx, *m, m.String())
}

func (s *scene) newBooking(ctx context.Context, m *meeting) error {
	s.story("Alice books Room A and invites Bob. The meeting belongs into Alice's calendar.")
	if err := s.book(ctx, m, client.ChangeKindCreated); err != nil {
		return err
	}
	if err := same("who is invited", "Bob and Room A", s.invited(m.organizer, m.id)); err != nil {
		return err
	}
	s.side("echo", "Exchange reported its new item: it says what the booking says, so nothing changed")
	return s.mailed("mailed", m.mail("invitation"))
}

func (s *scene) newDesk(ctx context.Context, m *meeting) error {
	s.story("Bob, in London, books Desk 1. A day is a day, whatever the time zone.")
	if err := s.book(ctx, m, client.ChangeKindCreated); err != nil {
		return err
	}
	return s.mailed("mailed", "nobody")
}

func (s *scene) addInFirst(ctx context.Context, m *meeting) error {
	s.story("Carol, in New York, makes a meeting in Outlook; the add-in books Room B and marks her item with")
	s.story("the booking's id (AppointmentOid). Roomwire finds the item instead of making a second one.")
	s.start()
	before := s.sim.Count("CreateItem")
	if err := s.bookExpecting(ctx, *m); err != nil {
		return err
	}
	a, err := m.appointment()
	if err != nil {
		return err
	}
	if _, err := s.sim.Outlook(m.organizer.email).Create(a); err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	if err := s.heard(ctx, m, client.ChangeKindCreated, client.ChangeSourceAPI); err != nil {
		return err
	}
	if err := s.tied(ctx, *m, before); err != nil {
		return err
	}
	return s.mailed("mailed", m.mail("invitation"))
}

func (s *scene) itemFirst(ctx context.Context, m *meeting) error {
	s.story("Carol takes Desk 2 for a day. Exchange reports her item before the add-in has booked: a person's own")
	s.story("affair, so far. Then the booking comes and looks for its item.")
	a, err := m.appointment()
	if err != nil {
		return err
	}
	if _, err := s.sim.Outlook(m.organizer.email).Create(a); err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	s.start()
	before := s.sim.Count("CreateItem")
	if err := s.bookExpecting(ctx, *m); err != nil {
		return err
	}
	if err := s.heard(ctx, m, client.ChangeKindCreated, client.ChangeSourceAPI); err != nil {
		return err
	}
	if err := s.tied(ctx, *m, before); err != nil {
		return err
	}
	return s.mailed("mailed", "nobody")
}

// bookExpecting books as the add-in does: the item is made in Outlook, and marked with the booking's id.
func (s *scene) bookExpecting(ctx context.Context, m meeting) error {
	expected := client.BookingInputItemExpected
	_, err := s.put(ctx, m, func(in *client.BookingInput) { in.Item = &expected })
	return err
}

// tied checks that the item made in Outlook is the booking's: nothing else was made. That a change on one side reaches
// the other is shown by the steps that follow.
func (s *scene) tied(ctx context.Context, m meeting, created int) error {
	if err := s.quiet(ctx); err != nil {
		return err
	}
	s.stop()
	if err := same("items that Roomwire makes", "0", fmt.Sprint(s.sim.Count("CreateItem")-created)); err != nil {
		return err
	}
	return s.agree(ctx, m, m.String())
}

// noted waits until the organizer's timeline says something about a booking.
func (s *scene) noted(ctx context.Context, m meeting, what string) error {
	return until(ctx, func() error {
		r, err := s.rest.ListActivityWithResponse(ctx, tenant, m.organizer.id, &client.ListActivityParams{Booking: &m.id})
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("read the timeline: %w", err)
		}
		var seen []string
		for _, a := range r.JSON200.Items {
			if a.What == what {
				return nil
			}
			seen = append(seen, a.What)
		}
		return &unmet{m.organizer.name + "'s timeline", what, fmt.Sprintf("%q", seen)}
	})
}

func (s *scene) changed(ctx context.Context, m *meeting, when span) error {
	s.story(fmt.Sprintf("%s moves %q from %s to %s.", m.organizer.name, m.title, m.when, when))
	m.when = when
	if err := s.book(ctx, m, client.ChangeKindUpdated); err != nil {
		return err
	}
	return s.mailed("mailed", m.mail("update"))
}

func (s *scene) cancelled(ctx context.Context, m *meeting) error {
	s.story("Carol cancels the design review.")
	s.start()
	r, err := s.rest.CancelBookingWithResponse(ctx, tenant, m.id, &client.CancelBookingParams{})
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("cancel the booking: %w", err)
	}
	if err := s.gone(ctx, *m); err != nil {
		return err
	}
	s.stop()
	if err := s.heard(ctx, m, client.ChangeKindCancelled, client.ChangeSourceAPI); err != nil {
		return err
	}
	if err := s.agreeAs(ctx, *m, nothing, client.BookingStatusCancelled); err != nil {
		return err
	}
	return s.mailed("mailed", "cancellation to Alice and Room B")
}

// drag moves the meeting in its organizer's Outlook.
func (s *scene) drag(m meeting, when span) error {
	a, found := s.item(m.organizer, m.id)
	if !found {
		return &unmet{"the calendar of " + m.organizer.name, m.String(), nothing}
	}
	when, err := when.in(m.organizer.zone)
	if err != nil {
		return fmt.Errorf("the zone %s: %w", m.organizer.zone, err)
	}
	err = s.sim.Outlook(m.organizer.email).Update(a.ID, func(a *exchangesim.Appointment) { a.Start, a.End = when.start, when.end })
	if err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	return nil
}

func (s *scene) changedTwice(ctx context.Context, m *meeting, when span) error {
	s.story(fmt.Sprintf("%s moves %q to %s in Outlook, and the add-in changes the booking alike.", m.organizer.name, m.title, when))
	s.story("Both sides hear the same thing twice; it counts once.")
	s.start()
	if err := s.drag(*m, when); err != nil {
		return err
	}
	m.when = when
	outlook := m.mail("update")
	if _, err := s.put(ctx, *m, nil); err != nil {
		return err
	}
	if err := s.heard(ctx, m, client.ChangeKindUpdated, ""); err != nil { // by whichever came first
		return err
	}
	s.stop()
	return s.afterOutlook(ctx, *m, outlook, m.String(), client.BookingStatusConfirmed)
}

// afterOutlook checks what holds after a person's change in Outlook: Outlook has told the others, Roomwire tells nobody.
func (s *scene) afterOutlook(ctx context.Context, m meeting, outlook, item string, status client.BookingStatus) error {
	if err := s.agreeAs(ctx, m, item, status); err != nil {
		return err
	}
	who := "nobody"
	if outlook != "nobody" {
		who = outlook + ", by Outlook itself; by Roomwire nobody"
	}
	got := s.newMails()
	if err := same("who is mailed", outlook, got); err != nil {
		return err
	}
	s.side("mailed", who)
	return nil
}

func (s *scene) dragged(ctx context.Context, m *meeting, when span) error {
	s.story(fmt.Sprintf("%s, on the phone, changes %q to %s. No add-in is there to tell anybody.", m.organizer.name, m.title, when))
	s.start()
	if err := s.drag(*m, when); err != nil {
		return err
	}
	m.when = when
	if err := s.heard(ctx, m, client.ChangeKindUpdated, client.ChangeSourceCalendar); err != nil {
		return err
	}
	s.stop()
	return s.afterOutlook(ctx, *m, m.mail("update"), m.String(), client.BookingStatusConfirmed)
}

func (s *scene) conflict(ctx context.Context, m, other *meeting) error {
	s.story(fmt.Sprintf("Bob has Room A on %s. Alice moves %q right there, in Outlook.", other.when, m.title))
	b, err := s.put(ctx, *other, nil)
	if err != nil {
		return err
	}
	other.version = b.Version
	if err := s.sawItem(ctx, *other); err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	if err := s.silence(ctx, m.id); err != nil {
		return err
	}
	if err := same("who is mailed", "invitation to Room A", s.newMails()); err != nil {
		return err
	}
	s.start()
	if err := s.drag(*m, other.when); err != nil {
		return err
	}
	if err := s.noted(ctx, *m, "item reset"); err != nil {
		return err
	}
	if err := s.sawItem(ctx, *m); err != nil {
		return err
	}
	s.stop()
	if err := s.afterOutlook(ctx, *m, "update to Bob and Room A", m.String(), client.BookingStatusConfirmed); err != nil {
		return err
	}
	s.side("so", "the booking stayed, the item was set back to it (Alice's conflict behaviour: rollback)")
	return nil
}

func (s *scene) deleted(ctx context.Context, m *meeting) error {
	s.story(fmt.Sprintf("%s deletes %q in Outlook, which moves it to Deleted Items.", m.organizer.name, m.title))
	a, found := s.item(m.organizer, m.id)
	if !found {
		return &unmet{"the calendar of " + m.organizer.name, m.String(), nothing}
	}
	s.start()
	if err := s.sim.Outlook(m.organizer.email).Delete(a.ID); err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	if err := s.heard(ctx, m, client.ChangeKindCancelled, client.ChangeSourceCalendar); err != nil {
		return err
	}
	s.stop()
	if err := s.afterOutlook(ctx, *m, m.mail("cancellation"), nothing, client.BookingStatusCancelled); err != nil {
		return err
	}
	s.side("so", "the item does not come back")
	return nil
}
