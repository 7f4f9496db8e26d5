package backendtest

import (
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// readings are defects of how an event is read.
var readings = map[string]func(e *calendar.Event){
	"lines run together":             func(e *calendar.Event) { e.Body = strings.ReplaceAll(e.Body, "\n", " ") },
	"escapes stay":                   func(e *calendar.Event) { e.Subject = strings.ReplaceAll(e.Subject, ";", `\;`) },
	"only ASCII":                     func(e *calendar.Event) { e.Location = strings.Map(ascii, e.Location) },
	"no emoji":                       func(e *calendar.Event) { e.Body = strings.Map(basic, e.Body) },
	"long texts are cut":             func(e *calendar.Event) { e.Body = e.Body[:min(len(e.Body), 8<<10)] },
	"subjects are cut":               func(e *calendar.Event) { e.Subject = e.Subject[:min(len(e.Subject), 100)] },
	"empty is something":             func(e *calendar.Event) { e.Location += " " },
	"zones are lost":                 func(e *calendar.Event) { e.Zone = "" },
	"zones are made up":              func(e *calendar.Event) { e.Zone = "W. Europe Standard Time" },
	"the machine's zone":             func(e *calendar.Event) { e.Start = e.Start.In(time.FixedZone("here", 3600)) },
	"texts are padded":               func(e *calendar.Event) { e.Body = strings.Repeat("-", 8<<20) },
	"after the gap is an hour later": func(e *calendar.Event) { e.Start = afterGap(e.Start, e.Zone) },
	"years wrap":                     func(e *calendar.Event) { e.End = e.End.AddDate(e.Start.Year()-e.End.Year(), 0, 0) },
	"the end is inclusive":           func(e *calendar.Event) { e.End = e.End.Add(-time.Minute) },
	"days end too early":             func(e *calendar.Event) { e.End = e.End.AddDate(0, 0, days(*e, -1)) },
	"days begin elsewhere":           func(e *calendar.Event) { e.Start = e.Start.Add(elsewhereOffset(*e)) },
	"days are hours":                 func(e *calendar.Event) { e.AllDay = false },
	"midnights are days":             midnights,
	"one offset all year":            func(e *calendar.Event) { e.Start = winter(e.Start, e.Zone) },
	"the first of two hours":         func(e *calendar.Event) { e.Start = firstOfTwo(e.Start, e.Zone) },
	"reminders of 0 are none": func(e *calendar.Event) {
		if e.Reminder != nil && e.Reminder.Before == 0 {
			e.Reminder = nil
		}
	},
	"everybody is reminded": func(e *calendar.Event) {
		if e.Reminder == nil {
			e.Reminder = &calendar.Reminder{}
		}
	},
	"busy or free": func(e *calendar.Event) {
		if e.Busy != calendar.Free {
			e.Busy = calendar.Occupied
		}
	},
	"no personal class": func(e *calendar.Event) {
		if e.Class == calendar.Personal {
			e.Class = calendar.Private
		}
	},
	"rules are lost": func(e *calendar.Event) { e.Recurrence = "" },
	"occurrences by their day": func(e *calendar.Event) {
		eachException(e, func(x *calendar.OccurrenceException) {
			if x.Event != nil && !e.AllDay {
				at := x.Event.Start
				x.Occurrence = time.Date(at.Year(), at.Month(), at.Day(), x.Occurrence.Hour(), x.Occurrence.Minute(), 0, 0, time.UTC)
			}
		})
	},
	"occurrences have no title": func(e *calendar.Event) {
		subject := e.Subject
		eachException(e, func(x *calendar.OccurrenceException) {
			if x.Event != nil {
				x.Event.Subject = subject
			}
		})
	},
	"everything ends": func(e *calendar.Event) {
		if e.Recurrence != "" && !strings.Contains(e.Recurrence, "COUNT") && !strings.Contains(e.Recurrence, "UNTIL") {
			e.Recurrence += ";COUNT=999"
		}
	},
	"an end is a day early": func(e *calendar.Event) {
		if head, until, ok := strings.Cut(e.Recurrence, "UNTIL="); ok {
			if t, err := time.Parse("20060102T150405Z", until); err == nil {
				e.Recurrence = head + "UNTIL=" + t.AddDate(0, 0, -1).Format("20060102T150405Z")
			}
		}
	},
	"the last day is the 31st": func(e *calendar.Event) {
		e.Recurrence = strings.Replace(e.Recurrence, "BYMONTHDAY=-1", "BYMONTHDAY=31", 1)
	},
	"years are months": func(e *calendar.Event) {
		e.Recurrence = strings.Replace(e.Recurrence, "FREQ=YEARLY;BYMONTH=11", "FREQ=MONTHLY", 1)
	},
	"exceptions are lost":  func(e *calendar.Event) { e.Exceptions = nil },
	"left out, not moved":  leftOut,
	"occurrences by UTC":   func(e *calendar.Event) { shiftLast(e) },
	"nobody is invited":    func(e *calendar.Event) { e.Attendees = nil },
	"everybody must come":  mustCome,
	"rooms are lost":       func(e *calendar.Event) { e.Attendees = slices.DeleteFunc(slices.Clone(e.Attendees), isResource) },
	"reminders in seconds": inSeconds,
}

// eachException changes copies of an event's exceptions.
func eachException(e *calendar.Event, change func(*calendar.OccurrenceException)) {
	e.Exceptions = slices.Clone(e.Exceptions)
	for i := range e.Exceptions {
		x := &e.Exceptions[i]
		if x.Event != nil {
			own := *x.Event
			x.Event = &own
		}
		change(x)
	}
}

func ascii(r rune) rune {
	if r > 127 {
		return '?'
	}
	return r
}

func basic(r rune) rune {
	if r > 0xffff {
		return -1
	}
	return r
}

func days(e calendar.Event, n int) int {
	if e.AllDay && e.End.Sub(e.Start) > 24*time.Hour {
		return n
	}
	return 0
}

func elsewhereOffset(e calendar.Event) time.Duration {
	if !e.AllDay || e.Zone != "America/New_York" {
		return 0
	}
	return 4 * time.Hour
}

func midnights(e *calendar.Event) {
	at := location(e.Zone)
	if e.Start.In(at).Format("15:04") == "00:00" && e.End.In(at).Format("15:04") == "00:00" {
		e.AllDay = true
	}
}

func winter(t time.Time, zone string) time.Time {
	if t.In(location(zone)).IsDST() {
		return t.Add(time.Hour)
	}
	return t
}

func firstOfTwo(t time.Time, zone string) time.Time {
	from, _ := t.In(location(zone)).ZoneBounds()
	if !from.IsZero() && t.Sub(from) < 30*time.Minute && !t.In(location(zone)).IsDST() {
		return t.Add(-time.Hour)
	}
	return t
}

func afterGap(t time.Time, zone string) time.Time {
	from, _ := t.In(location(zone)).ZoneBounds()
	if !from.IsZero() && t.Sub(from) < time.Hour && t.In(location(zone)).IsDST() {
		return t.Add(time.Hour)
	}
	return t
}

func leftOut(e *calendar.Event) {
	e.Exceptions = slices.Clone(e.Exceptions)
	for i := range e.Exceptions {
		e.Exceptions[i].Event = nil
	}
}

func shiftLast(e *calendar.Event) {
	if n := len(e.Exceptions); n > 0 && !e.AllDay {
		e.Exceptions = slices.Clone(e.Exceptions)
		e.Exceptions[n-1].Occurrence = e.Exceptions[n-1].Occurrence.Add(time.Hour)
	}
}

func mustCome(e *calendar.Event) {
	e.Attendees = slices.Clone(e.Attendees)
	for i := range e.Attendees {
		if e.Attendees[i].Role == calendar.Optional {
			e.Attendees[i].Role = calendar.Required
		}
	}
}

func isResource(a calendar.Attendee) bool { return a.Role == calendar.Resource }

func inSeconds(e *calendar.Event) {
	if e.Reminder != nil {
		e.Reminder = &calendar.Reminder{Before: e.Reminder.Before + 30*time.Second}
	}
}
