package booking

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func good() *Booking {
	b := &Booking{
		Tenant: "Default", ID: "b1", Title: "Planning", Organizer: "alice", Resources: []string{"room-a"},
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC), Zone: "Europe/Berlin",
		Attendees: []Attendee{{Email: "bob@example.com"}},
	}
	b.Normalize()
	return b
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	minutes := func(n int) *int { return &n }
	for _, tc := range []struct {
		name, field string
		change      func(*Booking)
	}{
		{"Good", "", func(*Booking) {}},
		{"NoID", "id", func(b *Booking) { b.ID = "" }},
		{"IDWithSlash", "id", func(b *Booking) { b.ID = "a/b" }},
		{"LongID", "id", func(b *Booking) { b.ID = strings.Repeat("x", 129) }},
		{"LongTitle", "title", func(b *Booking) { b.Title = strings.Repeat("ü", 256) }},
		{"TitleThatJustFits", "", func(b *Booking) { b.Title = strings.Repeat("ü", 255) }},
		{"NoStart", "start", func(b *Booking) { b.Start = time.Time{} }},
		{"EndBeforeStart", "end", func(b *Booking) { b.End = b.Start.Add(-time.Hour) }},
		{"TooLong", "end", func(b *Booking) { b.End = b.Start.AddDate(6, 0, 0) }},
		{"AllDayWithHours", "start", func(b *Booking) { b.AllDay = true }},
		{"AllDayWithoutADay", "end", func(b *Booking) { b.AllDay = true; b.Start = b.Start.Truncate(24 * time.Hour); b.End = b.Start }},
		{"UnknownZone", "zone", func(b *Booking) { b.Zone = "Middle/Earth" }},
		{"MachinesZone", "zone", func(b *Booking) { b.Zone = "Local" }},
		{"NoOrganizer", "organizer", func(b *Booking) { b.Organizer = "" }},
		{"BadAttendee", "attendees[0].email", func(b *Booking) { b.Attendees[0].Email = "nobody" }},
		{"BadRole", "attendees[0].role", func(b *Booking) { b.Attendees[0].Role = "guest" }},
		{"BadBusy", "busy", func(b *Booking) { b.Busy = "maybe" }},
		{"BadClass", "class", func(b *Booking) { b.Class = "secret" }},
		{"NegativeReminder", "reminder_minutes", func(b *Booking) { b.ReminderMinutes = minutes(-1) }},
	} {
		b := good()
		tc.change(b)
		var fields []string
		for _, v := range Validate(b) {
			fields = append(fields, v.Field)
		}
		if got := strings.Join(fields, ","); got != tc.field {
			t.Errorf("%s: violations %q, want %q", tc.name, got, tc.field)
		}
	}
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*Booking)
		want   bool
	}{
		{"SameTime", func(*Booking) {}, true},
		{"Touching", func(b *Booking) { b.Start, b.End = b.End, b.End.Add(time.Hour) }, false},
		{"Inside", func(b *Booking) { b.Start = b.Start.Add(10 * time.Minute); b.End = b.Start.Add(time.Minute) }, true},
		{"OtherRoom", func(b *Booking) { b.Resources = []string{"room-b"} }, false},
		{"Cancelled", func(b *Booking) { b.Status = Cancelled }, false},
		{"Itself", func(b *Booking) { b.ID = "b1" }, false},
		{"AllDayThere", func(b *Booking) {
			b.AllDay = true
			b.Start = b.Start.Truncate(24 * time.Hour)
			b.End = b.Start.AddDate(0, 0, 1)
		}, true},
		{"AllDayTheDayBefore", func(b *Booking) {
			b.AllDay = true
			b.End = b.Start.Truncate(24 * time.Hour)
			b.Start = b.End.AddDate(0, 0, -1)
		}, false},
	} {
		a, b := good(), good()
		b.ID = "b2"
		tc.change(b)
		if Overlaps(a, b) != tc.want || Overlaps(b, a) != tc.want {
			t.Errorf("%s: Overlaps = %v and %v, want %v", tc.name, Overlaps(a, b), Overlaps(b, a), tc.want)
		}
	}
}

// An all-day booking occupies its resources from midnight to midnight where it is, also when the clocks change.
func TestSpanOfADayIsItsZones(t *testing.T) {
	t.Parallel()
	b := good()
	b.AllDay, b.Zone = true, "Europe/Berlin"
	b.Start, b.End = time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC)
	start, end := Span(b)
	if want := 25 * time.Hour; end.Sub(start) != want || start.Hour() != 22 {
		t.Errorf("Span = %v to %v, want %v from 22:00 UTC", start, end, want)
	}
}

func TestNormalizeIsIdempotentAndChangesNoMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &Booking{
			Title:     rapid.String().Draw(t, "title"),
			Resources: rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c"})).Draw(t, "resources"),
			Start:     time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "start"), 0),
		}
		for _, e := range rapid.SliceOf(rapid.SampledFrom([]string{"A@x", "a@x ", "b@x"})).Draw(t, "attendees") {
			b.Attendees = append(b.Attendees, Attendee{Email: e})
		}
		once := b.Clone()
		once.Normalize()
		twice := once.Clone()
		twice.Normalize()
		if !reflect.DeepEqual(once, twice) || !Same(once, twice) {
			t.Fatalf("Normalize twice = %+v, once = %+v", twice, once)
		}
		if !once.Start.Equal(b.Start) {
			t.Fatalf("the start moved from %v to %v", b.Start, once.Start)
		}
		for _, r := range b.Resources {
			if !strings.Contains(strings.Join(once.Resources, " "), r) {
				t.Fatalf("resource %q was lost", r)
			}
		}
	})
}
