package graph

import (
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A series that began years ago and does not end is read and written all the same: Graph looks at no more than 1,825 days at
// a time.
func TestASeriesThatBeganLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, years := range map[string]int{"a year": 1, "four years": 4, "fifteen years": 15} {
		long := desk()
		long.Zone = ""
		long.Start = long.Start.AddDate(-years, 0, 0)
		long.End = long.Start.Add(time.Hour)
		long.Recurrence = "FREQ=DAILY"
		for _, at := range []time.Time{long.Start.AddDate(0, 0, 1), soon(0, "08:00"), soon(370, "08:00")} {
			s, err := series.Of(long)
			if err != nil {
				t.Fatal(err)
			}
			moved := s.Plain(at.Truncate(day))
			moved.Start, moved.End = moved.Start.Add(time.Hour), moved.End.Add(time.Hour)
			long.Exceptions = append(long.Exceptions, calendar.OccurrenceException{Occurrence: at, Event: &moved})
		}
		item := w.create(t, name, long)
		if series.Changing(item.Event, long, calendar.AllFields) != 0 || item.Omits.Has(calendar.FieldRecurrence) {
			t.Errorf("%s: made %q with %d exceptions", name, item.Event.Recurrence, len(item.Event.Exceptions))
		}
	}
	changes, pages := w.pull(t, "")
	if len(latestOf(changes)) != 3 || !pages[len(pages)-1].Last {
		t.Errorf("%d items in %d pages", len(latestOf(changes)), len(pages))
	}
}

// invitedTo is a series with a guest.
func invitedTo(t *testing.T) (calendar.Event, series.Series) {
	t.Helper()
	e := desk()
	e.Zone, e.Start = "Europe/Berlin", soon(7, "09:00")
	e.End, e.Recurrence = e.Start.Add(time.Hour), "FREQ=DAILY;INTERVAL=2;COUNT=6"
	e.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "bob@example.com"}}}
	s, err := series.Of(e)
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

// changed has the second occurrence moved and the third left out.
func changed(e calendar.Event, s series.Series) calendar.Event {
	for n, d := range s.Days() {
		switch n {
		case 2:
			moved := s.Plain(d)
			moved.Start, moved.End = moved.Start.Add(2*time.Hour), moved.End.Add(2*time.Hour)
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(d), Event: &moved})
		case 3:
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(d)})
		}
	}
	return e
}

// aboutOccurrences reports whether all mails are about single occurrences.
func aboutOccurrences(mails []exchangesim.Mail) bool {
	return !slices.ContainsFunc(mails, func(m exchangesim.Mail) bool { return m.Occurrence.IsZero() })
}

func TestAnOccurrencesChangeMailsForThatOccurrenceAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, s := invitedTo(t)
	r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: e, Mail: calendar.MailAll})
	if err != nil {
		t.Fatal(err)
	}
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: r.Item.Ref, Event: changed(e, s), Fields: calendar.FieldRecurrence, Mail: calendar.MailAll,
	}
	sent := len(w.sim.Mails())
	if r, err = w.Apply(t.Context(), m); err != nil || series.Changing(r.Item.Event, m.Event, calendar.AllFields) != 0 {
		t.Fatalf("%+v, %v", r.Item.Event, err)
	}
	if mails := w.sim.Mails()[sent:]; len(mails) != 2 || !aboutOccurrences(mails) {
		t.Errorf("mails %+v", mails)
	}
	sent = len(w.sim.Mails())
	if _, err := w.Apply(t.Context(), m); err != nil || len(w.sim.Mails()) != sent {
		t.Errorf("said again: %v, mails %+v", err, w.sim.Mails()[sent:])
	}
}

// What was left out comes back with another rule or other times by themselves. Guests hear of it once.
func TestWhatWasLeftOutComesBackWithAnotherRuleInOneMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*calendar.Event)
		mails  int
	}{
		"another rule":     {func(e *calendar.Event) { e.Recurrence = "FREQ=DAILY;INTERVAL=2;COUNT=5" }, 1},
		"another time":     {func(e *calendar.Event) { e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour) }, 1},
		"nothing but that": {func(*calendar.Event) {}, 2}, // the rule has to be taken away before
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			to, s := invitedTo(t)
			from := to
			from.Exceptions = []calendar.OccurrenceException{{Occurrence: s.On(s.Day(s.Start))}}
			r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: from, Mail: calendar.MailAll})
			if err != nil {
				t.Fatal(err)
			}
			c.change(&to)
			sent := len(w.sim.Mails())
			r, err = w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: r.Item.Ref, Event: to,
				Fields: calendar.FieldTime | calendar.FieldRecurrence, Mail: calendar.MailAll,
			})
			if err != nil || series.Changing(r.Item.Event, to, calendar.AllFields) != 0 {
				t.Fatalf("%+v, %v", r.Item.Event, err)
			}
			if mails := w.sim.Mails()[sent:]; len(mails) != c.mails {
				t.Errorf("mails %+v, want %d", mails, c.mails)
			}
		})
	}
}

func TestASeriesThatWasCutOffIsCompleted(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"before the occurrence": func(f *exchangesim.Faults) { f.DropBefore("GraphUpdateEvent", 1) },
		"after the occurrence":  func(f *exchangesim.Faults) { f.DropAfter("GraphUpdateEvent", 1) },
		"before the deletion":   func(f *exchangesim.Faults) { f.DropBefore("GraphDeleteEvent", 1) },
		"after the deletion":    func(f *exchangesim.Faults) { f.DropAfter("GraphDeleteEvent", 1) },
		"after the item":        func(f *exchangesim.Faults) { f.DropAfter("GraphCreateEvent", 1) },
		"before the batch":      func(f *exchangesim.Faults) { f.DropBefore("GraphBatch", 1) },
		"after the batch":       func(f *exchangesim.Faults) { f.DropAfter("GraphBatch", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			e, s := invitedTo(t)
			m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: changed(e, s), Mail: calendar.MailAll}
			trouble(w.sim.Faults())
			if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
				t.Fatalf("the first try: %v", err)
			}
			r, err := w.Apply(t.Context(), m)
			if err != nil || series.Changing(r.Item.Event, m.Event, calendar.AllFields) != 0 {
				t.Errorf("the second: %+v, %v", r.Item.Event, err)
			}
			// There is one invitation, and it has all of it.
			if mails := w.sim.Mails(); len(mails) != 1 || mails[0].Kind != "request" || !mails[0].Occurrence.IsZero() {
				t.Errorf("mails %+v", mails)
			}
			if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
				t.Errorf("there are %d items", n)
			}
		})
	}
}

// Occurrences that move out of each other's way are written in the order in which that is possible.
func TestOccurrencesMakeRoomForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, s := invitedTo(t)
	e.Attendees = nil
	for n, d := range s.Days() {
		if n == 2 || n == 3 {
			moved := s.Plain(d)
			moved.Attendees = nil
			moved.Start, moved.End = moved.Start.Add(49*time.Hour), moved.End.Add(49*time.Hour)
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(d), Event: &moved})
		}
		if n == 4 {
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(d)})
		}
	}
	if item := w.create(t, "bk-1", e); series.Changing(item.Event, e, calendar.AllFields) != 0 {
		t.Errorf("made %+v, want %+v", item.Event, e)
	}
}
