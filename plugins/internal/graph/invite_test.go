package graph

import (
	"slices"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// inRoomA is a daily series of Alice's in a room that is taken on the second day, which is therefore left out.
func inRoomA(t *testing.T, w *world) (calendar.Event, series.Series) {
	t.Helper()
	_, err := w.sim.Outlook("room-a@example.com").Create(exchangesim.Appointment{Subject: "Cleaning", Start: soon(11, "09:00"), End: soon(11, "10:00")})
	if err != nil {
		t.Fatal(err)
	}
	e := calendar.Event{
		Subject: "Budget", Start: soon(10, "09:00"), End: soon(10, "10:00"), Busy: calendar.Occupied, Recurrence: "FREQ=DAILY;COUNT=5",
		Attendees: []calendar.Attendee{
			{Address: calendar.Address{Email: "bob@example.com"}}, {Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
		},
	}
	s, err := series.Of(e)
	if err != nil {
		t.Fatal(err)
	}
	e.Exceptions = []calendar.OccurrenceException{{Occurrence: soon(11, "09:00")}}
	return e, s
}

// A room with the policy of Exchange's defaults declines a whole series for one conflict, so it is not asked about what is left out.
func TestARoomIsInvitedToWhatIsLeftOfASeries(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"at once":               nil,
		"after the item":        func(f *exchangesim.Faults) { f.DropAfter("GraphCreateEvent", 1) },
		"before the deletion":   func(f *exchangesim.Faults) { f.DropBefore("GraphDeleteEvent", 1) },
		"after the deletion":    func(f *exchangesim.Faults) { f.DropAfter("GraphDeleteEvent", 1) },
		"before the invitation": func(f *exchangesim.Faults) { f.DropBefore("GraphUpdateEvent", 1) },
		"after the invitation":  func(f *exchangesim.Faults) { f.DropAfter("GraphUpdateEvent", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			e, _ := inRoomA(t, w)
			m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll}
			if trouble != nil {
				trouble(w.sim.Faults())
				if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
					t.Fatalf("the first try: %v", err)
				}
			}
			r, err := w.Apply(t.Context(), m)
			if err != nil || series.Changing(r.Item.Event, e, calendar.AllFields) != 0 || r.Item.ForeignKey != "4711" {
				t.Errorf("%+v, %v", r.Item, err)
			}
			if mails := w.sim.Mails(); len(mails) != 1 || mails[0].Kind != "request" || !mails[0].Occurrence.IsZero() {
				t.Errorf("mails %+v", mails)
			}
			if got := w.tracked(t); got != "Accept" {
				t.Errorf("the room's answer: %q", got)
			}
			if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
				t.Errorf("there are %d items", n)
			}
		})
	}
}

// Guests of single occurrences get theirs when the series is there.
func TestAnotherRoomInOneOccurrenceOfANewSeries(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e, s := inRoomA(t, w)
	for n, d := range s.Days() {
		x := s.Plain(d)
		switch n {
		case 3:
			x.Subject = "Elsewhere"
			x.Attendees = []calendar.Attendee{e.Attendees[0], {Address: calendar.Address{Email: "room-b@example.com"}, Role: calendar.Resource}}
		case 4:
			x.Subject = "Finale"
		default:
			continue
		}
		e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(d), Event: &x})
	}
	r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll})
	if err != nil || series.Changing(r.Item.Event, e, calendar.AllFields) != 0 {
		t.Fatalf("%+v, %v", r.Item.Event, err)
	}
	got, err := w.Fetch(t.Context(), w.alice, []calendar.Ref{r.Item.Ref})
	if err != nil || got[0].Err != nil || series.Changing(got[0].Item.Event, e, calendar.AllFields) != 0 {
		t.Errorf("what is read: %+v, %v", got, err)
	}
	mails := w.sim.Mails()
	if mails[0].Kind != "request" || !mails[0].Occurrence.IsZero() || len(mails[0].To) != 2 {
		t.Errorf("the first mail: %+v", mails[0])
	}
	for _, m := range mails[1:] {
		if !m.Occurrence.Equal(soon(12, "09:00")) || m.Kind == "cancellation" && !slices.Equal(m.To, []string{"room-a@example.com"}) {
			t.Errorf("a mail too many: %+v", m)
		}
	}
}

// Whoever took the guests off an item that had been sent did so on purpose: a create whose answer was lost does not invite them again.
func TestGuestsThatWereTakenOffStayOff(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e, _ := inRoomA(t, w)
	m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll}
	if _, err := w.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	o := w.sim.Outlook(w.alice.Address)
	if err := o.Update(o.Items()[0].ID, func(a *exchangesim.Appointment) { a.Required, a.Resources = nil, nil }); err != nil {
		t.Fatal(err)
	}
	sent := len(w.sim.Mails())
	again, err := w.Apply(t.Context(), m)
	if err != nil || !again.Repeated || len(again.Item.Event.Attendees) != 0 || len(w.sim.Mails()) != sent {
		t.Errorf("%+v, %v, mails %+v", again, err, w.sim.Mails()[sent:])
	}
}

// Graph takes the list of those invited as a whole, so that whoever is invited by hand before the invitation goes out would be thrown out by
// it, with mail.
func TestAnInvitationThrowsNobodyOutWhoWasInvitedBeforeIt(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"GraphDeleteEvent", "GraphUpdateEvent", "GraphInstances"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			e, _ := inRoomA(t, w)
			arrived, release := w.sim.Faults().PauseBefore(before)
			done := make(chan error)
			go func() {
				_, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll})
				done <- err
			}()
			<-arrived
			o := w.sim.Outlook(w.alice.Address)
			if err := o.Update(o.Items()[0].ID, func(a *exchangesim.Appointment) { a.Required = []exchangesim.Attendee{{Address: "carol@example.com"}} }); err != nil {
				t.Error(err)
			}
			release()
			if err := <-done; fault.Of(err) != fault.Conflict {
				t.Errorf("%v, want Conflict", err)
			}
			if got := o.Items()[0].Required; len(got) != 1 || got[0].Address != "carol@example.com" {
				t.Errorf("invited are %v", got)
			}
		})
	}
}
