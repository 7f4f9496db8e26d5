package graph

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/seriestest"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// TestAnySeriesBecomesAnyOther: from whatever a person or an earlier write has left, with whatever trouble on the way, a write leads to
// what was asked for, of the same item.
func TestAnySeriesBecomesAnyOther(t *testing.T) {
	t.Parallel()
	const usually = 30 // each starts a server; -rapid.checks makes more of them
	runs, few := 0, flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; few && runs > usually {
			return
		}
		w := newWorld(t)
		o := w.sim.Outlook("alice@example.com")
		m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: seriestest.Event(rt)}
		for step := range rapid.IntRange(1, 5).Draw(rt, "steps") {
			if step > 0 {
				item := o.Items()[0]
				list, _ := o.Occurrences(item.ID, time.Time{}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) // none of a single appointment
				if len(list) > 0 {
					at := list[rapid.IntRange(0, min(len(list), 9)-1).Draw(rt, "occurrence")].Original
					switch rapid.IntRange(0, 4).Draw(rt, "meddling") {
					case 0:
						_ = o.DeleteOccurrence(item.ID, at)
					case 1:
						_ = o.UpdateOccurrence(item.ID, at, func(a *exchangesim.Appointment) { a.Subject = "mine" })
					case 2:
						_ = o.Update(item.ID, func(a *exchangesim.Appointment) { a.Recurrence = nil })
					}
				}
			}
			trouble := rapid.IntRange(0, 4).Draw(rt, "trouble")
			op := rapid.SampledFrom([]string{"GraphGetEvent", "GraphUpdateEvent", "GraphDeleteEvent", "GraphCreateEvent", "GraphInstances"}).Draw(rt, "of")
			switch trouble {
			case 0:
				w.sim.Faults().DropBefore(op, 1)
			case 1:
				w.sim.Faults().DropAfter(op, 1)
			}
			r, err := w.Apply(t.Context(), m)
			if err != nil && trouble < 2 && fault.Of(err) == fault.Unavailable {
				r, err = w.Apply(t.Context(), m)
			}
			w.sim.Faults().Reset()
			if err != nil {
				rt.Fatalf("%v: %+v", err, m.Event)
			}
			got, err := w.Fetch(t.Context(), w.alice, []calendar.Ref{r.Item.Ref})
			if err != nil || got[0].Err != nil {
				rt.Fatalf("reading it: %v, %v", err, got)
			}
			for what, event := range map[string]calendar.Event{"the answer": r.Item.Event, "what is read": got[0].Item.Event} {
				if f := series.Changing(event, m.Event, calendar.AllFields); f != 0 {
					rt.Fatalf("%s differs in %v: %+v, want %+v", what, f, event, m.Event)
				}
			}
			m = calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: r.Item.Ref, Event: seriestest.Event(rt), Fields: calendar.AllFields,
			}
		}
		if n := len(o.Items()); n != 1 {
			rt.Fatalf("there are %d items", n)
		}
	})
}
