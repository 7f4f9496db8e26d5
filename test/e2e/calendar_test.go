package e2e

import (
	"fmt"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// day returns a moment on the nth day of the tests' year, in UTC.
func day(n, hour int) time.Time {
	return time.Date(2027, 2, 1+n, hour, 0, 0, 0, time.UTC)
}

// meeting is a booking of one hour in room A, to which bob is invited.
func meeting(id, organizer string, start time.Time) booking {
	return booking{
		ID: id, Title: hush + " " + id, Notes: hush + " notes", Organizer: organizer, Resources: []string{"room-a"},
		Attendees: []attendee{{Email: address("bob"), Role: "required"}},
		Start:     start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339), Zone: "Europe/Berlin",
	}
}

// deskDay is an all-day booking of a desk for nobody else.
func deskDay(id, organizer string, n int) booking {
	start := day(n, 0)
	return booking{
		ID: id, Title: hush + " " + id, Organizer: organizer, Resources: []string{desk(0)}, Attendees: []attendee{},
		Start: start.Format(time.DateOnly), End: start.AddDate(0, 0, 1).Format(time.DateOnly), AllDay: true, Zone: "Europe/Berlin",
	}
}

// only returns the one appointment with a subject in a person's calendar, and fails if there are none or several.
func (s *site) only(person, subject string) exchangesim.Appointment {
	s.Helper()
	found := s.items(person, subject)
	if len(found) != 1 {
		s.Fatalf("%s has %d items %q, want 1; the calendar: %s", person, len(found), subject, s.calendar(person))
	}
	return found[0]
}

// none fails if there is an appointment with that subject.
func (s *site) none(person, subject string) {
	s.Helper()
	if found := s.items(person, subject); len(found) != 0 {
		s.Fatalf("%s has %d items %q, want none", person, len(found), subject)
	}
}

func (s *site) items(person, subject string) []exchangesim.Appointment {
	var found []exchangesim.Appointment
	for _, a := range s.sim.Outlook(address(person)).Items() {
		if a.Subject == subject {
			found = append(found, a)
		}
	}
	return found
}

// calendar describes a calendar for a failure.
func (s *site) calendar(person string) string {
	text := ""
	for _, a := range s.sim.Outlook(address(person)).Items() {
		text += fmt.Sprintf("\n  %q %s %v", a.Subject, a.Start.Format(time.RFC3339), a.Properties)
	}
	return text
}

// mails counts the meeting mails sent so far for items with a subject, by kind.
func (s *site) mails(subject string) map[string]int {
	counts := map[string]int{}
	for _, m := range s.sim.Mails() {
		if m.Subject == subject {
			counts[m.Kind]++
		}
	}
	return counts
}

// wantMails fails if other mails were sent for a subject than those given, e.g. "request", 1.
func (s *site) wantMails(subject string, want map[string]int) {
	s.Helper()
	if got := s.mails(subject); fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("mails for %q: %v, want %v", subject, got, want)
	}
}

// wantHistory fails if the feed tells something else of a booking.
func (s *site) wantHistory(id string, want ...string) {
	s.Helper()
	if got := s.history(id); fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("the feed tells of %s: %q, want %q", id, got, want)
	}
}

// creates, updates and deletes count what the host wrote to calendars, over EWS and over Graph.
func (s *site) creates() int { return s.sim.Count("CreateItem") + s.sim.Count("GraphCreateEvent") }
func (s *site) updates() int { return s.sim.Count("UpdateItem") + s.sim.Count("GraphUpdateEvent") }
func (s *site) deletes() int { return s.sim.Count("DeleteItem") + s.sim.Count("GraphDeleteEvent") }
func (s *site) writes() int  { return s.creates() + s.updates() + s.deletes() }

// A pushed is a subscription for which Exchange calls in.
type pushed struct{ mailbox, url string }

// pushed lists those of EWS and of Graph.
func (s *site) pushed() []pushed {
	var all []pushed
	for _, sub := range s.sim.Subscriptions() {
		all = append(all, pushed{sub.Mailbox, sub.URL})
	}
	for _, sub := range s.sim.GraphSubscriptions() {
		all = append(all, pushed{sub.Mailbox, sub.URL})
	}
	return all
}
