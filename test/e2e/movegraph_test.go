package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// richCalendar fills alice's calendar with all that a calendar can hold of bookings; every booking is in sync. It returns the
// ids of the bookings.
func (s *site) richCalendar() []string {
	s.Helper()
	var ids []string
	add := func(n int, change func(b *booking)) {
		b := deskMeeting(fmt.Sprintf("rich%d", n), "alice", day(n, 9), desk(n%desks))
		change(&b)
		s.put(b)
		ids = append(ids, b.ID)
	}
	minutes := func(n int) *int { return &n }
	span := func(b *booking, start, end string) { b.Start, b.End = start, end }
	guests := []attendee{{Email: "zoe@partner.example", Role: "required"}, {Email: address("bob"), Role: "optional"}, {Email: "Adam@Partner.example", Role: "required"}}
	for n, change := range []func(b *booking){
		func(b *booking) { b.Attendees, b.Resources = guests, []string{"room-a", desk(1)} },
		func(b *booking) { *b = deskDay(b.ID, "alice", 1) },
		func(b *booking) { // over the change of the clocks
			*b = deskDay(b.ID, "alice", 2)
			span(b, "2027-03-26", "2027-03-30")
		},
		func(b *booking) { span(b, "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z") },
		func(b *booking) { b.Zone = "America/New_York"; span(b, "2027-03-14T06:30:00Z", "2027-03-14T07:30:00Z") },
		func(b *booking) { b.Zone = "Asia/Kolkata"; b.Class = "private" },
		func(b *booking) { b.Busy, b.Class = "tentative", "personal" },
		func(b *booking) { b.Busy, b.Class = "working-elsewhere", "confidential" },
		func(b *booking) { b.Busy, b.ReminderMinutes = "free", minutes(0) },
		func(b *booking) { b.Busy, b.ReminderMinutes = "oof", minutes(20160) },
		func(b *booking) { b.Notes = "  " + hush + " <b>no tag</b> & ä\n\n\tsecond 😀\nline\n" },
		func(b *booking) { b.Notes, b.Location = "", "  On the  roof  " },
		func(b *booking) { b.Attendees = guests[:2] }, // becomes an online meeting
		func(b *booking) {}, // becomes a series
		func(b *booking) {}, // is copied
		func(b *booking) { span(b, "2031-05-05T09:00:00Z", "2031-05-05T10:00:00Z") },
		func(b *booking) { span(b, "2026-07-01T09:00:00Z", "2026-07-01T10:00:00Z") },
		func(b *booking) { *b = deskDay(b.ID, "alice", 17); b.Zone = "America/New_York" },
		func(b *booking) { // its Outlook says nothing of us
			*b = meeting(b.ID, "alice", day(18, 9))
			b.Item, b.Location = "expected", "Room A"
			s.outlookMakes(*b)
		},
	} {
		add(n, change)
	}
	s.settle()
	own := func(n int) string { return s.only("alice", hush+fmt.Sprintf(" rich%d", n)).ID }
	if err := s.sim.Outlook(address("alice")).GoOnline(own(12)); err != nil {
		s.Fatal(err)
	}
	s.outlook("alice", own(13), func(a *exchangesim.Appointment) {
		a.Recurrence = &exchangesim.Recurrence{Pattern: "Daily", Interval: 1, Start: a.Start.Format(time.DateOnly), Count: 3}
	})
	copied, err := s.sim.Outlook(address("alice")).Copy(own(14))
	if err != nil {
		s.Fatal(err)
	}
	s.outlook("alice", copied, func(a *exchangesim.Appointment) { a.Subject, a.Start, a.End = hush+" a copy", day(14, 15), day(14, 16) })
	s.outlook("alice", own(18), func(a *exchangesim.Appointment) {
		a.Resources = append(a.Resources, exchangesim.Attendee{Name: "Elsewhere", Address: "room@elsewhere.example"})
	})
	s.settle()
	return ids
}

// silently fails if do has anything written to a calendar, or anybody mailed.
func (s *site) silently(do func()) {
	s.Helper()
	writes, mails := s.writes(), len(s.sim.Mails())
	do()
	if w, m := s.writes()-writes, len(s.sim.Mails())-mails; w != 0 || m != 0 {
		s.Errorf("%d writes and %d mails: %+v", w, m, s.sim.Mails()[mails:])
	}
}

// TestAllThatACalendarHoldsMovesToGraphAndBack moves a person with every kind of item from EWS to Graph and back: each is found
// and says what was agreed, nothing is written and nobody is mailed; then both sides are changed.
func TestAllThatACalendarHoldsMovesToGraphAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: "O365"})
	ids := s.richCalendar()
	before, told := s.calendar("alice"), s.fed()
	s.silently(func() {
		for _, to := range []string{"Microsoft365", "O365", "Microsoft365"} {
			out := s.must("person", "move", "--to", to, "alice")
			if want := fmt.Sprintf("alice: moved to %s: %d items: %[2]d verified\n", to, len(ids)); !strings.Contains(out, want) {
				t.Errorf("the move to %s says: %s\n%s", to, out, s.must("person", "moves", "alice"))
			}
			s.settle()
			s.must("sync", "now", "--full", "alice")
			s.settle()
		}
	})
	if now := s.calendar("alice"); now != before {
		t.Errorf("the calendar was %s\nand is %s", before, now)
	}
	if now := s.fed(); now != told {
		t.Errorf("the feed told of %d changes, and now of %d", told, now)
	}
	open := s.must("diff", "--person", "alice")
	if strings.Count(open, "copy left alone") != 1 || strings.Count(open, "\n") != 2 {
		t.Errorf("diff says:\n%s", open)
	}

	for _, id := range []string{"rich0", "rich1", "rich2", "rich5", "rich12", "rich15", "rich18"} {
		s.outlook("alice", s.only("alice", hush+" "+id).ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
	}
	s.must("sync", "now", "--full", "alice") // one is beyond what is told of at once
	s.settle()
	for _, id := range []string{"rich0", "rich1", "rich2", "rich5", "rich12", "rich15", "rich18"} {
		if b := s.booking(id); b.ReminderMinutes == nil || *b.ReminderMinutes != 45 {
			t.Errorf("%s = %+v", id, b)
		}
	}
	rename := func(id string) {
		b := s.booking(id)
		b.Title, b.Version, b.Status = b.Title+" changed", 0, ""
		s.put(b)
	}
	for _, id := range []string{"rich3", "rich10", "rich14", "rich15"} {
		rename(id)
	}
	mails := len(s.sim.Mails())
	rename("rich0") // of a meeting: Graph cannot do that without mail
	s.settle()
	for _, id := range []string{"rich3", "rich10", "rich14", "rich15"} {
		s.only("alice", hush+" "+id+" changed")
	}
	s.only("alice", hush+" rich0")
	if out := s.must("diff", "--person", "alice"); strings.Count(out, "mail held back") != 1 {
		t.Errorf("diff says:\n%s", out)
	}
	// EWS can, and so it is made up for.
	s.must("person", "move", "--to", "O365", "alice")
	s.settle()
	s.only("alice", hush+" rich0 changed")
	if out := s.must("diff", "--person", "alice"); strings.Contains(out, "mail held back") {
		t.Errorf("diff says:\n%s", out)
	}
	if now := len(s.sim.Mails()); now != mails {
		t.Errorf("%d mails: %+v", now-mails, s.sim.Mails()[mails:])
	}
	for _, sub := range s.sim.GraphSubscriptions() {
		if sub.Mailbox == address("alice") {
			t.Errorf("Graph still calls for alice: %+v", sub)
		}
	}
}

// fed is how many changes the feed tells of.
func (s *site) fed() int {
	s.Helper()
	var page struct {
		Changes []change `json:"changes"`
	}
	s.do(http.MethodGet, "/changes?after=0", nil, &page)
	return len(page.Changes)
}

// TestHostKilledWhilePersonsMoveToGraph kills the host at every step of moves between EWS and Graph.
func TestHostKilledWhilePersonsMoveToGraph(t *testing.T) {
	t.Parallel()
	st := moveStory()
	st.act = func(s *site, _ string) {
		to := map[string]string{"O365": "Microsoft365", "Microsoft365": "O365"}[s.modeOf("alice")]
		_, _, _ = s.roomwire("person", "move", "--no-wait", "--to", to, "alice") // the host dies
	}
	st.check = func(s *site, id string) {
		want := "Microsoft365"
		if n := int(id[len(id)-1] - '0'); n%2 == 1 {
			want = "O365"
		}
		if got := s.modeOf("alice"); got != want {
			s.Errorf("alice has sync mode %s, want %s", got, want)
		}
		it := s.only("alice", hush+" "+id)
		s.wantHistory(id, "1 created by api")
		s.wantMails(it.Subject, map[string]int{"request": 1})
		if n := s.writes(); n != int(id[len(id)-1]-'0')+1 {
			s.Errorf("%d writes to the calendar", n)
		}
		s.outlook("alice", it.ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
		s.awaitChange(id, "updated", "calendar")
		s.settle()
	}
	s := newSite(t, setup{cloud: "O365"})
	for i, step := range st.steps {
		s.killedAt(st, step, fmt.Sprintf("k%d", i))
	}
}
