package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func TestAnswersOutliveAChangeOfAttendees(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, exchangesim.Options{ForgetAnswers: true}, Settings{})
	item := w.create(t, "k1", meeting())
	o := w.sim.Outlook("alice@example.com")
	err := o.Update(o.Items()[0].ID, func(a *exchangesim.Appointment) {
		a.Required[0].Response, a.Optional[0].Response, a.Resources[0].Response = "Accept", "Tentative", "Decline"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := meeting()
	want.Attendees = append(want.Attendees[:2:2], want.Attendees[2], calendar.Attendee{Address: calendar.Address{Email: "dave@example.com"}})
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: want, Fields: calendar.FieldAttendees, Mail: calendar.MailConcerned,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range r.Item.Event.Attendees {
		got = append(got, a.Email+[]string{"", " accepted", " tentative", " declined"}[a.Response])
	}
	if want := []string{"bob@example.com accepted", "dave@example.com", "carol@example.com tentative", "room-a@example.com declined"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// zoom is how another maker's add-in ends a text. Graph knows nothing of it.
const zoom = `<p>──────────</p><p>Alice is inviting you to a scheduled Zoom meeting.</p><p><a href="https://example.zoom.us/j/123">Join Zoom Meeting</a></p>`

func TestAMeetingThatGraphDoesNotKnowOfCanStillBeJoined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "k1", desk())
	o := w.sim.Outlook("alice@example.com")
	if err := o.WriteHTML(o.Items()[0].ID, "<html><body><p>first line<br>second line</p>"+zoom+"</body></html>"); err != nil {
		t.Fatal(err)
	}
	now, err := w.fetch(t, item.Ref)
	if err != nil || now.Event.Body != desk().Body || now.Omits.Has(calendar.FieldBody) {
		t.Fatalf("%q, %v, omitted: %s", now.Event.Body, err, now.Omits)
	}
	want := now.Event
	want.Body, want.Busy = "other <words>", calendar.WorkingElsewhere
	if _, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: want, Fields: calendar.FieldBody | calendar.FieldBusy,
	}); err != nil {
		t.Fatal(err)
	}
	got, err := w.fetch(t, item.Ref)
	if err != nil || got.Event.Body != want.Body || got.Event.Busy != calendar.WorkingElsewhere {
		t.Errorf("%+v, %v", got.Event, err)
	}
	raw, err := w.readOne(t.Context(), w.alice, string(item.Ref))
	if err != nil || !strings.Contains(raw.Body.Content, "example.zoom.us/j/123") || strings.Contains(raw.Body.Content, "second line") {
		t.Errorf("%v:\n%s", err, raw.Body.Content)
	}
}
