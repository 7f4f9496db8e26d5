package exchangesim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// shared finds test data that lies beside the repository, and skips the test where it is absent.
func shared(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, data absent: %v", err)
	}
	return path
}

// validator checks answers with xmllint against the schema of EWS, many at once.
type validator struct {
	dir   string
	files []string
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("SKIPPED, xmllint (libxml2-utils) absent: %v", err)
	}
	return &validator{dir: t.TempDir()}
}

func (v *validator) add(t *testing.T, name string, answer []byte) {
	t.Helper()
	file := filepath.Join(v.dir, fmt.Sprintf("%03d-%s.xml", len(v.files), name))
	if err := os.WriteFile(file, answer, 0o644); err != nil {
		t.Fatal(err)
	}
	v.files = append(v.files, file)
}

func (v *validator) check(t *testing.T) {
	t.Helper()
	if len(v.files) == 0 {
		t.Fatal("nothing to validate")
	}
	args := append([]string{"--noout", "--nonet", "--schema", shared(t, "ews-schema", "ews-all.xsd")}, v.files...)
	out, err := exec.Command("xmllint", args...).CombinedOutput()
	if err != nil {
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, " validates") && !strings.Contains(line, "Skipping import") {
				t.Error(line)
			}
		}
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newSim starts a stand-in whose clock stands still, behind HTTP.
func newSim(t *testing.T, o exchangesim.Options) (*exchangesim.Server, string) {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	sim, err := exchangesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(sim)
	ts.Config = sim.HTTPServer()
	ts.Start()
	t.Cleanup(func() {
		ts.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim, ts.URL + "/EWS/Exchange.asmx"
}

// post sends a request with Basic and returns the status and the answer.
func post(t *testing.T, url, user string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, "secret")
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusUnauthorized && got != "text/xml; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
	return resp.StatusCode, answer
}

func TestAnswersToSamplesAreValid(t *testing.T) {
	t.Parallel()
	dir := shared(t, "ews-samples")
	v := newValidator(t)
	_, url := newSim(t, exchangesim.Options{})
	files, err := filepath.Glob(filepath.Join(dir, "req-*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.ReplaceAll(body, []byte("ada@example.com"), []byte("alice@example.com"))
		_, answer := post(t, url, `EXAMPLE\svc-rooms`, body)
		v.add(t, filepath.Base(file), answer)
	}
	v.check(t)
}
