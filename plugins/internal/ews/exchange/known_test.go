package exchange

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// fifty is a daily series with fifty exceptions, of which every fifth is left out.
func fifty(t *testing.T) calendar.Event {
	t.Helper()
	e := tuesdays()
	e.Recurrence = "FREQ=DAILY;COUNT=100"
	for n := range 50 {
		date := utc("2026-10-08 00:00").AddDate(0, 0, n).Format(time.DateOnly)
		if n%5 == 4 {
			e.Exceptions = append(e.Exceptions, on(t, e, date, nil))
			continue
		}
		e.Exceptions = append(e.Exceptions, on(t, e, date, func(x *calendar.Event) { x.Subject = fmt.Sprintf("Special %d", n) }))
	}
	return e
}

// What the host has read already is not read again to write one occurrence: the series, the write, and the series with that occurrence.
func TestOneOfManyExceptionsIsWrittenInAHandfulOfRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	ref := w.create(t, "bk-1", fifty(t)).Ref
	item, err := w.fetch(t, ref)
	if err != nil {
		t.Fatal(err)
	}
	known := item.Event
	want := known
	want.Exceptions = slices.Clone(known.Exceptions)
	one := *want.Exceptions[20].Event
	one.Subject = "Retitled"
	want.Exceptions[20].Event = &one
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: ref, IfRevision: item.Revision, Known: &known, Event: want, Fields: calendar.FieldRecurrence,
	}
	var got calendar.Item
	made := w.counted(func() {
		r, err := w.Apply(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		got = r.Item
	})
	if !maps.Equal(made, map[string]int{"GetItem": 3, "UpdateItem": 1}) {
		t.Errorf("it took %v", made)
	}
	read, err := w.fetch(t, ref)
	if err != nil || differs(got.Event, want) != "" || differs(read.Event, want) != "" || read.Revision != got.Revision {
		t.Errorf("%v: the answer %s, what is read %s", err, differs(got.Event, want), differs(read.Event, want))
	}
	// At another revision nothing that was known counts.
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Conflict {
		t.Errorf("at the revision of before: %v", err)
	}
	// What somebody changes meanwhile is not overwritten: what is known is not of the series as it is now.
	m.IfRevision, m.Known = read.Revision, &read.Event
	arrived, release := w.sim.Faults().PauseBefore("UpdateItem")
	one.Subject = "Retitled again"
	done := make(chan error, 1)
	go func() {
		_, err := w.Apply(t.Context(), m)
		done <- err
	}()
	<-arrived
	if err := w.sim.Outlook(w.alice.Address).UpdateOccurrence(string(ref), known.Exceptions[30].Occurrence, func(a *exchangesim.Appointment) { a.Subject = "mine" }); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; fault.Of(err) != fault.Conflict {
		t.Errorf("%v, want a conflict", err)
	}
}
