package exchangesim

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The years around now for which the rules of a zone are spelt out.
const (
	yearsBefore = 3
	yearsAfter  = 10
)

// getServerTimeZones lists the time zones of Windows, with their rules if they are asked for. Ids that Windows does not know
// are passed over.
func (c *call) getServerTimeZones() (*node, error) {
	full := true
	if v, ok := c.req.lookAttr("ReturnFullTimeZoneData"); ok {
		var err error
		if full, err = parseBool(v); err != nil {
			return nil, err
		}
	}
	ids := zoneIDs()
	if wanted := c.req.child("Ids"); wanted != nil {
		ids = nil
		for _, n := range wanted.all("Id") {
			if _, ok := zoneOf(n.value()); ok {
				ids = append(ids, n.value())
			}
		}
	}
	definitions := el("m:TimeZoneDefinitions")
	for _, id := range ids {
		n := el("t:TimeZoneDefinition", attr{"Id", id}, attr{"Name", zoneName(id)})
		if full {
			n.kids = zoneRules(id, c.now.Year())
		}
		definitions.kids = append(definitions.kids, n)
	}
	return response("GetServerTimeZones", success("GetServerTimeZones", definitions)), nil
}

// A clockChange is one change of a zone's clock.
type clockChange struct {
	wall time.Time // what the clock shows just before, as if it were UTC
	bias time.Duration
}

// changesIn lists the changes of a zone's clock in a year of its own.
func changesIn(loc *time.Location, year int) []clockChange {
	var found []clockChange
	at, end := time.Date(year, 1, 1, 0, 0, 0, 0, loc), time.Date(year+1, 1, 1, 0, 0, 0, 0, loc)
	for {
		_, next := at.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			return found
		}
		_, before := at.Zone()
		_, after := next.Zone()
		if before != after {
			found = append(found, clockChange{
				wall: next.UTC().Add(time.Duration(before) * time.Second),
				bias: -time.Duration(after) * time.Second,
			})
		}
		at = next
	}
}

// A yearRule is the way the clock changes in one or several years on end.
type yearRule struct {
	from    int
	changes []clockChange
	nth     [][]int // by change: which occurrences of the weekday in the month it may be
	bias    time.Duration
}

// rulesAround are the rules of the years around one. early has a bit for each change of a year: if set, one at midnight is
// put a second earlier, as Windows does. "The last Thursday at 24:00" may lie in another month and would need a rule per year.
func rulesAround(loc *time.Location, year, early int) []yearRule {
	var rules []yearRule
	for y := year - yearsBefore; y <= year+yearsAfter; y++ {
		r := ruleOf(loc, y, early)
		if len(rules) == 0 || !rules[len(rules)-1].absorb(r) {
			rules = append(rules, r)
		}
	}
	return rules
}

// zoneRules are Periods, TransitionsGroups and Transitions of a zone around a year.
func zoneRules(id string, year int) []*node {
	rules := rulesAround(mustZone(id), year, 0)
	for early := 1; early < 4; early++ {
		if fewer := rulesAround(mustZone(id), year, early); len(fewer) < len(rules) {
			rules = fewer
		}
	}
	periods, groups, transitions := el("t:Periods"), el("t:TransitionsGroups"), el("t:Transitions")
	period := func(from int, name string, bias time.Duration) string {
		key := fmt.Sprintf("trule:Microsoft/Registry/%s/%d-%s", id, from, name)
		for _, p := range periods.kids {
			if p.attr("Id") == key && p.attr("Bias") == biasText(bias) {
				return key
			} else if p.attr("Id") == key {
				key += "'"
			}
		}
		periods.kids = append(periods.kids, el("t:Period", attr{"Bias", biasText(bias)}, attr{"Name", name}, attr{"Id", key}))
		return key
	}
	for i, r := range rules {
		group := el("t:TransitionsGroup", intAttr("Id", i))
		to := func(bias time.Duration) *node {
			return el("t:To", attr{"Kind", "Period"}, period(r.from, r.name(bias), bias))
		}
		// Clients accept one transition without a date, or two with one.
		switch {
		case len(r.changes) == 0:
			group.kids = append(group.kids, el("t:Transition", to(r.bias)))
		case len(r.changes) == 1: // in a year in which the clock was changed for good
			group.kids = append(group.kids, el("t:RecurringDateTransition", to(r.bias),
				el("t:TimeOffset", "PT0S"), el("t:Month", "1"), el("t:Day", "1")))
		}
		for k, c := range r.changes[:min(len(r.changes), 2)] {
			group.kids = append(group.kids, el("t:RecurringDayTransition", to(c.bias),
				el("t:TimeOffset", biasText(c.wall.Sub(midnight(c.wall, time.UTC, false)))),
				el("t:Month", strconv.Itoa(int(c.wall.Month()))),
				el("t:DayOfWeek", c.wall.Weekday().String()),
				el("t:Occurrence", strconv.Itoa(r.nth[k][0]))))
		}
		groups.kids = append(groups.kids, group)
		target := el("t:To", attr{"Kind", "Group"}, strconv.Itoa(i))
		if i == 0 {
			transitions.kids = append(transitions.kids, el("t:Transition", target))
		} else {
			transitions.kids = append(transitions.kids, el("t:AbsoluteDateTransition", target, el("t:DateTime", fmt.Sprintf("%04d-01-01T00:00:00", r.from))))
		}
	}
	return []*node{periods, groups, transitions}
}

// name is Standard for the period nearest to the west, and Daylight for the other.
func (r yearRule) name(bias time.Duration) string {
	if bias < r.bias || slices.ContainsFunc(r.changes, func(c clockChange) bool { return bias < c.bias }) {
		return "Daylight"
	}
	return "Standard"
}

// seasonal reports whether the clock changes to and fro each year.
func (r yearRule) seasonal() bool { return len(r.changes) == 2 && r.changes[1].bias == r.bias }

func ruleOf(loc *time.Location, year, early int) yearRule {
	_, offset := time.Date(year, 1, 1, 0, 0, 0, 0, loc).Zone()
	r := yearRule{from: year, changes: changesIn(loc, year), bias: -time.Duration(offset) * time.Second}
	for i := range r.changes {
		c := &r.changes[i]
		if early>>i&1 == 1 && midnight(c.wall, time.UTC, false).Equal(c.wall) {
			c.wall = c.wall.Add(-time.Second)
		}
		nth := []int{(c.wall.Day()-1)/7 + 1}
		if c.wall.AddDate(0, 0, 7).Month() != c.wall.Month() {
			nth = append([]int{-1}, nth...)
		}
		r.nth = append(r.nth, slices.DeleteFunc(nth, func(n int) bool { return n == 5 }))
	}
	return r
}

// absorb takes the rule of the next year in, if one rule fits both.
func (r *yearRule) absorb(next yearRule) bool {
	if len(next.changes) != len(r.changes) || next.bias != r.bias || len(r.changes) > 0 && !(r.seasonal() && next.seasonal()) {
		return false
	}
	fitting := make([][]int, len(r.nth))
	for i, c := range r.changes {
		n := next.changes[i]
		if n.bias != c.bias || n.wall.Month() != c.wall.Month() || n.wall.Weekday() != c.wall.Weekday() || n.wall.Format("15:04:05") != c.wall.Format("15:04:05") {
			return false
		}
		fitting[i] = slices.DeleteFunc(slices.Clone(r.nth[i]), func(k int) bool { return !slices.Contains(next.nth[i], k) })
		if len(fitting[i]) == 0 {
			return false
		}
	}
	r.nth = fitting
	return true
}

// biasText is an xs:duration with its sign.
func biasText(d time.Duration) string {
	if d < 0 {
		return "-" + duration(-d)
	}
	return duration(d)
}

func intAttr(name string, n int) attr { return attr{name, strconv.Itoa(n)} }
