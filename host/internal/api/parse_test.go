package api

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
)

func TestParseReversesRender(t *testing.T) {
	t.Parallel()
	minutes := 15
	for name, b := range map[string]*booking.Booking{
		"Plain": {ID: "b1", Title: "Planning", Organizer: "alice", Resources: []string{"room-a", "room-b"}, Zone: "Europe/Berlin",
			Start: time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), End: time.Date(2026, 10, 25, 2, 30, 0, 0, time.UTC), Notes: "n",
			Attendees: []booking.Attendee{{Email: "bob@example.com", Name: "Bob"}, {Email: "eve@example.com", Role: booking.Optional}},
			Location:  "Lobby", Busy: booking.Tentative, Class: booking.Private, ReminderMinutes: &minutes},
		"Series": {ID: "b4", Title: "Daily", Zone: "Europe/Berlin", Recurrence: "FREQ=DAILY", LeadMinutes: 15, FollowMinutes: 30,
			Start: time.Date(2026, 10, 24, 8, 0, 0, 0, time.UTC), End: time.Date(2026, 10, 24, 9, 0, 0, 0, time.UTC), ReminderMinutes: &minutes,
			External: &booking.Address{Name: "Guest", Email: "guest@example.net"},
			Exceptions: []booking.Exception{
				{Occurrence: time.Date(2026, 10, 25, 9, 0, 0, 0, time.UTC), Skipped: true},
				{Occurrence: time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC), Title: new(""), Resources: &[]string{}, Reminder: &booking.Reminder{},
					Start: new(time.Date(2026, 10, 26, 10, 0, 0, 0, time.UTC)), End: new(time.Date(2026, 10, 26, 11, 0, 0, 0, time.UTC))},
				{Occurrence: time.Date(2026, 10, 27, 9, 0, 0, 0, time.UTC), AllDay: new(true),
					Start: new(time.Date(2026, 10, 27, 0, 0, 0, 0, time.UTC)), End: new(time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC))},
			}},
		"AllDaySeries": {ID: "b5", AllDay: true, Recurrence: "FREQ=WEEKLY;COUNT=5", Start: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC),
			Exceptions: []booking.Exception{{Occurrence: time.Date(2026, 12, 8, 0, 0, 0, 0, time.UTC), Skipped: true}}},
		"AllDay":    {ID: "b2", AllDay: true, Start: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)},
		"Cancelled": {ID: "b3", Status: booking.Cancelled, Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)},
	} {
		b.Tenant = "Default"
		b.Normalize()
		data, err := Render(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("Default", data)
		if err != nil || got.Tenant != b.Tenant || got.ID != b.ID || !booking.Same(got, b) {
			t.Errorf("%s: Parse = %+v, %v; want %+v", name, got, err, b)
		}
	}
}

func TestParseTakesBookingsFromBeforeSyncCouldBeSwitchedOff(t *testing.T) {
	t.Parallel()
	b, err := Parse("Default", []byte(`{"id":"b1","start":"2026-12-01","end":"2026-12-02","status":"confirmed"}`))
	if err != nil || b.SyncOff {
		t.Errorf("Parse = %+v, %v", b, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"b1","start":"2026-12-01","end":"2026-12-02","sync":false,"attendees":[{"email":"a@b"}]}`))
	f.Add([]byte(`{"id":"b1","start":"2026-12-01T10:00:00+01:00","end":"2026-12-01T11:00:00+01:00","recurrence":"FREQ=DAILY","exceptions":[` +
		`{"occurrence":"2026-12-02T09:00:00Z","start":"2026-12-02","end":"2026-12-03","no_reminder":true},{"occurrence":"2026-12-03T09:00:00Z","skipped":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := Parse("Default", data); (b == nil) == (err == nil) {
			t.Errorf("Parse = %+v, %v", b, err)
		}
	})
}
