package exchange

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/seriestest"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// TestAnySeriesBecomesAnyOther: from whatever a person or an earlier write has left, with whatever trouble on the way, a write leads to
// what was asked for, of the same item, and nobody is mailed.
func TestAnySeriesBecomesAnyOther(t *testing.T) {
	t.Parallel()
	const usually = 30 // each starts a server; -rapid.checks makes more of them
	runs, few := 0, flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; few && runs > usually {
			return
		}
		w := newWorld(t, service)
		o := w.sim.Outlook("alice@example.com")
		m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: seriestest.Event(rt)}
		for step := range rapid.IntRange(1, 5).Draw(rt, "steps") {
			if step > 0 && rapid.Bool().Draw(rt, "somebody else") {
				meddle(rt, o, string(m.Ref))
			}
			trouble := rapid.IntRange(0, 4).Draw(rt, "trouble")
			op := rapid.SampledFrom([]string{"GetItem", "UpdateItem", "DeleteItem", "CreateItem"}).Draw(rt, "of")
			switch trouble {
			case 0:
				w.sim.Faults().DropBefore(op, 1)
			case 1:
				w.sim.Faults().DropAfter(op, 1)
			case 2:
				w.sim.Faults().Error(op, "ErrorInternalServerTransientError", 1)
			}
			r, err := w.Apply(t.Context(), m)
			if err != nil && trouble < 3 && fault.Of(err) == fault.Unavailable {
				r, err = w.Apply(t.Context(), m)
			}
			w.sim.Faults().Reset()
			if err != nil {
				rt.Fatalf("%v: %+v", err, m.Event)
			}
			if d := differs(r.Item.Event, m.Event); d != "" {
				rt.Fatalf("the answer %s", d)
			}
			got, err := w.fetch(t, r.Item.Ref)
			if d := differs(got.Event, m.Event); err != nil || d != "" || got.Key != "bk-1" {
				rt.Fatalf("what is read %s, %v", d, err)
			}
			m = calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: r.Item.Ref, Event: seriestest.Event(rt), Fields: calendar.AllFields,
			}
		}
		if n := len(o.Items()); n != 1 {
			rt.Fatalf("there are %d items", n)
		}
		if n := len(w.sim.Mails()); n != 0 {
			rt.Fatalf("%d mails were sent", n)
		}
	})
}

// meddle is what a person does to a series.
func meddle(rt *rapid.T, o *exchangesim.Outlook, id string) {
	later := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	list, _ := o.Occurrences(id, time.Time{}, later) // none of a single appointment
	if len(list) == 0 {
		_ = o.Update(id, func(a *exchangesim.Appointment) {
			a.Recurrence = &exchangesim.Recurrence{Pattern: "Daily", Interval: 2, Count: 4}
		})
		return
	}
	at := list[rapid.IntRange(0, min(len(list), 9)-1).Draw(rt, "occurrence")].Original
	switch rapid.IntRange(0, 4).Draw(rt, "meddling") {
	case 0:
		_ = o.DeleteOccurrence(id, at)
	case 1:
		_ = o.UpdateOccurrence(id, at, func(a *exchangesim.Appointment) { a.Subject = "mine" })
	case 2:
		_ = o.UpdateOccurrence(id, at, func(a *exchangesim.Appointment) { a.Start, a.End = a.Start.Add(time.Hour), a.End.Add(time.Hour) })
	case 3:
		_ = o.Update(id, func(a *exchangesim.Appointment) { a.Recurrence.Count, a.Recurrence.End = 3, "" })
	case 4:
		_ = o.Update(id, func(a *exchangesim.Appointment) { a.Recurrence = nil })
	}
}
