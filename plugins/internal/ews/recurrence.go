package ews

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/plugins/internal/series"
)

// A Series is what an answer says of a series beyond its first occurrence.
type Series struct {
	// Pattern is its rule; of no kind if the server keeps one that we do not know.
	Pattern series.Pattern
	// Modified are the occurrences that are not as the rule makes them, Deleted the moments at which occurrences would start
	// that were deleted.
	Modified []Modified
	Deleted  []time.Time
}

// A Modified is one changed occurrence of a series.
type Modified struct {
	ItemID
	Original time.Time // when the rule has it start
}

// kinds are the names of patterns, without "Recurrence" at their end.
var kinds = map[string]series.Kind{
	"Daily": series.Daily, "Weekly": series.Weekly, "AbsoluteMonthly": series.AbsoluteMonthly, "RelativeMonthly": series.RelativeMonthly,
	"AbsoluteYearly": series.AbsoluteYearly, "RelativeYearly": series.RelativeYearly,
}

var ordinals = map[string]int{"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}

// groups are the names that several days have together.
var groups = map[string][]time.Weekday{
	"Day":        {time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday},
	"Weekday":    {time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
	"WeekendDay": {time.Saturday, time.Sunday},
}

// decodeRecurrence reads a Recurrence: a pattern and a range.
func decodeRecurrence(s *xmlscan.Scanner) series.Pattern {
	var p series.Pattern
	bounded := true
	for name := range s.Children() {
		switch name {
		case "NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence":
			for child := range s.Children() {
				switch child {
				case "StartDate":
					p.Start = day(s.Text())
				case "EndDate":
					p.Until = day(s.Text())
				case "NumberOfOccurrences":
					p.Count = number(s.Word())
				}
			}
			bounded = name == "NoEndRecurrence" || p.Count > 0 || !p.Until.IsZero()
		default:
			p.Kind = kinds[strings.TrimSuffix(name, "Recurrence")]
			decodePattern(s, &p)
		}
	}
	if !bounded { // a range that cannot be read is not one without an end
		return series.Pattern{}
	}
	return p
}

func decodePattern(s *xmlscan.Scanner, p *series.Pattern) {
	for child := range s.Children() {
		switch child {
		case "Interval":
			p.Interval = number(s.Word())
		case "DaysOfWeek":
			known := true
			if p.Days, known = days(s.Text()); !known {
				p.Days = nil
			}
		case "FirstDayOfWeek":
			p.FirstDay = weekday(s.Text())
		case "DayOfMonth":
			p.Day = number(s.Word())
		case "DayOfWeekIndex":
			p.Ordinal = ordinals[strings.TrimSpace(s.Word())]
		case "Month":
			name := strings.TrimSpace(s.Word())
			for m := time.January; m <= time.December; m++ {
				if m.String() == name {
					p.Month = m
				}
			}
		}
	}
}

// days reads a list of days of the week; false if one is none.
func days(list string) ([]time.Weekday, bool) {
	var out []time.Weekday
	for _, name := range strings.Fields(list) {
		if group, ok := groups[name]; ok {
			out = append(out, group...)
			continue
		}
		d := weekday(name)
		if d.String() != name {
			return nil, false
		}
		out = append(out, d)
	}
	return out, true
}

// day reads an xs:date, or the date of an xs:dateTime, as midnight UTC; zero if it is none.
func day(text string) time.Time {
	text = strings.TrimSpace(text)
	d, _ := time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
	return d
}

func decodeModified(s *xmlscan.Scanner) []Modified {
	var all []Modified
	for range s.Children() {
		var m Modified
		for child := range s.Children() {
			switch child {
			case "ItemId":
				m.ItemID = decodeItemID(s)
			case "OriginalStart":
				m.Original = dateTime(s.Text())
			}
		}
		all = append(all, m)
	}
	return all
}

func decodeDeleted(s *xmlscan.Scanner) []time.Time {
	var all []time.Time
	for range s.Children() {
		for child := range s.Children() {
			if child == "Start" {
				all = append(all, dateTime(s.Text()))
			}
		}
	}
	return all
}

// Recurrence is the pattern of a series. It counts in StartTimeZone, which has to be written with it.
func Recurrence(p series.Pattern) Field {
	f := NoRecurrence()
	f.content = func(w *writer) { w.inside("t:Recurrence", func() { recurrence(w, p) }) }
	return f
}

// NoRecurrence makes a single item of a series.
func NoRecurrence() Field { return Field{uri: "calendar:Recurrence", element: "Recurrence"} }

func recurrence(w *writer, p series.Pattern) {
	name := ""
	for n, k := range kinds {
		if k == p.Kind {
			name = n
		}
	}
	w.inside("t:"+name+"Recurrence", func() {
		switch p.Kind {
		case series.AbsoluteYearly:
			w.text("t:DayOfMonth", strconv.Itoa(p.Day))
			w.text("t:Month", p.Month.String())
			return
		case series.RelativeYearly:
			w.text("t:DaysOfWeek", nameOfDays(p.Days))
			w.text("t:DayOfWeekIndex", nameOfOrdinal(p.Ordinal))
			w.text("t:Month", p.Month.String())
			return
		}
		w.text("t:Interval", strconv.Itoa(max(p.Interval, 1)))
		switch p.Kind {
		case series.Weekly:
			w.text("t:DaysOfWeek", listOfDays(p.Days))
			w.text("t:FirstDayOfWeek", p.FirstDay.String())
		case series.AbsoluteMonthly:
			w.text("t:DayOfMonth", strconv.Itoa(p.Day))
		case series.RelativeMonthly:
			w.text("t:DaysOfWeek", nameOfDays(p.Days))
			w.text("t:DayOfWeekIndex", nameOfOrdinal(p.Ordinal))
		}
	})
	span := "t:NoEndRecurrence"
	switch {
	case p.Count > 0:
		span = "t:NumberedRecurrence"
	case !p.Until.IsZero():
		span = "t:EndDateRecurrence"
	}
	w.inside(span, func() {
		w.text("t:StartDate", p.Start.Format(time.DateOnly))
		switch {
		case p.Count > 0:
			w.text("t:NumberOfOccurrences", strconv.Itoa(p.Count))
		case !p.Until.IsZero():
			w.text("t:EndDate", p.Until.Format(time.DateOnly))
		}
	})
}

func listOfDays(days []time.Weekday) string {
	names := make([]string, len(days))
	for i, d := range days {
		names[i] = d.String()
	}
	return strings.Join(names, " ")
}

// nameOfDays names the days of a relative pattern: one, or all of a group.
func nameOfDays(days []time.Weekday) string {
	for name, group := range groups {
		if slices.Equal(group, days) {
			return name
		}
	}
	return listOfDays(days)
}

func nameOfOrdinal(n int) string {
	for name, o := range ordinals {
		if o == n {
			return name
		}
	}
	return ""
}
