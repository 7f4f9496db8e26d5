package booking

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

// weekly is a series on Tuesdays and Thursdays, nine to ten in Berlin, across the end of summer time.
func weekly(rule string) *Booking {
	b := good()
	b.Start, b.End = utc(2026, 10, 20, 7, 0), utc(2026, 10, 20, 8, 0) // a Tuesday
	b.Recurrence = rule
	b.Normalize()
	return b
}

const tuesdays = "FREQ=WEEKLY;BYDAY=TU,TH"

func utc(year int, month time.Month, day, hour, minute int) time.Time {
	return time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
}

func starts(b *Booking, until time.Time) string {
	var list []string
	for o := range Occurrences(b, until) {
		list = append(list, o.Start.Format("01-02T15"))
	}
	return strings.Join(list, " ")
}

func TestOccurrencesFollowTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	b := weekly(tuesdays + ";COUNT=4")
	if got, want := starts(b, time.Time{}), "10-20T07 10-22T07 10-27T08 10-29T08"; got != want {
		t.Errorf("occurrences %s, want %s", got, want)
	}
	night := good()
	night.Start, night.End = utc(2026, 10, 23, 22, 0), utc(2026, 10, 24, 4, 0) // midnight to six
	night.Recurrence = "FREQ=DAILY;COUNT=3"
	night.Normalize()
	var lengths []string
	for o := range Occurrences(night, time.Time{}) {
		lengths = append(lengths, o.End.Sub(o.Start).String())
	}
	if got, want := strings.Join(lengths, " "), "6h0m0s 7h0m0s 6h0m0s"; got != want {
		t.Errorf("lengths %s, want %s: it ends at six by the clock", got, want)
	}
}

func TestExceptionsAreApplied(t *testing.T) {
	t.Parallel()
	b := weekly(tuesdays)
	b.Resources = []string{"room-a"}
	title, rooms := "Elsewhere", []string{"room-b"}
	from, to := utc(2026, 10, 23, 12, 0), utc(2026, 10, 23, 14, 0)
	b.Exceptions = []Exception{
		{Occurrence: utc(2026, 10, 27, 8, 0), Skipped: true},
		{Occurrence: utc(2026, 10, 22, 7, 0), Title: &title, Resources: &rooms, Start: &from, End: &to, Reminder: &Reminder{}},
	}
	b.Normalize()
	if v := Validate(b); len(v) > 0 {
		t.Fatal(v)
	}
	if got, want := starts(b, utc(2026, 11, 4, 0, 0)), "10-20T07 10-23T12 10-29T08 11-03T08"; got != want {
		t.Errorf("occurrences %s, want %s", got, want)
	}
	for o := range OccurrencesFrom(b, utc(2026, 10, 22, 0, 0), time.Time{}) {
		got := o.Booking()
		if got.Title != title || !slices.Equal(got.Resources, rooms) || got.Series() || got.ReminderMinutes != nil || !got.End.Equal(to) || got.Notes != b.Notes {
			t.Errorf("the second occurrence as a booking: %+v", got)
		}
		break
	}
}

func TestValidateOfSeries(t *testing.T) {
	t.Parallel()
	moment := func(s string) *time.Time {
		at, err := time.Parse("2006-01-02T15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return &at
	}
	on := func(occurrence, start, end string) []Exception {
		x := Exception{Occurrence: *moment(occurrence)}
		if start != "" {
			x.Start = moment(start)
		}
		if end != "" {
			x.End = moment(end)
		}
		return []Exception{x}
	}
	long := strings.Repeat("x", MaxTitle+1)
	for name, tc := range map[string]struct {
		rule       string
		exceptions []Exception
		change     func(*Booking)
		want       string // fields
	}{
		"a series":                      {rule: tuesdays},
		"once a minute":                 {rule: "FREQ=MINUTELY", want: "recurrence"},
		"no rule":                       {rule: "every Tuesday", want: "recurrence"},
		"a start that is none":          {rule: "FREQ=WEEKLY;BYDAY=MO", want: "recurrence"},
		"a rule that is a novel":        {rule: "FREQ=WEEKLY;" + strings.Repeat("X", MaxRule), want: "recurrence"},
		"an exception of a single":      {exceptions: on("2026-10-20T07:00", "", ""), want: "exceptions"},
		"longer than the step":          {rule: "FREQ=DAILY", change: func(b *Booking) { b.End = b.End.Add(24 * time.Hour) }, want: "end"},
		"as long as the step":           {rule: "FREQ=DAILY", change: func(b *Booking) { b.End = b.Start.Add(24 * time.Hour) }},
		"no occurrence":                 {rule: tuesdays, exceptions: on("2026-10-21T07:00", "2026-10-21T09:00", "2026-10-21T10:00"), want: "exceptions[0].occurrence"},
		"an occurrence after the end":   {rule: tuesdays + ";COUNT=2", exceptions: on("2026-10-27T08:00", "2026-10-27T09:00", "2026-10-27T10:00"), want: "exceptions[0].occurrence"},
		"moved within its gap":          {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-26T12:00", "2026-10-26T13:00")},
		"moved onto the next":           {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-27T12:00", "2026-10-27T13:00"), want: "exceptions[0].end"},
		"moved across the next":         {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-28T12:00", "2026-10-28T13:00"), want: "exceptions[0].end"},
		"moved onto the day before":     {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-20T12:00", "2026-10-20T13:00"), want: "exceptions[0].start"},
		"moved to past midnight there":  {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-20T22:00", "2026-10-20T23:00")},
		"lengthened into the next":      {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-22T07:00", "2026-10-27T09:00"), want: "exceptions[0].end"},
		"a start without an end":        {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-22T09:00", ""), want: "exceptions[0].end"},
		"an end before the start":       {rule: tuesdays, exceptions: on("2026-10-22T07:00", "2026-10-22T09:00", "2026-10-22T08:00"), want: "exceptions[0].end"},
		"twice the same":                {rule: tuesdays, exceptions: append(on("2026-10-22T07:00", "2026-10-22T09:00", "2026-10-22T10:00"), on("2026-10-22T07:00", "2026-10-22T11:00", "2026-10-22T12:00")...), want: "exceptions[1].occurrence"},
		"a long title":                  {rule: tuesdays, exceptions: []Exception{{Occurrence: *moment("2026-10-22T07:00"), Title: &long}}, want: "exceptions[0].title"},
		"a stranger":                    {rule: tuesdays, exceptions: []Exception{{Occurrence: *moment("2026-10-22T07:00"), Attendees: &[]Attendee{{Email: "nobody"}}}}, want: "exceptions[0].attendees[0].email"},
		"all-day with hours":            {rule: tuesdays, exceptions: []Exception{{Occurrence: *moment("2026-10-22T07:00"), AllDay: new(true), Start: moment("2026-10-22T07:00"), End: moment("2026-10-23T00:00")}}, want: "exceptions[0].start"},
		"all-day once":                  {rule: tuesdays, exceptions: []Exception{{Occurrence: *moment("2026-10-22T07:00"), AllDay: new(true), Start: moment("2026-10-22T00:00"), End: moment("2026-10-23T00:00")}}},
		"all-day without times":         {rule: tuesdays, exceptions: []Exception{{Occurrence: *moment("2026-10-22T07:00"), AllDay: new(true)}}, want: "exceptions[0].start"},
		"nothing left":                  {rule: tuesdays + ";COUNT=1", exceptions: []Exception{{Occurrence: *moment("2026-10-20T07:00"), Skipped: true}}, want: "exceptions"},
		"onto the day of one left out":  {rule: tuesdays, exceptions: append(on("2026-10-22T07:00", "2026-10-27T12:00", "2026-10-27T13:00"), Exception{Occurrence: *moment("2026-10-27T08:00"), Skipped: true})},
		"an exception in a later life":  {rule: "FREQ=DAILY", exceptions: []Exception{{Occurrence: *moment("2126-10-22T07:00"), Skipped: true}}, want: "exceptions"},
		"too much lead":                 {change: func(b *Booking) { b.LeadMinutes = MaxAside + 1 }, want: "lead_minutes"},
		"an external organizer":         {change: func(b *Booking) { b.Organizer, b.External = "", &Address{Email: "guest@example.net"} }},
		"two organizers":                {change: func(b *Booking) { b.External = &Address{Email: "guest@example.net"} }, want: "external_organizer"},
		"an external without an e-mail": {change: func(b *Booking) { b.Organizer, b.External = "", &Address{Name: "Guest"} }, want: "external_organizer.email"},
	} {
		b := weekly(tc.rule)
		b.Exceptions = tc.exceptions
		if tc.change != nil {
			tc.change(b)
		}
		b.Normalize()
		var fields []string
		for _, v := range Validate(b) {
			fields = append(fields, v.Field)
		}
		if got := strings.Join(fields, ","); got != tc.want {
			t.Errorf("%s: violations %q, want %q", name, got, tc.want)
		}
	}
}

func TestSpanOfSeries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule string
		end  time.Time
	}{
		"by number":        {tuesdays + ";COUNT=3", utc(2026, 10, 27, 9, 15)},
		"by date":          {tuesdays + ";UNTIL=20361231", utc(2036, 12, 30, 9, 15)},
		"by date, monthly": {"FREQ=MONTHLY;INTERVAL=12;UNTIL=20361231", utc(2036, 10, 20, 8, 15)},
		"without end":      {tuesdays, Forever},
	} {
		b := weekly(tc.rule)
		b.LeadMinutes, b.FollowMinutes = 30, 15
		start, end := Span(b)
		if !start.Equal(utc(2026, 10, 20, 6, 30)) || !end.Equal(tc.end) {
			t.Errorf("%s: from %v to %v, want to %v", name, start, end, tc.end)
		}
	}
}

// drawSeries makes a series with exceptions that Validate accepts.
func drawSeries(t *rapid.T, id string) *Booking {
	zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "", "Australia/Lord_Howe"}).Draw(t, "zone")
	b := &Booking{
		Tenant: "Default", ID: id, Title: "Planning", Organizer: "alice", Zone: zone,
		Start:       utc(2026, 3, 1, 0, 0).Add(time.Duration(rapid.IntRange(0, 40*24*4).Draw(t, "start")) * 15 * time.Minute),
		LeadMinutes: rapid.SampledFrom([]int{0, 0, 30}).Draw(t, "lead"), FollowMinutes: rapid.SampledFrom([]int{0, 15}).Draw(t, "follow"),
		Resources: rapid.SliceOfN(rapid.SampledFrom([]string{"red", "blue"}), 0, 2).Draw(t, "resources"),
	}
	b.End = b.Start.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "quarters")) * 15 * time.Minute)
	if b.AllDay = rapid.IntRange(0, 3).Draw(t, "all day") == 0; b.AllDay {
		b.Start = b.Start.Truncate(24 * time.Hour)
		b.End = b.Start.AddDate(0, 0, 1)
	}
	if b.Recurrence = rapid.SampledFrom([]string{
		"", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY", "FREQ=YEARLY",
	}).Draw(t, "rule"); b.Recurrence != "" {
		b.Recurrence += rapid.SampledFrom([]string{"", ";COUNT=1", ";COUNT=9", ";UNTIL=20260601"}).Draw(t, "end")
	}
	b.Normalize()
	s, err := seriesOf(b)
	if b.Series() && err != nil {
		b.Recurrence = "FREQ=DAILY;COUNT=5"
		b.Normalize()
		s, _ = seriesOf(b)
	}
	if !b.Series() {
		return b
	}
	for at := range s.moments(time.Time{}) {
		if len(b.Exceptions) == 4 || at.After(b.Start.AddDate(0, 3, 0)) {
			break
		}
		x := Exception{Occurrence: at}
		switch rapid.IntRange(0, 9).Draw(t, "what") {
		case 0:
			x.Skipped = true
		case 1:
			from := at.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "moved")) * time.Hour)
			if b.AllDay {
				from = from.Truncate(24 * time.Hour)
			}
			to := from.Add(b.End.Sub(b.Start))
			x.Start, x.End = &from, &to
		case 2:
			x.Title = new(rapid.SampledFrom([]string{"Planning", "Other"}).Draw(t, "title"))
			x.Resources = &[]string{"blue"}
		default:
			continue
		}
		tried := b.Clone()
		tried.SetException(x)
		tried.Normalize()
		if len(Validate(tried)) == 0 {
			b = tried
		}
	}
	return b
}

func TestOccurrencesAreThoseOfTheRuleWithTheExceptionsApplied(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawSeries(t, "b1")
		until := b.Start.AddDate(1, 0, 0)
		var want []string
		if !b.Series() {
			want = append(want, fmt.Sprint(b.Start, b.End))
		} else {
			s := recurrence.Start{At: b.Start, AllDay: b.AllDay, Zone: b.location()}
			rule, err := recurrence.Parse(b.Recurrence, s)
			if err != nil {
				t.Fatal(err)
			}
			for at := range rule.Occurrences(s) {
				if !at.Before(until) {
					break
				}
				start, end, skipped := at, time.Time{}, false
				if b.AllDay {
					end = at.Add(b.End.Sub(b.Start))
				} else {
					w := wallOf(at, s.Zone).Add(wallOf(b.End, s.Zone).Sub(wallOf(b.Start, s.Zone)))
					end = time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, s.Zone).UTC()
				}
				for _, x := range b.Exceptions {
					if x.Occurrence.Equal(at) {
						skipped = x.Skipped
						if x.Start != nil {
							start, end = *x.Start, *x.End
						}
					}
				}
				if end.Before(start) {
					continue // across a change of the clock: looked at elsewhere
				}
				if !skipped {
					want = append(want, fmt.Sprint(start, end))
				}
			}
		}
		var got []string
		var last time.Time
		for o := range Occurrences(b, until) {
			if o.Start.Before(last) {
				t.Fatalf("%v comes after %v", o.Start, last)
			}
			last = o.Start
			if s, e := o.Start, o.End; e.Before(s) {
				t.Fatalf("an occurrence from %v to %v", s, e)
			}
			got = append(got, fmt.Sprint(o.Start, o.End))
		}
		if !slices.Equal(got, want) && !changesClock(b) {
			t.Fatalf("occurrences of %+v:\n%s\nwant\n%s", b, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// What is looked at from somewhere on is the rest of it.
		from := b.Start.Add(time.Duration(rapid.IntRange(-100, 5000).Draw(t, "from")) * time.Hour)
		var rest, all []time.Time
		for o := range OccurrencesFrom(b, from, until) {
			rest = append(rest, o.Start)
		}
		for o := range Occurrences(b, until) {
			if at := o.Occurrence; !b.Series() && !b.Start.Before(from) || b.Series() && !at.Before(from) {
				all = append(all, o.Start)
			}
		}
		if !reflect.DeepEqual(rest, all) {
			t.Fatalf("from %v: %v, want %v", from, rest, all)
		}
	})
}

// changesClock reports whether b lies in the hour in which the clocks change, where the naive expansion is not to be trusted.
func changesClock(b *Booking) bool {
	h := wallOf(b.Start, b.location()).Hour()
	e := wallOf(b.End, b.location()).Hour()
	return !b.AllDay && (h <= 3 || e <= 3)
}

func TestTouchingAreThoseThatOccupyAMoment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawSeries(t, "b1")
		from := b.Start.Add(time.Duration(rapid.IntRange(-100, 3000).Draw(t, "from")) * time.Hour)
		to := from.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "hours")) * time.Hour)
		var got, want []time.Time
		for o := range Touching(b, from, to) {
			got = append(got, o.Start)
		}
		for o := range Occurrences(b, to.AddDate(0, 1, 0)) {
			if start, end := o.Span(); start.Before(to) && (end.After(from) || start.Equal(from)) {
				want = append(want, o.Start)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v between %v and %v: %v, want %v", b, from, to, got, want)
		}
	})
}

func TestOverlapIsSymmetricAndByOccurrence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSeries(t, "a"), drawSeries(t, "b")
		want := false
		until := utc(2028, 7, 1, 0, 0)
		var theirs []*Booking
		for o := range Occurrences(b, until) {
			theirs = append(theirs, o.Booking())
		}
		for o := range Occurrences(a, until) {
			one := o.Booking()
			for _, p := range theirs {
				want = want || Overlaps(one, p)
			}
			if want {
				break
			}
		}
		if got, back := Overlaps(a, b), Overlaps(b, a); got != back || got != want {
			t.Fatalf("Overlaps = %v and %v, want %v\n%+v\n%+v", got, back, want, a, b)
		}
	})
}

func TestNormalizeOfSeriesIsIdempotentAndChangesNoOccurrence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawSeries(t, "b1")
		until := b.Start.AddDate(0, 6, 0)
		all := func(b *Booking) (list []*Booking) {
			for o := range Occurrences(b, until) {
				list = append(list, o.Booking())
			}
			return list
		}
		// What is as in the series may be said or left unsaid.
		said := b.Clone()
		n := 0
		for o := range Occurrences(b, until) {
			if n++; n > 5 || !b.Series() {
				break
			}
			x := Exception{Occurrence: o.Occurrence}
			if o.Exception != nil {
				x = *o.Exception
			}
			if x.Start == nil {
				x.Start, x.End, x.AllDay = &o.Start, &o.End, &o.AllDay
			}
			if x.Notes == nil {
				x.Notes = &b.Notes
			}
			if x.Resources == nil {
				x.Resources = &b.Resources
			}
			said.SetException(x)
		}
		said.Normalize()
		if !Same(said, b) || !reflect.DeepEqual(all(said), all(b)) {
			t.Fatalf("normalized %+v, want %+v", said.Exceptions, b.Exceptions)
		}
		again := b.Clone()
		again.Normalize()
		if !reflect.DeepEqual(again, b) || !SameOccupancy(again, b) {
			t.Fatalf("normalized twice %+v, once %+v", again, b)
		}
	})
}

func TestSkippingLeavesOneOccurrence(t *testing.T) {
	t.Parallel()
	b := weekly(tuesdays + ";COUNT=2")
	first, second := Conflict{Occurrence: b.Start}, Conflict{Occurrence: b.Start.AddDate(0, 0, 2)}
	if b.Skip([]Conflict{first, second}, b.Start) || len(b.Exceptions) != 0 {
		t.Errorf("all occurrences were left out: %+v", b.Exceptions)
	}
	if !b.Skip([]Conflict{second}, b.Start) || starts(b, time.Time{}) != "10-20T07" {
		t.Errorf("left: %s", starts(b, time.Time{}))
	}
}

func TestSkippingAllThatIsKnownOfAnEndlessSeriesLeavesNothing(t *testing.T) {
	t.Parallel()
	b := weekly(tuesdays)
	// Another series, which began a week before, is known for a week less than this one.
	now := b.Start.AddDate(0, 0, -7)
	var all []Conflict
	for o := range Occurrences(b, now.Add(Horizon)) {
		all = append(all, Conflict{Occurrence: o.Occurrence})
	}
	if b.Skip(all, now) || len(b.Exceptions) != 0 {
		t.Errorf("a series that begins in two years, perhaps: %d exceptions", len(b.Exceptions))
	}
	if !b.Skip(all[1:], now) {
		t.Error("the first occurrence is left")
	}
	far := weekly(tuesdays)
	if now = now.AddDate(-5, 0, 0); !far.Skip(nil, now) || far.Skip([]Conflict{{Occurrence: far.Start}}, now) {
		t.Error("of a series that begins beyond what is known its first occurrence counts")
	}
}

func BenchmarkASeriesOf520(b *testing.B) {
	s := weekly("FREQ=DAILY;COUNT=520")
	for b.Loop() {
		n := 0
		for o := range Occurrences(s, time.Time{}) {
			if _, end := o.Span(); !end.IsZero() {
				n++
			}
		}
		if n != 520 {
			b.Fatal(n)
		}
	}
}
