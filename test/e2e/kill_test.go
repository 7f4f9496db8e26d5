package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// A story is a piece of work during which the host is killed. Its steps run while the host is up or dead, whichever the
// failpoint brings; check says what must be true in the end, however often the host died.
type story struct {
	name  string
	steps []string // failpoints on its way
	begin func(s *site, id string)
	act   func(s *site, id string)
	check func(s *site, id string)
	hcl   string // more of roomwire.hcl
}

// everyStory covers every failpoint of the engine.
func everyStory() []story {
	at := func(id string) booking { return meeting(id, "alice", slot(id)) }
	booked := func(s *site, id string) {
		s.put(at(id))
		s.settle()
		s.only("alice", hush+" "+id)
	}
	created := func(s *site, id string) {
		it := s.only("alice", hush+" "+id)
		s.wantHistory(id, "1 created by api")
		s.wantMails(it.Subject, map[string]int{"request": 1})
	}
	return []story{moveStory(), {
		name: "create", steps: []string{"create:intent-stored", "create:applied", "create:recorded"},
		act:   func(s *site, id string) { s.put(at(id)) },
		check: created,
	}, {
		name: "update", steps: []string{"update:planned", "update:applied", "update:recorded"},
		begin: booked,
		act: func(s *site, id string) {
			b := at(id)
			b.Resources = []string{"room-b"}
			s.put(b)
		},
		check: func(s *site, id string) {
			it := s.only("alice", hush+" "+id)
			if it.Location != "Room B" {
				s.Errorf("the item is at %q", it.Location)
			}
			s.wantHistory(id, "1 created by api", "2 updated by api")
			if m := s.mails(it.Subject); m["update"] != 1 {
				s.Errorf("mails: %v, want one update", m)
			}
		},
	}, {
		name: "delete", steps: []string{"delete:planned", "delete:applied", "delete:recorded"},
		begin: booked,
		act:   func(s *site, id string) { s.cancel(id) },
		check: func(s *site, id string) {
			s.none("alice", hush+" "+id)
			s.wantHistory(id, "1 created by api", "2 cancelled by api")
			s.wantMails(hush+" "+id, map[string]int{"request": 1, "cancellation": 1})
		},
	}, {
		name: "edit in Outlook", steps: []string{"page:settled", "page:stored"},
		begin: booked,
		act: func(s *site, id string) {
			s.outlook("alice", s.only("alice", hush+" "+id).ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
		},
		check: func(s *site, id string) {
			s.only("alice", hush+" "+id)
			if b := s.booking(id); b.ReminderMinutes == nil || *b.ReminderMinutes != 45 {
				s.Errorf("the booking is %+v", b)
			}
			s.wantHistory(id, "1 created by api", "2 updated by calendar")
		},
	}, {
		name: "deletion in Outlook", steps: []string{"page:stored", "gone:settled"},
		begin: booked,
		act: func(s *site, id string) {
			if err := s.sim.Outlook(address("alice")).Delete(s.only("alice", hush+" "+id).ID); err != nil {
				s.Fatal(err)
			}
		},
		check: func(s *site, id string) {
			s.none("alice", hush+" "+id)
			s.wantHistory(id, "1 created by api", "2 cancelled by calendar")
			s.wantMails(hush+" "+id, map[string]int{"request": 1, "cancellation": 1}) // the cancellation is Outlook's own
		},
	}, {
		name: "subscription", steps: []string{"subscribe:token-stored", "subscribe:granted"},
		begin: func(s *site, id string) {
			booked(s, id)
			s.must("person", "set", "alice", "--sync-disabled=true")
			s.eventually("alice is switched off", func() error {
				st := s.state("alice")
				return yes(st.Status == "disabled", "%+v", st)
			})
		},
		act: func(s *site, _ string) { s.must("person", "set", "alice", "--sync-disabled=false") },
		check: func(s *site, id string) {
			s.outlook("alice", s.only("alice", hush+" "+id).ID, func(a *exchangesim.Appointment) { a.ReminderSet, a.ReminderMinutes = true, 45 })
			s.awaitChange(id, "updated", "calendar")
			s.settle()
			if st := s.state("alice"); st.Way != "push" {
				s.Errorf("alice: %+v", st)
			}
			n := 0
			for _, sub := range s.pushed() {
				if sub.mailbox == address("alice") {
					n++
				}
			}
			if n != 1 {
				s.Errorf("alice has %d subscriptions, want 1: the others were to be ended by Unsubscribe", n)
			}
		},
	}}
}

// slot gives every booking of a story a time of its own.
func slot(id string) time.Time { return day(int(id[len(id)-1]-'0'), 9) }

func TestHostKilledBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	for _, st := range everyStory() {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, setup{hcl: st.hcl})
			for i, step := range st.steps {
				s.killedAt(st, step, fmt.Sprintf("k%d", i))
			}
		})
	}
}

// killedAt goes through a story during which the host is killed at a step, twice.
func (s *site) killedAt(st story, step, id string) {
	s.Helper()
	if st.begin != nil {
		st.begin(s, id)
	}
	s.stop()
	s.serve("ROOMWIRE_FAILPOINT=" + step)
	first := s.host
	st.act(s, id)
	s.ended(first)
	if !strings.Contains(first.log.String(), "failpoint: "+step) {
		s.Fatalf("the host ended, but not at %s:\n%s", step, first.log)
	}
	s.noPluginsLeft()
	s.serve()
	s.settle()
	st.check(s, id)
	if s.Failed() {
		s.Fatalf("after kill -9 at %s", step)
	}
}

// inEngine are the failpoints at which the tests of package syncer end the engine, on both databases and a calendar in memory:
// TestADeclineIsMadeOnce, TestADeclineOfAnOccurrenceIsMadeOnce, TestMeetingsThatLeaveARoomSurviveAKill, TestASplitSurvivesWhatever,
// TestAScanGoesOnAfterAKill.
var inEngine = []string{
	"room:page-settled", "room:page-stored", "room:settled", "room:gone-settled", "decline:recorded", "decline:answered", "scan:stored",
	"split:settled", "split:recorded", "remark:planned", "remark:applied", "remark:recorded",
}

// TestEveryFailpointHasItsStory keeps the list above complete.
func TestEveryFailpointHasItsStory(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../host/internal/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	told := append(slices.Clone(testSteps), inEngine...)
	for _, st := range everyStory() {
		told = append(told, st.steps...)
	}
	call := regexp.MustCompile(`Failpoint\("([^"]+)"\)`)
	n := 0
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			n++
			if !slices.Contains(told, m[1]) {
				t.Errorf("nobody kills the host at %s of %s", m[1], f)
			}
		}
	}
	if n == 0 {
		t.Error("the engine has no failpoints")
	}
}
