package exchange

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// forgetfulWorld is a server that forgets answers with a list that is set.
func forgetfulWorld(t *testing.T) *world {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{ForgetAnswers: true})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, sim, service)
}

func attendee(name string, role calendar.Role) calendar.Attendee {
	return calendar.Attendee{Address: calendar.Address{Email: name + "@example.com"}, Role: role}
}

// answers are who is invited as what, with the answer.
func answers(e calendar.Event) []string {
	var out []string
	for _, a := range e.Attendees {
		name, _, _ := strings.Cut(a.Email, "@")
		out = append(out, []string{"required ", "optional ", "room "}[a.Role]+name+[]string{"", " accepted", " tentative", " declined"}[a.Response])
	}
	return out
}

func TestAnswersOutliveAChangeOfAttendees(t *testing.T) {
	t.Parallel()
	w := forgetfulWorld(t)
	e := desk()
	e.Attendees = []calendar.Attendee{
		attendee("bob", calendar.Required), attendee("carol", calendar.Optional), attendee("room-a", calendar.Resource),
	}
	item := w.create(t, "k1", e)
	err := w.sim.Outlook("alice@example.com").Update(string(item.Ref), func(a *exchangesim.Appointment) {
		a.Required[0].Response, a.Optional[0].Response, a.Resources[0].Response = "Accept", "Tentative", "Decline"
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name  string
		want  []calendar.Attendee
		after []string
		told  []string
	}{
		{"one is added", append(slices.Clone(e.Attendees), attendee("dave", calendar.Required)),
			[]string{"required bob accepted", "required dave", "optional carol tentative", "room room-a declined"}, []string{"dave@example.com"}},
		{"the same again", append(slices.Clone(e.Attendees), attendee("dave", calendar.Required)),
			[]string{"required bob accepted", "required dave", "optional carol tentative", "room room-a declined"}, nil},
		{"one goes, another room comes", []calendar.Attendee{
			attendee("bob", calendar.Required), attendee("carol", calendar.Optional), attendee("room-a", calendar.Resource), attendee("room-b", calendar.Resource),
		}, []string{"required bob accepted", "optional carol tentative", "room room-a declined", "room room-b"}, []string{"dave@example.com", "room-b@example.com"}},
		{"one needs not come", []calendar.Attendee{attendee("bob", calendar.Optional), attendee("carol", calendar.Optional), attendee("room-b", calendar.Resource)},
			[]string{"optional bob accepted", "optional carol tentative", "room room-b"}, []string{"room-a@example.com"}},
	} {
		now, err := w.fetch(t, item.Ref)
		if err != nil {
			t.Fatal(err)
		}
		before := len(w.sim.Mails())
		want := now.Event
		want.Attendees = step.want
		r, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Key: "k1", Ref: item.Ref, Event: want, Mail: calendar.MailConcerned,
			Fields: calendar.FieldAttendees | calendar.FieldResources,
		})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := answers(r.Item.Event); !slices.Equal(got, step.after) {
			t.Errorf("%s: %q, want %q", step.name, got, step.after)
		}
		var told []string
		for _, m := range w.sim.Mails()[before:] {
			told = append(told, m.To...)
		}
		if !slices.Equal(told, step.told) {
			t.Errorf("%s: mailed %q, want %q", step.name, told, step.told)
		}
	}
}

// teams is how Outlook ends the text of an online meeting.
const teams = `<div><br></div><div><span>________________________________________________________________________________</span></div>` +
	`<div><a href="https://teams.microsoft.com/meet/123?p=abc">Join the meeting now</a></div>`

func TestAnOnlineMeetingCanStillBeJoinedAfterItsTextWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	e := desk()
	e.Attendees = nil
	item := w.create(t, "k1", e)
	page := "<html><body><div>" + strings.ReplaceAll(e.Body, "\n", "<br>") + "</div>" + teams + "</body></html>"
	// As the add-in does it, which writes HTML.
	if err := w.writeBody(t, item, page); err != nil {
		t.Fatal(err)
	}
	now, err := w.fetch(t, item.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if now.Event.Body != e.Body {
		t.Errorf("the text is told as %q, want what people wrote: %q", now.Event.Body, e.Body)
	}
	want := now.Event
	want.Body = "other <words>\nof ours"
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "k1", Ref: item.Ref, Event: want, Fields: calendar.FieldBody,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Item.Event.Body != want.Body {
		t.Errorf("the text is %q, want %q", r.Item.Event.Body, want.Body)
	}
	whole, err := w.ews.GetPage(t.Context(), w.alice, string(item.Ref))
	if err != nil || !strings.Contains(whole, "https://teams.microsoft.com/meet/123?p=abc") || strings.Contains(whole, "second line") {
		t.Errorf("%v:\n%s", err, whole)
	}
}

// writeBody writes a page of HTML onto an item, past the backend's care.
func (w *world) writeBody(t *testing.T, item backend.Item, page string) error {
	t.Helper()
	return w.sim.Outlook("alice@example.com").WriteHTML(string(item.Ref), page)
}

func TestWhatIsNotOursStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "k1", desk())
	alice := w.sim.Outlook("alice@example.com")
	err := alice.Update(string(item.Ref), func(a *exchangesim.Appointment) {
		a.Categories = []string{"Blue", "Travel"}
		if a.Properties == nil {
			a.Properties = map[string]string{}
		}
		a.Properties[exchangesim.PropertyKey("00062008-0000-0000-c000-000000000046", "MyFlag")] = "follow up"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := desk()
	want.Subject, want.Body, want.Busy, want.Location = "Another", "text", calendar.WorkingElsewhere, "elsewhere"
	want.Start, want.End = want.Start.Add(time.Hour), want.End.Add(time.Hour)
	if _, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "k1", Ref: item.Ref, Event: want, Fields: calendar.AllFields &^ calendar.FieldRecurrence,
	}); err != nil {
		t.Fatal(err)
	}
	got, ok := alice.Find(func(a exchangesim.Appointment) bool { return a.Subject == "Another" })
	if !ok || !slices.Equal(got.Categories, []string{"Blue", "Travel"}) || got.BusyStatus != "WorkingElsewhere" {
		t.Errorf("%t %+v", ok, got)
	}
	if got.Properties[exchangesim.PropertyKey("00062008-0000-0000-c000-000000000046", "MyFlag")] != "follow up" {
		t.Errorf("somebody else's property: %v", got.Properties)
	}
}
