package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// TestEverythingOnTheWireIsValid walks through the processes, and some trouble, and holds every request, answer and
// notification against Microsoft's schema.
func TestEverythingOnTheWireIsValid(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: there is no xmllint (Debian's libxml2-utils): %v", err)
	}
	schema, err := filepath.Abs("../../../shared/ews-schema/ews-all.xsd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(schema); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: there is no schema to test against: %v", err)
	}
	dir := t.TempDir()
	s := newSite(t, setup{sim: exchangesim.Options{RecordDir: dir, CopyToAttendees: true}})
	for _, room := range []string{"room-a@example.com", "room-b@example.com"} { // answers would be changes of the bookings, too
		if _, err := s.sim.SetProcessing(room, func(p *exchangesim.CalendarProcessing) { p.AutomateProcessing = "AutoUpdate" }); err != nil {
			t.Fatal(err)
		}
	}
	processes(s)
	s.sim.Faults().InvalidSyncState("")
	s.sim.Faults().Busy(address("alice"), 1, time.Second)
	s.put(meeting("more", "alice", day(1, 9)))
	s.settle()
	s.sim.SetImpersonation("svc-rooms@example.com", false)
	s.must("sync", "now", "bob")
	s.eventually("bob needs attention", func() error {
		st := s.state("bob")
		return yes(st.Kind == "forbidden", "%+v", st)
	})
	s.stop()

	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	args := []string{"--noout", "--nonet", "--schema", schema}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(body)) == 0 {
			t.Errorf("%s is empty", filepath.Base(f))
			continue
		}
		_, operation, _ := strings.Cut(strings.TrimSuffix(filepath.Base(f), ".xml"), "-")
		seen[operation]++
		args = append(args, f)
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput()
	valid := strings.Count(string(out), " validates\n")
	if want := len(args) - 4; err != nil || valid != want {
		var bad []string
		for line := range strings.Lines(string(out)) {
			if !strings.HasSuffix(line, " validates\n") && len(bad) < 40 {
				bad = append(bad, line)
			}
		}
		t.Errorf("%d of %d documents are valid: %v\n%s", valid, want, err, strings.Join(bad, ""))
	}
	for _, op := range []string{"Subscribe", "SyncFolderItems", "GetItem", "FindItem", "CreateItem", "UpdateItem", "DeleteItem", "SendNotification"} {
		if seen[op+".req"] == 0 || seen[op+".res"] == 0 {
			t.Errorf("%s was never used: %v", op, seen)
		}
	}
	t.Logf("valid: %v", seen)
}
