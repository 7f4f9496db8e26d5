package ics

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// setSeries gives the object the rule and the exceptions of a series, or takes them away. Occurrences that differed before
// keep what nobody asked to change.
func (w writer) setSeries(e calendar.Event) error {
	main := w.main()
	start, _, err := w.zones.stamp(main, ical.PropDateTimeStart)
	if err != nil {
		return err
	}
	before := map[time.Time]*ical.Component{}
	for _, v := range w.overrides() {
		s, _, err := w.zones.stamp(v, ical.PropRecurrenceID)
		if err != nil {
			return err
		}
		before[occurrence(s, start)] = v
	}
	w.Children = slices.DeleteFunc(w.Children, func(c *ical.Component) bool {
		return c.Name == ical.CompEvent && c != main
	})
	main.Props.Del(ical.PropExceptionDates)
	if e.Recurrence == "" {
		main.Props.Del(ical.PropRecurrenceRule)
		return nil
	}
	if !start.date && start.tzid == "" && !sameZone(e.Zone, "") {
		return fmt.Errorf("the series begins when the clocks of %s show the same time once more, which a series cannot say: %w", e.Zone, fault.Unsupported)
	}
	rule, err := writeRule(e.Recurrence, start)
	if err != nil {
		return err
	}
	put(main, ical.PropRecurrenceRule, rule)
	for _, x := range e.Exceptions {
		at := x.Occurrence.UTC()
		if x.Event == nil {
			p, err := w.timeProp(ical.PropExceptionDates, at, start.date, start.tzid)
			if err != nil {
				return err
			}
			main.Props.Add(p)
			continue
		}
		v, err := w.override(before[at], at, *x.Event)
		if err != nil {
			return err
		}
		w.Children = append(w.Children, v)
	}
	return nil
}

// override returns the component of an occurrence that is as e says: the one there is with what differs, or a copy of the
// series with it.
func (w writer) override(now *ical.Component, at time.Time, e calendar.Event) (*ical.Component, error) {
	main := w.main()
	if now == nil {
		now = copied(main)
		for _, name := range []string{
			ical.PropRecurrenceRule, ical.PropExceptionDates, ical.PropRecurrenceDates, ical.PropSequence, ical.PropStatus,
		} {
			now.Props.Del(name)
		}
	}
	start, _, err := w.zones.stamp(main, ical.PropDateTimeStart)
	if err != nil {
		return nil, err
	}
	id, err := w.timeProp(ical.PropRecurrenceID, at, start.date, start.tzid)
	if err != nil {
		return nil, err
	}
	now.Props.Set(id)
	says, err := w.event(now)
	if err != nil {
		return nil, err
	}
	if err := w.set(now, e, differences(says, e)&^calendar.FieldRecurrence); err != nil {
		return nil, err
	}
	switch {
	case e.Cancelled:
		put(now, ical.PropStatus, "CANCELLED")
	case says.Cancelled:
		now.Props.Del(ical.PropStatus)
	}
	return now, nil
}

func copied(c *ical.Component) *ical.Component {
	out := ical.NewComponent(c.Name)
	for name, props := range c.Props {
		for _, p := range props {
			params := ical.Params{}
			for k, v := range maps.Clone(p.Params) {
				params[k] = slices.Clone(v)
			}
			out.Props[name] = append(out.Props[name], ical.Prop{Name: p.Name, Params: params, Value: p.Value})
		}
	}
	for _, child := range c.Children {
		out.Children = append(out.Children, copied(child))
	}
	return out
}
