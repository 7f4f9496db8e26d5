package graph

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What the host has read already is not read again to write one occurrence; many are written in batches.
func TestWhatExceptionsCostToWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := desk()
	e.Zone, e.Start = "Europe/Berlin", soon(7, "09:00")
	e.End, e.Recurrence = e.Start.Add(time.Hour), "FREQ=DAILY;COUNT=100"
	s, err := series.Of(e)
	if err != nil {
		t.Fatal(err)
	}
	for n, d := range s.Days() {
		x := calendar.OccurrenceException{Occurrence: s.On(d)}
		if n%5 != 0 {
			one := s.Plain(d)
			one.Subject = fmt.Sprintf("Special %d", n)
			x.Event = &one
		}
		if n <= 50 {
			e.Exceptions = append(e.Exceptions, x)
		}
	}
	counted := func(what string, most int, do func()) {
		t.Helper()
		before := w.line.count("", "")
		do()
		if n := w.line.count("", "") - before; n > most {
			t.Errorf("%s took %d requests, more than %d", what, n, most)
		}
	}
	var ref calendar.Ref
	// Whether it is there, the item, twice the series, where its occurrences are, three batches, the series.
	counted("making fifty exceptions", 9, func() { ref = w.create(t, "bk-1", e).Ref })
	fetch := func() calendar.Item {
		t.Helper()
		got, err := w.Fetch(t.Context(), w.alice, []calendar.Ref{ref})
		if err != nil || got[0].Err != nil {
			t.Fatal(err, got)
		}
		return got[0].Item
	}
	item := fetch()
	if series.Changing(item.Event, e, calendar.AllFields) != 0 {
		t.Errorf("made %+v", item.Event)
	}
	want := item.Event
	want.Exceptions = slices.Clone(want.Exceptions)
	one := *want.Exceptions[20].Event
	one.Subject = "Retitled"
	want.Exceptions[20].Event = &one
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: ref, IfRevision: item.Revision, Known: &item.Event, Event: want, Fields: calendar.FieldRecurrence,
	}
	// The series, where its occurrences are, the write, the series.
	counted("changing one", 5, func() {
		r, err := w.Apply(t.Context(), m)
		if err != nil || series.Changing(r.Item.Event, want, calendar.AllFields) != 0 {
			t.Errorf("%+v, %v", r.Item.Event, err)
		}
	})
	if read := fetch(); series.Changing(read.Event, want, calendar.AllFields) != 0 {
		t.Errorf("what is read: %+v", read.Event)
	}
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Conflict {
		t.Errorf("at the revision of before: %v", err)
	}
}
