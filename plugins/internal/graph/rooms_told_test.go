package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// mailed lists the mails with whom they went to.
func mailed(w *world) string {
	var out []string
	for _, one := range w.sim.Mails() {
		out = append(out, one.Kind+" to "+strings.Join(one.To, " "))
	}
	return strings.Join(out, "; ")
}

// silently makes e the item that ref names, of which nobody is told but rooms.
func silently(t *testing.T, w *world, ref backend.Ref, e calendar.Event) (backend.Item, error) {
	t.Helper()
	now, err := w.fetch(t, ref)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: now.Ref, IfRevision: now.Revision, Known: &now.Event, Event: e,
		Fields: calendar.AllFields, Mail: calendar.MailNobody, Rooms: []string{"Room-A@example.com", "room-b@example.com"},
	})
	return r.Item, err
}

// Where nobody but rooms is invited nobody reads a mail: they get the meeting though nobody is to be mailed.
func TestASilentMeetingOfRoomsAloneIsSentToThem(t *testing.T) {
	t.Parallel()
	for name, repeats := range map[string]bool{"single": false, "series": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			e, _ := inRoomA(t, w)
			e.Attendees = e.Attendees[1:]
			if !repeats {
				e.Recurrence, e.Exceptions = "", nil
			}
			alone := e
			alone.Attendees = nil
			item := w.create(t, "bk-1", alone)
			got, err := silently(t, w, item.Ref, e)
			if err != nil || series.Changing(got.Event, e, calendar.AllFields) != 0 {
				t.Errorf("%+v, %v", got, err)
			}
			if got := mailed(w); got != "request to room-a@example.com" || w.tracked(t) != "Accept" {
				t.Errorf("mails %s, the room's answer %q", got, w.tracked(t))
			}
			if got, err = silently(t, w, item.Ref, e); err != nil || len(w.sim.Mails()) != 1 {
				t.Errorf("again: %v, %s", err, mailed(w))
			}
			e.Subject = "Renamed"
			if got, err = silently(t, w, item.Ref, e); err != nil || got.Event.Subject != "Renamed" {
				t.Errorf("renamed: %+v, %v", got, err)
			}
		})
	}
}

// Where a person is invited, or is to be, it is not done: they would be mailed as well.
func TestASilentMeetingOfPeopleIsNotSentToItsRooms(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e, _ := inRoomA(t, w)
	whole := e
	e.Attendees, e.Exceptions = e.Attendees[1:], nil
	alone := e
	alone.Attendees = nil
	item := w.create(t, "bk-1", alone)
	if _, err := silently(t, w, item.Ref, whole); fault.Of(err) != fault.Unsupported {
		t.Errorf("a person is to be invited: %v", err)
	}
	at := whole
	at.Exceptions = slices.Clone(whole.Exceptions)
	at.Attendees = e.Attendees
	x := whole
	x.Start, x.End, x.Recurrence, x.Exceptions = soon(12, "09:00"), soon(12, "10:00"), "", nil
	at.Exceptions = append(at.Exceptions, calendar.OccurrenceException{Occurrence: soon(12, "09:00"), Event: &x})
	if _, err := silently(t, w, item.Ref, at); fault.Of(err) != fault.Unsupported {
		t.Errorf("a person is to be invited to one occurrence: %v", err)
	}
	if len(w.sim.Mails()) != 0 {
		t.Errorf("mails %s", mailed(w))
	}
}
