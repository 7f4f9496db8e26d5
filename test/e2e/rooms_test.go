package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// A roomState is what a room has answered to a booking, as the API tells it.
type roomState struct {
	Resource string `json:"resource"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
}

// A roomBooking is what the API tells of a booking besides.
type roomBooking struct {
	booking
	External *struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"external_organizer"`
	States []roomState `json:"resource_states"`
}

// roomBookings lists the bookings that stand.
func (s *site) roomBookings(filter string) []roomBooking {
	s.Helper()
	var page struct {
		Items []roomBooking `json:"items"`
	}
	s.do(http.MethodGet, "/bookings"+filter, nil, &page)
	return page.Items
}

// awaitBooking waits for a booking of a room that begins at the given moment, and is as ok wants it.
func (s *site) awaitBooking(room string, start time.Time, ok func(roomBooking) error) roomBooking {
	s.Helper()
	var got roomBooking
	s.eventually(fmt.Sprintf("%s is booked from %s", room, start), func() error {
		found := 0
		for _, b := range s.roomBookings("?resource=" + room) {
			if b.start(s).Equal(start) {
				got, found = b, found+1
			}
		}
		if found != 1 {
			return fmt.Errorf("%d bookings: %+v", found, s.roomBookings(""))
		}
		return ok(got)
	})
	return got
}

// answered wants a room to have answered so.
func answered(room, state string) func(roomBooking) error {
	return func(b roomBooking) error {
		for _, st := range b.States {
			if st.Resource == room && st.State == state {
				return nil
			}
		}
		return fmt.Errorf("%s has not %s: %+v", room, state, b.States)
	}
}

// syncRooms has the calendars of both rooms synced; room A is the one whose conflicts the hub declines.
func (s *site) syncRooms() {
	s.Helper()
	for _, room := range []string{"room-a", "room-b"} {
		args := []string{"person", "set", room, "--mode", s.mode, fmt.Sprintf("--sync-master=%t", room == "room-a")}
		if s.exchange != "" {
			args = append(args, "--url", s.exchange)
		}
		s.must(args...)
	}
	s.settleOnly("alice", "bob", "room-a", "room-b")
}

// TestRoomsInvitedInCalendars is resource sync, through both kinds of backends.
func TestRoomsInvitedInCalendars(t *testing.T) {
	t.Parallel()
	for name, cloud := range map[string]string{"on premises": "", "Microsoft Graph": overGraph} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: cloud, hcl: "rooms {\n  sync = true\n}", sim: exchangesim.Options{CopyToAttendees: true}})
			s.syncRooms()
			s.hubsRoomAnswers()
			s.roomInvitedByAPerson()
			s.roomInvitedFromOutside()
			s.roomRefusedByTheHub()
			s.roomRefusedByExchange()
		})
	}
}

// hubsRoomAnswers: the room's copy of a booked meeting tells its answer, and is no second booking.
func (s *site) hubsRoomAnswers() {
	s.Helper()
	b := meeting("hub", "alice", day(1, 9))
	s.put(b)
	got := s.awaitBooking("room-a", day(1, 9), answered("room-a", "accepted"))
	if got.ID != "hub" || got.Title != b.Title || got.SyncProblem != "" {
		s.Errorf("booking %+v", got)
	}
	s.settleOnly("alice", "room-a")
	if all := s.roomBookings(""); len(all) != 1 {
		s.Errorf("bookings %+v", all)
	}
	s.wantMails(b.Title, map[string]int{"request": 1})
}

// written is how often the host wrote, without what was refused in a person's calendar.
func (s *site) written(person string) int { return s.writes() - s.crossed(person) }

// updated is how often the host changed an item, without what was refused in a person's calendar.
func (s *site) updated(person string) int { return s.updates() - s.crossed(person) }

// crossed is how many changes the server refused because they crossed an edit in a person's calendar or an answer to it: nothing came of them.
func (s *site) crossed(person string) int {
	mailbox := regexp.QuoteMeta("mailbox=" + address(person))
	refused := regexp.MustCompile("code=ErrorIrresolvableConflict " + mailbox + " operation=UpdateItem|" + mailbox + ` method=PATCH request-id=\S+ status=412`)
	return len(refused.FindAllString(s.host.log.String(), -1))
}

// roomInvitedByAPerson: a meeting made in Outlook becomes a booking that goes with it, also to another room.
func (s *site) roomInvitedByAPerson() {
	s.Helper()
	writes := s.written("alice")
	title := hush + " from Outlook"
	id, err := s.sim.Outlook(address("alice")).Create(exchangesim.Appointment{
		Subject: title, Body: hush + " text", Start: day(2, 9), End: day(2, 10), TimeZone: "W. Europe Standard Time",
		Resources: []exchangesim.Attendee{{Name: "Room A", Address: "room-a@example.com"}},
	})
	if err != nil {
		s.Fatal(err)
	}
	made := s.awaitBooking("room-a", day(2, 9), answered("room-a", "accepted"))
	if made.Organizer != "alice" || made.Title != title || made.Notes != "" {
		s.Errorf("booking %+v", made)
	}
	s.outlook("alice", id, func(a *exchangesim.Appointment) {
		a.Resources = []exchangesim.Attendee{{Name: "Room B", Address: "room-b@example.com"}}
	})
	moved := s.awaitBooking("room-b", day(2, 9), answered("room-b", "accepted"))
	if moved.ID != made.ID || len(moved.Resources) != 1 || moved.SyncProblem != "" {
		s.Errorf("booking %+v", moved)
	}
	s.outlook("alice", id, func(a *exchangesim.Appointment) { a.Start, a.End = day(2, 14), day(2, 15) })
	later := s.awaitBooking("room-b", day(2, 14), func(roomBooking) error { return nil })
	if later.ID != made.ID {
		s.Errorf("booking %+v", later)
	}
	s.settleOnly("alice", "room-a", "room-b")
	if n, it := s.written("alice")-writes, s.only("alice", title); n != 1 || it.Properties[oid] != made.ID {
		s.Errorf("the host wrote %d times to calendars in which somebody made a meeting, want its marker alone: %v", n, it.Properties)
	}
	if err := s.sim.Outlook(address("alice")).Delete(id); err != nil {
		s.Fatal(err)
	}
	s.eventually("the booking is cancelled with its meeting", func() error {
		status := s.booking(made.ID).Status
		return yes(status == "cancelled", "it is %s", status)
	})
	s.settleOnly("alice", "room-a", "room-b")
}

// roomInvitedFromOutside: so does one of somebody whom nobody here knows.
func (s *site) roomInvitedFromOutside() {
	s.Helper()
	if _, err := s.sim.SetProcessing("room-b@example.com", func(p *exchangesim.CalendarProcessing) { p.ProcessExternalMeetingMessages = true }); err != nil {
		s.Fatal(err)
	}
	eve := exchangesim.Attendee{Name: "Eve", Address: "eve@elsewhere.example"}
	a := exchangesim.Appointment{
		Subject: hush + " visit", Start: day(3, 9), End: day(3, 10),
		Resources: []exchangesim.Attendee{{Name: "Room B", Address: "room-b@example.com"}},
	}
	var err error
	if a.UID, err = s.sim.Arrive(eve, "request", a); err != nil {
		s.Fatal(err)
	}
	made := s.awaitBooking("room-b", day(3, 9), answered("room-b", "accepted"))
	if made.External == nil || made.External.Email != eve.Address || made.Organizer != "" || made.Title != "Eve" {
		s.Errorf("booking %+v", made)
	}
	a.Start, a.End = day(3, 11), day(3, 12)
	if _, err := s.sim.Arrive(eve, "update", a); err != nil {
		s.Fatal(err)
	}
	if moved := s.awaitBooking("room-b", day(3, 11), func(roomBooking) error { return nil }); moved.ID != made.ID || moved.Title != "Eve" {
		s.Errorf("booking %+v", moved)
	}
}

// roomRefusedByTheHub: Exchange takes a meeting that collides with a booking, and the hub declines it, once.
func (s *site) roomRefusedByTheHub() {
	s.Helper()
	if _, err := s.sim.SetProcessing("room-a@example.com", func(p *exchangesim.CalendarProcessing) { p.AllowConflicts = true }); err != nil {
		s.Fatal(err)
	}
	_, err := s.sim.Outlook(address("bob")).Create(exchangesim.Appointment{
		Subject: hush + " collides", Start: day(1, 9), End: day(1, 10),
		Resources: []exchangesim.Attendee{{Name: "Room A", Address: "room-a@example.com"}},
	})
	if err != nil {
		s.Fatal(err)
	}
	s.eventually("the room declines", func() error {
		response := ""
		for _, it := range s.items("bob", hush+" collides") {
			response = it.Resources[0].Response
		}
		return yes(response == "Decline", "its answer is %q", response)
	})
	s.settleOnly("alice", "bob", "room-a")
	s.must("sync", "now", "room-a", "--full")
	s.settleOnly("alice", "bob", "room-a")
	declined := 0
	for _, a := range s.sim.Answers() {
		if a.Response == "Decline" && strings.Contains(a.Text, "not free") {
			declined++
		}
	}
	if declined != 1 {
		s.Errorf("%d answers decline: %+v", declined, s.sim.Answers())
	}
	if got := s.awaitBooking("room-a", day(1, 9), answered("room-a", "accepted")); got.ID != "hub" {
		s.Errorf("booking %+v", got)
	}
}

// roomRefusedByExchange: the room's own policy declines a booking of the hub's, and whoever looks after bookings sees it.
func (s *site) roomRefusedByExchange() {
	s.Helper()
	b := meeting("far", "alice", day(300, 9))
	b.Resources = []string{"room-b"}
	s.put(b)
	got := s.awaitBooking("room-b", day(300, 9), answered("room-b", "declined"))
	if got.SyncProblem == "" || got.SyncDisabled || got.Status != "confirmed" {
		s.Errorf("booking %+v", got)
	}
	if list := s.roomBookings("?problem=true"); len(list) != 1 || list[0].ID != "far" {
		s.Errorf("bookings with problems: %+v", list)
	}
	if out := s.must("booking", "list", "--problem"); !strings.Contains(out, "room-b declined") {
		s.Errorf("booking list says:\n%s", out)
	}
	if !strings.Contains(strings.Join(s.history("far"), ", "), "answered by calendar") {
		s.Errorf("the feed tells %q", s.history("far"))
	}
	s.settleOnly("alice", "room-b")
	s.wantMails(b.Title, map[string]int{"request": 1})
}
