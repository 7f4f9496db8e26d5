package ics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// reminderOf returns the first alarm that rings before the start.
func reminderOf(c *ical.Component) *calendar.Reminder {
	var first *calendar.Reminder
	for _, a := range c.Children {
		if before, ok := rings(a); ok && (first == nil || before > first.Before) {
			first = &calendar.Reminder{Before: before}
		}
	}
	return first
}

// rings returns how long before the start an alarm is shown or heard. Mails, alarms at the end, at or after a fixed time, and
// those that are switched off (ACTION:NONE) are other things than a reminder.
func rings(a *ical.Component) (time.Duration, bool) {
	p := a.Props.Get(ical.PropTrigger)
	action := strings.ToUpper(textOf(a, ical.PropAction))
	if a.Name != ical.CompAlarm || p == nil || action != "DISPLAY" && action != "AUDIO" || strings.EqualFold(p.Params.Get("RELATED"), "END") {
		return 0, false
	}
	d, err := duration(p.Value)
	if err != nil || d.total() > 0 {
		return 0, false
	}
	return (-d.total()).Truncate(time.Minute), true
}

// setReminder makes r the first alarm that rings, or has none ring. Alarms of other kinds stay.
func setReminder(c *ical.Component, r *calendar.Reminder) {
	if r == nil {
		c.Children = slices.DeleteFunc(c.Children, func(a *ical.Component) bool {
			_, ok := rings(a)
			return ok
		})
		return
	}
	before := max(r.Before, 0).Truncate(time.Minute)
	trigger := fmt.Sprintf("-PT%dM", before/time.Minute)
	var first *ical.Component
	for _, a := range c.Children {
		now, ok := rings(a)
		if !ok {
			continue
		}
		if then, _ := ringsIf(first); first == nil || now > then {
			first = a
		}
	}
	// A later one stays where it is still later than the first.
	c.Children = slices.DeleteFunc(c.Children, func(a *ical.Component) bool {
		now, ok := rings(a)
		return ok && a != first && now >= before
	})
	if first == nil {
		first = ical.NewComponent(ical.CompAlarm)
		put(first, ical.PropAction, "DISPLAY")
		put(first, ical.PropDescription, "Reminder")
		c.Children = append(c.Children, first)
	}
	put(first, ical.PropTrigger, trigger)
	first.Props.Del("ACKNOWLEDGED") // of the time that it rang before
}

func ringsIf(a *ical.Component) (time.Duration, bool) {
	if a == nil {
		return 0, false
	}
	return rings(a)
}
