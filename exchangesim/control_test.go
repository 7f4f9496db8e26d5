package exchangesim_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// do calls the control API and decodes its answer into out, if any.
func do(t *testing.T, method, url string, in, out any) int {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %s: %v", method, url, answer, err)
		}
	}
	return resp.StatusCode
}

func TestControlActsAsOutlook(t *testing.T) {
	t.Parallel()
	sim, ews := newSim(t, exchangesim.Options{})
	base := strings.TrimSuffix(ews, "/EWS/Exchange.asmx") + "/sim/"
	at := func(path, id string) string {
		return base + path + "?" + url.Values{"mailbox": {"alice@example.com"}, "id": {id}}.Encode()
	}
	var made struct{ ID string }
	if status := do(t, "POST", at("appointments", ""), map[string]any{"subject": "x", "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T10:00:00Z", "properties": map[string]string{"PublicStrings/AppointmentOid": "7"}}, &made); status != 200 || made.ID == "" {
		t.Fatalf("create: status %d, %+v", status, made)
	}
	if status := do(t, "PATCH", at("appointments", made.ID), map[string]any{"location": "4.12"}, nil); status != 204 {
		t.Errorf("update: status %d", status)
	}
	var items []exchangesim.Appointment
	do(t, "GET", at("appointments", ""), nil, &items)
	if len(items) != 1 || items[0].Subject != "x" || items[0].Location != "4.12" || items[0].Properties["PublicStrings/AppointmentOid"] != "7" {
		t.Errorf("items = %+v", items)
	}
	var copied struct{ ID string }
	if status := do(t, "POST", at("appointments/copy", made.ID), nil, &copied); status != 200 || copied.ID == made.ID {
		t.Errorf("copy: status %d, %+v", status, copied)
	}
	if status := do(t, "DELETE", at("appointments", made.ID), nil, nil); status != 204 {
		t.Errorf("delete: status %d", status)
	}
	if status := do(t, "DELETE", at("appointments", made.ID), nil, nil); status != 404 {
		t.Errorf("delete again: status %d", status)
	}
	do(t, "GET", at("appointments", "")+"&deleted=true", nil, &items)
	if len(items) != 1 || items[0].ID == made.ID {
		t.Errorf("deleted = %+v", items)
	}
	if status := do(t, "POST", base+"faults", map[string]any{"kind": "busy", "address": "alice@example.com", "backoff_ms": 1500}, nil); status != 204 {
		t.Errorf("fault: status %d", status)
	}
	if status := do(t, "POST", base+"faults", map[string]any{"kind": "busy", "typo": 1}, nil); status != 400 {
		t.Errorf("faulty fault: status %d", status)
	}
	var faults []exchangesim.Fault
	do(t, "GET", base+"faults", nil, &faults)
	if len(faults) != 1 || faults[0].Kind != "busy" {
		t.Errorf("faults = %+v", faults)
	}
	do(t, "DELETE", base+"faults", nil, nil)
	if status := do(t, "POST", base+"wait?timeout=1m", nil, nil); status != 204 {
		t.Errorf("wait: status %d", status)
	}
	if status := do(t, "PATCH", base+"people?mailbox=svc-rooms@example.com", map[string]any{"impersonation": false}, nil); status != 204 {
		t.Errorf("people: status %d", status)
	}
	var people []exchangesim.Person
	do(t, "GET", base+"people", nil, &people)
	for _, p := range people {
		if p.Password != "" || p.Impersonation {
			t.Errorf("person %+v", p)
		}
	}
	if n := sim.Count(""); n != 0 {
		t.Errorf("the control API counts as %d EWS requests", n)
	}
}

func TestTrafficIsRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := newSim(t, exchangesim.Options{RecordDir: dir})
	request := []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Nonsense/></s:Body></s:Envelope>`)
	_, answer := post(t, url, "alice@example.com", request)
	for name, want := range map[string][]byte{"00001-Invalid.req.xml": request, "00001-Invalid.res.xml": answer} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	if err := xml.Unmarshal(answer, new(struct{})); err != nil {
		t.Error(err)
	}
}
