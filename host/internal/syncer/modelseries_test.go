package syncer

import (
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// ruleOf is the rule of a series that begins on a Monday; empty for about half of the bookings.
func ruleOf(n int) string {
	return []string{"", "FREQ=DAILY;COUNT=4", "", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "FREQ=DAILY;COUNT=6", "FREQ=DAILY;INTERVAL=2", "", "FREQ=DAILY;UNTIL=20270304T235959Z"}[n%8]
}

// series has somebody do something to a series, or make one.
func (m *model) series(a act) {
	id := fmt.Sprintf("b%d", a.A%4)
	b := m.booking(id)
	some := []int{1, 3, 4, 5, 7}[a.C%5] // a rule
	switch {
	case b == nil:
		m.put(act{A: a.A, B: 3 * some, C: a.C})
		return
	case b.Status != booking.Confirmed, !b.Series():
		m.put(act{A: a.A, B: 10, C: some})
		return
	case a.B%3 == 0:
		m.put(act{A: a.A, B: 10 + a.B/3%5, C: a.C})
		return
	}
	address := m.people[b.Organizer].Email
	for _, it := range m.server.items(address) {
		if it.ForeignKey == id {
			kind := []int{3, 8, 9, 10, 11}[a.B/3%5]
			m.edit(address, it, 12*a.C+kind)
			return
		}
	}
	if m.passing == "" {
		m.pass(b.Organizer, 0)
	}
}

// except changes one occurrence of a booking.
func (m *model) except(b *booking.Booking, n int, title string) {
	var all []booking.Occurrence
	for o := range booking.Occurrences(b, time.Time{}) {
		if all = append(all, o); len(all) == 4 {
			break
		}
	}
	if !b.Series() || len(all) == 0 {
		return
	}
	at := all[n%len(all)].Occurrence
	x := booking.Exception{Occurrence: at}
	switch n / 4 % 5 {
	case 0:
		x.Skipped = true
	case 1:
		x.Title = &title
	case 2:
		start := hourOf(n/20).AddDate(0, 0, int(at.Sub(hourOf(0))/(24*time.Hour)))
		end := start.Add(time.Hour)
		x.Start, x.End = &start, &end
	case 3:
		x.Resources = &roomsOf[n/20%3]
	case 4: // as the series again
	}
	b.SetException(x)
	b.Normalize()
}

// editSeries is what a person does to a series in Outlook. It returns what it should be found by later.
func (m *model) editSeries(e *calendar.Event, n int) (field, token string) {
	all := occurrencesOf(*e, 4)
	if len(all) == 0 {
		return "", ""
	}
	at := all[n%len(all)]
	left := false
	for _, x := range e.Exceptions {
		left = left || x.Event == nil && x.Occurrence.Equal(at)
	}
	if left {
		return "", "" // nothing is there to be changed
	}
	day := at.Format(time.DateOnly)
	m.day = day
	switch n / 4 % 4 {
	case 0:
		changeOccurrence(e, at, nil)
		return "occurrence " + day, ""
	case 1, 2:
		token = fmt.Sprintf("subject %d", m.unique)
		changeOccurrence(e, at, func(one *calendar.Event) { one.Subject = token })
		return "occurrence " + day, token
	}
	changeOccurrence(e, at, func(one *calendar.Event) {
		one.Start = hourOf(n/16).AddDate(0, 0, int(at.Sub(hourOf(0))/(24*time.Hour)))
		one.End = one.Start.Add(time.Hour)
	})
	return "", ""
}

// exceptionsIn describes the exceptions of a series.
func exceptionsIn(ev calendar.Event) string {
	text := ""
	for _, x := range ev.Exceptions {
		text += " " + x.Occurrence.Format("2 15:04")
		if x.Event != nil {
			text += fmt.Sprintf("=%q at %s", x.Event.Subject, x.Event.Start.Format("2 15:04"))
		}
	}
	return text
}

const leftOutOfSeries = "left out"

// ownOf returns what became of single occurrences of a booking, by day.
func ownOf(b *booking.Booking) map[string]string {
	own := map[string]string{}
	for _, x := range b.Exceptions {
		switch {
		case x.Skipped:
			own[x.Occurrence.Format(time.DateOnly)] = leftOutOfSeries
		case x.Title != nil:
			own[x.Occurrence.Format(time.DateOnly)] = *x.Title
		}
	}
	return own
}

// checkOccurrences: what became of single occurrences is still so, unless somebody changed them, or the series has them no more.
func (m *model) checkOccurrences(b *booking.Booking) {
	now := ownOf(b)
	rule := b.Clone()
	rule.Exceptions = nil
	for o := range booking.Occurrences(rule, hourOf(0).AddDate(0, 1, 0)) {
		day := o.Occurrence.Format(time.DateOnly)
		if want, is := m.note(b.ID).own[day]; is && now[day] != want && want != b.Title {
			m.fail("the occurrence of %s on %s was %q, and is %q now", b.ID, day, want, now[day])
		}
	}
}
