package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// tuesdays is a series of six weeks at nine in Berlin, across the change of the clock, with guests.
func tuesdays() calendar.Event {
	e := desk()
	e.Start, e.End = utc("2026-10-06 07:00"), utc("2026-10-06 08:30")
	e.Recurrence = "FREQ=WEEKLY;BYDAY=TU;COUNT=6"
	return e
}

// on is the occurrence of a series on a day, with its time by the rule, changed by change; nil leaves it out.
func on(t *testing.T, e calendar.Event, date string, change func(*calendar.Event)) calendar.OccurrenceException {
	t.Helper()
	s, err := series.Of(e)
	if err != nil {
		t.Fatal(err)
	}
	x := calendar.OccurrenceException{Occurrence: s.On(day(date))}
	if change != nil {
		made := s.Plain(day(date))
		change(&made)
		x.Event = &made
	}
	return x
}

func moved(d time.Duration) func(*calendar.Event) {
	return func(e *calendar.Event) { e.Start, e.End = e.Start.Add(d), e.End.Add(d) }
}

// excepted has the second occurrence moved and retitled, and the fourth left out.
func excepted(t *testing.T, e calendar.Event) calendar.Event {
	t.Helper()
	e.Exceptions = []calendar.OccurrenceException{
		on(t, e, "2026-10-13", func(x *calendar.Event) { moved(26 * time.Hour)(x); x.Subject = "Moved" }),
		on(t, e, "2026-10-27", nil),
	}
	return e
}

// differs tells in what an event is not as it should be.
func differs(got, want calendar.Event) string {
	f := series.Changing(got, want, calendar.AllFields)
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("differs in %v: %q, %d exceptions, %s; want %q, %d exceptions, %s", f, got.Recurrence, len(got.Exceptions), got.Start,
		want.Recurrence, len(want.Exceptions), want.Start)
}

func (w *world) update(t *testing.T, item backend.Item, e calendar.Event, fields calendar.Fields, mail calendar.Mail) (backend.Item, error) {
	t.Helper()
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: item.Key, Ref: item.Ref, Event: e, Fields: fields, Mail: mail,
	})
	return r.Item, err
}

func (w *world) mustUpdate(t *testing.T, item backend.Item, e calendar.Event, fields calendar.Fields, mail calendar.Mail) backend.Item {
	t.Helper()
	got, err := w.update(t, item, e, fields, mail)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// meet makes a meeting of which its guests are told.
func (w *world) meet(t *testing.T, e calendar.Event) backend.Item {
	t.Helper()
	r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: e, Mail: calendar.MailAll})
	if err != nil {
		t.Fatal(err)
	}
	return r.Item
}

// counted returns how many requests of EWS something took, by operation.
func (w *world) counted(do func()) map[string]int {
	ops := []string{"GetItem", "UpdateItem", "DeleteItem", "CreateItem", "FindItem", "SyncFolderItems"}
	before := map[string]int{}
	for _, op := range ops {
		before[op] = w.sim.Count(op)
	}
	do()
	out := map[string]int{}
	for _, op := range ops {
		if n := w.sim.Count(op) - before[op]; n > 0 {
			out[op] = n
		}
	}
	return out
}

func TestASeriesIsReadBackAsItWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	allDay := tuesdays()
	allDay.AllDay, allDay.Start, allDay.End = true, day("2026-10-06"), day("2026-10-08")
	allDay.Exceptions = []calendar.OccurrenceException{
		on(t, allDay, "2026-10-20", func(e *calendar.Event) { e.Start, e.End = day("2026-10-22"), day("2026-10-23") }), on(t, allDay, "2026-10-27", nil),
	}
	timed := allDay // whose occurrence is at a time of day
	timed.Exceptions = []calendar.OccurrenceException{on(t, allDay, "2026-10-27", func(e *calendar.Event) {
		e.AllDay, e.Start, e.End = false, utc("2026-10-27 09:00"), utc("2026-10-27 10:00")
	})}
	rule := func(start, rule string) calendar.Event {
		e := desk()
		e.Start = utc(start)
		e.End, e.Recurrence = e.Start.Add(time.Hour), rule
		return e
	}
	for name, e := range map[string]calendar.Event{
		"plain": tuesdays(), "exceptions": excepted(t, tuesdays()), "all day": allDay, "a timed occurrence of whole days": timed,
		"endless":              rule("2026-10-06 07:00", "FREQ=DAILY;INTERVAL=2"),
		"by date":              rule("2026-10-06 07:00", "FREQ=DAILY;UNTIL=20261231T080000Z"),
		"several days":         rule("2026-10-06 07:00", "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,FR,SU;WKST=SU;COUNT=9"),
		"the 30th or the last": rule("2026-10-30 08:00", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1;COUNT=9"),
		"the last workday":     rule("2026-10-30 08:00", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
		"the last weekend day": rule("2026-10-31 08:00", "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1"),
		"the last day":         rule("2026-10-31 08:00", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"),
		"yearly":               rule("2026-10-31 08:00", "FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=31;COUNT=3"),
		"yearly, relative":     rule("2026-10-13 07:00", "FREQ=YEARLY;BYMONTH=10;BYDAY=2TU"),
		"every other year":     rule("2026-10-13 07:00", "FREQ=MONTHLY;INTERVAL=24;BYMONTHDAY=13"),
	} {
		item := w.create(t, "bk-"+name, e)
		if d := differs(item.Event, e); d != "" || item.Kind != calendar.Master || item.Omits != 0 {
			t.Errorf("%s: the answer %s (kind %d, omits %v)", name, d, item.Kind, item.Omits)
		}
		got, err := w.fetch(t, item.Ref)
		if d := differs(got.Event, e); err != nil || d != "" {
			t.Errorf("%s: what is read %s, %v", name, d, err)
		}
		if got.Event.Recurrence != e.Recurrence {
			t.Errorf("%s: the rule is %q, want %q", name, got.Event.Recurrence, e.Recurrence)
		}
		again, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-" + name, Event: e})
		if err != nil || !again.Repeated || again.Item.Revision != got.Revision {
			t.Errorf("%s: created again: %+v, %v", name, again, err)
		}
	}
	if n := len(w.sim.Mails()); n != 0 {
		t.Errorf("%d mails were sent: %+v", n, w.sim.Mails()[0])
	}
}

// What a series costs: without exceptions nothing, else one request for ten of them.
func TestWhatReadingASeriesCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	plain := w.create(t, "bk-plain", tuesdays())
	e := tuesdays()
	e.Recurrence = "FREQ=DAILY;COUNT=100"
	for i := range 12 {
		e.Exceptions = append(e.Exceptions, on(t, e, utc("2026-10-08 00:00").AddDate(0, 0, i).Format(time.DateOnly), moved(time.Hour)))
	}
	var full backend.Item
	if got := w.counted(func() { full = w.create(t, "bk-full", e) }); got["UpdateItem"] != 2 {
		t.Errorf("creating twelve exceptions took %v", got)
	}
	for _, tc := range []struct {
		refs []backend.Ref
		want int
	}{{[]backend.Ref{plain.Ref}, 1}, {[]backend.Ref{full.Ref}, 3}, {[]backend.Ref{plain.Ref, full.Ref, plain.Ref}, 3}} {
		if got := w.counted(func() {
			if _, err := w.Fetch(t.Context(), w.alice, tc.refs); err != nil {
				t.Fatal(err)
			}
		}); got["GetItem"] != tc.want {
			t.Errorf("reading %d series took %v, want %d", len(tc.refs), got, tc.want)
		}
	}
}

func TestWhatAPersonMakesOfASeriesIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	o := w.sim.Outlook("alice@example.com")
	item := w.create(t, "bk-1", excepted(t, tuesdays()))
	id := string(item.Ref)
	if err := o.UpdateOccurrence(id, utc("2026-11-03 08:00"), func(a *exchangesim.Appointment) { a.Location = "elsewhere"; a.End = a.End.Add(time.Hour) }); err != nil {
		t.Fatal(err)
	}
	if err := o.DeleteOccurrence(id, utc("2026-10-20 07:00")); err != nil {
		t.Fatal(err)
	}
	want := excepted(t, tuesdays())
	want.Exceptions = append(want.Exceptions, on(t, want, "2026-10-20", nil),
		on(t, want, "2026-11-03", func(e *calendar.Event) { e.Location = "elsewhere"; e.End = e.End.Add(time.Hour) }))
	changes, _ := w.pull(t, "")
	if len(changes) != 1 || changes[0].Item == nil {
		t.Fatalf("a pull tells %+v", changes)
	}
	got := *changes[0].Item
	if d := differs(got.Event, want); d != "" {
		t.Errorf("it %s", d)
	}
	if !slices.IsSortedFunc(got.Event.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) }) {
		t.Errorf("the exceptions are not in order: %+v", got.Event.Exceptions)
	}
	// Put back where the rule has it, it is no exception any more.
	if err := o.UpdateOccurrence(id, utc("2026-11-03 08:00"), func(a *exchangesim.Appointment) { a.Location = "Building 4"; a.End = a.End.Add(-time.Hour) }); err != nil {
		t.Fatal(err)
	}
	if got, err := w.fetch(t, item.Ref); err != nil || len(got.Event.Exceptions) != 3 {
		t.Errorf("exceptions %+v, %v; want 3", got.Event.Exceptions, err)
	}
	// What no RRULE says leaves the item without a rule.
	if err := o.Update(id, func(a *exchangesim.Appointment) {
		a.Recurrence = &exchangesim.Recurrence{Pattern: "RelativeMonthly", Interval: 1, Days: []string{"Tuesday"}, Index: "First"}
		a.Start, a.End = a.Start.AddDate(0, 0, 1), a.End.AddDate(0, 0, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.fetch(t, item.Ref); err != nil || got.Event.Recurrence != "FREQ=MONTHLY;BYDAY=1TU" || !got.Event.Start.Equal(utc("2026-11-03 08:00")) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every kind of change, on top of the last, said once and then again: the second time nothing is written and nobody is told.
func TestASeriesIsChanged(t *testing.T) {
	t.Parallel()
	for _, as := range []identity{service, bob} {
		w := newWorldWithCopies(t, as)
		w.sim.SetDelegates("alice@example.com", "bob@example.com")
		item := w.meet(t, tuesdays())
		now := tuesdays()
		const both = calendar.FieldTime | calendar.FieldRecurrence
		for _, step := range []struct {
			name   string
			fields calendar.Fields
			change func(*calendar.Event)
			mails  string // by kind and, of an occurrence, its date
		}{
			{"exceptions", calendar.FieldRecurrence, func(e *calendar.Event) { *e = excepted(t, *e) }, "cancellation 2026-10-27, update 2026-10-13"},
			{"the title", calendar.FieldSubject, func(e *calendar.Event) {
				e.Subject = "Another" // the moved one has a title of its own
			}, "update"},
			{"the place of all but one", calendar.FieldLocation | calendar.FieldRecurrence, func(e *calendar.Event) {
				e.Location = "Building 5"
				e.Exceptions = slices.Clone(e.Exceptions)
				x := *e.Exceptions[0].Event // stays in Building 4
				e.Exceptions[0].Event = &x
			}, "update, update 2026-10-13"},
			{"one comes back", calendar.FieldRecurrence, func(e *calendar.Event) { e.Exceptions = e.Exceptions[:1] }, "update, update 2026-10-13"}, // the update has no exception
			{"back to the rule", calendar.FieldRecurrence, func(e *calendar.Event) { e.Exceptions = nil }, "update 2026-10-13"},
			{"longer", calendar.FieldRecurrence, func(e *calendar.Event) {
				e.Recurrence = "FREQ=WEEKLY;BYDAY=TU;COUNT=8"
				*e = excepted(t, *e)
			}, "update, cancellation 2026-10-27, update 2026-10-13"},
			{"an hour later", both, func(e *calendar.Event) {
				e.Start, e.End, e.Exceptions = e.Start.Add(time.Hour), e.End.Add(time.Hour), nil
				*e = excepted(t, *e)
				x := on(t, *e, "2026-11-10", func(x *calendar.Event) { x.Location = "Elsewhere" })
				e.Exceptions = append(e.Exceptions, x)
			}, "update, cancellation 2026-10-27, update 2026-10-13, update 2026-11-10"}, // what was left out before, too
			{"without one guest", calendar.FieldAttendees, func(e *calendar.Event) {
				*e = guests(*e, slices.Delete(slices.Clone(e.Attendees), 1, 2))
			}, "cancellation, update"},
			{"with her again", calendar.FieldAttendees | calendar.FieldRecurrence, func(e *calendar.Event) {
				*e = guests(*e, desk().Attendees)
			}, "update"},
			{"another day and time", both, func(e *calendar.Event) {
				e.Start, e.End, e.Recurrence, e.Exceptions = utc("2026-10-08 12:00"), utc("2026-10-08 13:00"), "FREQ=WEEKLY;BYDAY=TH;COUNT=6", nil
				e.Exceptions = []calendar.OccurrenceException{on(t, *e, "2026-10-15", moved(time.Hour))}
			}, "update, update 2026-10-15"},
			{"whole days", both, func(e *calendar.Event) {
				e.AllDay, e.Start, e.End, e.Exceptions = true, day("2026-10-08"), day("2026-10-09"), nil
				e.Exceptions = []calendar.OccurrenceException{on(t, *e, "2026-10-29", nil)}
			}, "update, cancellation 2026-10-28"}, // in UTC
			{"a single item", both, func(e *calendar.Event) {
				e.AllDay, e.Start, e.End = false, utc("2026-10-08 12:00"), utc("2026-10-08 13:00")
				e.Recurrence, e.Exceptions = "", nil
			}, "update"},
			{"a series again", calendar.FieldRecurrence, func(e *calendar.Event) {
				e.Recurrence = "FREQ=MONTHLY;BYDAY=2TH;COUNT=4"
				e.Exceptions = []calendar.OccurrenceException{on(t, *e, "2026-12-10", func(x *calendar.Event) { x.Subject = "Christmas" })}
			}, "update, update 2026-12-10"},
		} {
			step.change(&now)
			sent := len(w.sim.Mails())
			item = w.mustUpdate(t, item, now, step.fields, calendar.MailAll)
			if d := differs(item.Event, now); d != "" {
				t.Errorf("%s: the answer %s", step.name, d)
			}
			if got, err := w.fetch(t, item.Ref); err != nil || differs(got.Event, now) != "" || item.Ref != got.Ref {
				t.Errorf("%s: what is read %s, %v", step.name, differs(got.Event, now), err)
			}
			if got := told(w.sim.Mails()[sent:]); got != step.mails {
				t.Errorf("%s: mails %q, want %q", step.name, got, step.mails)
			}
			w.checkCopies(t, step.name, now)
			sent = len(w.sim.Mails())
			wrote := w.counted(func() { w.mustUpdate(t, item, now, step.fields, calendar.MailAll) })
			if wrote["UpdateItem"]+wrote["DeleteItem"] > 0 || len(w.sim.Mails()) != sent {
				t.Errorf("%s, said again: %v, mails %s", step.name, wrote, told(w.sim.Mails()[sent:]))
			}
		}
		if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
			t.Errorf("there are %d items", n)
		}
	}
}

// told lists mails by what they are about.
func told(mails []exchangesim.Mail) string {
	var out []string
	for _, m := range mails {
		text := m.Kind
		if !m.Occurrence.IsZero() {
			text += " " + m.Occurrence.Format(time.DateOnly)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestNobodyIsToldOfARepairOfASeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", excepted(t, tuesdays()))
	e := tuesdays()
	e.Recurrence = "FREQ=WEEKLY;BYDAY=TU,FR;COUNT=12"
	e.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-10-16", moved(time.Hour)), on(t, e, "2026-10-20", nil)}
	item = w.mustUpdate(t, item, e, calendar.AllFields, calendar.MailNobody)
	item = w.mustUpdate(t, item, excepted(t, tuesdays()), calendar.AllFields, calendar.MailNobody)
	if d := differs(item.Event, excepted(t, tuesdays())); d != "" {
		t.Error(d)
	}
	if got := told(w.sim.Mails()); got != "" {
		t.Errorf("mails: %s", got)
	}
}

// Occurrences that move out of each other's way are written in the order in which that is possible.
func TestOccurrencesMakeRoomForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	e := tuesdays()
	for i, date := range []string{"2026-10-13", "2026-10-20", "2026-10-27"} {
		e.Exceptions = append(e.Exceptions, on(t, e, date, moved(time.Duration(6+i)*24*time.Hour+2*time.Hour)))
	}
	e.Exceptions = append(e.Exceptions, on(t, e, "2026-11-03", nil))
	item := w.create(t, "bk-1", e)
	if d := differs(item.Event, e); d != "" {
		t.Error(d)
	}
}

func TestSeriesThatExchangeCannotKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	with := func(rule string, exceptions ...calendar.OccurrenceException) calendar.Event {
		e := tuesdays()
		e.Recurrence, e.Exceptions = rule, exceptions
		return e
	}
	for name, tc := range map[string]struct {
		e    calendar.Event
		want fault.Kind
		says string
	}{
		"a rule of its own":     {with("FREQ=HOURLY"), fault.Unsupported, "FREQ=HOURLY"},
		"a start off its days":  {with("FREQ=WEEKLY;BYDAY=WE"), fault.Unsupported, "its start is not one of its days"},
		"no such day":           {with("FREQ=DAILY;COUNT=2", on(t, with("FREQ=DAILY;COUNT=3"), "2026-10-08", nil)), fault.Invalid, "none of its days"},
		"beyond the next":       {with("FREQ=DAILY", on(t, with("FREQ=DAILY"), "2026-10-08", moved(24*time.Hour))), fault.Invalid, "2026-10-09"},
		"exceptions of no rule": {with("", on(t, with("FREQ=DAILY"), "2026-10-08", nil)), fault.Invalid, "without a rule"},
	} {
		_, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-" + name, Event: tc.e})
		if fault.Of(err) != tc.want || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if n := len(w.sim.Outlook("alice@example.com").Items()); n != 0 {
		t.Errorf("%d items were made", n)
	}
	// An occurrence that would lie in the next is refused by the server alone; the series stays as it is, and the reason is told.
	item := w.create(t, "bk-1", tuesdays())
	e := tuesdays()
	e.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-10-13", func(x *calendar.Event) { x.End = x.End.AddDate(0, 0, 7) })}
	_, err := w.update(t, item, e, calendar.FieldRecurrence, calendar.MailNobody)
	if fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), "alice@example.com") || !strings.Contains(err.Error(), "before or after it") {
		t.Errorf("into the next: %v", err)
	}
}
