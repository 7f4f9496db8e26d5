package exchange

import (
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A write that was cut off anywhere leads to the same item when it is made again: nothing is made twice, and there is one invitation,
// which has all of it.
func TestASeriesIsCompletedAfterACrash(t *testing.T) {
	t.Parallel()
	want := excepted(t, tuesdays())
	want.Exceptions = append(want.Exceptions, on(t, want, "2026-11-03", func(e *calendar.Event) { e.Subject = "Last but one" }))
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"before the item":            func(f *exchangesim.Faults) { f.DropBefore("CreateItem", 1) },
		"after the item":             func(f *exchangesim.Faults) { f.DropAfter("CreateItem", 1) },
		"before the deletion":        func(f *exchangesim.Faults) { f.DropBefore("DeleteItem", 1) },
		"after the deletion":         func(f *exchangesim.Faults) { f.DropAfter("DeleteItem", 1) },
		"before the occurrences":     func(f *exchangesim.Faults) { f.DropBefore("UpdateItem", 1) },
		"after the occurrences":      func(f *exchangesim.Faults) { f.DropAfter("UpdateItem", 1) },
		"the item cannot be read":    func(f *exchangesim.Faults) { f.Error("GetItem", "ErrorInternalServerError", 1) },
		"busy before the deletion":   func(f *exchangesim.Faults) { f.Error("DeleteItem", "ErrorServerBusy", 1) },
		"busy before the occurrence": func(f *exchangesim.Faults) { f.Error("UpdateItem", "ErrorServerBusy", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, service)
			m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: want, Mail: calendar.MailAll}
			trouble(w.sim.Faults())
			if _, err := w.Apply(t.Context(), m); err == nil || fault.Of(err) == fault.NotFound {
				t.Fatalf("the first try: %v", err)
			}
			r, err := w.Apply(t.Context(), m)
			if d := differs(r.Item.Event, want); err != nil || d != "" {
				t.Errorf("the second try: %v, %s", err, d)
			}
			if got := told(w.sim.Mails()); got != "request" {
				t.Errorf("mails %q", got)
			}
			if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
				t.Errorf("there are %d items", n)
			}
		})
	}
}

// What the rule costs a series is written again and told, once, wherever the first try was cut off: the update that went out with the rule
// had none of it.
func TestAChangeOfASeriesIsCompletedAfterACrash(t *testing.T) {
	t.Parallel()
	want := tuesdays()
	want.Recurrence = "FREQ=WEEKLY;BYDAY=TU;COUNT=9"
	want = excepted(t, want)
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"before the rule":      func(f *exchangesim.Faults) { f.DropBefore("UpdateItem", 1) },
		"after the rule":       func(f *exchangesim.Faults) { f.DropAfter("UpdateItem", 1) },
		"before the deletion":  func(f *exchangesim.Faults) { f.DropBefore("DeleteItem", 1) },
		"after the deletion":   func(f *exchangesim.Faults) { f.DropAfter("DeleteItem", 1) },
		"the item is not read": func(f *exchangesim.Faults) { f.Error("GetItem", "ErrorInternalServerError", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWithCopies(t, service)
			item := w.meet(t, excepted(t, tuesdays()))
			sent := len(w.sim.Mails())
			trouble(w.sim.Faults())
			if _, err := w.update(t, item, want, calendar.FieldRecurrence, calendar.MailAll); err == nil || fault.Of(err) == fault.NotFound {
				t.Fatalf("the first try: %v", err)
			}
			got := w.mustUpdate(t, item, want, calendar.FieldRecurrence, calendar.MailAll)
			if d := differs(got.Event, want); d != "" || got.Ref != item.Ref {
				t.Errorf("the second try: %s", d)
			}
			if got := told(w.sim.Mails()[sent:]); got != "update, cancellation 2026-10-27, update 2026-10-13" {
				t.Errorf("mails %q", got)
			}
			w.checkCopies(t, "the second try", want)
		})
	}
}

// Only the first write depends on what the series was: it is the backend itself that changes it then. A change by somebody else is
// seen before anything is written, also where only an occurrence is.
func TestASeriesThatWasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", tuesdays())
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: item.Ref, IfRevision: item.Revision, Event: excepted(t, tuesdays()),
		Fields: calendar.FieldRecurrence,
	}
	// Between the look at the series and the first write.
	m.Event.Exceptions = m.Event.Exceptions[:1]
	item, err := w.fetch(t, item.Ref)
	if err != nil {
		t.Fatal(err)
	}
	m.IfRevision = item.Revision
	arrived, release := w.sim.Faults().PauseBefore("UpdateItem")
	done := make(chan error, 1)
	go func() {
		_, err := w.Apply(t.Context(), m)
		done <- err
	}()
	<-arrived
	if err := w.sim.Outlook("alice@example.com").Update(string(item.Ref), func(a *exchangesim.Appointment) { a.Location = "mine" }); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; fault.Of(err) != fault.Conflict {
		t.Errorf("%v, want a conflict", err)
	}
	if got, err := w.fetch(t, item.Ref); err != nil || len(got.Event.Exceptions) != 0 || got.Event.Location != "mine" {
		t.Errorf("%+v, %v", got.Event, err)
	}
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Conflict {
		t.Errorf("with the revision of before: %v, want a conflict", err)
	}
}
