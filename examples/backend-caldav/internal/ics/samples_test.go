package ics

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// mapper is what tests map with: floating times count in Berlin.
func mapper(t testing.TB) Mapper {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return Mapper{Key: "X-ROOMWIRE-BOOKING-ID", Foreign: "X-APPOINTMENT-OID", Floating: berlin, Product: "-//test//EN"}
}

func sample(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n")
}

// at is a moment in UTC.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	for _, form := range []string{"2006-01-02 15:04", time.DateOnly} {
		if v, err := time.Parse(form, s); err == nil {
			return v
		}
	}
	t.Fatalf("%q is no time", s)
	return time.Time{}
}

func minutes(n int) *calendar.Reminder {
	return &calendar.Reminder{Before: time.Duration(n) * time.Minute}
}

func invited(name, email string, role calendar.Role, r calendar.Response) calendar.Attendee {
	return calendar.Attendee{Address: calendar.Address{Name: name, Email: email}, Role: role, Response: r}
}

func TestWhatOtherProgramsWriteIsRead(t *testing.T) {
	t.Parallel()
	moved := calendar.Event{
		UID: "3d6ccf0e-7a1a-4e5c-8f5e-0c9b3f9f0b11", Subject: "Jour fixe, später", Zone: "Europe/Berlin", Busy: calendar.Occupied,
		Start: at(t, "2027-03-29 12:00"), End: at(t, "2027-03-29 12:45"), Reminder: minutes(60),
	}
	for name, want := range map[string]calendar.Item{
		// A zone by Windows' name; the resource's role says nothing; no word of iCalendar for out of office.
		"outlook.ics": {Event: calendar.Event{
			UID: "040000008200E00074C5B7101A82E00800000000", Subject: "Quartalsgespräch", Body: "Line one\nLine two, with a comma\n",
			Location: "Room A", Start: at(t, "2027-07-12 08:00"), End: at(t, "2027-07-12 09:00"), Zone: "Europe/Berlin",
			Busy: calendar.OutOfOffice, Class: calendar.Private, Reminder: minutes(15),
			Organizer: calendar.Address{Name: "Alice", Email: "alice@example.com"},
			Attendees: []calendar.Attendee{
				invited("Bob Builder", "bob@example.com", calendar.Required, calendar.NoResponse),
				invited("Room A", "room-a@example.com", calendar.Resource, calendar.NoResponse),
			},
		}},
		// A series over a change of the clock: nine o'clock is eight, later seven in UTC.
		"thunderbird.ics": {Kind: calendar.Master, Event: calendar.Event{
			UID: "3d6ccf0e-7a1a-4e5c-8f5e-0c9b3f9f0b11", Subject: "Jour fixe", Zone: "Europe/Berlin", Busy: calendar.Free,
			Start: at(t, "2027-03-15 08:00"), End: at(t, "2027-03-15 08:30"), Recurrence: "FREQ=WEEKLY;UNTIL=20270412T070000Z;BYDAY=MO",
			Exceptions: []calendar.OccurrenceException{
				{Occurrence: at(t, "2027-03-22 08:00")},
				{Occurrence: at(t, "2027-03-29 07:00"), Event: &moved},
			},
		}},
		// People by the server's own names, the organizer among the attendees; an alarm that is switched off and one that is heard.
		"apple.ics": {Event: calendar.Event{
			UID: "5F0E6C0C-5F2A-4C0B-9E5C-4D1E6B6E7A10", Subject: "Messe", Location: "Stadthalle\nMarktplatz 1", AllDay: true,
			Start: at(t, "2027-05-01"), End: at(t, "2027-05-03"), Busy: calendar.Tentative, Reminder: minutes(33 * 60),
			Organizer: calendar.Address{Name: "Alice", Email: "alice@example.com"},
			Attendees: []calendar.Attendee{invited("Bob", "bob@example.com", calendar.Optional, calendar.TentativelyAccepted)},
		}},
	} {
		got, err := mapper(t).Read(sample(t, name), "alice@example.com")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, name, got, want)
		if theirs, _ := mapper(t).Read(sample(t, name), "bob@example.com"); theirs.ReadOnly != (want.Event.Organizer.Email != "") {
			t.Errorf("%s: in an attendee's calendar ReadOnly is %t", name, theirs.ReadOnly)
		}
	}
}

// compare shows two items as text, so that what differs is seen.
func compare(t *testing.T, name string, got, want calendar.Item) {
	t.Helper()
	if g, w := shown(got), shown(want); g != w {
		t.Errorf("%s is\n%s\nwant\n%s", name, g, w)
	}
}
