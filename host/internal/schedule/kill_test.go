package schedule

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// victimURL names the database for the process that is to be killed.
const victimURL = "ROOMWIRE_TEST_VICTIM"

// TestVictim is no test of its own: it is the host that TestAKilledHostsPassesRunAgain kills.
func TestVictim(t *testing.T) {
	url := os.Getenv(victimURL)
	if url == "" {
		t.Skip("run by TestAKilledHostsPassesRunAgain")
	}
	s := storetest.New(t, store.Options{URL: url})
	s0, err := New(t.Context(), Options{Store: s, Lease: 500 * time.Millisecond, Work: func(_ context.Context, _, person string) (Outcome, error) {
		mark(t, s, person) // a notice meanwhile
		os.Stdout.WriteString("began " + person + "\n")
		select {} // until the end
	}})
	if err != nil {
		t.Fatal(err)
	}
	addPersons(t, s, "alice", "bob")
	t.Log(s0.Run(t.Context()))
}

// TestAKilledHostsPassesRunAgain kills a host with two passes under way and starts another on the same database.
func TestAKilledHostsPassesRunAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		victim := exec.CommandContext(t.Context(), self, "-test.run=^TestVictim$", "-test.v")
		victim.Env = append(os.Environ(), victimURL+"="+url)
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for began := 0; began < 2 && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "began ") {
				began++
			} else if strings.Contains(lines.Text(), "FAIL") {
				t.Fatalf("the victim says %q", lines.Text())
			}
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // killed, as it should be

		s := storetest.New(t, store.Options{URL: url})
		p := newPasses()
		run(t, Options{Store: s, Work: p.work})
		got := map[string]bool{}
		for range 2 {
			got[<-p.began] = true
			p.goOn <- nil
		}
		if !got["alice"] || !got["bob"] {
			t.Errorf("repeated passes: %v, want both", got)
		}
		settled(t, s, "alice", "bob")
		for _, person := range []string{"alice", "bob"} {
			if m := mailbox(t, s, person); m.Wanted != 2 || m.Done != 2 {
				t.Errorf("%s: wanted %d, done %d; want 2 and 2", person, m.Wanted, m.Done)
			}
		}
	})
}
