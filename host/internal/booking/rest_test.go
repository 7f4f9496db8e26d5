package booking

import (
	"testing"
	"time"
)

func TestRestOf(t *testing.T) {
	t.Parallel()
	title := "Review"
	at := func(day, hour int) time.Time { return time.Date(2026, 12, day, hour, 0, 0, 0, time.UTC) }
	series := func(rule string) *Booking {
		b := &Booking{
			Tenant: "t", ID: "b1", Title: "Planning", Start: at(1, 9), End: at(1, 10), Zone: "Europe/Berlin", Recurrence: rule, Organizer: "alice",
			Resources: []string{"room-a"}, Status: Confirmed,
			Exceptions: []Exception{{Occurrence: at(2, 9), Skipped: true}, {Occurrence: at(4, 9), Title: &title}},
		}
		b.Normalize()
		return b
	}
	for name, c := range map[string]struct {
		old, next string
		rule      string // of what was lost; empty: nothing
		starts    map[time.Time]bool
	}{
		"ByCount":      {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;COUNT=2", "FREQ=DAILY;COUNT=3", map[time.Time]bool{at(2, 22): false, at(3, 8): true, at(4, 9): false, at(9, 9): false}},
		"ByDate":       {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;UNTIL=20261203T080000Z", "", nil},
		"ByDateInFull": {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;UNTIL=20261203T225959Z", "FREQ=DAILY;COUNT=2", map[time.Time]bool{at(4, 20): true, at(3, 9): false}},
		"Endless":      {"FREQ=WEEKLY", "FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;BYDAY=TU", map[time.Time]bool{at(22, 9): true, at(24, 9): true, at(29, 9): false, at(15, 9): false}},
		"TheLastOne":   {"FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;COUNT=2", "FREQ=WEEKLY;BYDAY=TU;COUNT=1", map[time.Time]bool{at(15, 9): true, at(21, 9): true, at(22, 9): false}},
		"Nothing":      {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;COUNT=5", "", nil},
		"Longer":       {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;COUNT=7", "", nil},
		"Otherwise":    {"FREQ=DAILY;COUNT=5", "FREQ=DAILY;INTERVAL=2;COUNT=2", "", nil},
		"NoSeries":     {"FREQ=DAILY;COUNT=5", "", "", nil},
		"WithoutEnd":   {"FREQ=DAILY;COUNT=5", "FREQ=DAILY", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, next := series(c.old), series(c.next)
			rest, ok := RestOf(old, next)
			if c.rule == "" && !ok {
				return
			}
			if !ok {
				t.Fatalf("nothing was lost from %q to %q", old.Recurrence, next.Recurrence)
			}
			if c.rule == "" {
				if name != "ByDate" {
					t.Fatalf("%+v was lost", rest.Booking)
				}
				return
			}
			if v := Validate(rest.Booking); rest.Booking.Recurrence != c.rule || len(v) > 0 {
				t.Errorf("lost was %q, want %q; %v", rest.Booking.Recurrence, c.rule, v)
			}
			for start, want := range c.starts {
				if got := rest.Begins(start, false); got != want {
					t.Errorf("that it begins at %s is %t", start, got)
				}
			}
			for _, x := range rest.Booking.Exceptions {
				if x.Occurrence.Before(rest.Booking.Start) {
					t.Errorf("an exception of before: %+v", x)
				}
			}
		})
	}
}
