package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestConflictBehaviours moves two items in Outlook to a moment at which their room is taken.
func TestConflictBehaviours(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.must("person", "set", "carol", "--conflict", "cancel")
	for i, p := range []string{"alice", "carol"} {
		s.put(deskMeeting("taken-"+p, "dave", day(i, 13), "room-a"))
		s.put(meeting("of-"+p, p, day(i, 9)))
	}
	s.settle()
	for i, p := range []string{"alice", "carol"} {
		s.outlook(p, s.only(p, hush+" of-"+p).ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(i, 13), day(i, 14) })
	}
	s.awaitChange("of-carol", "cancelled", "calendar")
	s.eventually("alice's item is reset", func() error {
		it := s.only("alice", hush+" of-alice")
		return yes(it.Start.Equal(day(0, 9)), "it begins at %s", it.Start)
	})
	s.settle()
	s.wantHistory("of-alice", "1 created by api")
	s.only("carol", hush+" of-carol") // it lost its link, and stays as its owner wants it
	for _, p := range []string{"alice", "carol"} {
		s.wantHistory("taken-"+p, "1 created by api")
		if shown := s.show(p); !strings.Contains(shown, "taken") {
			t.Errorf("person show does not tell of it: %s", shown)
		}
	}
	// Nobody is mailed of a reset; the update is the one that Outlook sent when alice moved the item.
	s.wantMails(hush+" of-alice", map[string]int{"request": 1, "update": 1})
}

// TestMassDeletionIsHeld deletes a whole calendar in Outlook: once by mistake, once on purpose.
func TestMassDeletionIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{sync: map[string]string{"mass_deletion_limit": "3", "coalesce": `"300ms"`}})
	const n = 6
	for i := range n {
		s.put(deskMeeting(fmt.Sprintf("d%d", i), "alice", day(i, 9), desk(i)))
	}
	s.settle()
	empty := func() {
		t.Helper()
		s.sim.Faults().HoldNotifications()
		for i := range n {
			if err := s.sim.Outlook(address("alice")).HardDelete(s.only("alice", fmt.Sprintf("%s d%d", hush, i)).ID); err != nil {
				t.Fatal(err)
			}
		}
		s.sim.Faults().Release()
		s.eventually("the deletions are held", func() error {
			st := s.state("alice")
			return yes(st.Status == "attention" && st.Kind == "mass deletion", "%+v", st)
		})
		if shown := s.show("alice"); !strings.Contains(shown, "6 items vanished") || !strings.Contains(shown, "sync approve") || !strings.Contains(shown, "sync restore") {
			t.Errorf("person show says: %s", shown)
		}
		for i := range n {
			if b := s.booking(fmt.Sprintf("d%d", i)); b.Status != "confirmed" {
				t.Errorf("booking %+v", b)
			}
		}
		s.put(deskMeeting("meanwhile", "alice", day(20, 9), desk(7))) // the rest of the mailbox goes on
		s.eventually("a new booking is written", func() error {
			return yes(len(s.items("alice", hush+" meanwhile")) == 1, "it is not there")
		})
	}
	empty()
	s.must("sync", "restore", "alice")
	s.settle()
	for i := range n {
		s.only("alice", fmt.Sprintf("%s d%d", hush, i))
		s.wantHistory(fmt.Sprintf("d%d", i), "1 created by api")
	}
	empty()
	s.must("sync", "approve", "alice")
	s.settle()
	for i := range n {
		s.none("alice", fmt.Sprintf("%s d%d", hush, i))
		s.wantHistory(fmt.Sprintf("d%d", i), "1 created by api", "2 cancelled by calendar")
	}
}

// TestWhatIsNotOursIsLeftAlone meets private appointments, a copy of an item of ours, and one made into a series.
func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("copied", "alice", day(1, 9)))
	s.put(meeting("series", "alice", day(2, 9)))
	s.settle()
	o := s.sim.Outlook(address("alice"))
	private, err := o.Create(exchangesim.Appointment{Subject: hush + " private", Start: day(3, 9), End: day(3, 10)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Copy(s.only("alice", hush+" copied").ID); err != nil {
		t.Fatal(err)
	}
	s.outlook("alice", s.only("alice", hush+" series").ID, func(a *exchangesim.Appointment) {
		a.Recurrence = &exchangesim.Recurrence{Pattern: "Daily", Interval: 1, Count: 5}
	})
	s.settle()
	before := map[string]string{}
	for _, a := range o.Items() {
		before[a.ID] = a.ChangeKey
	}
	if len(before) != 4 || before[private] == "" {
		t.Errorf("the calendar holds %s", s.calendar("alice"))
	}
	s.must("sync", "now", "alice", "--full")
	s.settle()
	after := map[string]string{}
	for _, a := range o.Items() {
		after[a.ID] = a.ChangeKey
	}
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("items were touched: %v, then %v", before, after)
	}
	s.wantHistory("copied", "1 created by api")
	s.wantHistory("series", "1 created by api", "2 updated by calendar") // a series made of a single item is the booking's
	if diff := s.must("diff", "--person", "alice"); !strings.Contains(diff, "copy left alone") {
		t.Errorf("diff does not tell of the copy:\n%s", diff)
	}
}
