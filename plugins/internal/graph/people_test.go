package graph

import (
	"fmt"
	"io"
	"net/http"
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
	w := newWorldOf(t, exchangesim.Options{Generate: 25}, Settings{})
	book := func(address string, a exchangesim.Appointment) {
		t.Helper()
		if _, err := w.sim.Outlook(address).Create(a); err != nil {
			t.Fatal(err)
		}
	}
	book("bob@example.com", exchangesim.Appointment{Subject: "Lunch", Location: "Café", Start: soon(3, "11:00"), End: soon(3, "12:00"), BusyStatus: "WorkingElsewhere"})
	book("bob@example.com", exchangesim.Appointment{Subject: "Doctor", Sensitivity: "Private", Start: soon(3, "09:00"), End: soon(3, "10:00")})
	book("user25@example.com", exchangesim.Appointment{Start: soon(3, "13:00"), End: soon(3, "14:00"), BusyStatus: "OOF"})
	addresses := []string{"bob@example.com", "nobody@example.com"}
	for i := range 25 {
		addresses = append(addresses, fmt.Sprintf("user%d@example.com", i+1))
	}
	got, err := w.FreeBusy(t.Context(), w.alice, addresses, soon(3, "00:00"), soon(4, "00:00"))
	if err != nil || len(got) != len(addresses) {
		t.Fatalf("%d answers, %v; want %d", len(got), err, len(addresses))
	}
	want := []backend.BusyTime{
		{Start: soon(3, "09:00"), End: soon(3, "10:00"), Busy: calendar.Occupied, Private: true},
		{Start: soon(3, "11:00"), End: soon(3, "12:00"), Busy: calendar.WorkingElsewhere, Subject: "Lunch", Location: "Café"},
	}
	if got[0].Err != nil || !slices.Equal(got[0].Busy, want) {
		t.Errorf("bob: %+v, want %+v", got[0], want)
	}
	if got[1].Address != "nobody@example.com" || fault.Of(got[1].Err) != fault.MailboxNotFound || !strings.Contains(got[1].Err.Error(), "nobody@example.com") {
		t.Errorf("nobody: %+v", got[1])
	}
	if last := got[len(got)-1]; last.Err != nil || len(last.Busy) != 1 || last.Busy[0].Busy != calendar.OutOfOffice {
		t.Errorf("the last: %+v", last)
	}
	if n := w.line.count(http.MethodPost, "getSchedule"); n != 2 {
		t.Errorf("%d requests for 27 mailboxes, want 2", n)
	}
	if _, err := w.FreeBusy(t.Context(), w.alice, addresses, soon(3, "00:00"), soon(66, "00:00")); fault.Of(err) != fault.Invalid {
		t.Errorf("63 days: %v", err)
	}
}

func TestBlocksOfTimeAreBusyTimes(t *testing.T) {
	t.Parallel()
	from := utc("2026-07-01 08:00")
	got := blocks("0220113?4", from)
	at := func(n int) time.Time { return from.Add(time.Duration(n) * 30 * time.Minute) }
	want := []backend.BusyTime{
		{Start: at(1), End: at(3), Busy: calendar.Occupied}, {Start: at(4), End: at(6), Busy: calendar.Tentative},
		{Start: at(6), End: at(7), Busy: calendar.OutOfOffice}, {Start: at(8), End: at(9), Busy: calendar.WorkingElsewhere},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// groupWorld has a group within a group within the first, and an application with the given permissions.
func groupWorld(t *testing.T, roles ...string) *world {
	t.Helper()
	tenant := exchangesim.SampleTenant()
	tenant.Apps[0].Roles = append(tenant.Apps[0].Roles, roles...)
	return newWorldOf(t, exchangesim.Options{Tenants: []exchangesim.Tenant{tenant}, Groups: []exchangesim.Group{
		{Name: "All", Address: "all@example.com", Members: []string{"bob@example.com", "team@example.com", "guest@elsewhere.example"}},
		{Name: "Team", Address: "team@example.com", Members: []string{"carol@example.com", "bob@example.com", "all@example.com"}},
	}}, Settings{})
}

func TestMembersOfGroupsWithinGroups(t *testing.T) {
	t.Parallel()
	w := groupWorld(t, "GroupMember.Read.All", "User.ReadBasic.All")
	got, err := w.Members(t.Context(), w.alice, "All@example.com")
	want := []calendar.Address{
		{Name: "Bob Brown", Email: "bob@example.com"}, {Name: "guest@elsewhere.example", Email: "guest@elsewhere.example"},
		{Name: "Carol Clark", Email: "carol@example.com"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, none := range []string{"bob@example.com", "nobody@example.com", "o'hara@example.com"} {
		if _, err := w.Members(t.Context(), w.alice, none); fault.Of(err) != fault.NotFound {
			t.Errorf("%s: %v, want not found", none, err)
		}
	}
}

func TestGroupsNeedTheirOwnPermissions(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][]string{"none": nil, "without the people": {"GroupMember.Read.All"}} {
		w := groupWorld(t, roles...)
		_, err := w.Members(t.Context(), w.alice, "all@example.com")
		if fault.Of(err) != fault.Forbidden || !strings.Contains(err.Error(), "GroupMember.Read.All and User.ReadBasic.All") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPartOfAnAnswerIsNoGroup(t *testing.T) {
	t.Parallel()
	w := groupWorld(t, "GroupMember.Read.All", "User.ReadBasic.All")
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.Path, "transitiveMembers") {
			return nil, nil
		}
		body := `{"value":[{"id":"1","displayName":"Bob","mail":"bob@example.com"}],"@odata.nextLink":"` + w.url + `/groups/x/transitiveMembers?$skiptoken=2"}`
		if r.URL.Query().Get("$skiptoken") != "" {
			body = `{}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})
	if got, err := w.Members(t.Context(), w.alice, "all@example.com"); err == nil {
		t.Errorf("half of a group was told as %+v", got)
	}
}
