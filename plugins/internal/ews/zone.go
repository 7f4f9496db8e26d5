package ews

import (
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/plugins/internal/zones"
)

// A Zone is the time zone of an item's start or end.
type Zone struct {
	ID    string       // Windows id, or one that some client made up
	Rules *zones.Rules // what the server said of the zone; nil for ids that are well known
}

// IANA returns the zone's name in the IANA database; false if nobody knows its id.
func (z Zone) IANA() (string, bool) { return zones.IANA(z.ID) }

// Local shows the moment t on the zone's clock; false if the zone is neither known nor explained.
func (z Zone) Local(t time.Time) (time.Time, bool) {
	if name, ok := z.IANA(); ok {
		if at, err := zones.Location(name); err == nil {
			return t.In(at), true
		}
	}
	if z.Rules != nil {
		if local, err := z.Rules.Local(t); err == nil {
			return local, true
		}
	}
	return t, false
}

// decodeZone reads a TimeZoneDefinition. The rules of a well-known zone are not looked at.
func decodeZone(s *xmlscan.Scanner) Zone {
	z := Zone{ID: s.Attr("Id")}
	if _, known := zones.IANA(z.ID); known {
		return z
	}
	rules := zones.Rules{Name: s.Attr("Name")}
	for part := range s.Children() {
		switch part {
		case "Periods":
			for range s.Children() {
				bias, err := zones.ParseDuration(s.Attr("Bias"))
				if err != nil {
					continue
				}
				rules.Periods = append(rules.Periods, zones.Period{ID: s.Attr("Id"), Name: s.Attr("Name"), Bias: bias})
			}
		case "TransitionsGroups":
			for range s.Children() {
				g := zones.Group{ID: s.Attr("Id")}
				g.Transitions = decodeTransitions(s)
				rules.Groups = append(rules.Groups, g)
			}
		case "Transitions":
			rules.Eras = decodeTransitions(s)
		}
	}
	if len(rules.Periods) > 0 {
		z.Rules = &rules
	}
	return z
}

func decodeTransitions(s *xmlscan.Scanner) []zones.Transition {
	var all []zones.Transition
	for kind := range s.Children() {
		var t zones.Transition
		switch kind {
		case "AbsoluteDateTransition":
			t.When.Kind = zones.Absolute
		case "RecurringDateTransition":
			t.When.Kind = zones.YearlyDate
		case "RecurringDayTransition":
			t.When.Kind = zones.YearlyDay
		}
		for child := range s.Children() {
			decodeTransition(s, child, &t)
		}
		all = append(all, t)
	}
	return all
}

func decodeTransition(s *xmlscan.Scanner, child string, t *zones.Transition) {
	switch child {
	case "To":
		t.ToGroup = s.Attr("Kind") == "Group"
		t.To = strings.TrimSpace(s.Text())
	case "DateTime":
		text := strings.TrimSpace(s.Text())
		_, err := time.Parse(time.RFC3339Nano, text)
		t.When.At, t.When.UTC = dateTime(text), err == nil
	case "TimeOffset":
		t.When.Offset, _ = zones.ParseDuration(s.Text())
	case "Month":
		t.When.Month = time.Month(number(s.Text()))
	case "Day":
		t.When.Day = number(s.Text())
	case "DayOfWeek":
		t.When.Weekday = weekday(s.Text())
	case "Occurrence":
		t.When.Nth = number(s.Text())
	}
}

func weekday(name string) time.Weekday {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String() == strings.TrimSpace(name) {
			return d
		}
	}
	return time.Sunday
}
