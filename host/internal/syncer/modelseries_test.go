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
	if b == nil || b.Status != booking.Confirmed || !b.Series() {
		m.put(act{A: a.A, B: 10 + a.B%2, C: 1 + a.C/2*2}) // the booking system makes one, or another rule
		return
	}
	if a.B%3 == 0 {
		m.put(act{A: a.A, B: 10 + a.B/3%5, C: a.C})
		return
	}
	address := m.people[b.Organizer].Email
	for _, it := range m.server.items(address) {
		if it.ForeignKey == id {
			m.edit(address, it, 12*a.C+8+a.B/3%4)
			return
		}
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
