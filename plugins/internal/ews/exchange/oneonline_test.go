package exchange

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const wayToJoin = "\n________________________________________________________________________________\nMicrosoft Teams meeting\nhttps://teams.microsoft.com/l/meetup-join/19%3ameeting_abc/0\n________________________________________________________________________________\n"

// A series is none that people meet online for, but for one occurrence: how to join that is in its own text.
func TestTheWayToJoinOneOccurrenceOutlivesANewText(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		w := newWorld(t, service)
		o := w.sim.Outlook("alice@example.com")
		e := desk()
		e.Attendees = nil
		e.End = e.Start.Add(time.Hour)
		e.Recurrence = "FREQ=DAILY;COUNT=5"
		item := w.create(t, "k", e)
		id := o.Items()[0].ID
		second := e.Start.AddDate(0, 0, 1)
		if err := o.UpdateOccurrence(id, second, func(a *exchangesim.Appointment) {
			a.Body += wayToJoin
			if own {
				a.Subject = "mine"
			}
		}); err != nil {
			t.Fatal(err)
		}
		now, err := w.fetch(t, item.Ref)
		if err != nil {
			t.Fatal(err)
		}
		want := now.Event
		want.Body = "other notes"
		want.Exceptions = nil
		for _, x := range now.Event.Exceptions {
			ev := *x.Event
			ev.Body = "other notes"
			want.Exceptions = append(want.Exceptions, calendar.OccurrenceException{Occurrence: x.Occurrence, Event: &ev})
		}
		for _, f := range []calendar.Fields{calendar.FieldBody, calendar.FieldBody | calendar.FieldRecurrence} {
			_, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Update, Mailbox: w.alice, Key: "k", Ref: item.Ref, Event: want, Fields: f})
			if err != nil {
				t.Fatal(err)
			}
			list, err := o.Occurrences(id, second, second.Add(time.Minute))
			if err != nil || len(list) != 1 {
				t.Fatal(err, len(list))
			}
			if !strings.Contains(list[0].Body, "teams.microsoft.com") {
				t.Errorf("own %v fields %v: the join block is lost: %q", own, f, list[0].Body)
			}
		}
	}
}
