package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

const series = `{"title":"Daily","start":"2026-12-01T10:00:00+01:00","end":"2026-12-01T11:00:00+01:00","zone":"Europe/Berlin",` +
	`"organizer":"alice","resources":["r1"],"recurrence":"RRULE:FREQ=DAILY;COUNT=5","lead_minutes":10}`

// with adds fields to a JSON object.
func with(object, fields string) string { return strings.TrimSuffix(object, "}") + "," + fields + "}" }

func TestASeriesIsPutAndShown(t *testing.T) {
	t.Parallel()
	g := newRigAtNoon(t)
	h := New(g.Options)
	r := g.call(t, h, "PUT", bookings+"/s", with(series, `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","title":"Other","no_reminder":true,`+
		`"start":"2026-12-02T12:00:00+01:00","end":"2026-12-02T13:00:00+01:00"},{"occurrence":"2026-12-04T10:00:00+01:00","skipped":true}],"reminder_minutes":5`))
	if r.StatusCode != 201 {
		t.Fatalf("PUT: %d %s", r.StatusCode, r.text)
	}
	b := r.booking(t)
	if *b.Recurrence != "FREQ=DAILY;COUNT=5" || *b.LeadMinutes != 10 || b.FollowMinutes != nil || b.Exceptions == nil || len(*b.Exceptions) != 2 {
		t.Fatalf("shown: %s", r.text)
	}
	first, second := (*b.Exceptions)[0], (*b.Exceptions)[1]
	if *first.Occurrence != "2026-12-02T09:00:00Z" || *first.Start != "2026-12-02T12:00:00+01:00" || *first.Title != "Other" || !*first.NoReminder || first.AllDay != nil || first.Skipped != nil {
		t.Errorf("the first exception: %s", r.text)
	}
	if *second.Occurrence != "2026-12-04T09:00:00Z" || !*second.Skipped || second.Start != nil {
		t.Errorf("the second exception: %s", r.text)
	}
	// Another title keeps the exceptions that nobody speaks of, another rule those that still have an occurrence.
	r = g.call(t, h, "PUT", bookings+"/s", strings.NewReplacer("COUNT=5", "COUNT=3", "Daily", "Renamed").Replace(series))
	if b = r.booking(t); r.StatusCode != 200 || len(*b.Exceptions) != 1 || b.DroppedExceptions == nil || *(*b.DroppedExceptions)[0].Occurrence != "2026-12-04T09:00:00Z" {
		t.Errorf("a shorter series: %d %s", r.StatusCode, r.text)
	}
	if r = g.call(t, h, "PUT", bookings+"/s", with(series, `"exceptions":[]`)); r.booking(t).Exceptions != nil {
		t.Errorf("no exceptions: %s", r.text)
	}
	if changes := g.call(t, h, "GET", "/Default/api/v1/changes", ""); !strings.Contains(changes.text, `"recurrence":"FREQ=DAILY;COUNT=3"`) {
		t.Errorf("feed: %s", changes.text)
	}
}

func TestFaultsOfSeriesAreNamed(t *testing.T) {
	t.Parallel()
	g := newRigAtNoon(t)
	h := New(g.Options)
	for _, c := range []struct{ fields, add string }{
		{"recurrence", `"exceptions":[]`},
		{"exceptions[0].occurrence", `"exceptions":[{"skipped":true}]`},
		{"exceptions[0].occurrence", `"exceptions":[{"occurrence":"2026-12-02","skipped":true}]`},
		{"exceptions[0].end", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","start":"2026-12-02T12:00:00Z"}]`},
		{"exceptions[0].start", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","start":"noon","end":"2026-12-02T12:00:00Z"}]`},
		{"exceptions[0].end", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","start":"2026-12-02","end":"2026-12-02T12:00:00Z"}]`},
		{"exceptions[0].all_day", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","all_day":true}]`},
		{"exceptions[0].no_reminder", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","no_reminder":true,"reminder_minutes":3}]`},
		{"exceptions[0].titel", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","titel":"x"}]`},
		{"exceptions[0].title", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","title":"\u0001"}]`},
		{"exceptions[0].end", `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","start":"2026-12-03T12:00:00Z","end":"2026-12-03T13:00:00Z"}]`},
		{"lead_minutes", `"follow_minutes":-1`},
		{"external_organizer", `"external_organizer":{"email":"guest@example.net"}`},
	} {
		body := with(series, c.add)
		switch c.fields {
		case "recurrence":
			body = strings.Replace(body, "FREQ=DAILY", "FREQ=HOURLY", 1)
		case "lead_minutes":
			body, c.fields = strings.Replace(body, `"lead_minutes":10`, `"lead_minutes":-10`, 1), "lead_minutes follow_minutes"
		case "external_organizer":
			body = strings.Replace(body, `"organizer":"alice",`, "", 1)
		}
		if r := g.call(t, h, "PUT", bookings+"/s", body); r.StatusCode != 422 || r.fields() != c.fields {
			t.Errorf("%s: %d %q, want %q: %s", body, r.StatusCode, r.fields(), c.fields, r.text)
		}
	}
}

func TestConflictsOfASeriesAreListedOrSkipped(t *testing.T) {
	t.Parallel()
	g := newRigAtNoon(t)
	h := New(g.Options)
	for _, day := range []string{"02", "04"} {
		g.call(t, h, "PUT", bookings+"/b"+day, fmt.Sprintf(`{"start":"2026-12-%sT09:55:00+01:00","end":"2026-12-%[1]sT10:00:00+01:00","organizer":"bob","resources":["r1"]}`, day))
	}
	r := g.call(t, h, "PUT", bookings+"/s", series)
	if r.StatusCode != 409 || r.problem.Conflicts == nil || *r.problem.ConflictsTotal != 2 || !slices.Equal(*r.problem.Others, []string{"b02", "b04"}) {
		t.Fatalf("refused: %d %s", r.StatusCode, r.text)
	}
	if c := (*r.problem.Conflicts)[1]; *c.Occurrence != "2026-12-04T09:00:00Z" || c.Start != "2026-12-04T09:00:00Z" || c.Resource != "r1" || !slices.Equal(c.Others, []string{"b04"}) {
		t.Errorf("a conflict: %+v", c)
	}
	r = g.call(t, h, "PUT", bookings+"/s?conflicts=skip", series)
	if b := r.booking(t); r.StatusCode != 201 || b.SkippedConflicts == nil || len(*b.SkippedConflicts) != 2 || len(*b.Exceptions) != 2 || !*(*b.Exceptions)[0].Skipped {
		t.Errorf("skipped: %d %s", r.StatusCode, r.text)
	}
	if r = g.call(t, h, "GET", bookings+"/s", ""); r.booking(t).SkippedConflicts != nil {
		t.Errorf("shown later: %s", r.text)
	}
	if r = g.call(t, h, "PUT", bookings+"/s?conflicts=maybe", series); r.StatusCode != 400 {
		t.Errorf("another choice: %d %s", r.StatusCode, r.text)
	}
	many := strings.NewReplacer("COUNT=5", "COUNT=400", `"lead_minutes":10`, `"lead_minutes":0`).Replace(series)
	g.call(t, h, "PUT", bookings+"/long", strings.Replace(many, `["r1"]`, `["r2"]`, 1))
	r = g.call(t, h, "PUT", bookings+"/long2", strings.Replace(many, `["r1"]`, `["r2"]`, 1))
	if r.StatusCode != 409 || len(*r.problem.Conflicts) != mostConflicts || *r.problem.ConflictsTotal != 400 {
		t.Errorf("a long list: %d, %d of %d", r.StatusCode, len(*r.problem.Conflicts), *r.problem.ConflictsTotal)
	}
	if r = g.call(t, h, "PUT", bookings+"/long2?conflicts=skip", strings.Replace(many, `["r1"]`, `["r2"]`, 1)); r.StatusCode != 409 {
		t.Errorf("nothing would be left: %d %s", r.StatusCode, r.text)
	}
}

func (g *rig) occurrences(t *testing.T, path string) (list []string, next string) {
	t.Helper()
	r := g.call(t, New(g.Options), "GET", path, "")
	var page rest.OccurrencePage
	if err := json.Unmarshal([]byte(r.text), &page); err != nil || r.StatusCode != 200 {
		t.Fatalf("%s: %d %s", path, r.StatusCode, r.text)
	}
	for _, o := range page.Items {
		list = append(list, o.Start+" "+o.Title)
	}
	return list, or(page.Next, "")
}

func TestOccurrencesAreListedAndChangedOneByOne(t *testing.T) {
	t.Parallel()
	g := newRigAtNoon(t)
	h := New(g.Options)
	g.call(t, h, "PUT", bookings+"/s", strings.Replace(series, ";COUNT=5", "", 1))
	one := bookings + "/s/occurrences/2026-12-02T09:00:00Z"
	r := g.call(t, h, "PUT", one, `{"title":"Other","start":"2026-12-02T15:00:00+01:00","end":"2026-12-02T16:00:00+01:00"}`, "If-Match", `"1"`)
	if r.StatusCode != 200 || r.Header.Get("ETag") != `"2"` || len(*r.booking(t).Exceptions) != 1 {
		t.Fatalf("PUT: %d %s", r.StatusCode, r.text)
	}
	if r = g.call(t, h, "PUT", one, `{}`, "If-Match", `"1"`); r.StatusCode != 412 {
		t.Errorf("a stale version: %d %s", r.StatusCode, r.text)
	}
	if r = g.call(t, h, "DELETE", bookings+"/s/occurrences/2026-12-03T10:00:00+01:00", ""); r.StatusCode != 200 || !*(*r.booking(t).Exceptions)[1].Skipped {
		t.Errorf("DELETE: %d %s", r.StatusCode, r.text)
	}
	list, next := g.occurrences(t, bookings+"/s/occurrences?limit=3")
	if want := []string{"2026-12-01T10:00:00+01:00 Daily", "2026-12-02T15:00:00+01:00 Other", "2026-12-04T10:00:00+01:00 Daily"}; !slices.Equal(list, want) || next != "2026-12-04T09:00:00Z" {
		t.Errorf("occurrences %q, next %q", list, next)
	}
	if list, _ = g.occurrences(t, bookings+"/s/occurrences?limit=1&after="+next); !slices.Equal(list, []string{"2026-12-05T10:00:00+01:00 Daily"}) {
		t.Errorf("the next page: %q", list)
	}
	list, next = g.occurrences(t, bookings+"/s/occurrences?from=2027-07-01T00:00:00Z&to=2027-07-03T00:00:00Z")
	if want := []string{"2027-07-01T10:00:00+02:00 Daily", "2027-07-02T10:00:00+02:00 Daily"}; !slices.Equal(list, want) || next != "" {
		t.Errorf("in summer: %q, %q", list, next)
	}
	for path, status := range map[string]int{
		"/s/occurrences/2026-12-02T09:00:01Z": 404, "/s/occurrences/2026-12-02": 404, "/s/occurrences/tomorrow": 400, "/nope/occurrences/2026-12-02T09:00:00Z": 404,
	} {
		if r := g.call(t, h, "DELETE", bookings+path, ""); r.StatusCode != status {
			t.Errorf("DELETE %s: %d, want %d: %s", path, r.StatusCode, status, r.text)
		}
	}
	for body, fields := range map[string]string{
		`{"occurrence":"2026-12-05T09:00:00Z"}`: "occurrence", `{"start":"2026-12-02T15:00:00Z"}`: "end", `{"busy":"maybe"}`: "busy",
	} {
		if r := g.call(t, h, "PUT", one, body); r.StatusCode != 422 || r.fields() != fields {
			t.Errorf("%s: %d %q: %s", body, r.StatusCode, r.fields(), r.text)
		}
	}
	g.call(t, h, "PUT", bookings+"/single", `{"start":"2026-12-24","end":"2026-12-25","organizer":"bob"}`)
	if list, _ := g.occurrences(t, bookings+"/single/occurrences"); !slices.Equal(list, []string{"2026-12-24 "}) {
		t.Errorf("of a single booking: %q", list)
	}
	// A list of bookings finds the series by them.
	for query, want := range map[string]string{"from=2026-12-03T00:00:00Z&to=2026-12-04T00:00:00Z": "", "from=2030-12-03T00:00:00Z&to=2030-12-04T00:00:00Z": "s"} {
		r := g.call(t, h, "GET", bookings+"?person=alice&"+query, "")
		var page rest.BookingPage
		if err := json.Unmarshal([]byte(r.text), &page); err != nil || len(page.Items) != len(want) {
			t.Errorf("%s: %s", query, r.text)
		}
	}
}

// FuzzBookingIn reads what callers may send: whatever it is, it is refused with fields or can be expanded, stored in the feed and read
// back.
func FuzzBookingIn(f *testing.F) {
	for _, seed := range []string{
		series, simple, with(series, `"exceptions":[{"occurrence":"2026-12-02T09:00:00Z","start":"2026-12-02","end":"2026-12-03","resources":[],"attendees":[{"email":"a@b.c"}]}]`),
		`{"start":"2026-12-31","end":"2027-01-01","organizer":"a","recurrence":"FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20301231","exceptions":[{"occurrence":"2027-01-31","skipped":true}]}`,
		`{"start":"4400-12-31T00:00:00Z","end":"4400-12-31T01:00:00Z","organizer":"a","recurrence":"FREQ=YEARLY;BYMONTH=12;BYDAY=-1SU","exceptions":[{"occurrence":"2027-01-31","start":"1700-01-01","end":"4000-01-01"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in rest.BookingInput
		if json.Unmarshal(data, &in) != nil {
			return
		}
		b, v := bookingIn("Default", "b", &in)
		b.Normalize()
		if v = append(v, booking.Validate(b)...); len(v) > 0 {
			return
		}
		n := 0
		for o := range booking.Occurrences(b, time.Time{}) {
			if _, end := o.Span(); end.IsZero() {
				t.Errorf("%+v ends never", o)
			}
			if n++; n == 20 {
				break
			}
		}
		if n == 0 {
			t.Errorf("no occurrence of %s", data)
		}
		shown, err := Render(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("Default", shown); err != nil || !booking.Same(again, b) {
			t.Errorf("%s shown as %s, read as %+v, %v", data, shown, again, err)
		}
	})
}
