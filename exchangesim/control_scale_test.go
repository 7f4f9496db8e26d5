package exchangesim_test

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

func TestControlMakesMany(t *testing.T) {
	t.Parallel()
	sim, ews := newSim(t, exchangesim.Options{Generate: 3})
	base := strings.TrimSuffix(ews, "/EWS/Exchange.asmx") + "/sim/"
	var made struct{ IDs []string }
	if status := do(t, "POST", base+"appointments/many?mailbox=user3@example.com&count=1000", nil, &made); status != 200 || len(made.IDs) != 1000 {
		t.Fatalf("status %d, %d ids", status, len(made.IDs))
	}
	body := map[string]any{"count": 10, "marked": 4, "properties": map[string]string{"PublicStrings/AppointmentOid": "bk-{n}"}, "like": map[string]any{"subject": "Desk {n}"}}
	if status := do(t, "POST", base+"appointments/many?mailbox=user3@example.com", body, &made); status != 200 || len(made.IDs) != 10 {
		t.Fatalf("status %d, %d ids", status, len(made.IDs))
	}
	marks := map[string]string{}
	for _, a := range sim.Outlook("user3@example.com").Items() {
		if oid := a.Properties["PublicStrings/AppointmentOid"]; oid != "" {
			marks[oid] = a.Subject
		}
	}
	if len(marks) != 4 || marks["bk-1"] != "Desk 3" || marks["bk-4"] != "Desk 10" {
		t.Errorf("marked: %v", marks)
	}
	for _, path := range []string{"appointments/many?mailbox=user3@example.com", "appointments/many?mailbox=user3@example.com&count=x", "appointments/many?mailbox=nobody@example.com&count=1"} {
		if status := do(t, "POST", base+path, nil, nil); status != 400 {
			t.Errorf("%s: status %d", path, status)
		}
	}
	var stats exchangesim.Stats
	do(t, "GET", base+"stats?gc=true", nil, &stats)
	if stats.People != 10 || stats.Items != 1010 || stats.HeapBytes == 0 {
		t.Errorf("stats = %+v", stats)
	}
}

func TestControlSetsLimits(t *testing.T) {
	t.Parallel()
	_, ews := newSim(t, exchangesim.Options{})
	base := strings.TrimSuffix(ews, "/EWS/Exchange.asmx") + "/sim/"
	var use exchangesim.BudgetUse
	for _, tc := range []struct {
		method string
		body   any
		on     bool
		want   int
	}{
		{"GET", nil, false, 0},
		{"POST", map[string]int{}, true, 27},
		{"POST", map[string]int{"max_concurrency": 10}, true, 10},
		{"DELETE", nil, false, 0},
	} {
		if tc.method != "GET" {
			if status := do(t, tc.method, base+"budget", tc.body, nil); status != 204 {
				t.Errorf("%s budget: status %d", tc.method, status)
			}
		}
		do(t, "GET", base+"budget", nil, &use)
		if use.On != tc.on || use.Policy.MaxConcurrency != tc.want {
			t.Errorf("after %s %v: %+v", tc.method, tc.body, use)
		}
	}
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{"GET", "streams", 200}, {"DELETE", "streams", 204}, {"POST", "affinity?on=true", 204}, {"POST", "affinity?on=maybe", 400},
	} {
		if status := do(t, tc.method, base+tc.path, nil, nil); status != tc.want {
			t.Errorf("%s %s: status %d", tc.method, tc.path, status)
		}
	}
	if status := do(t, "POST", base+"notifications", map[string]bool{"blocked": true}, nil); status != 204 {
		t.Errorf("block notifications: status %d", status)
	}
}
