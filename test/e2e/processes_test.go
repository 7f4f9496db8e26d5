package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// The markers on our items.
var (
	ourKey = exchangesim.PropertyKey("6b2f0c1e-93d4-4f7a-8c55-1d0e7a9b42f3", "RoomwireBookingId")
	oid    = exchangesim.PropertyKey("PublicStrings", "AppointmentOid")
)

func TestProcessesOverPush(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]setup{
		"NTLM over TLS":                     {auth: `"ntlm"`},
		"Basic over TLS":                    {auth: `"basic"`},
		"NTLM over HTTP":                    {auth: `"ntlm"`, plainHTTP: true},
		"Basic where NTLM is not to be had": {auth: `"ntlm", "basic"`, sim: exchangesim.Options{Schemes: []string{"Basic"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			processes(newSite(t, o))
		})
	}
}

func TestProcessesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{store: postgres(t)})
	processes(s)
	s.kill()
	s.serve()
	s.settle()
	s.put(meeting("after", "alice", day(20, 9)))
	s.settle()
	s.only("alice", hush+" after")
}

// processes walks through the processes A to F of the booking system, and leaves nothing behind.
func processes(s *site) {
	s.Helper()
	subscribed(s)
	newBooking(s)
	newItemWithAddIn(s)
	changeInTheWebApp(s)
	changeWithAddIn(s)
	changeInOutlook(s)
	allDay(s)
	quiet := s.sim.Count("")
	s.settle()
	if now := s.sim.Count(""); now != quiet {
		s.Errorf("Exchange was asked %d times though nothing happened", now-quiet)
	}
}

// subscribed is process A.
func subscribed(s *site) {
	s.Helper()
	urls := map[string]bool{}
	for _, sub := range s.pushed() {
		url, token, found := strings.Cut(sub.url, "&k=")
		want := s.public + "/WebServices/SyncNotification.svc?Default"
		if s.mode == "Microsoft365" {
			want = s.public + "/api/webhooks/graph?Default"
		}
		if url != want || !found || len(token) < 32 || urls[sub.url] {
			s.Errorf("A: %s is subscribed with %q and a secret of %d characters", sub.mailbox, url, len(token))
		}
		urls[sub.url] = true
	}
	if len(urls) != len(people) {
		s.Errorf("A: %d subscriptions, want one for each of %d persons", len(urls), len(people))
	}
	for _, p := range people {
		if st := s.state(p); st.Way != "push" || st.Subscribed.IsZero() || st.LastHeard.IsZero() {
			s.Errorf("A: %s: %+v", p, st)
		}
	}
}

// newBooking is process B.
func newBooking(s *site) {
	s.Helper()
	minutes := 30
	b := meeting("web", "alice", day(1, 9))
	b.Class, b.Busy, b.ReminderMinutes = "private", "tentative", &minutes
	s.put(b)
	s.settle()
	it := s.only("alice", b.Title)
	if !it.Start.Equal(day(1, 9)) || !it.End.Equal(day(1, 10)) || it.AllDay || it.Location != "Room A" ||
		strings.TrimSpace(it.Body) != b.Notes || it.Sensitivity != "Private" || it.BusyStatus != "Tentative" ||
		!it.ReminderSet || it.ReminderMinutes != 30 || it.TimeZone != "W. Europe Standard Time" {
		s.Errorf("B: the item is %+v", it)
	}
	if len(it.Required) != 1 || it.Required[0].Address != address("bob") || len(it.Resources) != 1 || it.Resources[0].Address != "room-a@example.com" {
		s.Errorf("B: invited are %+v and the rooms %+v", it.Required, it.Resources)
	}
	if it.Properties[ourKey] == "" || it.Properties[oid] != "web" {
		s.Errorf("B: the markers are %v", it.Properties)
	}
	s.wantHistory("web", "1 created by api")
	s.wantMails(b.Title, map[string]int{"request": 1})
	if c, u := s.creates(), s.updates(); c != 1 || u != 0 {
		s.Errorf("B: %d items were created and %d changed, want 1 and 0", c, u)
	}
	// Saying the same again is saying nothing.
	if again := s.put(b); again.Version != 1 {
		s.Errorf("B: the same booking again has version %d", again.Version)
	}
	s.settle()
	if now := s.only("alice", b.Title); now.ChangeKey != it.ChangeKey {
		s.Error("B: the echo changed the item")
	}
}

// newItemWithAddIn is process C, in both orders in which booking and item can come.
func newItemWithAddIn(s *site) {
	s.Helper()
	creates := s.creates()
	for i, first := range []string{"booking first", "item first"} {
		b := meeting("addin-"+strings.Fields(first)[0], "alice", day(2+i, 9))
		b.Item, b.Location = "expected", "Room A"
		make := []func(){func() { s.put(b) }, func() { s.outlookMakes(b) }}
		if i == 1 {
			make[0], make[1] = make[1], make[0]
		}
		make[0]()
		s.eventually("the first half is taken note of", func() error { return s.sim.WaitIdle(s.Context()) })
		make[1]()
		s.settle()
		it := s.only("alice", b.Title)
		s.wantHistory(b.ID, "1 created by api")
		s.wantMails(b.Title, map[string]int{"request": 1}) // by Outlook
		// From now on they belong together.
		s.outlook("alice", it.ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(2+i, 14), day(2+i, 15) })
		s.awaitChange(b.ID, "updated", "calendar")
		if got := s.booking(b.ID).start(s); !got.Equal(day(2+i, 14)) {
			s.Errorf("C, %s: the booking begins at %s", first, got)
		}
		s.settle()
		s.only("alice", b.Title)
	}
	if now := s.creates(); now != creates {
		s.Errorf("C: the host made %d items", now-creates)
	}
}

// outlookMakes creates what the add-in would have Outlook create for a booking.
func (s *site) outlookMakes(b booking) {
	s.Helper()
	_, err := s.sim.Outlook(address(b.Organizer)).Create(exchangesim.Appointment{
		Subject: b.Title, Body: b.Notes, Location: b.Location, Start: b.start(s), End: b.start(s).Add(time.Hour),
		Required:   []exchangesim.Attendee{{Name: "Bob", Address: address("bob")}},
		Resources:  []exchangesim.Attendee{{Name: "Room A", Address: "room-a@example.com"}},
		Properties: map[string]string{oid: b.ID},
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) outlook(person, id string, edit func(*exchangesim.Appointment)) {
	s.Helper()
	if err := s.sim.Outlook(address(person)).Update(id, edit); err != nil {
		s.Fatal(err)
	}
}

// changeInTheWebApp is process D: a change, then a cancellation.
func changeInTheWebApp(s *site) {
	s.Helper()
	b := meeting("web", "alice", day(1, 11))
	b.Title = hush + " moved"
	b.Resources = []string{"room-b"}
	s.put(b)
	s.settle()
	it := s.only("alice", b.Title)
	if !it.Start.Equal(day(1, 11)) || it.Location != "Room B" || len(it.Resources) != 1 || it.Resources[0].Address != "room-b@example.com" {
		s.Errorf("D: the item is %+v", it)
	}
	s.none("alice", hush+" web")
	s.wantHistory("web", "1 created by api", "2 updated by api")
	if n := s.mails(b.Title)["update"]; n == 0 {
		s.Errorf("D: nobody was told of the new time: %v", s.sim.Mails())
	}
	s.cancel("web")
	s.settle()
	s.none("alice", b.Title)
	s.wantHistory("web", "1 created by api", "2 updated by api", "3 cancelled by api")
	if n := s.mails(b.Title)["cancellation"]; n == 0 {
		s.Error("D: nobody was told of the cancellation")
	}
}

// changeWithAddIn is process E: Outlook writes the item, the add-in the booking.
func changeWithAddIn(s *site) {
	s.Helper()
	b := meeting("addin", "carol", day(5, 9))
	s.put(b)
	s.settle()
	it := s.only("carol", b.Title)
	b.Start, b.End = day(5, 15).Format(time.RFC3339), day(5, 16).Format(time.RFC3339)
	s.outlook("carol", it.ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(5, 15), day(5, 16) })
	s.put(b)
	s.settle()
	if now := s.only("carol", b.Title); !now.Start.Equal(day(5, 15)) {
		s.Errorf("E: the item begins at %s", now.Start)
	}
	if h := s.history("addin"); len(h) != 2 || !strings.HasPrefix(h[1], "2 updated by") {
		s.Errorf("E: the feed tells %q", h)
	}
	s.wantMails(b.Title, map[string]int{"request": 1, "update": 1}) // the update is Outlook's own
}

// changeInOutlook is process F: a change, then Delete, which must stay.
func changeInOutlook(s *site) {
	s.Helper()
	b := meeting("byhand", "dave", day(6, 9))
	s.put(b)
	s.settle()
	writes := s.writes()
	it := s.only("dave", b.Title)
	s.outlook("dave", it.ID, func(a *exchangesim.Appointment) {
		a.Subject, a.Start, a.End = hush+" by hand", day(6, 13), day(6, 15)
	})
	c := s.awaitChange("byhand", "updated", "calendar")
	if got := c.Booking; got.Title != hush+" by hand" || !got.start(s).Equal(day(6, 13)) || got.Version != 2 {
		s.Errorf("F: the booking is %+v", got)
	}
	s.settle()
	if err := s.sim.Outlook(address("dave")).Delete(s.only("dave", hush+" by hand").ID); err != nil {
		s.Fatal(err)
	}
	s.awaitChange("byhand", "cancelled", "calendar")
	s.settle()
	s.none("dave", hush+" by hand")
	s.wantHistory("byhand", "1 created by api", "2 updated by calendar", "3 cancelled by calendar")
	if now := s.writes(); now != writes {
		s.Errorf("F: the host wrote to the calendar %d times", now-writes)
	}
}

// allDay is B, D and F with dates in place of times.
func allDay(s *site) {
	s.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		s.Fatal(err)
	}
	midnight := func(n int) time.Time { return time.Date(2027, 2, 1+n, 0, 0, 0, 0, berlin) }
	s.put(deskDay("desk", "carol", 8))
	s.settle()
	it := s.only("carol", hush+" desk")
	if !it.AllDay || !it.Start.Equal(midnight(8)) || !it.End.Equal(midnight(9)) || it.Location != "Desk 0" || it.IsMeeting {
		s.Errorf("all day: the item is %+v", it)
	}
	s.wantHistory("desk", "1 created by api")

	s.put(deskDay("desk", "carol", 9))
	s.settle()
	if it = s.only("carol", hush+" desk"); !it.AllDay || !it.Start.Equal(midnight(9)) || !it.End.Equal(midnight(10)) {
		s.Errorf("all day: the moved item is %+v", it)
	}

	s.outlook("carol", it.ID, func(a *exchangesim.Appointment) { a.Start, a.End = midnight(10), midnight(12) })
	c := s.awaitChange("desk", "updated", "calendar")
	if c.Booking.Start != "2027-02-11" || c.Booking.End != "2027-02-13" || !c.Booking.AllDay {
		s.Errorf("all day: the booking is %+v", c.Booking)
	}
	s.settle()
	s.cancel("desk")
	s.settle()
	s.none("carol", hush+" desk")
	s.wantHistory("desk", "1 created by api", "2 updated by api", "3 updated by calendar", "4 cancelled by api")
	if len(s.mails(hush+" desk")) != 0 {
		s.Errorf("all day: mails were sent though nobody is invited")
	}
}
