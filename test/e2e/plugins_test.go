package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// killPlugin ends a plugin's process as kill -9 does.
func (s *site) killPlugin(name string) {
	s.Helper()
	for _, pid := range s.pluginProcesses("roomwire-" + name) {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may end by itself just now
		}
	}
}

// A moment is one at which a plugin is killed: while Exchange works on a request, or has done so and not yet answered.
type moment struct {
	operation string
	after     bool
}

func (m moment) String() string {
	if m.after {
		return "after " + m.operation
	}
	return "before " + m.operation
}

func TestBackendKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	if !seesProcesses {
		t.Skip("SKIPPED: only on Linux do these tests know how to find a plugin's process")
	}
	stories := map[string]story{}
	for _, st := range everyStory() {
		stories[st.name] = st
	}
	// A plugin that is killed often in a short time is started after longer and longer rests: few kills for each site.
	for name, moments := range map[string][]moment{
		"create":          {{"CreateItem", false}, {"CreateItem", true}},
		"update":          {{"UpdateItem", false}, {"UpdateItem", true}},
		"delete":          {{"DeleteItem", false}, {"DeleteItem", true}},
		"edit in Outlook": {{"SyncFolderItems", true}, {"GetItem", true}},
		"subscription":    {{"Subscribe", false}, {"Subscribe", true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{})
			for i, m := range moments {
				s.killedDuring(stories[name], m, fmt.Sprintf("p%d", i))
			}
		})
	}
}

// killedDuring goes through a story during which the backend is killed.
func (s *site) killedDuring(st story, m moment, id string) {
	s.Helper()
	if st.begin != nil {
		st.begin(s, id)
	}
	pause := s.sim.Faults().PauseBefore
	if m.after {
		pause = s.sim.Faults().PauseAfter
	}
	arrived, release := pause(m.operation)
	defer release()
	st.act(s, id)
	select {
	case <-arrived:
	case <-s.Context().Done():
	}
	s.killPlugin("backend-exchange2013")
	s.eventually("somebody's state tells of it", func() error {
		st := s.state("alice")
		return yes(st.Status == "waiting" && st.Kind == "unavailable" && !st.Until.IsZero(), "%+v", st)
	})
	release()
	s.settle()
	st.check(s, id)
	if s.Failed() {
		s.Fatalf("after kill -9 of the backend %s", m)
	}
}

// TestPluginsKilledDuringTraffic kills both plugins of the path to Exchange while four people work.
func TestPluginsKilledDuringTraffic(t *testing.T) {
	t.Parallel()
	if !seesProcesses {
		t.Skip("SKIPPED: only on Linux do these tests know how to find a plugin's process")
	}
	s := newSite(t, setup{auth: `"basic"`})
	const each = 8
	var work sync.WaitGroup
	errs := make(chan error, len(people)*each)
	for _, p := range people {
		work.Go(func() {
			for n := range each {
				b := meeting(fmt.Sprintf("%s-%d", p, n), p, day(n, 9))
				b.Resources, b.Attendees = []string{desk(n)}, []attendee{{Email: address("zoe")}}
				b.Start, b.End = hour(n, p)
				if status, problem, err := s.call("PUT", "/bookings/"+b.ID, b, nil); err != nil || status >= 300 {
					errs <- fmt.Errorf("%s: %d %s %w", b.ID, status, problem.Detail, err)
				}
			}
		})
	}
	for _, plugin := range []string{"backend-exchange2013", "auth-basic"} {
		before := s.sim.Count("CreateItem")
		s.eventually("there is traffic", func() error {
			n := s.sim.Count("CreateItem")
			return yes(n > before, "%d items were created", n)
		})
		s.killPlugin(plugin)
	}
	work.Wait()
	close(errs)
	for err := range errs {
		s.Errorf("booking over REST failed while plugins were down: %v", err)
	}
	s.settle()
	// The plugins are back, and both directions work.
	for _, p := range people {
		for n := range each {
			id := fmt.Sprintf("%s-%d", p, n)
			it := s.only(p, hush+" "+id)
			s.wantHistory(id, "1 created by api")
			s.wantMails(it.Subject, map[string]int{"request": 1})
		}
		s.outlook(p, s.only(p, hush+" "+p+"-0").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	}
	s.settle()
	for _, p := range people {
		if b := s.booking(p + "-0"); b.Busy != "oof" || b.Version != 2 {
			s.Errorf("%s-0: %+v", p, b)
		}
	}
}
