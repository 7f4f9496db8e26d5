package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/recurrence"
)

// An Exception is one occurrence of a series that is not as the rule makes it.
type Exception struct {
	// Occurrence is when the rule has it start: a moment in UTC, or for an all-day series a date, as midnight UTC.
	Occurrence time.Time `json:"occurrence"`
	// Skipped: it is left out. Own and Is are empty then.
	Skipped bool `json:"skipped,omitempty"`
	// Own are the fields in which it differs from the series; Is holds these, and nothing else.
	Own calendar.Fields `json:"own,omitempty"`
	Is  *Fields         `json:"is,omitempty"`
}

// days are exceptions by the dates, as midnight UTC, on which the rule has their occurrences start where the series is. That
// date stays the same when the time of day of the series changes.
type days map[time.Time]Exception

// own are the fields in which an occurrence can differ from its series.
const own = calendar.AllFields &^ calendar.FieldRecurrence

// start is the first occurrence of a series.
func (f Fields) start() recurrence.Start {
	s := recurrence.Start{At: f.Start, AllDay: f.AllDay}
	if f.Zone != "" && !f.AllDay {
		if at, err := recurrence.Zone(f.Zone); err == nil {
			s.Zone = at
		}
	}
	return s
}

// byDay returns the exceptions of f.
func (f Fields) byDay() days {
	d := days{}
	if len(f.Exceptions) == 0 {
		return d
	}
	start := f.start()
	for _, x := range f.Exceptions {
		day := start.Day(x.Occurrence)
		if _, twice := d[day]; !twice {
			d[day] = x
		}
	}
	return d
}

// excepted returns f with its rule in canonical form and with those exceptions of d that are some of an occurrence there is.
func (f Fields) excepted(d days) Fields {
	f.Exceptions = nil
	if f.Recurrence == "" {
		return f
	}
	start := f.start()
	rule, err := recurrence.Parse(f.Recurrence, start)
	if err == nil {
		f.Recurrence = rule.String(start)
		d = occurring(rule, start, d)
	}
	for _, day := range slices.SortedFunc(maps.Keys(d), time.Time.Compare) {
		x := d[day]
		x.Occurrence = start.On(day)
		if x, is := f.exception(x); is {
			f.Exceptions = append(f.Exceptions, x)
		}
	}
	return f
}

// occurring returns those of d that the rule has an occurrence for.
func occurring(rule recurrence.Rule, start recurrence.Start, d days) days {
	there := days{}
	if len(d) == 0 {
		return there
	}
	all := slices.SortedFunc(maps.Keys(d), time.Time.Compare)
	last := all[len(all)-1]
	for day := range rule.Dates(start, all[0]) {
		if day.After(last) {
			break
		}
		if x, is := d[day]; is {
			there[day] = x
		}
	}
	return there
}

// exception returns x in canonical form; false if it is as the series has it.
func (f Fields) exception(x Exception) (Exception, bool) {
	x.Occurrence = x.Occurrence.UTC().Truncate(time.Second)
	if x.Skipped {
		return Exception{Occurrence: x.Occurrence, Skipped: true}, true
	}
	if x.Is == nil || x.Own&own == 0 {
		return x, false
	}
	series := f.plain(x.Occurrence)
	is := takePlainly(series, plainly(*x.Is), x.Own&own)
	if x.Own &= differPlainly(series, is); x.Own == 0 {
		return x, false
	}
	only := onlyOwn(is, x.Own)
	x.Is = &only
	return x, true
}

// onlyOwn returns what an exception holds of what its occurrence says.
func onlyOwn(is Fields, which calendar.Fields) Fields {
	only := takePlainly(plainly(Fields{}), is, which)
	only.Zone = "" // it is the series'
	return only
}

// plain returns what a series says of the occurrence at.
func (f Fields) plain(at time.Time) Fields {
	f.Recurrence, f.Exceptions, f.Unsaid, f.Heard, f.Owed = "", nil, 0, nil, false
	f.Start, f.End = at, f.start().EndOf(at, f.End)
	return f
}

// Occurrence returns what a series says of one of its occurrences, which must not be skipped.
func (f Fields) Occurrence(x Exception) Fields {
	o := f.plain(x.Occurrence)
	if x.Is == nil {
		return o
	}
	return takePlainly(o, *x.Is, x.Own)
}

// Except returns the exception that has the occurrence at be as is says, in which fields of which are looked at.
func (f Fields) Except(at time.Time, is Fields, which calendar.Fields) Exception {
	is = plainly(is)
	x := Exception{Occurrence: at, Own: differPlainly(plainly(f.plain(at)), is) & which & own}
	only := onlyOwn(is, x.Own)
	x.Is = &only
	return x
}

// sameClock reports whether two series have the same rule, from the same moment on and in zones with the same clock.
func sameClock(a, b Fields) bool {
	return a.Recurrence == b.Recurrence && a.AllDay == b.AllDay && a.Start.Equal(b.Start) && a.End.Equal(b.End) && sameZone(a, b)
}

// sameZone reports whether the clocks of two series go alike. Servers have other names for zones, and fewer of them.
func sameZone(a, b Fields) bool {
	if a.Recurrence == "" || b.Recurrence == "" || a.AllDay || b.AllDay || a.Zone == b.Zone {
		return true
	}
	here, there := a.start().Zone, b.start().Zone
	if here == nil {
		here = time.UTC
	}
	if there == nil {
		there = time.UTC
	}
	const month = 30 * 24 * time.Hour
	for i := range 25 {
		at := a.Start.Add(time.Duration(i) * month)
		_, x := at.In(here).Zone()
		if _, y := at.In(there).Zone(); x != y {
			return false
		}
	}
	return true
}

// differInSeries returns the fields in which two series differ as such, or a series and what is none.
func differInSeries(a, b Fields, omits calendar.Fields) calendar.Fields {
	var d calendar.Fields
	if a.Recurrence != b.Recurrence || !sameZone(a, b) {
		d |= calendar.FieldRecurrence
	}
	if a.Zone == b.Zone && a.AllDay == b.AllDay && slices.EqualFunc(a.Exceptions, b.Exceptions, sameException) {
		return d // without a look at the dates, as it is nearly always
	}
	as, bs := a.byDay(), b.byDay()
	for day := range both(as, bs) {
		x, y := as[day], bs[day]
		if x.Skipped != y.Skipped {
			d |= calendar.FieldRecurrence
		}
		if x.Skipped || y.Skipped {
			continue
		}
		differ := differingOwn(x, y) &^ omits
		if differ.Any(calendar.FieldBody) {
			d |= calendar.FieldBody
		}
		if differ&^calendar.FieldBody != 0 {
			d |= calendar.FieldRecurrence
		}
	}
	return d
}

// differingOwn returns the fields in which two exceptions differ; one that is not there is as the series.
func differingOwn(x, y Exception) calendar.Fields {
	differ := x.Own ^ y.Own
	if x.Is != nil && y.Is != nil {
		differ |= differPlainly(*x.Is, *y.Is)
	}
	return differ
}

// sameOwn reports whether two exceptions say the same, also of their texts.
func sameOwn(x, y Exception) bool { return x.Skipped == y.Skipped && differingOwn(x, y) == 0 }

func sameException(x, y Exception) bool { return x.Occurrence.Equal(y.Occurrence) && sameOwn(x, y) }

// both returns the days of all.
func both(all ...days) map[time.Time]struct{} {
	union := map[time.Time]struct{}{}
	for _, d := range all {
		for day := range d {
			union[day] = struct{}{}
		}
	}
	return union
}

// mixed returns x with the fields which as y has them.
func mixed(x, y Exception, which calendar.Fields) Exception {
	is := plainly(Fields{})
	if x.Is != nil {
		is = *x.Is
	}
	with := plainly(Fields{})
	if y.Is != nil {
		with = *y.Is
	}
	is = takePlainly(is, with, which)
	return Exception{Occurrence: x.Occurrence, Own: x.Own&^which | y.Own&which, Is: &is}
}

// takeDays returns the exceptions of a series that takes the fields which from another one: those exceptions, or their texts,
// or both.
func takeDays(old, from days, which calendar.Fields) days {
	rule, text := old, old
	if which.Any(calendar.FieldRecurrence) {
		rule = from
	}
	if which.Any(calendar.FieldBody) {
		text = from
	}
	taken := days{}
	for day := range both(rule, text) {
		if x := rule[day]; x.Skipped {
			taken[day] = x
		} else {
			taken[day] = mixed(x, text[day], calendar.FieldBody)
		}
	}
	return taken
}

// agreedDays returns the base agreed with those exceptions that both sides have, and those of the base before where they differ: there an
// occurrence that says of itself what it said is as it was, though the series is another in that by now. A text that is still to come is not
// agreed on.
func agreedDays(before, agreed Fields, in Input) Fields {
	agreed = takePlainly(agreed, *in.Booking, calendar.FieldTime)
	agreed.Recurrence = in.Booking.Recurrence
	was, booked, told := before.byDay(), in.Booking.byDay(), in.Item.byDay()
	now := days{}
	for day := range both(was, booked, told) {
		w, x, y := was[day], booked[day], told[day]
		w.Occurrence, y.Occurrence = before.start().On(day), in.Item.start().On(day)
		differ := differingOwn(x, y) &^ in.Omits
		switch {
		case x.Skipped == y.Skipped && differ == 0:
			now[day] = x
		case x.Skipped == y.Skipped && differ == calendar.FieldBody:
			now[day] = mixed(x, w, calendar.FieldBody)
		case w.Skipped || y.Skipped:
			now[day] = w
		default:
			same := own &^ (in.Omits | calendar.FieldBody | differPlainly(before.Occurrence(w), in.Item.Occurrence(y)))
			is := in.Item.Occurrence(y)
			w.Occurrence = agreed.start().On(day)
			now[day] = agreed.Except(w.Occurrence, takePlainly(agreed.Occurrence(w), is, same), own)
		}
	}
	return agreed.excepted(now)
}

// A Turn is an occurrence of a series that is not an exception as it was before.
type Turn struct {
	Occurrence time.Time // when the rule has it start now
	Was, Is    Exception // one without Own and not Skipped is as the series
}

// Turns returns the occurrences of a series that turned into exceptions, into others, or back since it was as was has it, in
// order; nil stands for no series. Occurrences are matched by their local dates; whether the rule still has them is not looked at.
func Turns(was *Fields, is Fields) []Turn {
	before, now, start := days{}, is.byDay(), is.start()
	if was != nil {
		before = was.byDay()
	}
	var list []Turn
	for day := range both(before, now) {
		if x, y := before[day], now[day]; !sameOwn(x, y) {
			x.Occurrence, y.Occurrence = start.On(day), start.On(day)
			list = append(list, Turn{y.Occurrence, x, y})
		}
	}
	slices.SortFunc(list, func(a, b Turn) int { return a.Occurrence.Compare(b.Occurrence) })
	return list
}
