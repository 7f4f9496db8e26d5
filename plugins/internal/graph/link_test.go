package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A link to another server is not followed: the token would go there.
func TestLinksLeadNowhereElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "bk-1", desk())
	_, pages := w.pull(t, "")
	for _, link := range []string{
		"https://evil.example.com/v1.0/x", "http://127.0.0.1:1/v1.0/x", "//evil.example.com/x", "http://user@" + strings.TrimPrefix(w.url, "http://"), "x", "file:///etc/passwd",
	} {
		for _, name := range []string{"@odata.nextLink", "@odata.deltaLink"} {
			hosts := map[string]bool{}
			w.line.twisted(func(r *http.Request) (*http.Response, error) {
				hosts[r.URL.Host] = true
				return answered(r, 200, fmt.Sprintf(`{"value":[],%q:%q}`, name, link)), nil
			})
			_, _, err := pullOf(t.Context(), w.Backend, w.alice, next(pages))
			if err == nil || len(hosts) != 1 {
				t.Errorf("%s %q: %v, asked %v", name, link, err, hosts)
			}
		}
	}
}

// The links are followed as they are, and what they hold is not read.
func TestLinksAreFollowedVerbatim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, pages := w.pull(t, "")
	const rest = `/v1.0/users('a%40b')/calendarView/delta?$skiptoken=R0usmcCM%2b996atia_s+x~!*'()&$x=%20`
	var asked []string
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.RequestURI())
		root := "http://" + r.URL.Host
		if len(asked) == 1 {
			return answered(r, 200, fmt.Sprintf(`{"value":[],"@odata.nextLink":%q}`, root+rest)), nil
		}
		return answered(r, 200, fmt.Sprintf(`{"value":[],"@odata.deltaLink":%q}`, root+"/v1.0/done")), nil
	})
	if _, _, err := pullOf(t.Context(), w.Backend, w.alice, next(pages)); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 2 || asked[1] != rest {
		t.Errorf("asked %q, want at last %q", asked, rest)
	}
}
