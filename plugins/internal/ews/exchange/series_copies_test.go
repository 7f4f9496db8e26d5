package exchange

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// newWorldWithCopies is newWorld with a server that delivers what it sends.
func newWorldWithCopies(t *testing.T, as identity) *world {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{CopyToAttendees: true})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, sim, as)
}

// held is when a mailbox has something, and where. Rooms have titles of their own.
func (w *world) held(t *testing.T, who string) string {
	t.Helper()
	o := w.sim.Outlook(who)
	var out []string
	for _, i := range o.Items() {
		if i.Recurrence == nil {
			out = append(out, heldAt(i))
			continue
		}
		list, err := o.Occurrences(i.ID, utc("2026-09-01 00:00"), utc("2027-03-01 00:00"))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			out = append(out, heldAt(x.Appointment))
		}
	}
	return strings.Join(out, "; ")
}

func heldAt(i exchangesim.Appointment) string {
	return i.Start.UTC().Format("01-02T15:04 ") + i.Location
}

// checkCopies checks that all who are invited to a series have what its organizer has.
func (w *world) checkCopies(t *testing.T, when string, e calendar.Event) {
	t.Helper()
	want := w.held(t, "alice@example.com")
	for _, a := range e.Attendees {
		if got := w.held(t, a.Email); got != want {
			t.Errorf("%s: %s\n has %s\nwant %s", when, a.Email, got, want)
		}
	}
}

// guests has a series and its exceptions with other guests.
func guests(e calendar.Event, list []calendar.Attendee) calendar.Event {
	e.Attendees, e.Exceptions = list, slices.Clone(e.Exceptions)
	for i, x := range e.Exceptions {
		if x.Event != nil {
			own := *x.Event
			own.Attendees = list
			e.Exceptions[i].Event = &own
		}
	}
	return e
}

// An update of a series replaces the copies of guests and rooms, and has no exception where the rule or the time changes: what was called
// off and moved before is told again, or they come to what is off, and the room is taken at the wrong time.
func TestGuestsAndRoomsKeepExceptionsWithAnotherRule(t *testing.T) {
	t.Parallel()
	change := map[string]func(*calendar.Event){
		"longer":      func(e *calendar.Event) { e.Recurrence = "FREQ=WEEKLY;BYDAY=TU;COUNT=9" },
		"another day": func(e *calendar.Event) { e.Recurrence = "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=9" },
		"half an hour later": func(e *calendar.Event) {
			e.Start, e.End = e.Start.Add(time.Hour/2), e.End.Add(time.Hour/2)
		},
	}
	for name, write := range change {
		for _, mail := range []calendar.Mail{calendar.MailAll, calendar.MailConcerned, calendar.MailNobody} {
			w := newWorldWithCopies(t, service)
			item := w.meet(t, excepted(t, tuesdays()))
			w.checkCopies(t, name+", before", tuesdays())
			before, sent := w.held(t, "bob@example.com"), len(w.sim.Mails())
			want := tuesdays()
			write(&want)
			want = excepted(t, want)
			item = w.mustUpdate(t, item, want, calendar.FieldTime|calendar.FieldRecurrence, mail)
			if d := differs(item.Event, want); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if mail == calendar.MailNobody {
				if got := w.held(t, "bob@example.com"); got != before || len(w.sim.Mails()) > sent {
					t.Errorf("%s, silently: bob has %s, mails %s", name, got, told(w.sim.Mails()[sent:]))
				}
				continue
			}
			w.checkCopies(t, name, want)
			if got := told(w.sim.Mails()[sent:]); got != "update, cancellation 2026-10-27, update 2026-10-13" {
				t.Errorf("%s, mail %d: mails %q", name, mail, got)
			}
		}
	}
}

// Who is not invited to one occurrence has it back with an update of the series, and hears that it is not his.
func TestWhoIsNotInvitedToOneOccurrenceStaysSoWithAnotherRule(t *testing.T) {
	t.Parallel()
	for _, mail := range []calendar.Mail{calendar.MailAll, calendar.MailConcerned} {
		w := newWorldWithCopies(t, service)
		without := func(e calendar.Event) calendar.Event {
			e.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-10-20", func(x *calendar.Event) {
				x.Attendees = slices.Delete(slices.Clone(x.Attendees), 1, 2)
			})}
			return e
		}
		item := w.meet(t, without(tuesdays()))
		want := tuesdays()
		want.Recurrence = "FREQ=WEEKLY;BYDAY=TU;COUNT=9"
		want = without(want)
		w.mustUpdate(t, item, want, calendar.FieldTime|calendar.FieldRecurrence, mail)
		if got := w.held(t, "carol@example.com"); strings.Contains(got, "10-20") || !strings.Contains(got, "12-01") {
			t.Errorf("mail %d: carol has %s, mails %s", mail, got, mailsTo(w.sim.Mails()))
		}
		if got := w.held(t, "bob@example.com"); !strings.Contains(got, "10-20") {
			t.Errorf("mail %d: bob has %s, mails %s", mail, got, mailsTo(w.sim.Mails()))
		}
	}
}
