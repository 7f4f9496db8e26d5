package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// bothWays has a change travel to a person's calendar and another one back. Nobody has to be told of anything by push.
func (s *site) bothWays(person, id string, at time.Time) {
	s.Helper()
	b := deskMeeting(id, person, at, desk(len(id)%desks))
	s.put(b)
	s.arrives(person, b.Title)
	s.edited(person, id)
}

// arrives waits until an item is in a calendar.
func (s *site) arrives(person, subject string) exchangesim.Appointment {
	s.Helper()
	s.eventually(subject+" is in the calendar of "+person, func() error {
		n := len(s.items(person, subject))
		return yes(n == 1, "there are %d", n)
	})
	return s.only(person, subject)
}

// edited changes how busy somebody is in Outlook, and waits until the change feed tells of it.
func (s *site) edited(person, id string) {
	s.Helper()
	busy := map[string]string{"Busy": "OOF", "OOF": "Busy"}[s.only(person, hush+" "+id).BusyStatus]
	s.outlook(person, s.only(person, hush+" "+id).ID, func(a *exchangesim.Appointment) { a.BusyStatus = busy })
	s.eventually("the change feed tells of "+id, func() error {
		b := s.booking(id)
		return yes(strings.EqualFold(b.Busy, busy), "the booking says %s", b.Busy)
	})
}

// onWay waits until persons hear of changes in a way, and somebody listens to them: a connection stands for each, or there is a
// subscription that is asked.
func (s *site) onWay(way string, persons ...string) {
	s.Helper()
	s.eventually("notices arrive by "+way, func() error {
		for _, p := range persons {
			if st := s.state(p); st.Way != way || st.Status != "ok" || st.Pending {
				return fmt.Errorf("%s: %+v", p, st)
			}
		}
		heard := map[string]bool{}
		switch way {
		case "streaming":
			heard = s.listenedTo()
		case "pull": // over EWS: there is a subscription that is asked
			for _, sub := range s.subscriptions() {
				if sub.Kind == "pull" {
					heard[sub.Mailbox] = true
				}
			}
		default:
			return nil
		}
		for _, p := range persons {
			if !heard[address(p)] {
				return fmt.Errorf("nobody listens to %s", p)
			}
		}
		return nil
	})
}

// listenedTo are the mailboxes for which a connection stands.
func (s *site) listenedTo() map[string]bool {
	heard := map[string]bool{}
	for _, st := range s.sim.Streams() {
		for _, m := range st.Mailboxes {
			heard[m] = true
		}
	}
	return heard
}

// TestStreaming has the host listen in place of being called: with connections cut, subscriptions forgotten, mailboxes on
// several back-end servers, and Exchange without the host's address.
func TestStreaming(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{mode: `notices = "streaming"`, sim: exchangesim.Options{Affinity: true, HangingConnections: 3}})
	s.onWay("streaming", people...)
	for _, sub := range s.sim.Subscriptions() {
		if sub.Kind != "streaming" {
			t.Errorf("%s has a subscription for %s", sub.Mailbox, sub.Kind)
		}
	}
	s.bothWays("alice", "first", day(1, 9))

	s.sim.CutStreams("")
	// Nobody hears this edit, or perhaps the next connection tells of it: it is not lost either way.
	s.edited("alice", "first")
	s.onWay("streaming", people...)

	s.sim.DropSubscriptions(address("alice"))
	s.edited("alice", "first")
	s.sim.DropSubscriptions("")
	for i, p := range people {
		s.bothWays(p, "forgotten-"+p, day(2+i, 9))
	}
	s.onWay("streaming", people...)
	for _, p := range people {
		if shown := s.show(p); !strings.Contains(shown, "streaming") || strings.Contains(shown, "what to do") {
			t.Errorf("person show says: %s", shown)
		}
	}
	// A host that begins anew reads what happened meanwhile, and listens again.
	s.stop()
	s.outlook("bob", s.only("bob", hush+" forgotten-bob").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "Tentative" })
	s.serve()
	s.eventually("the edit made meanwhile is found", func() error {
		b := s.booking("forgotten-bob")
		return yes(b.Busy == "tentative", "the booking says %s", b.Busy)
	})
	s.onWay("streaming", people...)
}

// TestStreamingToManyMailboxes has more mailboxes on one server than a connection may tell of, some of which fail.
func TestStreamingToManyMailboxes(t *testing.T) {
	t.Parallel()
	const many = 230
	o := setup{mode: `notices = "streaming"`, sim: exchangesim.Options{Generate: many}, sync: map[string]string{"workers_per_server": "20"}}
	s := newSite(t, setup{stopped: true, mode: o.mode, sim: o.sim, sync: o.sync})
	rows := []string{s.rows()[0]}
	user := func(i int) string { return fmt.Sprintf("user%d", i) }
	for i := 1; i <= many; i++ {
		rows = append(rows, s.row(user(i), "Exchange2013", s.exchange))
	}
	s.must("person", "import", s.write("many.csv", strings.Join(rows, "\n")+"\n"))
	gone := map[string]bool{address(user(7)): true, address(user(77)): true, address(user(177)): true}
	for mailbox := range gone {
		s.sim.Disconnect(mailbox, true)
	}
	s.serve()
	everybody := func() error {
		heard := s.listenedTo()
		for i := 1; i <= many; i++ {
			if a := address(user(i)); !heard[a] && !gone[a] {
				return fmt.Errorf("nobody listens to %s; %d are listened to", a, len(heard))
			}
		}
		return nil
	}
	s.eventually("all are listened to but those that are gone", everybody)
	streams := s.sim.Streams()
	for _, st := range streams {
		if st.Subscriptions > 200 {
			t.Errorf("a connection tells of %d subscriptions", st.Subscriptions)
		}
	}
	if len(streams) < 2 || len(streams) > 6 {
		t.Errorf("there are %d connections for %d mailboxes", len(streams), many)
	}
	s.bothWays("user1", "one", day(1, 9))
	s.bothWays("user230", "last", day(2, 9))
	// Some ids fail: the others are listened to all the same, and they themselves are again.
	for _, i := range []int{3, 33, 133, 203} {
		s.sim.DropSubscriptions(address(user(i)))
	}
	s.eventually("all are listened to again", everybody)
	s.bothWays("user33", "lost-id", day(3, 9))
	s.bothWays("user100", "bystander", day(4, 9))
	for mailbox := range gone {
		s.sim.Disconnect(mailbox, false)
	}
	clear(gone)
	s.must("sync", "now", "user7")
	s.bothWays("user7", "back", day(5, 9))
}

// TestAskingForNotices has a mode of the ROOMS keys alone, in which the server is asked what happened.
func TestAskingForNotices(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true, hcl: "sync_mode \"Exchange2016Pull\" {\n  http {\n    ca_file = \"exchange.pem\"\n  }\n}\n", keys: map[string]string{
		"Exchange2016ServiceUser": `EXAMPLE\svc-rooms`, "Exchange2016ServicePassword": password, "IntervallTaskInSeconds": "1",
		"BatchGetEventsSize": "2", "BatchSubscribeSize": "2", "SubscriptionTimeoutInMinutes": "5",
	}})
	for _, p := range people {
		s.must("person", "set", p, "--mode", "Exchange2016Pull", "--url", s.exchange)
	}
	s.serve()
	s.onWay("pull", people...)
	for i, p := range people {
		s.bothWays(p, "asked-"+p, day(1+i, 9))
	}
	for _, sub := range s.sim.Subscriptions() {
		if sub.Kind != "pull" {
			t.Errorf("%s has a subscription for %s", sub.Mailbox, sub.Kind)
		}
	}
	s.sim.DropSubscriptions("")
	for i, p := range people {
		s.bothWays(p, "again-"+p, day(6+i, 9))
	}
	s.onWay("pull", people...)
}

// TestTwoServersSideBySide has people on two servers, in slots with URL and service user of their own, and others on the
// usual one.
func TestTwoServersSideBySide(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	other := s.anotherExchange("svc-second")
	s.appendHCL(fmt.Sprintf(`
sync_mode "EWS1" {
  url      = %q
  user     = "EXAMPLE\\svc-second"
  password = %q
  notices  = "streaming"
  http {
    ca_file = "second.pem"
  }
}
sync_mode "EWS2" {
  url      = %q
  user     = "EXAMPLE\\svc-rooms"
  password = %q
  http {
    ca_file = "exchange.pem"
  }
}
`, other.url, other.password, s.exchange, password))
	for p, mode := range map[string]string{"bob": "EWS1", "carol": "EWS2"} {
		s.must("person", "set", p, "--mode", mode, "--url", "")
	}
	s.serve()
	s.onWay("push", "alice", "carol", "dave")
	s.bothWays("alice", "usual", day(1, 9))
	s.bothWays("carol", "slot-two", day(2, 9))

	s.put(deskMeeting("slot-one", "bob", day(3, 9), desk(3)))
	box := other.sim.Outlook(address("bob"))
	ours := func(a exchangesim.Appointment) bool { return a.Subject == hush+" slot-one" }
	s.eventually("the booking is on the other server", func() error {
		_, found := box.Find(ours)
		return yes(found, "it is not there; bob: %+v", s.state("bob"))
	})
	s.none("bob", hush+" slot-one")
	s.eventually("bob is listened to on the other server", func() error {
		return yes(len(other.sim.Streams()) == 1 && s.state("bob").Way == "streaming", "%+v", s.state("bob"))
	})
	it, _ := box.Find(ours)
	if err := box.Update(it.ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" }); err != nil {
		t.Fatal(err)
	}
	s.awaitChange("slot-one", "updated", "calendar")
	if n := other.sim.Count("CreateItem"); n != 1 {
		t.Errorf("%d items were made on the other server", n)
	}
}

// An elsewhere is a further Exchange server.
type elsewhere struct {
	sim           *exchangesim.Server
	url, password string
}

// anotherExchange starts a server that has the same people and another service user. Its certificate is in second.pem.
func (s *site) anotherExchange(user string) elsewhere {
	s.Helper()
	const pass = "another-" + password
	o := exchangesim.Options{RetryBase: 100 * time.Millisecond, People: []exchangesim.Person{
		{Address: user + "@example.com", User: `EXAMPLE\` + user, Password: pass, Impersonation: true, NoMailbox: true},
	}}
	for _, p := range people {
		o.People = append(o.People, exchangesim.Person{Address: address(p), Password: pass})
	}
	sim, err := exchangesim.New(o)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = sim.Close() })
	l, err := sim.StartTLS("127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = l.Close() })
	s.write("second.pem", string(l.CertificatePEM))
	return elsewhere{sim, l.URL + "/EWS/Exchange.asmx", pass}
}
