package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestFreeBusyOfMany(t *testing.T) {
	t.Parallel()
	sim, err := exchangesim.New(exchangesim.Options{Generate: 120})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, sim, service)
	book := func(address string, a exchangesim.Appointment) {
		t.Helper()
		if _, err := sim.Outlook(address).Create(a); err != nil {
			t.Fatal(err)
		}
	}
	book("alice@example.com", exchangesim.Appointment{Subject: "Lunch", Location: "Café", Start: utc("2026-07-01 11:00"), End: utc("2026-07-01 12:00"), BusyStatus: "WorkingElsewhere"})
	book("alice@example.com", exchangesim.Appointment{Subject: "Doctor", Sensitivity: "Private", Start: utc("2026-07-01 09:00"), End: utc("2026-07-01 10:00")})
	book("bob@example.com", exchangesim.Appointment{Subject: "Secret", Start: utc("2026-07-01 08:00"), End: utc("2026-07-01 09:00"), BusyStatus: "Tentative"})
	book("user120@example.com", exchangesim.Appointment{Start: utc("2026-07-01 13:00"), End: utc("2026-07-01 14:00"), BusyStatus: "OOF"})
	addresses := []string{"alice@example.com", "nobody@example.com", "bob@example.com"}
	for i := range 120 {
		addresses = append(addresses, fmt.Sprintf("user%d@example.com", i+1))
	}
	got, err := w.FreeBusy(t.Context(), w.alice, addresses, utc("2026-07-01 00:00"), utc("2026-07-02 00:00"))
	if err != nil || len(got) != len(addresses) {
		t.Fatalf("%d answers, %v; want %d", len(got), err, len(addresses))
	}
	want := []backend.BusyTime{
		{Start: utc("2026-07-01 09:00"), End: utc("2026-07-01 10:00"), Busy: calendar.Occupied, Private: true},
		{Start: utc("2026-07-01 11:00"), End: utc("2026-07-01 12:00"), Busy: calendar.WorkingElsewhere, Subject: "Lunch", Location: "Café"},
	}
	if got[0].Err != nil || !slices.Equal(got[0].Busy, want) {
		t.Errorf("alice: %+v, want %+v", got[0], want)
	}
	if got[1].Address != "nobody@example.com" || fault.Of(got[1].Err) != fault.MailboxNotFound || !strings.Contains(got[1].Err.Error(), "nobody@example.com") {
		t.Errorf("nobody: %+v", got[1])
	}
	// Alice may see when Bob is busy, and not why.
	want = []backend.BusyTime{{Start: utc("2026-07-01 08:00"), End: utc("2026-07-01 09:00"), Busy: calendar.Tentative}}
	if got[2].Err != nil || !slices.Equal(got[2].Busy, want) {
		t.Errorf("bob: %+v, want %+v", got[2], want)
	}
	if last := got[len(got)-1]; last.Err != nil || len(last.Busy) != 1 || last.Busy[0].Busy != calendar.OutOfOffice {
		t.Errorf("the last: %+v", last)
	}
	if n := sim.Count("GetUserAvailability"); n != 2 {
		t.Errorf("%d requests for %d mailboxes, want 2", n, len(addresses))
	}
	if _, err := w.FreeBusy(t.Context(), w.alice, addresses, utc("2026-07-01 00:00"), utc("2026-09-02 00:00")); fault.Of(err) != fault.Invalid {
		t.Errorf("63 days: %v", err)
	}
}

func TestMembersOfGroupsWithinGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	for _, g := range []exchangesim.Group{
		{Name: "All", Address: "all@example.com", Members: []string{"bob@example.com", "team@example.com", "guest@elsewhere.example", "hidden@example.com"}},
		{Name: "Team", Address: "team@example.com", Members: []string{"carol@example.com", "bob@example.com", "all@example.com"}},
		{Name: "Hidden", Address: "hidden@example.com", Members: []string{"alice@example.com"}, Hidden: true},
	} {
		if err := w.sim.SetGroup(g); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.Members(t.Context(), w.alice, "All@example.com")
	want := []calendar.Address{
		{Name: "Bob Brown", Email: "bob@example.com"}, {Name: "guest@elsewhere.example", Email: "guest@elsewhere.example"},
		{Name: "Carol Clark", Email: "carol@example.com"}, {Name: "Hidden", Email: "hidden@example.com"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if n := w.sim.Count("ExpandDL"); n != 3 {
		t.Errorf("%d groups were looked into, want 3: each once", n)
	}
	for _, none := range []string{"bob@example.com", "nobody@example.com", "hidden@example.com"} {
		if _, err := w.Members(t.Context(), w.alice, none); fault.Of(err) != fault.NotFound {
			t.Errorf("%s: %v, want not found", none, err)
		}
	}
	w.sim.Faults().Busy("alice@example.com", 1, time.Second)
	if got, err := w.Members(t.Context(), w.alice, "all@example.com"); fault.Of(err) != fault.Throttled {
		t.Errorf("of a busy server: %+v, %v", got, err)
	}
}
