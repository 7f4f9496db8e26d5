package graph

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// rooms is a world whose rooms answer.
func rooms(t *testing.T) (*world, backend.Mailbox) {
	t.Helper()
	w := newWorldOf(t, exchangesim.Options{CopyToAttendees: true}, Settings{})
	return w, w.mailbox("room-a@example.com")
}

// everything pulls all of a room's calendar in full from a cursor.
func (w *world) everything(t *testing.T, m backend.Mailbox, since backend.Cursor) ([]backend.Change, backend.Cursor) {
	t.Helper()
	var changes []backend.Change
	full := since == ""
	err := w.Pull(t.Context(), backend.PullRequest{Mailbox: m, Since: since, Everything: true}, func(p backend.Page) error {
		if p.Full != full {
			t.Errorf("a page is full: %v", p.Full)
		}
		changes, since = append(changes, p.Changes...), p.Next
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changes, since
}

// invite has a person call a meeting in the room.
func (w *world) invite(t *testing.T, a exchangesim.Appointment) string {
	t.Helper()
	if a.Start.IsZero() {
		a.Start, a.End = soon(10, "09:00"), soon(10, "10:00")
	}
	a.Resources = []exchangesim.Attendee{{Address: "room-a@example.com"}}
	id, err := w.sim.Outlook("alice@example.com").Create(a)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// meetingID is the id by which people know the room's copy of a meeting.
func (w *world) meetingID(t *testing.T) string {
	t.Helper()
	found, ok := w.sim.Outlook("room-a@example.com").Find(func(a exchangesim.Appointment) bool { return a.Organizer.Address == "alice@example.com" })
	if !ok {
		t.Fatal("the room has no meeting of Alice's")
	}
	return found.ID
}

// onlyItem is the reference of Alice's only item.
func (w *world) onlyItem(t *testing.T) backend.Ref {
	t.Helper()
	changes, _ := w.pull(t, "")
	return changes[0].Ref
}

// tracked is what the organizer's item says of the room.
func (w *world) tracked(t *testing.T) string {
	t.Helper()
	return w.sim.Outlook("alice@example.com").Items()[0].Resources[0].Response
}

func TestARoomsCalendarIsReadInFull(t *testing.T) {
	t.Parallel()
	w, room := rooms(t)
	for range 3 {
		if _, err := w.sim.Outlook(room.Address).Create(exchangesim.Appointment{Subject: "Cleaning", Start: soon(11, "09:00"), End: soon(11, "10:00")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.sim.Outlook(room.Address).Create(exchangesim.Appointment{Subject: "Cleaning", Start: soon(5000, "09:00"), End: soon(5000, "10:00")}); err != nil {
		t.Fatal(err)
	}
	w.invite(t, exchangesim.Appointment{Subject: "Budget"})
	changes, next := w.everything(t, room, "")
	byPerson, others := 0, backend.Item{}
	for _, ch := range changes {
		switch {
		case ch.Item == nil:
			t.Errorf("%s was not read", ch.Ref)
		case ch.Item.Event.Subject == "Cleaning" && !ch.Item.ReadOnly && ch.Item.Response == calendar.NoResponse:
			byPerson++
		default:
			others = *ch.Item
		}
	}
	if len(changes) != 5 || byPerson != 4 {
		t.Fatalf("the room's calendar was read as %+v", changes)
	}
	if !others.ReadOnly || others.Response != calendar.Accepted || others.Event.Organizer.Email != "alice@example.com" {
		t.Errorf("the meeting was read as %+v", others)
	}
	w.invite(t, exchangesim.Appointment{Start: soon(12, "09:00"), End: soon(12, "10:00")})
	if err := w.sim.Outlook(room.Address).Delete(w.meetingID(t)); err != nil {
		t.Fatal(err)
	}
	changes, next = w.everything(t, room, next)
	told := map[backend.Ref]backend.Change{} // Graph tells the last of the round before once more
	for _, ch := range changes {
		if told[ch.Ref] = ch; ch.Deleted == (ch.Item != nil) {
			t.Errorf("%s was told as %+v", ch.Ref, ch)
		}
	}
	if len(told) < 2 || !told[others.Ref].Deleted {
		t.Errorf("the changes were read as %+v", changes)
	}
	ask := func(since backend.Cursor, everything bool) error {
		return w.Pull(t.Context(), backend.PullRequest{Mailbox: room, Since: since, Everything: everything}, func(p backend.Page) error {
			next = p.Next
			return nil
		})
	}
	if err := ask(next, false); err != nil {
		t.Errorf("going on without everything: %v", err)
	}
	if err := ask(next, true); fault.Of(err) != fault.StateExpired {
		t.Errorf("going on from a pull that did not read everything: %v, want StateExpired", err)
	}
}

func TestInvitationsAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	w, room := rooms(t)
	w.invite(t, exchangesim.Appointment{Subject: "Budget"})
	own := w.onlyItem(t)
	changes, _ := w.everything(t, room, "")
	answer := func(r calendar.Response, comment string) error {
		return w.Respond(t.Context(), backend.Reaction{Mailbox: room, Ref: changes[0].Ref, Response: r, Comment: comment})
	}
	answers := func() []exchangesim.Answer { return w.sim.Answers()[1:] } // the room's own is the first
	for range 2 {
		if err := answer(calendar.TentativelyAccepted, "Perhaps & <so>"); err != nil {
			t.Fatal(err)
		}
	}
	if got := answers(); len(got) != 1 || got[0].Text != "Perhaps & <so>" || w.tracked(t) != "Tentative" {
		t.Errorf("the answers are %+v, and Alice's item says %s", got, w.tracked(t))
	}
	if err := answer(calendar.Accepted, ""); err != nil || w.tracked(t) != "Accept" {
		t.Errorf("accepting: %v, and Alice's item says %s", err, w.tracked(t))
	}
	if err := answer(calendar.Declined, "The painters are there."); err != nil || w.tracked(t) != "Decline" {
		t.Errorf("declining: %v, and Alice's item says %s", err, w.tracked(t))
	}
	if left, _ := w.everything(t, room, ""); len(left) != 0 {
		t.Errorf("the declined meeting is still there: %+v", left)
	}
	if err := answer(calendar.Declined, ""); fault.Of(err) != fault.NotFound || len(answers()) != 3 {
		t.Errorf("declining again: %v, want NotFound, and %d answers", err, len(answers()))
	}
	// One's own meeting, and one that was called off.
	mine := backend.Reaction{Mailbox: w.alice, Ref: own, Response: calendar.Accepted}
	if err := w.Respond(t.Context(), mine); fault.Of(err) != fault.Invalid {
		t.Errorf("answering one's own meeting: %v, want Invalid", err)
	}
	if err := w.Respond(t.Context(), backend.Reaction{Mailbox: room, Ref: changes[0].Ref}); fault.Of(err) != fault.Invalid {
		t.Errorf("no answer at all: %v, want Invalid", err)
	}
	id := w.invite(t, exchangesim.Appointment{Start: soon(12, "09:00"), End: soon(12, "10:00")})
	if err := w.sim.Outlook("alice@example.com").Delete(id); err != nil {
		t.Fatal(err)
	}
	changes, _ = w.everything(t, room, "")
	if err := answer(calendar.Declined, ""); fault.Of(err) != fault.Conflict {
		t.Errorf("answering a meeting that was called off: %v, want Conflict", err)
	}
}

func TestOneOccurrenceIsDeclined(t *testing.T) {
	t.Parallel()
	w, room := rooms(t)
	id := w.invite(t, exchangesim.Appointment{
		Subject: "Weekly", TimeZone: "UTC",
		Recurrence: &exchangesim.Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{soon(10, "09:00").Weekday().String()}, Start: soon(10, "09:00").Format("2006-01-02"), Count: 4},
	})
	alice := w.sim.Outlook("alice@example.com")
	moved := soon(24, "09:00")
	if err := alice.UpdateOccurrence(id, moved, func(a *exchangesim.Appointment) {
		a.Start, a.End = a.Start.Add(50*time.Hour), a.End.Add(50*time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	changes, _ := w.everything(t, room, "")
	decline := func(at time.Time) error {
		return w.Respond(t.Context(), backend.Reaction{Mailbox: room, Ref: changes[0].Ref, Occurrence: at, Response: calendar.Declined, Comment: "taken"})
	}
	plain := soon(17, "09:00")
	for _, at := range []time.Time{plain, moved} {
		if err := decline(at); err != nil {
			t.Fatalf("declining %s: %v", at, err)
		}
		if err := decline(at); fault.Of(err) != fault.NotFound {
			t.Errorf("declining %s again: %v, want NotFound", at, err)
		}
		last := w.sim.Answers()[len(w.sim.Answers())-1]
		if last.Response != "Decline" || !last.Occurrence.Equal(at) || last.Text != "taken" {
			t.Errorf("the answer is %+v", last)
		}
		own, err := alice.Occurrences(id, at, at.Add(time.Minute))
		if err != nil || own[0].Resources[0].Response != "Decline" {
			t.Errorf("Alice's occurrence of %s is %+v, %v", at, own, err)
		}
	}
	left, err := w.sim.Outlook(room.Address).Occurrences(w.meetingID(t), soon(0, "00:00"), soon(100, "00:00"))
	if err != nil || len(left) != 2 || w.tracked(t) != "Accept" {
		t.Errorf("the room has %+v, %v, and Alice's series says %s", left, err, w.tracked(t))
	}
	if err := decline(soon(18, "09:00")); fault.Of(err) != fault.NotFound {
		t.Errorf("an occurrence that there is not: %v, want NotFound", err)
	}
}

func TestAnAnswerAloneReachesAPull(t *testing.T) {
	t.Parallel()
	w, room := rooms(t)
	w.sim.HoldAnswers()
	event := meeting()
	event.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: room.Address}, Role: calendar.Resource}}
	if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: event, Mail: calendar.MailAll}); err != nil {
		t.Fatal(err)
	}
	changes, pages := w.pull(t, "")
	if got := changes[0].Item.Event.Attendees[0].Response; got != calendar.NoResponse {
		t.Errorf("before the room's answer came it is %d", got)
	}
	w.sim.ReleaseAnswers()
	changes, _ = w.pull(t, next(pages))
	if len(changes) != 1 || changes[0].Item == nil || changes[0].Item.Event.Attendees[0].Response != calendar.Accepted {
		t.Errorf("the room's answer was told as %+v", changes)
	}
}
