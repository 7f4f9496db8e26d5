package exchange

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// mailsTo says of each mail what it is and to whom.
func mailsTo(list []exchangesim.Mail) string {
	var mails []string
	for _, one := range list {
		mails = append(mails, told([]exchangesim.Mail{one})+" to "+strings.Join(one.To, " "))
	}
	return strings.Join(mails, "; ")
}

// Who is invited to one occurrence alone hears what becomes of it, also when the series gets its first guests with the same write.
func TestGuestsOfOneOccurrenceAreToldWhateverTheSeriesGets(t *testing.T) {
	for _, gone := range []bool{true, false} {
		w, _ := rooms(t)
		e := inRoomA(t, w)
		guests := e.Attendees
		alone := []calendar.Attendee{{Address: calendar.Address{Email: "room-b@example.com"}, Role: calendar.Resource}, {Address: calendar.Address{Email: "bob@example.com"}}}
		e.Attendees = nil
		e.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-12-03", func(x *calendar.Event) { x.Attendees = alone })}
		item := w.meet(t, e)
		before := len(w.sim.Mails())
		want := e
		want.Attendees = guests
		want.Exceptions = []calendar.OccurrenceException{on(t, e, "2026-12-03", nil)}
		if !gone {
			want.Exceptions = []calendar.OccurrenceException{on(t, want, "2026-12-03", func(x *calendar.Event) {
				x.Attendees = alone
				x.Start, x.End = utc("2026-12-03 14:00"), utc("2026-12-03 15:00")
			})}
		}
		item = w.mustUpdate(t, item, want, calendar.FieldAttendees|calendar.FieldResources|calendar.FieldRecurrence, calendar.MailAll)
		if wrong := differs(item.Event, want); wrong != "" {
			t.Errorf("gone %t: %s", gone, wrong)
		}
		heard := slices.ContainsFunc(w.sim.Mails()[before:], func(m exchangesim.Mail) bool {
			return slices.Contains(m.To, "room-b@example.com")
		})
		if !heard {
			t.Errorf("gone %t: room-b, invited to one occurrence, hears nothing: %s", gone, mailsTo(w.sim.Mails()[before:]))
		}
	}
}

// Nobody is told that a meeting is off, or not meant for him, of which he never heard: a create was cut off before its invitation, and the
// booking has other guests by then, or none.
func TestNobodyIsToldOfWhatHeNeverHeardOf(t *testing.T) {
	for name, guests := range map[string][]calendar.Attendee{
		"others": {{Address: calendar.Address{Email: "room-b@example.com"}, Role: calendar.Resource}}, "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := rooms(t)
			e := inRoomA(t, w)
			e.Exceptions = append(e.Exceptions, on(t, e, "2026-12-04", func(x *calendar.Event) { x.Subject = "Finale" }))
			w.sim.Faults().DropAfter("UpdateItem", 1)
			if _, err := w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll,
			}); err == nil {
				t.Fatal("the create was not cut off")
			}
			there, found, err := w.own(t.Context(), w.alice, w.key, "bk-1")
			if err != nil || !found {
				t.Fatal(found, err)
			}
			next := e
			next.Attendees = guests
			next.Exceptions = []calendar.OccurrenceException{
				on(t, next, "2026-12-02", nil), on(t, next, "2026-12-04", func(x *calendar.Event) { x.Subject = "Finale" }),
			}
			r, err := w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Ref: there.Ref, IfRevision: there.Revision, Known: &there.Event, Event: next,
				Fields: calendar.FieldAttendees | calendar.FieldResources | calendar.FieldRecurrence, Mail: calendar.MailAll,
			})
			if err != nil {
				t.Fatal(err)
			}
			if wrong := differs(r.Item.Event, next); wrong != "" {
				t.Error(wrong)
			}
			for _, m := range w.sim.Mails() {
				if slices.Contains(m.To, "bob@example.com") || slices.Contains(m.To, "room-a@example.com") {
					t.Errorf("told of what they never heard of: %s", mailsTo(w.sim.Mails()))
				}
			}
			if n := len(w.sim.Mails()); guests != nil && n != 1 {
				t.Errorf("%d mails, want the invitation alone: %s", n, mailsTo(w.sim.Mails()))
			}
		})
	}
}
