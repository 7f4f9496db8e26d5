package endpoint

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
)

// What bears no living token is read by a plugin of the path's own backend: another would answer in another protocol.
func TestAStrangersMessageIsReadByTheBackendOfItsPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ target, want string }{
		"Exchange Web Services":               {NotificationPath + "?Default", "Exchange2013"},
		"the same by webhook":                 {WebhookPath + "?Default", "Exchange2013"},
		"Graph":                               {"/api/webhooks/graph?Default", "Microsoft365"},
		"Graph, what concerns a subscription": {"/API/webhooks/Graph/lifecycle?Default&k=guess", "Microsoft365"},
		"Graph's handshake":                   {"/api/webhooks/graph?Default&k=guess&validationToken=abc", "Microsoft365"},
		"a backend without sync mode":         {"/api/webhooks/exchange2013?Default", ""},
	} {
		g := newRig()
		asked := "nobody"
		g.Receiver = func(mode string) (backend.Pusher, bool) {
			asked = mode
			return fakePusher{receive: toy}, mode != ""
		}
		do(t, New(g.Options), "POST", c.target, "S1 dirty")
		if asked != c.want {
			t.Errorf("%s: read by the plugin of %q, want %q", name, asked, c.want)
		}
	}
}

// A handshake is a POST whose query asks to be answered; only a browser gets the page.
func TestAHandshakeIsForThePluginAndABrowserGetsThePage(t *testing.T) {
	t.Parallel()
	g := newRig()
	var query string
	g.Receiver = func(string) (backend.Pusher, bool) {
		return fakePusher{receive: func(in backend.Inbound) (backend.Reply, error) {
			query = in.Query
			return backend.Reply{Status: 200, ContentType: "text/plain", Body: []byte("abc")}, nil
		}}, true
	}
	h := New(g.Options)
	const at = "/api/webhooks/graph?Default&k=tok&validationToken=abc"
	if got := text(t, do(t, h, "POST", at, "")); got != "abc" || query != "Default&k=tok&validationToken=abc" {
		t.Errorf("POST: %q, the plugin saw %q", got, query)
	}
	page := text(t, do(t, h, "GET", at, ""))
	if !strings.Contains(page, "Tenant: <strong>Default</strong>") || strings.Contains(page, "abc") || strings.Contains(page, "tok<") {
		t.Errorf("GET: %s", page)
	}
	if page := text(t, do(t, h, "GET", "/api/webhooks/graph/lifecycle", "")); !strings.Contains(page, "<code>/api/webhooks/graph?Default</code>") {
		t.Errorf("GET without a tenant: %s", page)
	}
}
