package exchange

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// inRoomA is a daily series of Alice's in a room that is taken on the second day, which is therefore left out.
func inRoomA(t *testing.T, w *world) calendar.Event {
	t.Helper()
	_, err := w.sim.Outlook("room-a@example.com").Create(exchangesim.Appointment{
		Subject: "Cleaning", Start: utc("2026-12-02 09:00"), End: utc("2026-12-02 10:00"),
	})
	if err != nil {
		t.Fatal(err)
	}
	e := calendar.Event{
		Subject: "Budget", Start: utc("2026-12-01 09:00"), End: utc("2026-12-01 10:00"), Busy: calendar.Occupied, Recurrence: "FREQ=DAILY;COUNT=5",
		Attendees: []calendar.Attendee{
			{Address: calendar.Address{Email: "bob@example.com"}}, {Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
		},
	}
	e.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-12-02", nil)}
	return e
}

// A room with the policy of Exchange's defaults declines a whole series for one conflict, so it is not asked about what is left out.
func TestARoomIsInvitedToWhatIsLeftOfASeries(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"at once":               nil,
		"after the item":        func(f *exchangesim.Faults) { f.DropAfter("CreateItem", 1) },
		"before the deletion":   func(f *exchangesim.Faults) { f.DropBefore("DeleteItem", 1) },
		"after the deletion":    func(f *exchangesim.Faults) { f.DropAfter("DeleteItem", 1) },
		"before the invitation": func(f *exchangesim.Faults) { f.DropBefore("UpdateItem", 1) },
		"after the invitation":  func(f *exchangesim.Faults) { f.DropAfter("UpdateItem", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			m := calendar.Mutation{
				Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: inRoomA(t, w), Mail: calendar.MailAll,
			}
			if trouble != nil {
				trouble(w.sim.Faults())
				if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
					t.Fatalf("the first try: %v", err)
				}
			}
			r, err := w.Apply(t.Context(), m)
			if d := differs(r.Item.Event, m.Event); err != nil || d != "" || r.Item.ForeignKey != "4711" {
				t.Errorf("%v, %s, %q", err, d, r.Item.ForeignKey)
			}
			if got := told(w.sim.Mails()); got != "request" {
				t.Errorf("mails %q", got)
			}
			if got := w.tracked(t); got != "Accept" {
				t.Errorf("the room's answer: %q", got)
			}
		})
	}
}

// Guests of single occurrences get theirs when the series is there.
func TestAnotherRoomInOneOccurrenceOfANewSeries(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e := inRoomA(t, w)
	e.Exceptions = append(e.Exceptions,
		on(t, e, "2026-12-03", func(x *calendar.Event) {
			x.Subject = "Elsewhere"
			x.Attendees = []calendar.Attendee{e.Attendees[0], {Address: calendar.Address{Email: "room-b@example.com"}, Role: calendar.Resource}}
		}),
		on(t, e, "2026-12-04", func(x *calendar.Event) { x.Subject = "Finale" }),
		on(t, e, "2026-12-05", func(x *calendar.Event) { x.Subject, x.Attendees = "Alone", nil }))
	item := w.meet(t, e)
	if d := differs(item.Event, e); d != "" {
		t.Error(d)
	}
	got, err := w.fetch(t, item.Ref)
	if d := differs(got.Event, e); err != nil || d != "" {
		t.Errorf("what is read: %s, %v", d, err)
	}
	var mails []string
	for _, one := range w.sim.Mails() {
		mails = append(mails, told([]exchangesim.Mail{one})+" to "+strings.Join(one.To, " "))
	}
	const want = "request to bob@example.com room-a@example.com; cancellation 2026-12-03 to room-a@example.com; request 2026-12-03 to room-b@example.com; " +
		"cancellation 2026-12-05 to bob@example.com room-a@example.com"
	if got := strings.Join(mails, "; "); got != want {
		t.Errorf("mails %s\nwant %s", got, want)
	}
}

// Whoever took the guests off an item that had been sent did so on purpose: a create whose answer was lost does not invite them again.
func TestGuestsThatWereTakenOffStayOff(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	m := calendar.Mutation{
		Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: inRoomA(t, w), Mail: calendar.MailAll,
	}
	r, err := w.Apply(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Outlook(w.alice.Address).Update(string(r.Item.Ref), func(a *exchangesim.Appointment) { a.Required, a.Resources = nil, nil }); err != nil {
		t.Fatal(err)
	}
	sent := len(w.sim.Mails())
	var again backend.Result
	if again, err = w.Apply(t.Context(), m); err != nil || !again.Repeated || len(again.Item.Event.Attendees) != 0 || len(w.sim.Mails()) != sent {
		t.Errorf("%+v, %v, mails %s", again, err, told(w.sim.Mails()[sent:]))
	}
}

// A series of one's own to which others are invited, with exceptions, is no other case.
func TestAPrivateSeriesBecomesAMeeting(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e := inRoomA(t, w)
	alone := e
	alone.Attendees, alone.Exceptions = nil, nil
	item := w.create(t, "bk-1", alone)
	item = w.mustUpdate(t, item, e, calendar.FieldAttendees|calendar.FieldResources|calendar.FieldRecurrence, calendar.MailAll)
	if d := differs(item.Event, e); d != "" {
		t.Error(d)
	}
	if got := told(w.sim.Mails()); got != "request" || w.tracked(t) != "Accept" {
		t.Errorf("mails %q, the room's answer %q", got, w.tracked(t))
	}
}

// Whoever is invited by hand before the invitation goes out is not thrown out by it.
func TestAnInvitationThrowsNobodyOutWhoWasInvitedBeforeIt(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"GetItem", "DeleteItem", "UpdateItem"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			e := inRoomA(t, w)
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
