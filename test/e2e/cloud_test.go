package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

const overGraph = "Microsoft365"

// TestProcessesInExchangeOnline walks through the processes over both ways into Exchange Online.
func TestProcessesInExchangeOnline(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"O365", overGraph} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			processes(newSite(t, setup{cloud: mode}))
		})
	}
}

// TestExchangeOnlineIsAskedAtIntervals is the mode for sites that Exchange Online cannot call.
func TestExchangeOnlineIsAskedAtIntervals(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: "O365Pull", keys: map[string]string{"IntervallTaskInSeconds": "1"}})
	s.onWay("pull", people...)
	for _, sub := range s.sim.Subscriptions() {
		if sub.Kind != "pull" {
			t.Errorf("%s has a subscription for %s", sub.Mailbox, sub.Kind)
		}
	}
	s.bothWays("alice", "asked", day(1, 9))
	s.bothWays("carol", "asked-too", day(2, 9))
}

// TestHostKilledBetweenAnyTwoStepsOverGraph is what TestHostKilledBetweenAnyTwoSteps is on premises.
func TestHostKilledBetweenAnyTwoStepsOverGraph(t *testing.T) {
	t.Parallel()
	for _, st := range everyStory() {
		if st.hcl != "" {
			continue // a story of two modes
		}
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: overGraph})
			for i, step := range st.steps {
				s.killedAt(st, step, fmt.Sprintf("k%d", i))
			}
		})
	}
}

// TestAnswersLostOnTheWayOverGraph has Graph carry out what it is asked and cut the connection before it says so.
func TestAnswersLostOnTheWayOverGraph(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: overGraph})
	b := meeting("lost", "alice", day(1, 9))

	s.sim.Faults().DropAfter("GraphCreateEvent", 1)
	s.put(b)
	s.settle()
	it := s.only("alice", b.Title)
	s.wantMails(b.Title, map[string]int{"request": 1})

	s.sim.Faults().DropAfter("GraphUpdateEvent", 1)
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
	s.sim.Faults().DropAfter("GraphDeleteEvent", 1)
	s.cancel("lost")
	s.settle()
	s.none("alice", b.Title)
	if m := s.mails(b.Title); m["cancellation"] != told+1 {
		t.Errorf("mails: %v, want one cancellation more than %d", m, told)
	}
	s.wantHistory("lost", "1 created by api", "2 updated by api", "3 cancelled by api")
}

// TestGraphInTrouble has Graph refuse requests in its ways. Nothing is lost, and nothing counts as deleted.
func TestGraphInTrouble(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: overGraph})
	s.put(meeting("kept", "alice", day(0, 9)))
	s.settle()
	for i, fault := range []exchangesim.Fault{
		{Kind: "status", Status: 503, Operation: "Graph", Count: 1},
		{Kind: "status", Status: 500, Operation: "GraphDelta", Count: 1},
		{Kind: "busy", Operation: "GraphCreateEvent", BackOff: exchangesim.Milliseconds(time.Second), Count: 1},
		{Kind: "busy", Operation: "GraphDelta", BackOff: exchangesim.Milliseconds(time.Second), Count: 1},
		{Kind: "status", Status: 504, Operation: "GraphCreateEvent", Count: 1},
		{Kind: "error", ResponseCode: "ErrorInternalServerTransientError", Operation: "GraphListEvents", Count: 1},
	} {
		if err := s.sim.Faults().Add(fault); err != nil {
			t.Fatal(err)
		}
		b := meeting(fmt.Sprintf("trouble-%d", i), "alice", day(i+1, 9))
		s.put(b)
		s.eventually("the fault was met", func() error {
			if err := s.sim.ExpireDelta(address("alice"), []string{"gone", "notfound", "invalid"}[i%3]); err != nil {
				return err
			}
			return yes(len(s.sim.Faults().List()) == 0, "%+v", s.sim.Faults().List())
		})
		s.settle()
		s.only("alice", b.Title)
		s.wantMails(b.Title, map[string]int{"request": 1})
	}
	s.only("alice", hush+" kept")
	s.wantHistory("kept", "1 created by api")
}

// TestLifecycleOfGraphsSubscriptions has Graph end subscriptions, ask for another authorization, and lose notices.
func TestLifecycleOfGraphsSubscriptions(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: overGraph})
	b := deskMeeting("told", "alice", day(1, 9), desk(1))
	s.put(b)
	s.settle()
	one := func() exchangesim.GraphSubscription {
		t.Helper()
		all := slices.DeleteFunc(s.sim.GraphSubscriptions(), func(g exchangesim.GraphSubscription) bool { return g.Mailbox != address("alice") })
		if len(all) != 1 {
			t.Fatalf("alice has %d subscriptions, want 1", len(all))
		}
		return all[0]
	}
	before := one()
	renewals := s.sim.Count("GraphUpdateSubscription")
	if _, err := s.sim.TellLifecycle(address("alice"), "reauthorizationRequired"); err != nil {
		t.Fatal(err)
	}
	s.eventually("the subscription is renewed", func() error {
		return yes(s.sim.Count("GraphUpdateSubscription") > renewals, "it is not")
	})
	s.settle()
	if now := one(); now.ID != before.ID || now.URL != before.URL {
		t.Errorf("another subscription: %+v, before %+v", now, before)
	}
	s.edited("alice", "told")

	s.sim.Faults().LoseNotifications(1)
	s.outlook("alice", s.only("alice", b.Title).ID, func(a *exchangesim.Appointment) { a.Subject = hush + " missed" })
	if _, err := s.sim.TellLifecycle(address("alice"), "missed"); err != nil {
		t.Fatal(err)
	}
	s.eventually("what was missed is read", func() error {
		return yes(s.booking("told").Title == hush+" missed", "the booking says %q", s.booking("told").Title)
	})
	s.settle()

	if _, err := s.sim.TellLifecycle(address("alice"), "subscriptionRemoved"); err != nil {
		t.Fatal(err)
	}
	s.eventually("there is another subscription", func() error {
		for _, g := range s.sim.GraphSubscriptions() {
			if g.Mailbox == address("alice") && g.ID != before.ID {
				return nil
			}
		}
		return errors.New("there is none")
	})
	s.settle()
	one()
	s.outlook("alice", s.only("alice", hush+" missed").ID, func(a *exchangesim.Appointment) { a.Subject = hush + " again" })
	s.awaitChange("told", "updated", "calendar")
	s.eventually("the notice arrived", func() error {
		return yes(s.booking("told").Title == hush+" again", "the booking says %q", s.booking("told").Title)
	})

	// Somebody who found out the address, and not the clientState, is not believed.
	status, _ := s.post(one().URL, fmt.Sprintf(`{"value":[{"subscriptionId":%q,"clientState":"guessed","changeType":"updated","resource":"x"}]}`, one().ID))
	if status != http.StatusAccepted {
		t.Errorf("a forged notice was answered %d", status)
	}
}

// TestGraphCannotCallIn has a firewall between Graph and the host: calendars are asked instead, until the way is free.
func TestGraphCannotCallIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: overGraph, faults: func(f *exchangesim.Faults) { f.BlockNotifications() }})
	for _, p := range people {
		if st := s.state(p); st.Way == "push" || st.WayReason == "" || st.ClimbAt.IsZero() {
			t.Errorf("%s: %+v", p, st)
		}
	}
	s.bothWays("alice", "asked", day(1, 9))
	s.sim.Faults().UnblockNotifications()
	s.must("sync", "now", "alice")
	s.onWay("push", "alice")
	s.bothWays("alice", "told", day(2, 9))
	if out := s.must("person", "test", "alice"); !strings.Contains(out, "ok") {
		t.Errorf("the test says:\n%s", out)
	}
}

// TestCredentialsOfExchangeOnline has the app's secret rotated while bookings are made, tokens revoked, and the login server
// away: whoever has a token goes on.
func TestCredentialsOfExchangeOnline(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"O365", overGraph} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{cloud: mode})
			tenant := exchangesim.SampleTenant()
			s.sim.Faults().LoginDown()
			s.put(deskMeeting("down", "alice", day(1, 9), desk(1)))
			s.settle()
			s.only("alice", hush+" down")
			s.sim.Faults().Reset()

			const renewed = "another-secret-of-the-app"
			change := func(secrets ...exchangesim.Secret) {
				t.Helper()
				if err := s.sim.ChangeApp(tenant.ID, tenant.Apps[0].ID, func(a *exchangesim.App) { a.Secrets = secrets }); err != nil {
					t.Fatal(err)
				}
			}
			old := tenant.Apps[0].Secrets[0]
			change(old, exchangesim.Secret{Value: renewed, Ends: time.Now().AddDate(1, 0, 0)})
			s.replace("roomwire.hcl", fmt.Sprintf("sync_mode %q {", mode), fmt.Sprintf("sync_mode %q {\n  client_secret_2 = %q", mode, renewed))
			if out := s.must("config", "apply"); strings.Contains(out, renewed) {
				t.Errorf("config apply says:\n%s", out)
			}
			change(exchangesim.Secret{Value: renewed})
			s.must("plugin", "restart", "auth-oauth") // which has no token then
			for i, p := range people {
				s.put(deskMeeting("rotated-"+p, p, day(10+i, 9), desk(i)))
			}
			s.settle()
			for _, p := range people {
				s.only(p, hush+" rotated-"+p)
			}
			if strings.Contains(s.host.log.String(), renewed) {
				t.Error("the log holds the renewed secret")
			}
		})
	}
}

// TestGraphIsNotSilent has Graph, which tells attendees of every change, asked for a change that nobody is to be told of: it is
// laid before a person, who decides.
func TestGraphIsNotSilent(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{cloud: overGraph})
	s.put(deskMeeting("taken", "dave", day(0, 13), "room-a"))
	s.put(meeting("of-alice", "alice", day(0, 9)))
	s.settle()
	s.outlook("alice", s.only("alice", hush+" of-alice").ID, func(a *exchangesim.Appointment) { a.Start, a.End = day(0, 13), day(0, 14) })
	var id string
	s.eventually("it is laid before a person", func() error {
		for line := range strings.Lines(s.must("diff")) {
			if strings.Contains(line, "mail held back") {
				id = strings.Fields(line)[0]
				return nil
			}
		}
		return errors.New(s.must("diff"))
	})
	s.settle()
	if it := s.only("alice", hush+" of-alice"); !it.Start.Equal(day(0, 13)) {
		t.Errorf("the item was reset to %s though everybody is told of that", it.Start)
	}
	s.wantMails(hush+" of-alice", map[string]int{"request": 1, "update": 1}) // the update is Outlook's own
	s.wantHistory("of-alice", "1 created by api")

	s.must("sync", "resolve", id, "--use", "booking", "--mail")
	s.eventually("the item is reset", func() error {
		it := s.only("alice", hush+" of-alice")
		return yes(it.Start.Equal(day(0, 9)), "it begins at %s", it.Start)
	})
	s.settle()
	s.wantMails(hush+" of-alice", map[string]int{"request": 1, "update": 2})
}
