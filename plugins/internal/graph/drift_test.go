package graph

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestTheDeltaTellsWhetherACalendarIsAsPulled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	state := func(since backend.Cursor) string {
		t.Helper()
		s, err := w.State(t.Context(), w.alice, since)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cursor := func() (next backend.Cursor) {
		t.Helper()
		err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(p backend.Page) error { next = p.Next; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	fresh := state("")
	since := cursor()
	if got := state(since); fresh == "" || got != fresh {
		t.Errorf("state = %q before a full read and %q after it, with no change", fresh, got)
	}
	start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 3)
	make := func(start time.Time) {
		t.Helper()
		_, err := w.sim.Outlook("alice@example.com").Create(exchangesim.Appointment{
			Subject: "dentist", Start: start, End: start.Add(time.Hour), Properties: map[string]string{exchangesim.PropertyKey("PublicStrings", "AppointmentOid"): "4711"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	make(start)
	changed := state(since)
	if changed == fresh || state(since) == changed && changed != "" {
		t.Errorf("state = %q after a change, want one never used before", changed)
	}
	since = cursor()
	if got := state(since); got != fresh {
		t.Errorf("state = %q after another full read, want %q", got, fresh)
	}
	make(start.AddDate(3, 0, 0))
	if got := state(cursor()); got != "" {
		t.Errorf("state = %q though an item lies beyond what a delta tells of, want none", got)
	}
	if _, err := w.State(t.Context(), w.alice, "garbage"); fault.Of(err) != fault.StateExpired {
		t.Errorf("with a cursor that is none: %v", err)
	}
}
