package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// weeks returns which weeks of a series a room is booked for, as the API tells.
func (s *site) weeks(id, room string) (list []int) {
	s.Helper()
	var page struct {
		Items []struct {
			Start     string   `json:"start"`
			Resources []string `json:"resources"`
		} `json:"items"`
	}
	s.do(http.MethodGet, "/bookings/"+id+"/occurrences", nil, &page)
	for _, o := range page.Items {
		at, err := time.Parse(time.RFC3339, o.Start)
		if err != nil {
			s.Fatal(err)
		}
		if slices.Contains(o.Resources, room) {
			list = append(list, int(at.Sub(day(1, 9)).Hours()/24/7))
		}
	}
	return list
}

// awaitWeeks waits until a room is booked for these weeks of a series, and no others.
func (s *site) awaitWeeks(id, room string, want ...int) {
	s.Helper()
	s.eventually(fmt.Sprintf("%s is booked in the weeks %v", room, want), func() error {
		got := s.weeks(id, room)
		return yes(slices.Equal(got, want), "it is in %v: %+v", got, s.booking(id))
	})
}

// TestASeriesInTwoRoomsMadeInOutlook: each of the rooms is taken in one week. The one that the hub is master of declines that week;
// in the other's calendar it stays, and is listed. Then the organizer gives the one room up, and takes it in place of the other when
// it is free. Nobody is mailed but by the organizer, and by the room that declines.
func TestASeriesInTwoRoomsMadeInOutlook(t *testing.T) {
	t.Parallel()
	for name, cloud := range map[string]string{"on premises": "", "Microsoft Graph": overGraph} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: cloud, hcl: "rooms {\n  sync = true\n}", sim: exchangesim.Options{CopyToAttendees: true}})
			s.syncRooms()
			s.seriesInTwoRooms()
		})
	}
}

func (s *site) seriesInTwoRooms() {
	s.Helper()
	for _, room := range []string{"room-a", "room-b"} { // Exchange leaves it to the hub what collides
		if _, err := s.sim.SetProcessing(room+"@example.com", func(p *exchangesim.CalendarProcessing) { p.AllowConflicts = true }); err != nil {
			s.Fatal(err)
		}
	}
	for week, room := range map[int]string{1: "room-a", 2: "room-b"} {
		b := meeting("secret-"+room, "bob", day(1+7*week, 9))
		b.Resources, b.Attendees = []string{room}, []attendee{}
		s.put(b)
	}
	s.settleOnly("bob", "room-a", "room-b")
	writes := s.updated("alice")
	title, inRooms := hush+" weekly", func(rooms ...string) (list []exchangesim.Attendee) {
		for _, room := range rooms {
			list = append(list, exchangesim.Attendee{Name: "Room " + strings.ToUpper(room[5:]), Address: room + "@example.com"})
		}
		return list
	}
	item, err := s.sim.Outlook(address("alice")).Create(exchangesim.Appointment{
		Subject: title, Start: day(1, 9), End: day(1, 10), TimeZone: "W. Europe Standard Time", Resources: inRooms("room-a", "room-b"),
		Recurrence: &exchangesim.Recurrence{
			Pattern: "Weekly", Interval: 1, Days: []string{day(1, 9).Weekday().String()}, Start: day(1, 9).Format(time.DateOnly), Count: 4,
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	made := s.awaitBooking("room-a", day(1, 9), answered("room-a", "accepted"))
	if made.Organizer != "alice" || made.Title != title {
		s.Errorf("booking %+v", made)
	}
	s.awaitWeeks(made.ID, "room-a", 0, 2, 3)
	s.awaitWeeks(made.ID, "room-b", 0, 1, 3)
	s.settleOnly("alice", "bob", "room-a", "room-b")
	s.must("sync", "now", "room-a", "--full")
	s.must("sync", "now", "room-b", "--full")
	s.settleOnly("alice", "bob", "room-a", "room-b")
	s.declinedInSeries(1)
	if diff := s.must("diff", "--person", "room-b"); strings.Count(diff, "room conflict") != 1 || !strings.Contains(diff, day(15, 9).Format(time.DateOnly)) {
		s.Errorf("diff says:\n%s", diff)
	}
	if said := s.booking(made.ID).SyncProblem + strings.Join(s.history(made.ID), ", "); strings.Contains(said, "secret-") {
		s.Errorf("alice's booking tells of bob's: %s", said)
	}
	if it := s.only("alice", title); it.Properties[oid] != made.ID || len(it.Resources) != 2 || s.updated("alice") != writes+1 {
		s.Errorf("%d updates, want the marking alone: %+v", s.updated("alice")-writes, it)
	}
	s.wantMails(title, map[string]int{"request": 1}) // by Outlook

	s.outlook("alice", item, func(a *exchangesim.Appointment) { a.Resources = inRooms("room-b") })
	s.awaitWeeks(made.ID, "room-a")
	s.awaitWeeks(made.ID, "room-b", 0, 1, 3)
	s.settleOnly("alice", "bob", "room-a", "room-b")
	if s.declinedInSeries(1); s.updated("alice") != writes+1 {
		s.Errorf("%d updates", s.updated("alice")-writes)
	}
	if b := s.booking(made.ID); b.Status != "confirmed" || b.SyncProblem != "" {
		s.Errorf("booking %+v", b)
	}

	s.do(http.MethodDelete, "/bookings/secret-room-a", nil, nil)
	s.settleOnly("bob", "room-a")
	told := s.mails(title)
	s.outlook("alice", item, func(a *exchangesim.Appointment) { a.Resources = inRooms("room-a") })
	s.awaitWeeks(made.ID, "room-b")
	s.awaitWeeks(made.ID, "room-a", 0, 1, 2, 3)
	s.settleOnly("alice", "bob", "room-a", "room-b")
	s.declinedInSeries(1)
	if diff := s.must("diff", "--person", "room-b"); strings.Contains(diff, "room conflict") {
		s.Errorf("room B is left, and diff says:\n%s", diff)
	}
	if b := s.booking(made.ID); b.Status != "confirmed" || b.SyncDisabled || s.updated("alice") != writes+1 {
		s.Errorf("%d updates, booking %+v", s.updated("alice")-writes, b)
	}
	if now := s.mails(title); now["request"]-told["request"] > 1 || now["update"]-told["update"] > 1 || now["cancellation"]-told["cancellation"] > 1 {
		s.Errorf("mails %v, before the swap %v", now, told)
	}
	if b := s.booking("secret-room-b"); b.Status != "confirmed" || b.SyncProblem != "" {
		s.Errorf("bob's booking %+v", b)
	}
}

// declinedInSeries fails if the hub did not decline the second week of the series, and nothing else, so many times.
func (s *site) declinedInSeries(times int) {
	s.Helper()
	n := 0
	for _, a := range s.sim.Answers() {
		if a.Response != "Decline" {
			continue
		}
		if n++; a.From != "room-a@example.com" || !a.Occurrence.Equal(day(8, 9)) || !strings.Contains(a.Text, "not free") {
			s.Errorf("an answer declines: %+v", a)
		}
	}
	if n != times {
		s.Errorf("%d answers decline, want %d", n, times)
	}
}
