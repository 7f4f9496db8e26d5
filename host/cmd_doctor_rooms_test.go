package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func TestDoctorSaysHowRoomsOughtToBeSetUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "roomwire.hcl"), []byte(twoServers), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := root()
		cmd.SetArgs(append([]string{"--config", dir}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out.String())
		}
		return out.String()
	}
	if got := run("doctor", "--rooms"); !strings.Contains(got, "no resource with a mail address") {
		t.Errorf("without rooms: %s", got)
	}
	run("person", "set", "ada", "--email", "ada@example.com", "--mode", "EWS1")
	run("person", "set", "r1", "--email", "room1@example.com", "--name", "Room 1", "--mode", "EWS1", "--kind", "resource")
	got := run("doctor", "--rooms")
	for _, want := range []string{
		"# r1, Room 1, room1@example.com, EWS1\n", "Get-CalendarProcessing -Identity 'room1@example.com' | Format-List AutomateProcessing,",
		"\nSet-CalendarProcessing -Identity 'room1@example.com' -AutomateProcessing AutoAccept ", "# BookingWindowInDays ", "as you like",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "ada@") || strings.Count(got, "Set-CalendarProcessing") != 1 {
		t.Errorf("of others than rooms with mailboxes it says\n%s", got)
	}
	for line := range strings.Lines(got) { // it can be pasted as it is
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "-CalendarProcessing ") {
			t.Errorf("a line is neither command nor comment: %s", line)
		}
	}
	if got := run("doctor", "--rooms", "-q"); !strings.Contains(got, "No room is known to have refused") {
		t.Errorf("only those that refused: %s", got)
	}
	if got := run("doctor", "--rooms", "--json"); !strings.Contains(got, `"email": "room1@example.com"`) {
		t.Errorf("as JSON: %s", got)
	}
}

func TestRefusalsAreShownOnOneLineEach(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.Local)
	err := printRooms(&out, client.RoomReview{Rooms: []client.ReviewedRoom{
		{ID: "quiet", Email: "q@example.com"},
		{ID: "r1", Email: "room1@example.com", Refusals: []client.RoomRefusal{
			{Booking: "b1", At: at, Reason: "It\r\nwas \x1b[31mdeclined: " + strings.Repeat("ä", 300), Settings: []string{"AllowConflicts", "X"}},
			{Booking: "b2", At: at, Reason: "painters"},
		}},
	}}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := "# refused booking b1 at 2026-12-01 09:00: It was [31mdeclined: " + strings.Repeat("ä", 178)
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, want+"…\n#   look at AllowConflicts, X\n") ||
		!strings.Contains(got, "painters\n#   no setting is known for this: ask who keeps the room\n") {
		t.Errorf("got\n%s", got)
	}
}
