package ics

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// FuzzObject: whatever a server sends, reading it ends, and what can be read can be written and says the same then.
func FuzzObject(f *testing.F) {
	for _, name := range []string{"outlook.ics", "thunderbird.ics", "apple.ics"} {
		f.Add(sample(f, name))
	}
	f.Add(anObject("DTSTART;TZID=\n"))
	f.Add(anObject("DTSTART:20270712T100000Z\nRRULE:FREQ=DAILY;UNTIL=2027\nEXDATE:20270713\n"))
	f.Add("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:16010101T000000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nDTSTART;TZID=Z:20270101T000000\nEND:VEVENT\nEND:VCALENDAR\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := mapper(t)
		m.Marks(text)
		item, err := m.Read(text, "alice@example.com")
		if err != nil {
			return
		}
		e := item.Event
		e.Subject, e.Reminder = e.Subject+"x", &calendar.Reminder{Before: 7 * time.Minute}
		c, err := m.Change(text, Change{Event: e, Fields: calendar.AllFields, ForeignKey: "f", Owner: "alice@example.com", Now: writtenAt})
		if err != nil || c.Text == nil {
			return
		}
		again, err := m.Read(string(c.Text), "alice@example.com")
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, c.Text)
		}
		if d := differences(again.Event, e); d != 0 {
			t.Errorf("after the update %s differ:\n%s", d, c.Text)
		}
	})
}
