package graph

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zonetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// TestEveryZone writes events around the clock changes of every Windows zone, and reads the same.
func TestEveryZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{Requests: 1_000_000})
	cases, err := zonetest.Cases(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if want := zonetest.Zones * zonetest.Edges * 4; len(cases) != want {
		t.Fatalf("%d events, want %d", len(cases), want)
	}
	want, refs := map[string]calendar.Event{}, []calendar.Ref(nil)
	check := func(what, name string, got calendar.Item) {
		e := want[name]
		if f := series.Changing(got.Event, e, calendar.AllFields); f != 0 || got.Omits != 0 {
			t.Errorf("%s: %s differs in %v: %+v, want %+v", name, what, f, got.Event, e)
		}
	}
	for _, c := range cases {
		want[c.Name] = c.Event
		r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: c.Name, First: true, Event: c.Event})
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		refs = append(refs, r.Item.Ref)
		check("the answer", c.Name, r.Item)
	}
	got, err := w.Fetch(t.Context(), w.alice, refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range got {
		if one.Err != nil {
			t.Errorf("%s: %v", cases[i].Name, one.Err)
			continue
		}
		check("what is read", cases[i].Name, one.Item)
	}
}
