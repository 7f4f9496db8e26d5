package exchangesim

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The years around now for which the rules of a zone are spelt out.
const (
	yearsBefore = 5
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
	name string
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
				name: periodName(next),
			})
		}
		at = next
	}
}

func periodName(t time.Time) string {
	if t.IsDST() {
		return "Daylight"
	}
	return "Standard"
}

// A yearRule is the way the clock changes in one or several years on end.
type yearRule struct {
	from    int
	changes []clockChange
	nth     [][]int // by change: which occurrences of the weekday in the month it may be
	bias    time.Duration
}

// zoneRules are Periods, TransitionsGroups and Transitions of a zone around a year.
func zoneRules(id string, year int) []*node {
	loc := mustZone(id)
	var rules []yearRule
	for y := year - yearsBefore; y <= year+yearsAfter; y++ {
		r := ruleOf(loc, y)
		if len(rules) == 0 || !rules[len(rules)-1].absorb(r) {
			rules = append(rules, r)
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
		to := func(id string) *node { return el("t:To", attr{"Kind", "Period"}, id) }
		if !r.seasonal() {
			start := time.Date(r.from, 1, 1, 0, 0, 0, 0, loc)
			group.kids = append(group.kids, el("t:Transition", to(period(r.from, periodName(start), r.bias))))
		}
		for k, c := range r.changes {
			target := to(period(r.from, c.name, c.bias))
			if !r.seasonal() {
				group.kids = append(group.kids, el("t:AbsoluteDateTransition", target, el("t:DateTime", c.wall.Format("2006-01-02T15:04:05"))))
				continue
			}
			group.kids = append(group.kids, el("t:RecurringDayTransition", target,
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

// seasonal reports whether the clock changes to and fro each year.
func (r yearRule) seasonal() bool { return len(r.changes) == 2 && r.changes[1].bias == r.bias }

func ruleOf(loc *time.Location, year int) yearRule {
	_, offset := time.Date(year, 1, 1, 0, 0, 0, 0, loc).Zone()
	r := yearRule{from: year, changes: changesIn(loc, year), bias: -time.Duration(offset) * time.Second}
	for _, c := range r.changes {
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
