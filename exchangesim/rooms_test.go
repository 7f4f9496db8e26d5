package exchangesim

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	aliceAddress = "alice@example.com"
	roomAddress  = "room-a@example.com"
)

// inRoom is a meeting of Alice's in the room.
func inRoom(start, end time.Time) Appointment {
	return Appointment{
		Subject: "Budget", Body: "secret", Sensitivity: "Private", Start: start, End: end, Resources: []Attendee{{Address: roomAddress}},
	}
}

func tuesdays(count int) *Recurrence {
	return &Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{"Tuesday"}, Start: "2026-12-01", Count: count}
}

// answersOf shows the answers as "Accept" or "Decline 12-08" with whether they are of one occurrence.
func answersOf(s *Server) string {
	var list []string
	for _, a := range s.Answers() {
		text := a.Response
		if !a.Occurrence.IsZero() {
			text += " " + a.Occurrence.Format("01-02")
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func TestARoomDecidesByItsSettings(t *testing.T) {
	t.Parallel()
	series := func(count int) Appointment {
		a := inRoom(at(9), at(10))
		a.Recurrence = tuesdays(count)
		return a
	}
	for name, tc := range map[string]struct {
		processing string
		ask        Appointment
		taken      []time.Time // an hour each, by Bob
		want       string      // the answers
		says       string      // the first one's text
		there      int         // items of the meeting in the room's calendar
		tracked    string      // what Alice's item says of the room
	}{
		"free":                       {`{}`, inRoom(at(9), at(10)), nil, "Accept", "accepted", 1, "Accept"},
		"taken":                      {`{}`, inRoom(at(9), at(10)), []time.Time{at(9)}, "Decline", "Bob Brown", 0, "Decline"},
		"right before and after":     {`{}`, inRoom(at(9), at(10)), []time.Time{at(8), at(10)}, "Accept", "accepted", 1, "Accept"},
		"conflicts allowed":          {`{"AllowConflicts":true}`, inRoom(at(9), at(10)), []time.Time{at(9)}, "Accept", "accepted", 1, "Accept"},
		"not processed":              {`{"AutomateProcessing":"None"}`, inRoom(at(9), at(10)), nil, "", "", 0, "Unknown"},
		"put in and not answered":    {`{"AutomateProcessing":"AutoUpdate"}`, inRoom(at(9), at(10)), []time.Time{at(9)}, "", "", 1, "Unknown"},
		"too long":                   {`{"MaximumDurationInMinutes":59}`, inRoom(at(9), at(10)), nil, "Decline", "59 minutes", 0, "Decline"},
		"as long as may be":          {`{"MaximumDurationInMinutes":60}`, inRoom(at(9), at(10)), nil, "Accept", "accepted", 1, "Accept"},
		"any length":                 {`{"MaximumDurationInMinutes":0}`, inRoom(at(9), at(9).AddDate(0, 0, 3)), nil, "Accept", "accepted", 1, "Accept"},
		"on the window's last day":   {`{"BookingWindowInDays":6}`, inRoom(at(9), at(10)), nil, "Accept", "accepted", 1, "Accept"},
		"a day beyond the window":    {`{"BookingWindowInDays":5}`, inRoom(at(9), at(10)), nil, "Decline", "up to 5 days", 0, "Decline"},
		"for nobody":                 {`{"AllBookInPolicy":false}`, inRoom(at(9), at(10)), nil, "Decline", "permission", 0, "Decline"},
		"for Alice":                  {`{"AllBookInPolicy":false,"BookInPolicy":["ALICE@example.com"]}`, inRoom(at(9), at(10)), nil, "Accept", "accepted", 1, "Accept"},
		"a delegate decides":         {`{"AllBookInPolicy":false,"AllRequestInPolicy":true}`, inRoom(at(9), at(10)), nil, "Tentative", "pending", 1, "Tentative"},
		"and not on what is refused": {`{"AllBookInPolicy":false,"AllRequestInPolicy":true}`, inRoom(at(9), at(10)), []time.Time{at(9)}, "Decline", "conflicts", 0, "Decline"},
		"but if it may ask":          {`{"RequestOutOfPolicy":["alice@example.com"]}`, inRoom(at(9), at(10)), []time.Time{at(9)}, "Tentative", "pending", 1, "Tentative"},
		"more to say":                {`{"AddAdditionalResponse":true,"AdditionalResponse":"Ask Ms. Berg"}`, inRoom(at(9), at(10)), nil, "Accept", "Ms. Berg", 1, "Accept"},
		"a series":                   {`{}`, series(4), nil, "Accept", "accepted", 1, "Accept"},
		"no series":                  {`{"AllowRecurringMeetings":false}`, series(4), nil, "Decline", "recurring", 0, "Decline"},
		"a series with a conflict":   {`{}`, series(4), []time.Time{at(9).AddDate(0, 0, 7)}, "Decline", "conflicts", 0, "Decline"},
		"as many as may be": {
			`{"MaximumConflictInstances":1,"ConflictPercentageAllowed":25}`, series(4), []time.Time{at(9).AddDate(0, 0, 7)},
			"Accept, Decline 12-08", "1 occurrences", 1, "Accept",
		},
		"more than the share": {
			`{"MaximumConflictInstances":1,"ConflictPercentageAllowed":24}`, series(4), []time.Time{at(9).AddDate(0, 0, 7)}, "Decline", "conflicts", 0, "Decline",
		},
		"a series beyond the window": {`{"BookingWindowInDays":20}`, series(4), nil, "Decline", "up to 20 days", 0, "Decline"},
		"an endless series":          {`{}`, series(0), nil, "Decline", "up to 180 days", 0, "Decline"},
		"cut at the window":          {`{"BookingWindowInDays":20,"EnforceSchedulingHorizon":false}`, series(4), nil, "Accept", "later occurrences", 1, "Accept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := serve(t, Options{CopyToAttendees: true, Now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }})
			for _, from := range tc.taken {
				if _, err := s.Outlook("bob@example.com").Create(inRoom(from, from.Add(time.Hour))); err != nil {
					t.Fatal(err)
				}
			}
			before, said := len(s.Outlook(roomAddress).Items()), len(s.Answers())
			if found, err := s.SetProcessing(roomAddress, func(p *CalendarProcessing) {
				if err := p.overlay([]byte(tc.processing)); err != nil {
					t.Error(err)
				}
			}); err != nil || !found {
				t.Fatal(found, err)
			}
			id, err := s.Outlook(aliceAddress).Create(tc.ask)
			if err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			s.replies.sent = s.replies.sent[said:]
			s.mu.Unlock()
			if got := answersOf(s); got != tc.want {
				t.Fatalf("it answered %q, want %q", got, tc.want)
			}
			if tc.says != "" && !strings.Contains(s.Answers()[0].Text, tc.says) {
				t.Errorf("it said %q, want %q in it", s.Answers()[0].Text, tc.says)
			}
			if got := len(s.Outlook(roomAddress).Items()) - before; got != tc.there {
				t.Errorf("%d items in the room's calendar, want %d", got, tc.there)
			}
			own, _ := s.Outlook(aliceAddress).Find(func(a Appointment) bool { return a.ID == id })
			if got := own.Resources[0].Response; got != tc.tracked && (got != "" || tc.tracked != "Unknown") {
				t.Errorf("Alice's item says %q of the room, want %q", got, tc.tracked)
			}
		})
	}
}

func TestARoomsCopyHidesWhatItIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		processing           string
		subject, body, class string
	}{
		"usual":     {`{}`, "Alice Adams", "", "Normal"},
		"both":      {`{"DeleteSubject":false}`, "Alice Adams Budget", "", "Normal"},
		"as it is":  {`{"DeleteSubject":false,"AddOrganizerToSubject":false,"DeleteComments":false,"RemovePrivateProperty":false}`, "Budget", "secret", "Private"},
		"no title":  {`{"AddOrganizerToSubject":false}`, "", "", "Normal"},
		"by itself": {`{"AutomateProcessing":"AutoUpdate"}`, "Budget", "secret", "Private"},
	} {
		s, _ := serve(t, Options{CopyToAttendees: true})
		if _, err := s.SetProcessing(roomAddress, func(p *CalendarProcessing) { _ = p.overlay([]byte(tc.processing)) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Outlook(aliceAddress).Create(inRoom(at(9), at(10))); err != nil {
			t.Fatal(err)
		}
		got := s.Outlook(roomAddress).Items()[0]
		if got.Subject != tc.subject || got.Body != tc.body || got.Sensitivity != tc.class {
			t.Errorf("%s: the room has %q, %q, %s; want %q, %q, %s", name, got.Subject, got.Body, got.Sensitivity, tc.subject, tc.body, tc.class)
		}
		if own := s.Outlook(aliceAddress).Items()[0]; own.UID != got.UID || own.Subject != "Budget" {
			t.Errorf("%s: Alice has %+v, the room the UID %s", name, own, got.UID)
		}
	}
}

func TestChangesReachTheRoomAndAreJudgedAnew(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{CopyToAttendees: true})
	alice, room := s.Outlook(aliceAddress), s.Outlook(roomAddress)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Outlook("bob@example.com").Create(inRoom(at(12), at(13)))
	must(err)
	id, err := alice.Create(inRoom(at(9), at(10)))
	must(err)
	must(alice.Update(id, func(a *Appointment) { a.Start, a.End = at(10), at(11) }))
	if items := room.Items(); len(items) != 2 || !items[1].Start.Equal(at(10)) {
		t.Fatalf("after a move the room has %+v", items)
	}
	must(alice.Update(id, func(a *Appointment) { a.Start, a.End = at(12), at(13) }))
	if items := room.Items(); len(items) != 1 || items[0].Organizer.Name != "Bob Brown" {
		t.Errorf("after a move into Bob's meeting the room has %+v", items)
	}
	must(alice.Update(id, func(a *Appointment) { a.Start, a.End = at(14), at(15) }))
	must(alice.Update(id, func(a *Appointment) { a.Resources = []Attendee{{Address: "room-b@example.com"}} }))
	if items := room.Items(); len(items) != 2 || !items[1].Cancelled || items[1].BusyStatus != "Free" || items[1].Subject != "Canceled: Alice Adams" {
		t.Errorf("after another room was taken the room has %+v", items)
	}
	if items := s.Outlook("room-b@example.com").Items(); len(items) != 1 || items[0].BusyStatus != "Busy" {
		t.Errorf("and the other one %+v", items)
	}
	if got, want := answersOf(s), "Accept, Accept, Accept, Decline, Accept, Accept"; got != want {
		t.Errorf("the answers were %s, want %s", got, want)
	}
}

func TestOneOccurrenceIsJudgedByItself(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{CopyToAttendees: true})
	alice, room := s.Outlook(aliceAddress), s.Outlook(roomAddress)
	a := inRoom(at(9), at(10))
	a.Recurrence = tuesdays(4)
	id, err := alice.Create(a)
	if err != nil {
		t.Fatal(err)
	}
	second, third := at(9).AddDate(0, 0, 7), at(9).AddDate(0, 0, 14)
	if _, err := s.Outlook("bob@example.com").Create(inRoom(second.Add(4*time.Hour), second.Add(5*time.Hour))); err != nil {
		t.Fatal(err)
	}
	move := func(original time.Time, by time.Duration) {
		t.Helper()
		if err := alice.UpdateOccurrence(id, original, func(a *Appointment) { a.Start, a.End = a.Start.Add(by), a.End.Add(by) }); err != nil {
			t.Fatal(err)
		}
	}
	move(second, 4*time.Hour) // into Bob's
	move(third, time.Hour)
	if got, want := answersOf(s), "Accept, Accept, Decline 12-08, Accept 12-15"; got != want {
		t.Errorf("the answers were %s, want %s", got, want)
	}
	copied := room.Items()[0]
	list, err := room.Occurrences(copied.ID, at(0), at(0).AddDate(0, 1, 0))
	var starts []string
	for _, o := range list {
		starts = append(starts, o.Start.Format("01-02 15:04"))
	}
	if want := []string{"12-01 09:00", "12-15 10:00", "12-22 09:00"}; err != nil || !slices.Equal(starts, want) {
		t.Errorf("the room has %v, %v; want %v", starts, err, want)
	}
	own, err := alice.Occurrences(id, second, second.Add(time.Hour))
	if err != nil || len(own) != 1 || own[0].Resources[0].Response != "Decline" || !own[0].Exception {
		t.Errorf("Alice's occurrence is %+v, %v", own, err)
	}
	// A person declines one occurrence in Outlook, here the room's keeper.
	if err := room.Answer(copied.ID, third, "Decline", "painters"); err != nil {
		t.Fatal(err)
	}
	if last := s.Answers()[4]; last.Response != "Decline" || last.Text != "painters" || !last.Occurrence.Equal(third) {
		t.Errorf("the last answer is %+v", last)
	}
	if list, _ := room.Occurrences(copied.ID, third, third.Add(time.Hour)); len(list) != 0 {
		t.Errorf("the declined occurrence is in the room's calendar: %+v", list)
	}
}

func TestAnswersWaitUntilTheyAreToldTo(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{CopyToAttendees: true})
	s.HoldAnswers()
	id, err := s.Outlook(aliceAddress).Create(inRoom(at(9), at(10)))
	if err != nil {
		t.Fatal(err)
	}
	_, state, _ := c.as("alice").sync("", "100")
	own := func() string { return s.Outlook(aliceAddress).Items()[0].Resources[0].Response }
	if got := own(); got != "" || len(s.Outlook(roomAddress).Items()) != 1 || !s.Answers()[0].Held {
		t.Errorf("before the answer came the room is tracked as %q", got)
	}
	if n := s.ReleaseAnswers(); n != 1 || own() != "Accept" || s.Answers()[0].Held {
		t.Errorf("%d came, and the room is tracked as %q", n, own())
	}
	if changes, _, _ := c.as("alice").sync(state, "100"); len(changes) != 1 || changes[0].name != "Update" {
		t.Errorf("an answer alone is told as %d changes", len(changes))
	}
	// What was answered before the meeting moved is no answer to where it is now.
	bob := s.Outlook("bob@example.com")
	if err := s.Outlook(aliceAddress).Update(id, func(a *Appointment) { a.Required = []Attendee{{Address: "bob@example.com"}} }); err != nil {
		t.Fatal(err)
	}
	s.HoldAnswers()
	if err := bob.Respond(bob.Items()[0].ID, "Accept"); err != nil {
		t.Fatal(err)
	}
	if err := s.Outlook(aliceAddress).Update(id, func(a *Appointment) { a.Start, a.End = at(11), at(12) }); err != nil {
		t.Fatal(err)
	}
	n := s.ReleaseAnswers()
	if got := s.Outlook(aliceAddress).Items()[0]; n != 2 || got.Required[0].Response != "" || got.Resources[0].Response != "Accept" {
		t.Errorf("%d came, and Bob is tracked as %q", n, got.Required[0].Response)
	}
}

func TestMeetingsFromOutside(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	room := s.Outlook(roomAddress)
	eve := Attendee{Name: "Eve", Address: "eve@elsewhere.example"}
	if _, err := s.Arrive(eve, "request", inRoom(at(9), at(10))); err != nil || len(room.Items()) != 0 {
		t.Errorf("a room that does not process what comes from outside has %+v, %v", room.Items(), err)
	}
	if _, err := s.SetProcessing(roomAddress, func(p *CalendarProcessing) { p.ProcessExternalMeetingMessages = true }); err != nil {
		t.Fatal(err)
	}
	uid, err := s.Arrive(eve, "request", inRoom(at(9), at(10)))
	if items := room.Items(); err != nil || len(items) != 1 || items[0].UID != uid || items[0].Organizer != eve || items[0].Subject != "Eve" {
		t.Fatalf("the room has %+v, %v", items, err)
	}
	moved := inRoom(at(11), at(12))
	moved.UID = uid
	if _, err := s.Arrive(eve, "update", moved); err != nil || !room.Items()[0].Start.Equal(at(11)) || len(room.Items()) != 1 {
		t.Errorf("after an update the room has %+v, %v", room.Items(), err)
	}
	if _, err := s.Arrive(eve, "cancellation", moved); err != nil || !room.Items()[0].Cancelled {
		t.Errorf("after a cancellation the room has %+v, %v", room.Items(), err)
	}
	if got := answersOf(s); got != "Accept, Accept" || s.Answers()[0].To != eve.Address {
		t.Errorf("the answers were %s", got)
	}
	if _, err := s.Arrive(Attendee{Address: aliceAddress}, "request", moved); err == nil {
		t.Error("somebody of the organization came from outside")
	}
}

func TestInvitationsAreAnsweredOverGraph(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{CopyToAttendees: true})
	event := desk("1", 0)
	event["attendees"] = []object{{"type": "required", "emailAddress": object{"address": "bob@example.com"}}}
	made := c.create(event)
	bob := func() any { return list(c.want(http.StatusOK, http.MethodGet, "/users/bob@example.com/events", nil), "value")[0] }
	path := "/users/bob@example.com/events/" + text(bob(), "id")
	c.want(http.StatusAccepted, http.MethodPost, path+"/tentativelyAccept", object{"comment": "perhaps", "sendResponse": true})
	if got := text(bob(), "responseStatus", "response"); got != "tentativelyAccepted" || s.Answers()[0].Text != "perhaps" {
		t.Errorf("Bob's copy says %q, and the answer was %+v", got, s.Answers())
	}
	c.want(http.StatusAccepted, http.MethodPost, path+"/accept", object{"sendResponse": false})
	if got := text(bob(), "responseStatus", "response"); got != "accepted" || len(s.Answers()) != 1 {
		t.Errorf("Bob's copy says %q, and the answers are %+v", got, s.Answers())
	}
	if got := text(list(c.event(text(made, "id")), "attendees")[0], "status", "response"); got != "tentativelyAccepted" {
		t.Errorf("Alice sees %q, though the second answer was not sent", got)
	}
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPost, aliceEvents+"/"+text(made, "id")+"/accept", object{})
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+text(made, "id"), object{"responseRequested": false})
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPost, path+"/accept", object{"comment": "yes"})
	c.want(http.StatusAccepted, http.MethodPost, path+"/decline", object{"sendResponse": false})
}
