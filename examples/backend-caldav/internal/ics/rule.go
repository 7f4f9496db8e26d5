package ics

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/roomwire/roomwire/sdk/fault"
)

// readRule returns an RRULE as RFC 5545 has it. Some write the last day of a series of moments as a date, or as a time of its
// zone: it is that day's end, or that time, in UTC.
func readRule(rule string, start stamp) string {
	return mapUntil(rule, func(until string) string {
		switch {
		case start.date:
			return until[:min(len(until), len(dateFormat))]
		case strings.HasSuffix(until, "Z"):
			return until
		}
		wall, err := time.Parse(localFormat, until)
		if err != nil {
			if wall, err = time.Parse(dateFormat, until); err != nil {
				return until
			}
			wall = wall.Add(24*time.Hour - time.Second)
		}
		return start.clock.moment(wall).Format(utcFormat)
	})
}

// writeRule checks an RRULE and gives its UNTIL the form that fits the start.
func writeRule(rule string, start stamp) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the recurrence %q is no RRULE: %w", rule, fault.Invalid)
		}
	}()
	if strings.ContainsAny(rule, "\r\n:") {
		return "", fmt.Errorf("the recurrence is more than an RRULE: %w", fault.Invalid)
	}
	out = readRule(strings.ToUpper(strings.TrimSpace(rule)), start)
	if _, err := rrule.StrToROption(out); err != nil {
		return "", fmt.Errorf("the recurrence %q is no RRULE: %w: %w", rule, err, fault.Invalid)
	}
	return out, nil
}

func mapUntil(rule string, to func(string) string) string {
	parts := strings.Split(rule, ";")
	for i, p := range parts {
		if name, value, ok := strings.Cut(p, "="); ok && strings.EqualFold(name, "UNTIL") {
			parts[i] = name + "=" + to(value)
		}
	}
	return strings.Join(parts, ";")
}

// sameRule reports whether two rules say the same; servers put the parts in another order.
func sameRule(a, b string) bool {
	return slices.Equal(ruleParts(a), ruleParts(b))
}

func ruleParts(rule string) []string {
	var out []string
	for p := range strings.SplitSeq(strings.ToUpper(rule), ";") {
		if p != "" && p != "INTERVAL=1" {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}
