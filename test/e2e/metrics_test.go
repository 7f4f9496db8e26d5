package e2e

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// figures are what /metrics tells: series with labels, and their values.
type figures map[string]float64

func (s *site) figures() (f figures, text string) {
	s.Helper()
	resp, err := s.http.Get(s.api + "/metrics")
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.Fatalf("metrics: %s %v", resp.Status, err)
	}
	f = figures{}
	for line := range strings.Lines(string(data)) {
		if i := strings.LastIndexByte(strings.TrimSpace(line), ' '); i > 0 && !strings.HasPrefix(line, "#") {
			if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
				f[line[:i]] = v
			}
		}
	}
	return f, string(data)
}

// sum adds up the series of a name that have all of the labels, of the form `way="push"`.
func (f figures) sum(name string, labels ...string) float64 {
	total := 0.0
next:
	for series, v := range f {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue next
			}
		}
		total += v
	}
	return total
}

func TestFiguresMove(t *testing.T) {
	t.Parallel()
	if !seesProcesses {
		t.Skip("SKIPPED: a plugin is killed, and its process is found on Linux only")
	}
	s := newSite(t, setup{})
	before, _ := s.figures()
	for what, want := range map[string]float64{
		`roomwire_persons status="ok"`:                            float64(len(people)),
		`roomwire_mailboxes way="push"`:                           float64(len(people)),
		`roomwire_mailboxes way="streaming"`:                      0,
		`roomwire_plugin_up plugin="backend-exchange2013"`:        1,
		`roomwire_reflected_seconds_count direction="to_booking"`: 0,
		`roomwire_subscriptions_silent`:                           0,
		`roomwire_scrape_failed`:                                  0,
	} {
		f := strings.Fields(what)
		if got := before.sum(f[0], f[1:]...); got != want {
			t.Errorf("at the start %s is %g, want %g", what, got, want)
		}
	}
	s.put(meeting("moves", "alice", day(1, 9)))
	s.settle()
	s.outlook("alice", s.only("alice", hush+" moves").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("moves", "updated", "calendar")
	s.sim.Faults().Busy(address("carol"), 1, time.Second)
	s.put(meeting("throttled", "carol", day(2, 9)))
	s.settle()
	s.post(s.public+"/WebServices/SyncNotification.svc?Default&k=unknown", strings.Replace(notice, "%s", "x", 1))
	for _, pid := range s.pluginProcesses("roomwire-backend-exchange2013") {
		plugin, err := os.FindProcess(pid)
		if err == nil {
			err = plugin.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var text string
	s.eventually("the figures have moved", func() error {
		var now figures
		now, text = s.figures()
		for _, what := range []string{
			`roomwire_reflected_seconds_count direction="to_calendar"`, `roomwire_reflected_seconds_count direction="to_booking"`,
			`roomwire_notices_total kind="dirty"`, `roomwire_notices_total kind="untrusted"`, `roomwire_writes_total`, `roomwire_pass_seconds_count`,
			`roomwire_faults_total kind="throttled"`, `roomwire_throttled_seconds_total`, `roomwire_rest_seconds_count`,
			`roomwire_plugin_restarts_total plugin="backend-exchange2013"`,
		} {
			f := strings.Fields(what)
			if was, is := before.sum(f[0], f[1:]...), now.sum(f[0], f[1:]...); is <= was {
				return yes(false, "%s was %g and is %g", what, was, is)
			}
		}
		return yes(now.sum("roomwire_plugin_up", `plugin="backend-exchange2013"`) == 1, "the plugin does not run")
	})
	// Nothing tells who it is about.
	secret := append([]string{"example.com", "moves", "throttled\"", "room-a", hush}, people...)
	label := regexp.MustCompile(`[a-z_]+="[^"]*"`)
	for _, l := range label.FindAllString(text, -1) {
		for _, part := range secret {
			if _, value, _ := strings.Cut(l, "="); strings.Contains(value, part) && value != `"throttled"` {
				t.Errorf("the label %s holds %q", l, part)
			}
		}
		if name, _, _ := strings.Cut(l, "="); name == "person" || name == "tenant" || name == "booking" || name == "mailbox" {
			t.Errorf("there is the label %s", l)
		}
	}
}
