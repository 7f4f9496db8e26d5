package client

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/apikey"
)

// host answers every request with one status and body.
func host(t *testing.T, status int, contentType, body string) (*httptest.Server, *http.Request) {
	t.Helper()
	seen := &http.Request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = *r.Clone(context.WithoutCancel(r.Context()))
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s, seen
}

func TestLocalUsesTheHostsKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Local(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a host: %v", err)
	}
	s, seen := host(t, 200, "application/json", `{"items":[{"id":"alice"}]}`)
	key, _ := apikey.NewAdmin()
	if err := apikey.Write(dir, apikey.File{URL: s.URL, Key: key}); err != nil {
		t.Fatal(err)
	}
	c, err := Local(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.ListPersonsWithResponse(t.Context(), "Default", nil)
	if err := Check(r, err); err != nil {
		t.Fatal(err)
	}
	if r.JSON200 == nil || len(r.JSON200.Items) != 1 || r.JSON200.Items[0].ID != "alice" {
		t.Errorf("answer: %s", r.Body)
	}
	if seen.URL.Path != "/Default/api/v1/persons" || seen.Header.Get("Authorization") != "Bearer "+key {
		t.Errorf("asked for %s as %q", seen.URL, seen.Header.Get("Authorization"))
	}
}

func TestRefusalsAreErrorsForPeople(t *testing.T) {
	t.Parallel()
	const problem = "application/problem+json"
	for _, c := range []struct {
		status           int
		contentType      string
		body, says, kind string
	}{
		{404, problem, `{"type":"urn:roomwire:problem:not-found","title":"Not found","status":404,"detail":"there is no person \"x\""}`, `there is no person "x"`, "not-found"},
		{422, problem, `{"type":"urn:roomwire:problem:invalid","title":"t","status":422,"detail":"d","violations":[{"field":"email","reason":"is missing"},{"field":"kind","reason":"is wrong"}]}`, "email: is missing\nkind: is wrong", "invalid"},
		{500, problem, `{"type":"urn:roomwire:problem:internal","title":"t","status":500,"detail":"it failed","request_id":"R1"}`, "it failed (request_id R1)", "internal"},
		{502, "text/html", `<html>bad gateway</html>`, "the host answered 502 Bad Gateway", ""},
		{500, problem, `{`, "the host answered 500 Internal Server Error", ""},
	} {
		s, _ := host(t, c.status, c.contentType, c.body)
		cl, err := Open(s.URL, "rw_x")
		if err != nil {
			t.Fatal(err)
		}
		r, err := cl.GetPersonWithResponse(t.Context(), "Default", "x")
		if err != nil {
			if c.body == "{" {
				continue // the generated code could not decode it, and says so
			}
			t.Fatal(err)
		}
		err = Check(r, err)
		var e *Error
		if !errors.As(err, &e) || err.Error() != c.says || c.kind != "" && !errors.Is(err, ProblemKind(c.kind)) {
			t.Errorf("%d: %v, want %s of kind %s", c.status, err, c.says, c.kind)
		}
	}
}

func TestAHostThatIsAwayIsNamed(t *testing.T) {
	t.Parallel()
	s, _ := host(t, 200, "", "")
	s.Close()
	c, err := Open(s.URL, "rw_x")
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(c.GetPersonWithResponse(t.Context(), "Default", "x")); err == nil || !strings.Contains(err.Error(), "roomwire serve") {
		t.Errorf("away: %v", err)
	}
	for _, bad := range []string{"", "localhost:8081", "ftp://x", "http://"} {
		if _, err := Open(bad, "k"); err == nil {
			t.Errorf("Open(%q) succeeded", bad)
		}
	}
}
