package plan

import (
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
)

func TestWhatNobodyIsToldOfGoesApart(t *testing.T) {
	t.Parallel()
	const told = calendar.FieldTime | calendar.FieldLocation | calendar.FieldResources | calendar.FieldAttendees
	item := begunSeries()
	day := func(n int) Exception { // one of an occurrence that is as the series
		return Exception{Occurrence: item.Start.AddDate(0, 0, n)}
	}
	title := func(f Fields) Fields { f.Subject = "Budget"; return Canonical(f) }
	room := func(f Fields) Fields { f.Resources = []string{"room-b@example.com"}; return Canonical(f) }
	guest := func(f Fields) Fields {
		f.Attendees = append(f.Attendees[:1:1], Person{Email: "zoe@example.com"})
		return Canonical(f)
	}
	occurrence := func(n int, change func(*Fields)) func(Fields) Fields {
		return func(f Fields) Fields {
			days, at := f.byDay(), f.start().On(f.start().Day(day(n).Occurrence))
			x := days[f.start().Day(at)]
			x.Occurrence = at
			is := f.Occurrence(x)
			change(&is)
			days[f.start().Day(at)] = f.Except(at, is, calendar.AllFields)
			return f.excepted(days)
		}
	}
	retitled := func(f *Fields) { f.Subject = "Closing" }
	moved := func(f *Fields) { f.Start, f.End = f.Start.AddDate(0, 0, 0).Add(3600e9), f.End.Add(3600e9) }
	both := func(f *Fields) { retitled(f); moved(f) }
	ruled := func(f Fields) Fields { f.Recurrence = "FREQ=DAILY;COUNT=4"; return Canonical(f) }
	for name, c := range map[string]struct{ silent, rest func(Fields) Fields }{
		"a title, an occurrence moved":          {title, occurrence(4, moved)},
		"an occurrence retitled, another room":  {occurrence(2, retitled), room},
		"an occurrence retitled, another moved": {occurrence(0, retitled), occurrence(4, moved)},
		"a title, somebody added":               {title, guest},
		"a title alone":                         {nil, title},
		"a title with another room":             {nil, func(f Fields) Fields { return room(title(f)) }},
		"an occurrence retitled and moved":      {nil, occurrence(4, both)},
		"a title with another rule":             {nil, func(f Fields) Fields { return ruled(title(f)) }},
		"an occurrence retitled, another rule":  {occurrence(2, retitled), ruled},
		"a room alone":                          {nil, room},
	} {
		want := item
		if c.silent != nil {
			want = c.silent(item)
		}
		got, fields := Apart(item, c.rest(want), told)
		if Diff(got, want) != 0 || fields != Diff(item, want) {
			t.Errorf("%s: apart goes %v: %+v, want %v", name, fields, got, Diff(item, want))
		}
	}
}
