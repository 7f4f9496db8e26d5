package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestWhatIsSaidOfEachRefusal holds the sentences against testdata/aadsts.golden, to be read by a person.
func TestWhatIsSaidOfEachRefusal(t *testing.T) {
	t.Parallel()
	e, err := newEntra(Settings{TenantID: testTenant, AppID: testApp, ClientSecret: "S3cr3t~value"}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	secret := credential{setting: "client_secret", ends: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	cert := credential{setting: "certificate_file", ends: time.Date(2027, 2, 3, 0, 0, 0, 0, time.UTC), thumbprint: "0123456789ABCDEF0123456789ABCDEF01234567"}
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(advices())) {
		c := secret
		if strings.Contains(advices()[code].text, "certificate") {
			c = cert
		}
		body, _ := json.Marshal(map[string]any{"error": "invalid_client", "error_codes": []int{code}, "trace_id": "0a0b0c0d-1111-2222-3333-444455556666"})
		f, next := e.refused(&http.Response{StatusCode: http.StatusUnauthorized, Status: "401 Unauthorized", Header: http.Header{}}, body, c, "https://outlook.office365.com/.default")
		if f.Code != fmt.Sprint("AADSTS", code) || f.ID == "" {
			t.Errorf("AADSTS%d: code %q and id %q", code, f.Code, f.ID)
		}
		if strings.ContainsAny(f.Message, "{}") || strings.Contains(f.Message, "S3cr3t") || strings.HasSuffix(f.Message, ".") {
			t.Errorf("AADSTS%d: %s", code, f.Message)
		}
		more := ""
		if next {
			more = ", another credential is tried"
		}
		fmt.Fprintf(&b, "%d (%s%s)\n    %s\n", code, f.Kind, more, f.Message)
	}
	golden := filepath.Join("testdata", "aadsts.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != b.String() {
		t.Errorf("%s differs (%v): look at what the change says, then go test -update", golden, err)
	}
}
