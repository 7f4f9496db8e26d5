package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

// TestWhatIsShownCanBePutAgain is the promise of a REST resource: reading and writing back changes nothing.
func TestWhatIsShownCanBePutAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBooking(t)
		shown, err := Render(b)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(shown, &m); err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []string{"version", "status", "sync_disabled", "sync_problem", "created", "updated"} {
			delete(m, readOnly)
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var in rest.BookingInput
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		got, v := bookingIn("Default", "b", &in)
		got.Normalize()
		if len(v) > 0 || !booking.Same(got, b) || got.ItemExpected != b.ItemExpected {
			t.Errorf("shown as %s\nread as %+v\n   want %+v\n%v", shown, got, b, v)
		}
	})
}

// drawBooking makes up a booking as a caller may want it to be.
func drawBooking(t *rapid.T) *booking.Booking {
	word := rapid.StringMatching(`[a-zA-Z0-9 äöü&<"]{0,12}`)
	b := &booking.Booking{
		Tenant: "Default", ID: "b", Title: word.Draw(t, "title"), Notes: word.Draw(t, "notes"), Location: word.Draw(t, "location"),
		Start: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0).UTC(), AllDay: rapid.Bool().Draw(t, "all day"),
		Zone:      rapid.SampledFrom([]string{"", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}).Draw(t, "zone"),
		Organizer: "alice", Resources: rapid.SliceOfN(rapid.SampledFrom([]string{"r1", "r2", "r3"}), 0, 4).Draw(t, "resources"),
		Busy:         rapid.SampledFrom([]booking.Busy{"", booking.Free, booking.Tentative, booking.Occupied, booking.OutOfOffice, booking.WorkingElsewhere}).Draw(t, "busy"),
		Class:        rapid.SampledFrom([]booking.Class{"", booking.Public, booking.Personal, booking.Private, booking.Confidential}).Draw(t, "class"),
		ItemExpected: rapid.Bool().Draw(t, "expected"),
	}
	b.End = b.Start.Add(time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "length")) * time.Second)
	if b.AllDay {
		b.Start = b.Start.Truncate(24 * time.Hour)
		b.End = b.Start.AddDate(0, 0, rapid.IntRange(1, 9).Draw(t, "days"))
	}
	if rapid.Bool().Draw(t, "reminder") {
		minutes := rapid.IntRange(0, 100).Draw(t, "minutes")
		b.ReminderMinutes = &minutes
	}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "Z"}), 0, 4).Draw(t, "attendees") {
		b.Attendees = append(b.Attendees, booking.Attendee{Email: name + "@example.com", Name: name, Role: rapid.SampledFrom([]booking.Role{"", booking.Required, booking.Optional}).Draw(t, "role")})
	}
	b.LeadMinutes, b.FollowMinutes = rapid.IntRange(0, 30).Draw(t, "lead"), rapid.IntRange(0, 30).Draw(t, "follow")
	if rapid.IntRange(0, 4).Draw(t, "external") == 0 {
		b.Organizer, b.External = "", &booking.Address{Name: word.Draw(t, "name"), Email: "guest@example.net"}
	}
	if rapid.Bool().Draw(t, "series") {
		b.Recurrence = "FREQ=DAILY;INTERVAL=9;COUNT=9"
		b.Exceptions = drawExceptions(t, b)
	}
	b.Normalize()
	return b
}

// TestWhatTheFeedKeepsIsReadAgain: a state of a booking that is read from the change feed is compared with the booking as it is now,
// and made the booking again when a change is undone.
func TestWhatTheFeedKeepsIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBooking(t)
		group := rapid.SampledFrom([]string{"", "team@example.com", "board@example.com"})
		tie := func(list []booking.Attendee) {
			for i := range list {
				list[i].Group = group.Draw(t, "group")
			}
		}
		tie(b.Attendees)
		for _, x := range b.Exceptions {
			if x.Attendees != nil {
				tie(*x.Attendees)
			}
		}
		b.Version, b.SyncOff, b.SyncProblem = rapid.Int64Range(1, 9).Draw(t, "version"), rapid.Bool().Draw(t, "off"), "the room is closed"
		b.Status = rapid.SampledFrom([]booking.Status{booking.Confirmed, booking.Cancelled}).Draw(t, "status")
		b.Normalize()
		kept, err := Render(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b.Tenant, kept)
		if err != nil {
			t.Fatal(err)
		}
		if !booking.Same(got, b) || got.ID != b.ID || got.Version != b.Version || got.SyncProblem != b.SyncProblem || got.ItemExpected != b.ItemExpected {
			t.Errorf("kept as %s\nread as %+v\n   want %+v", kept, got, b)
		}
	})
}

// drawExceptions makes up what is different about occurrences of a series every nine days.
func drawExceptions(t *rapid.T, b *booking.Booking) []booking.Exception {
	b = b.Clone()
	b.Normalize()
	var list []booking.Exception
	for o := range booking.Occurrences(b, time.Time{}) {
		x := booking.Exception{Occurrence: o.Occurrence}
		what := rapid.IntRange(0, 127).Draw(t, "what")
		for i, set := range []func(){
			func() {
				from := o.Start.AddDate(0, 0, 1)
				to := o.End.AddDate(0, 0, 1)
				x.Start, x.End = &from, &to
			},
			func() {
				from := o.Start.Truncate(24*time.Hour).AddDate(0, 0, 1)
				to := from.AddDate(0, 0, 1)
				x.Start, x.End, x.AllDay = &from, &to, new(true)
			},
			func() { x.Title, x.Notes, x.Location = new("T"), new("N"), new("L") },
			func() { x.Resources, x.Attendees = &[]string{}, &[]booking.Attendee{} },
			func() {
				x.Resources, x.Attendees = &[]string{"r3"}, &[]booking.Attendee{{Email: "w@example.com", Role: booking.Optional}}
			},
			func() { x.Reminder = &booking.Reminder{} },
			func() {
				x.Reminder, x.Busy, x.Class = &booking.Reminder{Minutes: new(7)}, new(booking.Free), new(booking.Private)
			},
		} {
			if what&(1<<i) != 0 {
				set()
			}
		}
		if what%16 == 0 {
			x = booking.Exception{Occurrence: o.Occurrence, Skipped: true}
		}
		list = append(list, x)
	}
	return list
}

func TestMomentsAreShownInTheBookingsZone(t *testing.T) {
	t.Parallel()
	b := &booking.Booking{Start: time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC), Zone: "Europe/Berlin"}
	if out := bookingOut(b); out.Start != "2026-07-01T10:00:00+02:00" || out.End != "2026-12-01T09:00:00+01:00" {
		t.Errorf("%s, %s", out.Start, out.End)
	}
}

func FuzzTimeIn(f *testing.F) {
	for _, seed := range []string{"2026-12-01", "2026-12-01T10:00:00Z", "2026-12-01T10:00:00.5+01:00", "2026-13-01", "0000-01-01", "9999-12-31T23:59:59-23:59", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, date, why := timeIn(s)
		switch {
		case why != "" && !at.IsZero():
			t.Errorf("%q was refused and read as %v", s, at)
		case why == "" && date && at.Format(dateForm) != s:
			t.Errorf("the date %q was read as %v", s, at)
		case why == "" && !date && !strings.Contains(s, "T"):
			t.Errorf("%q was read as the moment %v", s, at)
		}
	})
}

func FuzzJSONFault(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,{"a":"b"}]`, `{"a":1} {}`, `{"a":"\u0000"}`, `"x"`, `null`, ``, ` `, `{"a"`, "\xff", `]`, `{}]`, `1 2`, `0{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		why := jsonFault(data)
		var v any
		valid := json.Unmarshal(data, &v) == nil && utf8.Valid(data)
		if why == "" && !valid {
			t.Errorf("%q passed", data)
		}
		if why != "" && valid && !strings.Contains(string(data), `\u0000`) {
			t.Errorf("%q was refused: %s", data, why)
		}
	})
}

func FuzzTags(f *testing.F) {
	f.Add(`"1", W/"2",*`)
	f.Fuzz(func(t *testing.T, list string) {
		strong, weak := tags(list, false), tags(list, true)
		if len(strong) > len(weak) {
			t.Errorf("%q: %v, %v", list, strong, weak)
		}
	})
}
