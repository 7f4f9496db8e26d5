package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

// shown returns the page of the description.
func shown(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	New(newRig(t).Options).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs", http.NoBody))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w
}

func TestThePageShowsEveryOperationAndItsLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	text := shown(t).Body.String()
	ids, links := map[string]bool{}, map[string]bool{}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page cannot be read: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = append(open, e.Name.Local)
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "id":
					if ids[a.Value] {
						t.Errorf("id %s is there twice", a.Value)
					}
					ids[a.Value] = true
				case "href", "src":
					links[a.Value] = true
				}
			}
		case xml.EndElement:
			if open[len(open)-1] != e.Name.Local {
				t.Fatalf("</%s> ends <%s>", e.Name.Local, open[len(open)-1])
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
	for link := range links {
		if id, local := strings.CutPrefix(link, "#"); local && !ids[id] || !local && link != "/openapi.json" {
			t.Errorf("the link %q leads nowhere", link)
		}
	}
	spec, err := rest.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if !ids[op.OperationID] {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	for name := range spec.Components.Schemas {
		if !ids["schema-"+name] {
			t.Errorf("%s is not on the page", name)
		}
	}
	for _, want := range []string{
		"Authorization: Bearer $KEY", "&#34;organizer&#34;: &#34;alice&#34;", "--data-binary @people.csv", "scope bookings", "<code>rollback</code>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not on the page", want)
		}
	}
}

func TestThePageMayDoNothingButShowItself(t *testing.T) {
	t.Parallel()
	w := shown(t)
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := w.Header().Get("Content-Security-Policy")
	if !found || !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("its own style is not allowed: %s", policy)
	}
	for _, other := range []string{"<script", "style=", "onclick", "<img"} {
		if strings.Contains(w.Body.String(), other) {
			t.Errorf("the policy does not allow %s", other)
		}
	}
	r := httptest.NewRecorder()
	New(newRig(t).Options).ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/docs", http.NoBody))
	if r.Code != 405 || r.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", r.Code, r.Header())
	}
}
