package e2e

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestAnswersLostOnTheWay has Exchange carry out what it is asked and cut the connection before it says so.
func TestAnswersLostOnTheWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	b := meeting("lost", "alice", day(1, 9))

	s.sim.Faults().DropAfter("CreateItem", 1)
	s.put(b)
	s.settle()
	it := s.only("alice", b.Title)
	s.wantMails(b.Title, map[string]int{"request": 1})
	if n := s.sim.Count("CreateItem"); n != 1 {
		t.Errorf("CreateItem was sent %d times", n)
	}

	s.sim.Faults().DropAfter("UpdateItem", 1)
	b.Resources = []string{"room-b"}
	s.put(b)
	s.settle()
	if now := s.only("alice", b.Title); now.ID != it.ID || now.Location != "Room B" {
		t.Errorf("the item is %+v", now)
	}
	if m := s.mails(b.Title); m["update"] != 1 {
		t.Errorf("mails: %v, want one update", m)
	}

	told := s.mails(b.Title)["cancellation"] // room A, which is not needed any more
	s.sim.Faults().DropAfter("DeleteItem", 1)
	s.cancel("lost")
	s.settle()
	s.none("alice", b.Title)
	if m := s.mails(b.Title); m["cancellation"] != told+1 {
		t.Errorf("mails: %v, want one cancellation more than %d", m, told)
	}
	s.wantHistory("lost", "1 created by api", "2 updated by api", "3 cancelled by api")
}

func TestRequestsLostOnTheWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	for i, op := range []string{"SyncFolderItems", "FindItem", "CreateItem"} {
		s.sim.Faults().DropBefore(op, 1)
		b := meeting(fmt.Sprintf("before-%d", i), "alice", day(i, 9))
		s.put(b)
		s.settle()
		s.only("alice", b.Title)
		s.wantMails(b.Title, map[string]int{"request": 1})
	}
}

func TestBackOffIsHonoured(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	const asked = 3 * time.Second
	s.sim.Faults().Busy(address("alice"), 1, asked)
	began := time.Now()
	s.put(meeting("busy", "alice", day(1, 9)))
	s.put(meeting("free", "carol", day(2, 9)))
	s.eventually("alice waits", func() error {
		st := s.state("alice")
		return yes(st.Status == "waiting" && st.Kind == "throttled", "%+v", st)
	})
	st := s.state("alice")
	if st.Until.Before(began.Add(asked)) {
		t.Errorf("alice is tried again at %s, %s after the server asked for %s", st.Until, st.Until.Sub(began), asked)
	}
	if shown := s.show("alice"); !strings.Contains(shown, "sync waiting") || !strings.Contains(shown, "tried again") || !strings.Contains(shown, "busy") {
		t.Errorf("person show says: %s", shown)
	}
	s.settleOnly("carol") // everybody else goes on
	s.only("carol", hush+" free")
	s.none("alice", hush+" busy")
	s.settle()
	if early := asked - time.Since(began); early > 0 {
		t.Errorf("alice's item was made %s too early", early)
	}
	s.only("alice", hush+" busy")
	s.wantMails(hush+" busy", map[string]int{"request": 1})
}

func TestServerInTrouble(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	for i, fault := range []exchangesim.Fault{
		{Kind: "status", Status: 503},
		{Kind: "status", Status: 500},
		{Kind: "status", Status: 404},
		{Kind: "error", ResponseCode: "ErrorInternalServerTransientError"},
		{Kind: "error", ResponseCode: "ErrorMailboxStoreUnavailable"},
		{Kind: "error", ResponseCode: "ErrorTimeoutExpired", Operation: "CreateItem"},
	} {
		if err := s.sim.Faults().Add(fault); err != nil {
			t.Fatal(err)
		}
		b := meeting(fmt.Sprintf("trouble-%d", i), "alice", day(i, 9))
		s.put(b)
		s.settle()
		s.only("alice", b.Title)
		s.wantMails(b.Title, map[string]int{"request": 1})
		if left := s.sim.Faults().List(); len(left) != 0 {
			t.Errorf("fault %d was never met: %+v", i, left)
		}
	}
}

func TestSlowServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.sim.Faults().Latency(150 * time.Millisecond)
	for i, p := range people {
		b := meeting("slow-"+p, p, day(i, 9))
		b.Attendees = []attendee{{Email: address("zoe")}}
		s.put(b)
	}
	s.settle()
	for _, p := range people {
		s.outlook(p, s.only(p, hush+" slow-"+p).ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	}
	s.settle()
	for _, p := range people {
		if b := s.booking("slow-" + p); b.Busy != "oof" || b.Version != 2 {
			t.Errorf("booking %+v", b)
		}
	}
}

func TestNotificationsLostDoubledAndLate(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("n1", "alice", day(1, 9)))
	s.put(meeting("n2", "alice", day(2, 9)))
	s.settle()
	edit := func(id, busy string) {
		s.outlook("alice", s.only("alice", hush+" "+id).ID, func(a *exchangesim.Appointment) { a.BusyStatus = busy })
	}

	// Lost: the next one tells all.
	s.sim.Faults().LoseNotifications(1)
	edit("n1", "OOF")
	s.settle()
	if b := s.booking("n1"); b.Version != 1 {
		t.Fatalf("the notification was not lost: %+v", b)
	}
	edit("n2", "OOF")
	s.settle()
	s.wantHistory("n1", "1 created by api", "2 updated by calendar")
	s.wantHistory("n2", "1 created by api", "2 updated by calendar")
	// Lost with nothing after it: an administrator can ask.
	s.sim.Faults().LoseNotifications(1)
	edit("n1", "Free")
	if err := s.sim.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.must("sync", "now", "alice")
	s.awaitChange("n1", "updated", "calendar")
	s.settle()
	s.wantHistory("n1", "1 created by api", "2 updated by calendar", "3 updated by calendar")

	// Doubled: nothing is done twice.
	s.sim.Faults().DuplicateNotifications(4)
	edit("n2", "Busy")
	s.settle()
	s.wantHistory("n2", "1 created by api", "2 updated by calendar", "3 updated by calendar")

	// Late: while the notification of an edit in Outlook is on its way, the web app changes something else.
	s.sim.Faults().HoldNotifications()
	edit("n1", "Tentative")
	b := s.booking("n1")
	b.Resources, b.Version, b.Status, b.Location = []string{"room-b"}, 0, "", ""
	s.put(b)
	s.eventually("the web app's change is in Outlook", func() error {
		it := s.only("alice", hush+" n1")
		return yes(it.Location == "Room B", "the item is at %q", it.Location)
	})
	s.sim.Faults().Release()
	s.settle()
	it := s.only("alice", hush+" n1")
	if b := s.booking("n1"); b.Busy != "tentative" || len(b.Resources) != 1 || b.Resources[0] != "room-b" || it.BusyStatus != "Tentative" {
		t.Errorf("booking %+v, item %+v", b, it)
	}
}

func TestSyncStateLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	for i := range 3 {
		s.put(meeting(fmt.Sprintf("s%d", i), "alice", day(i, 9)))
	}
	s.settle()
	writes := s.sim.Count("CreateItem") + s.sim.Count("UpdateItem") + s.sim.Count("DeleteItem")
	s.sim.Faults().HoldNotifications()
	s.outlook("alice", s.only("alice", hush+" s1").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	if err := s.sim.Outlook(address("alice")).HardDelete(s.only("alice", hush+" s2").ID); err != nil {
		t.Fatal(err)
	}
	s.sim.Faults().InvalidSyncState(address("alice"))
	s.sim.Faults().Release()
	s.settle()
	s.wantHistory("s0", "1 created by api")
	s.wantHistory("s1", "1 created by api", "2 updated by calendar")
	s.wantHistory("s2", "1 created by api", "2 cancelled by calendar")
	s.only("alice", hush+" s0")
	s.only("alice", hush+" s1")
	s.none("alice", hush+" s2")
	if now := s.sim.Count("CreateItem") + s.sim.Count("UpdateItem") + s.sim.Count("DeleteItem"); now != writes {
		t.Errorf("the host wrote to the calendar %d times", now-writes)
	}
}

// TestSilentSubscriptionIsRenewed has Exchange forget a subscription without a word. The silence is made long by moving
// what the host remembers back in time, while it does not run.
func TestSilentSubscriptionIsRenewed(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("silent", "alice", day(1, 9)))
	s.settle()
	s.sim.DropSubscriptions(address("alice"))
	s.outlook("alice", s.only("alice", hush+" silent").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.stop()
	s.age("alice", 61*time.Minute) // twice the status frequency of 30 minutes, and a little
	before := s.sim.Count("Subscribe")
	s.serve()
	s.awaitChange("silent", "updated", "calendar") // the pull that goes with a new subscription tells what was missed
	s.settle()
	if n := s.sim.Count("Subscribe") - before; n != 1 {
		t.Errorf("%d subscriptions were made, want one: nobody else was silent", n)
	}
	s.outlook("alice", s.only("alice", hush+" silent").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "Free" })
	s.awaitChange("silent", "updated", "calendar")
}

// age makes the host believe that it has not heard of a person's subscription for so long. It must not run.
func (s *site) age(person string, by time.Duration) {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "roomwire.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	at := time.Now().Add(-by).UnixMilli()
	for _, q := range []string{
		"UPDATE mailbox SET subscribed_at = ?1, last_heard = ?1, next_due = ?1 WHERE person = ?2",
		"UPDATE subscription SET created = ?1, last_heard = ?1 WHERE person = ?2",
	} {
		res, err := db.ExecContext(s.Context(), q, at, person)
		if err != nil {
			s.Fatal(err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			s.Fatalf("%s: %d rows, %v", q, n, err)
		}
	}
}

// TestEditsCostFewRequests bounds what one edit causes. Exchange touches every item once more after it was written, and
// tells of every edit several times: an endless echo would show here.
func TestEditsCostFewRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	const most = 12 // a pass for the write and one for its echo
	cost := func(what string, do func()) {
		t.Helper()
		before, updates := s.sim.Count(""), s.sim.Count("UpdateItem")
		do()
		s.settle()
		if n := s.sim.Count("") - before; n > most {
			t.Errorf("%s took %d requests, want at most %d", what, n, most)
		}
		if n := s.sim.Count("UpdateItem") - updates; n > 1 {
			t.Errorf("%s took %d UpdateItem requests", what, n)
		}
	}
	b := meeting("cheap", "alice", day(1, 9))
	cost("a new booking", func() { s.put(b) })
	b.Resources = []string{"room-b"}
	cost("a change in the web app", func() { s.put(b) })
	cost("a change in Outlook", func() {
		s.outlook("alice", s.only("alice", b.Title).ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	})
	s.put(deskMeeting("other", "carol", day(1, 13), "room-b"))
	s.settle()
	cost("a change that the rules refuse", func() {
		s.outlook("alice", s.only("alice", b.Title).ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(1, 13), day(1, 14) })
	})
	if it := s.only("alice", b.Title); !it.Start.Equal(day(1, 9)) {
		t.Errorf("the refused change stayed: the item begins at %s", it.Start)
	}
	cost("a cancellation", func() { s.cancel("cheap") })
}

// deskMeeting is a meeting with nobody in the given place.
func deskMeeting(id, organizer string, start time.Time, place string) booking {
	b := meeting(id, organizer, start)
	b.Resources, b.Attendees = []string{place}, []attendee{}
	return b
}

// TestManyEditsAtOnce has both sides edit everything at once; afterwards they agree.
func TestManyEditsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{sync: map[string]string{"coalesce": `"100ms"`}})
	const n = 8
	for i := range n {
		s.put(deskMeeting(fmt.Sprintf("m%d", i), "alice", day(i, 9), desk(i)))
	}
	s.settle()
	for i := range n {
		id := fmt.Sprintf("m%d", i)
		s.outlook("alice", s.only("alice", hush+" "+id).ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
		b := s.booking(id)
		b.Class, b.Version, b.Status, b.Location = "private", 0, "", ""
		s.put(b)
	}
	s.settle()
	for i := range n {
		id := fmt.Sprintf("m%d", i)
		b, it := s.booking(id), s.only("alice", hush+" "+id)
		if got := (map[string]string{"busy": "Busy", "oof": "OOF"})[b.Busy]; got != it.BusyStatus {
			t.Errorf("%s: the booking says %s, the item %s", id, b.Busy, it.BusyStatus)
		}
		if b.Class != "private" || it.Sensitivity != "Private" {
			t.Errorf("%s: the booking says %s, the item %s", id, b.Class, it.Sensitivity)
		}
	}
}
