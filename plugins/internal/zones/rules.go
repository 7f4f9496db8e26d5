package zones

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrRules means that a time zone's rules contradict themselves or say too little.
var ErrRules = errors.New("unusable time zone rules")

// Rules are a time zone as Exchange spells it out in a TimeZoneDefinition, for zones whose id nobody knows.
type Rules struct {
	Name    string
	Periods []Period
	Groups  []Group
	// Eras say which group, or which period for good, is in force from when; the first has no date.
	Eras []Transition
}

// A Period is a span with one distance from UTC.
type Period struct {
	ID   string
	Name string
	Bias time.Duration // UTC is local time plus Bias: Berlin's winter has -1 h
}

// A Group is a set of transitions between periods that repeats every year.
type Group struct {
	ID          string
	Transitions []Transition
}

// A Transition begins a period or, between eras, a group.
type Transition struct {
	To      string // id of a period or group
	ToGroup bool
	When    When
}

// Kind says how a When is to be read.
type Kind int

// The kinds of EWS: Transition, AbsoluteDateTransition, RecurringDateTransition, RecurringDayTransition.
const (
	Always     Kind = iota // from the beginning
	Absolute               // once, at At
	YearlyDate             // at Month and Day
	YearlyDay              // at the Nth Weekday of Month
)

// When is the moment of a transition. Clock times are those shown just before it.
type When struct {
	Kind    Kind
	At      time.Time // Absolute: wall clock, unless UTC is set
	UTC     bool
	Month   time.Month
	Day     int
	Weekday time.Weekday
	Nth     int // 1 to 4 from the start of the month, -1 the last
	Offset  time.Duration
}

// Local shows a moment on the zone's clock. The result is the same instant in a location of fixed offset.
func (r Rules) Local(utc time.Time) (time.Time, error) {
	p, err := r.period(utc)
	if err != nil {
		return time.Time{}, err
	}
	return utc.In(time.FixedZone(p.Name, -int(p.Bias/time.Second))), nil
}

// UTC reads a wall clock's date and time, whatever location local bears, as the zone's. A time that the
// clock shows twice is the first of the two; one that it skips is read with the distance before the gap.
func (r Rules) UTC(local time.Time) (time.Time, error) {
	wall := wallClock(local)
	var biases []time.Duration
	for _, p := range r.Periods {
		biases = append(biases, p.Bias)
	}
	slices.Sort(biases)
	for _, bias := range biases { // the smallest bias gives the earliest moment
		moment := wall.Add(bias)
		p, err := r.period(moment)
		if err != nil {
			return time.Time{}, err
		}
		if p.Bias == bias {
			return moment, nil
		}
	}
	if len(biases) == 0 {
		return time.Time{}, fmt.Errorf("%w: no periods", ErrRules)
	}
	before, err := r.period(wall.Add(biases[0]))
	return wall.Add(before.Bias), err
}

// wallClock drops the location and keeps what the clock shows, as if it were UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// period returns what is in force at a moment.
func (r Rules) period(utc time.Time) (Period, error) {
	if len(r.Eras) == 0 {
		if len(r.Periods) == 1 {
			return r.Periods[0], nil
		}
		return Period{}, fmt.Errorf("%w: %d periods without transitions", ErrRules, len(r.Periods))
	}
	era := r.Eras[0]
	for _, next := range r.Eras[1:] {
		if next.When.Kind != Absolute {
			return Period{}, fmt.Errorf("%w: an era after the first has no date", ErrRules)
		}
		begins := next.When.At
		if !next.When.UTC {
			var err error
			if begins, err = r.moment(wallClock(begins), func(at time.Time) (Period, error) { return r.within(era, at) }); err != nil {
				return Period{}, err
			}
		}
		if utc.Before(begins) {
			break
		}
		era = next
	}
	return r.within(era, utc)
}

// moment turns a wall clock just before a transition into UTC, by the period that ends there.
func (r Rules) moment(wall time.Time, in func(time.Time) (Period, error)) (time.Time, error) {
	at := wall
	for range 2 { // the first guess may be a bias off, which matters only next to another transition
		p, err := in(at.Add(-time.Nanosecond))
		if err != nil {
			return time.Time{}, err
		}
		at = wall.Add(p.Bias)
	}
	return at, nil
}

// within returns the period at a moment by the rules of one era alone.
func (r Rules) within(era Transition, utc time.Time) (Period, error) {
	if !era.ToGroup {
		return r.byID(era.To)
	}
	i := slices.IndexFunc(r.Groups, func(g Group) bool { return g.ID == era.To })
	if i < 0 {
		return Period{}, fmt.Errorf("%w: no transitions group %q", ErrRules, era.To)
	}
	changes, err := r.changes(r.Groups[i], utc.Year())
	if err != nil {
		return Period{}, err
	}
	current := changes[0].period
	for _, c := range changes {
		if utc.Before(c.wall.Add(current.Bias)) {
			break
		}
		current = c.period
	}
	return current, nil
}

// change is one transition of a group in one year.
type change struct {
	wall   time.Time
	period Period
}

// changes lists a group's transitions in the years around one, in order; there is at least one.
func (r Rules) changes(g Group, year int) ([]change, error) {
	var out []change
	for _, t := range g.Transitions {
		p, err := r.byID(t.To)
		if err != nil {
			return nil, err
		}
		switch t.When.Kind {
		case Always:
			out = append(out, change{time.Time{}, p})
		case Absolute:
			wall := wallClock(t.When.At)
			if t.When.UTC {
				wall = wall.Add(-p.Bias)
			}
			out = append(out, change{wall, p})
		default:
			for y := year - 2; y <= year+1; y++ {
				wall, err := t.When.in(y)
				if err != nil {
					return nil, err
				}
				out = append(out, change{wall, p})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: transitions group %q is empty", ErrRules, g.ID)
	}
	slices.SortStableFunc(out, func(a, b change) int { return a.wall.Compare(b.wall) })
	return out, nil
}

// byID finds a period.
func (r Rules) byID(id string) (Period, error) {
	for _, p := range r.Periods {
		if p.ID == id {
			return p, nil
		}
	}
	return Period{}, fmt.Errorf("%w: no period %q", ErrRules, id)
}

// in returns the wall clock of a yearly transition.
func (w When) in(year int) (time.Time, error) {
	if w.Month < time.January || w.Month > time.December {
		return time.Time{}, fmt.Errorf("%w: month %d", ErrRules, w.Month)
	}
	first := time.Date(year, w.Month, 1, 0, 0, 0, 0, time.UTC)
	days := first.AddDate(0, 1, -1).Day()
	var day int
	switch {
	case w.Kind == YearlyDate:
		if w.Day < 1 || w.Day > 31 {
			return time.Time{}, fmt.Errorf("%w: day %d", ErrRules, w.Day)
		}
		day = min(w.Day, days)
	case w.Weekday < time.Sunday || w.Weekday > time.Saturday || w.Nth < -1 || w.Nth == 0 || w.Nth > 5:
		return time.Time{}, fmt.Errorf("%w: occurrence %d of weekday %d", ErrRules, w.Nth, w.Weekday)
	default:
		day = 1 + (int(w.Weekday)-int(first.Weekday())+7)%7
		nth := w.Nth
		if nth == -1 {
			nth = 5
		}
		for ; nth > 1 && day+7 <= days; nth-- {
			day += 7
		}
	}
	return time.Date(year, w.Month, day, 0, 0, 0, 0, time.UTC).Add(w.Offset), nil
}
