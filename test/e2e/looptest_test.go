package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// A loopTest is what `roomwire person test` came to.
type loopTest struct {
	out, errs string
	err       error
	steps     []string // of the form "ok create"
}

// loopTest runs a test on a person's mailbox. It may be called beside the test's goroutine.
func (s *site) loopTest(person string) loopTest {
	out, errs, err := s.roomwire("person", "test", person)
	got := loopTest{out: out, errs: errs, err: err}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 1 && slices.Contains([]string{"ok", "FAILED", "skipped", "-"}, f[0]) && !strings.HasPrefix(line, " ") {
			got.steps = append(got.steps, f[0]+" "+f[1])
		}
	}
	return got
}

// wants fails unless the test went through these steps, and the command's exit code says how it went.
func (l loopTest) wants(s *site, steps ...string) {
	s.Helper()
	failed := slices.ContainsFunc(steps, func(step string) bool { return strings.HasPrefix(step, "FAILED") })
	if !slices.Equal(l.steps, steps) || (l.err != nil) != failed {
		s.Errorf("the test's steps are %q with %v, want %q:\n%s%s", l.steps, l.err, steps, l.out, l.errs)
	}
}

var passes = []string{"ok configuration", "ok create", "ok change", "ok notification", "ok delete"}

const testItem = "Roomwire synchronisation test"

// testItems are what is left of tests, in the calendar and in Deleted Items.
func (s *site) testItems(person string) (calendar, deleted int) {
	box := s.sim.Outlook(address(person))
	for _, a := range box.Items() {
		if strings.HasPrefix(a.Subject, testItem) {
			calendar++
		}
	}
	for _, a := range box.Deleted() {
		if strings.HasPrefix(a.Subject, testItem) {
			deleted++
		}
	}
	return calendar, deleted
}

// withoutTrace checks that tests of a person left nothing but so many items in Deleted Items.
func (s *site) withoutTrace(person string, deleted int) {
	s.Helper()
	if inCalendar, d := s.testItems(person); inCalendar != 0 || d != deleted {
		s.Errorf("%s: %d items of tests are in the calendar, %d in Deleted Items; want 0 and %d", person, inCalendar, d, deleted)
	}
	for _, m := range s.sim.Mails() {
		if strings.HasPrefix(m.Subject, testItem) {
			s.Errorf("a test of %s sent %+v", person, m)
		}
	}
	if diff := s.must("diff", "--all", "--person", person); strings.Contains(diff, person) {
		s.Errorf("tests of %s led to differences:\n%s", person, diff)
	}
	var page struct {
		Changes []change `json:"changes"`
	}
	s.do(http.MethodGet, "/changes?after=0", nil, &page)
	for _, c := range page.Changes {
		if strings.Contains(c.ID, "looptest") || c.Booking.Title == testItem {
			s.Errorf("the feed tells of a test: %+v", c)
		}
	}
}

// otherMode is a sync mode of one's own on the site's Exchange.
func (s *site) otherMode(name, user, pass, more string) string {
	return fmt.Sprintf("sync_mode %q {\n  backend = \"exchange2013\"\n  auth = [\"ntlm\"]\n  user = \"EXAMPLE\\\\%s\"\n  password = %q\n  %s\n  %s\n}\n",
		name, user, pass, more, s.httpBlock(false))
}

// TestSynchronisationTest goes the whole way for people who hear of changes in each way, and for those with whom something
// is wrong.
func TestSynchronisationTest(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true, keys: map[string]string{"IntervallTaskInSeconds": "1"}})
	s.appendHCL(s.otherMode("Streaming", "svc-rooms", password, `notices = "streaming"`) +
		s.otherMode("Asking", "svc-rooms", password, `notices = "pull"`) +
		s.otherMode("Clock", "svc-rooms", password, `notices = "poll"`) +
		s.otherMode("WrongPassword", "svc-other", "not it", "") +
		s.otherMode("NoRights", "svc-plain", password, ""))
	if err := s.sim.AddPerson(exchangesim.Person{Address: "svc-other@example.com", User: `EXAMPLE\svc-other`, Password: password, Impersonation: true, NoMailbox: true}); err != nil {
		t.Fatal(err)
	}
	rows := []string{s.rows()[0]}
	for _, x := range []struct{ person, mode string }{
		{"bob", "Streaming"}, {"carol", "Asking"}, {"dave", "Clock"}, {"erin", "WrongPassword"}, {"frank", "NoRights"},
	} {
		rows = append(rows, s.row(x.person, x.mode, s.exchange))
	}
	for _, p := range []string{"erin", "frank"} {
		if err := s.sim.AddPerson(exchangesim.Person{Address: address(p), Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	s.must("person", "import", s.write("more.csv", strings.Join(rows, "\n")+"\n"))
	s.serve()
	s.put(meeting("stays", "alice", day(1, 9)))
	before := s.arrives("alice", hush+" stays")
	for p, way := range map[string]string{"alice": "push", "bob": "streaming", "carol": "pull"} {
		s.onWay(way, p)
		got := s.loopTest(p)
		got.wants(s, passes...)
		if !strings.Contains(got.out, p+": passed") || !strings.Contains(got.out, "notices arrive by "+way) {
			t.Errorf("the test of %s says:\n%s", p, got.out)
		}
	}
	s.loopTest("dave").wants(s, "ok configuration", "ok create", "ok change", "skipped notification", "ok delete")
	for p, part := range map[string]string{"erin": "password", "frank": "ApplicationImpersonation"} {
		got := s.loopTest(p)
		got.wants(s, "FAILED configuration", "skipped create", "skipped change", "skipped notification", "skipped delete")
		if !strings.Contains(got.out, "what to do") || !strings.Contains(got.out, part) {
			t.Errorf("the test of %s does not say %q, but:\n%s", p, part, got.out)
		}
		s.withoutTrace(p, 0)
	}
	s.settleOnly("alice")
	for _, p := range people {
		s.withoutTrace(p, 1)
	}
	if now := s.only("alice", hush+" stays"); now.ChangeKey != before.ChangeKey && now.ID != before.ID {
		t.Errorf("the item of a booking was touched: %+v", now)
	}
	if last := s.must("person", "test", "alice", "--last"); !strings.Contains(last, "alice: passed") {
		t.Errorf("the last test of alice: %s", last)
	}
	if errs := fails(s, "person", "test", "nobody"); !strings.Contains(errs, "nobody") {
		t.Errorf("a person who is not there: %s", errs)
	}
	// What is refused for want of a right is not tried for want of a question.
	key := s.key
	s.key = strings.TrimSpace(s.must("apikey", "create", "--scope", "bookings", "no admin"))
	if status, p, err := s.call(http.MethodPost, "/persons/alice/tests", nil, nil); err != nil || status != http.StatusForbidden {
		t.Errorf("a test without the scope: %d %+v %v", status, p, err)
	}
	s.key = key
}

// testSteps are the failpoints of a synchronisation test.
var testSteps = []string{
	"create:key-stored", "create:applied", "change:applied", "notification:waiting", "delete:planned", "delete:applied",
}

// TestHostKilledDuringASynchronisationTest kills the host at every step of a test: the next one leaves nothing of it.
func TestHostKilledDuringASynchronisationTest(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	s.put(meeting("stays", "alice", day(1, 9)))
	s.settle()
	for n, step := range testSteps {
		s.stop()
		s.serve("ROOMWIRE_FAILPOINT=" + step)
		s.settle()
		first := s.host
		if _, errs, err := s.roomwire("person", "test", "alice"); err == nil {
			t.Fatalf("%s: the test ends well:\n%s", step, errs)
		}
		s.ended(first)
		if !strings.Contains(first.log.String(), "failpoint: "+step) {
			t.Fatalf("the host ended, but not at %s:\n%s", step, first.log)
		}
		s.noPluginsLeft()
		s.serve()
		s.eventually(step+": nothing of the test is left", func() error {
			inCalendar, _ := s.testItems("alice")
			return yes(inCalendar == 0, "%d items", inCalendar)
		})
		s.settle()
		made := n // all but the one that was killed before it made anything
		s.withoutTrace("alice", made)
		last, _, err := s.roomwire("person", "test", "alice", "--last")
		if err == nil || !strings.Contains(last, "alice: interrupted") || !strings.Contains(last, "died") {
			t.Errorf("%s: the last test is told so, with %v:\n%s", step, err, last)
		}
	}
	s.loopTest("alice").wants(s, passes...)
	s.wantHistory("stays", "1 created by api")
	s.wantMails(hush+" stays", map[string]int{"request": 1})
}
