package exchange

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zonetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// TestEveryZone writes events around the clock changes of every Windows zone, and reads the same, from the answer and by a pull.
func TestEveryZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	cases, err := zonetest.Cases(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if want := zonetest.Zones * zonetest.Edges * 4; len(cases) != want {
		t.Fatalf("%d events, want %d", len(cases), want)
	}
	want := map[string]calendar.Event{}
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
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		check("the answer", c.Name, r.Item)
	}
	changes, _ := w.pull(t, "")
	if len(changes) != len(cases) {
		t.Errorf("a pull tells %d items, want %d", len(changes), len(cases))
	}
	for _, ch := range changes {
		check("what is pulled", ch.Item.Key, *ch.Item)
	}
}
