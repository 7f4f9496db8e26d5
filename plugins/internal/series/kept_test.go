package series

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

func TestWhatIsExceptedAsBefore(t *testing.T) {
	t.Parallel()
	rule := func(start, rule string) Series {
		s, err := Of(calendar.Event{
			Subject: "Review", Start: utc(start), End: utc(start).Add(time.Hour), Zone: "Europe/Berlin", Recurrence: rule,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	on := utc("2026-06-03 00:00")
	with := func(s Series, change func(*calendar.Event)) Series {
		x := calendar.OccurrenceException{Occurrence: s.On(on)}
		if change != nil {
			e := s.Plain(on)
			change(&e)
			x.Event = &e
		}
		s.Exceptions = []calendar.OccurrenceException{x}
		return s
	}
	short, longer, later := rule("2026-06-01 08:00", "FREQ=DAILY;COUNT=5"), rule("2026-06-01 08:00", "FREQ=DAILY;COUNT=9"), rule("2026-06-01 10:00", "FREQ=DAILY;COUNT=5")
	titled := func(e *calendar.Event) { e.Subject = "Finale" }
	place := func(e *calendar.Event) { e.Subject, e.Location = "Finale", "Roof" }
	at := func(clock string) func(*calendar.Event) {
		return func(e *calendar.Event) {
			e.Start, e.End = utc("2026-06-03 "+clock), utc("2026-06-03 "+clock).Add(time.Hour)
		}
	}
	for _, c := range []struct {
		name       string
		before, is Series
		want       bool
	}{
		{"left out still", with(short, nil), with(longer, nil), true},
		{"left out anew", short, with(longer, nil), false},
		{"left out, and was changed", with(short, titled), with(longer, nil), false},
		{"back, and changed", with(short, nil), with(longer, titled), false},
		{"the same title", with(short, titled), with(longer, titled), true},
		{"another title", with(short, titled), with(longer, func(e *calendar.Event) { e.Subject = "Last" }), false},
		{"a place, too", with(short, titled), with(longer, place), false},
		{"a place no more", with(short, place), with(longer, titled), true},
		{"a title, at the new time of the series", with(short, titled), with(later, titled), true},
		{"at its own time still", with(short, at("14:00")), with(later, at("14:00")), true},
		{"at another time of its own", with(short, at("14:00")), with(later, at("15:00")), false},
		{"excepted no more", with(short, titled), longer, false},
	} {
		if got := Kept(c.before, c.is, on); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
