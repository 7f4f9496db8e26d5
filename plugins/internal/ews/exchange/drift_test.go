package exchange

import (
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
)

func TestTheStateOfACalendarTellsOfEveryChange(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	later := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	sim, err := exchangesim.New(exchangesim.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, sim, service)
	w.now = clock
	state := func() string {
		t.Helper()
		s, err := w.State(t.Context(), w.alice, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	outlook := sim.Outlook("alice@example.com")
	var ref string
	if ref, err = outlook.Create(exchangesim.Appointment{Subject: "dentist", Start: utc("2026-12-02 08:00"), End: utc("2026-12-02 09:00")}); err != nil {
		t.Fatal(err)
	}
	if s := state(); s != "" {
		t.Errorf("state = %q a moment after a change, when another may hide in the same second; want none", s)
	}
	seen := map[string]string{}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"made", func() error { return nil }},
		{"changed", func() error {
			return outlook.Update(ref, func(a *exchangesim.Appointment) { a.Subject = "optician" })
		}},
		{"deleted", func() error { return outlook.Delete(ref) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		later(time.Hour)
		s := state()
		if s == "" || seen[s] != "" {
			t.Errorf("state after %q is %q, which was that after %q", step.what, s, seen[s])
		}
		seen[s] = step.what
		later(time.Hour)
		if again := state(); again != s {
			t.Errorf("state = %q, then %q without a change in between", s, again)
		}
	}
	if _, err := w.State(t.Context(), backend.Mailbox{Address: "nobody@example.com", URL: w.url}, ""); err == nil {
		t.Error("a mailbox that there is not has a state")
	}
}
