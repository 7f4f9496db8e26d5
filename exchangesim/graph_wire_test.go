package exchangesim

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestGraphOverTheWire goes by the listener of the command, with tokens of its login server.
func TestGraphOverTheWire(t *testing.T) {
	t.Parallel()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.CertificatePEM)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	token := func(host string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL+"/example.com/oauth2/v2.0/token", strings.NewReader(url.Values{
			"grant_type": {"client_credentials"}, "client_id": {SampleTenant().Apps[0].ID}, "client_secret": {"app-secret"}, "scope": {"https://" + host + "/.default"},
		}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		return answer.Token
	}
	host := strings.TrimPrefix(l.URL, "https://")
	c := &graphClient{t: t, sim: s, url: l.URL + graphRoot, http: client, token: token(host), router: graphRouter(t, l.URL+graphRoot)}
	made := c.create(desk("1", 0))
	if page := c.want(http.StatusOK, http.MethodGet, aliceEvents+"?$top=1", nil); len(list(page, "value")) != 1 {
		t.Errorf("the page is %v", page)
	}
	if link := text(c.want(http.StatusOK, http.MethodGet, aliceDelta+days(1, 1), nil), "@odata.deltaLink"); !strings.HasPrefix(link, l.URL+graphRoot+"/users/") {
		t.Errorf("the link is %q", link)
	}
	c.want(http.StatusNoContent, http.MethodDelete, aliceEvents+"/"+text(made, "id"), nil)
	other := c.with(func(c *graphClient) { c.token = token(strings.Replace(host, "127.0.0.1", "localhost", 1)) })
	other.refused(http.StatusUnauthorized, "InvalidAuthenticationToken", http.MethodGet, aliceEvents, nil)
	if use := s.TokenUse(); use.Bearer["audience"] != 1 || use.Bearer["accepted"] != 4 {
		t.Errorf("the tokens were used %v", use.Bearer)
	}
}

func TestGraphAndEWSHearOfEachOther(t *testing.T) {
	t.Parallel()
	s, c, ews := serveGraphFor(t, Options{})
	app := receive(t)
	c.want(http.StatusCreated, http.MethodPost, "/subscriptions", wanted(app.URL))
	sub := ews.one(`<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id="calendar"/></t:FolderIds>` +
		`<t:EventTypes><t:EventType>CreatedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType></t:EventTypes>` +
		`<t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`)
	id := text(c.create(desk("1", 0)), "id")
	c.want(http.StatusNoContent, http.MethodDelete, aliceEvents+"/"+id, nil)
	heard := ews.one(`<m:GetEvents><m:SubscriptionId>` + sub.child("SubscriptionId").value() + `</m:SubscriptionId><m:Watermark>` + sub.child("Watermark").value() + `</m:Watermark></m:GetEvents>`)
	var kinds []string
	for _, e := range heard.child("Notification").children() {
		if e.child("ItemId") != nil {
			kinds = append(kinds, e.name)
		}
	}
	if !slices.Contains(kinds, "CreatedEvent") || !slices.Contains(kinds, "MovedEvent") {
		t.Errorf("EWS hears %v", kinds)
	}
	_ = app.told(s, t)
	made := ews.one(`<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:Subject>2</t:Subject></t:CalendarItem></m:Items></m:CreateItem>`)
	all := app.told(s, t)
	if got := kindsOf(all, "changeType"); !slices.Equal(got, []string{"created", "updated"}) {
		t.Errorf("Graph hears %v", got)
	}
	known, err := s.GraphIDs("alice@example.com", made.child("Items", "CalendarItem", "ItemId").attr("Id"))
	if err != nil || text(all[0], "resourceData", "id") != known.Immutable {
		t.Errorf("Graph hears of %v, want %+v, %v", all[0], known, err)
	}
}

func TestGraphFollowsPlaceAndScope(t *testing.T) {
	t.Parallel()
	tenant := SampleTenant()
	tenant.Apps[0].Mailboxes = []string{"alice@example.com"}
	s, c, _ := serveGraphFor(t, Options{Tenants: []Tenant{tenant}})
	app := receive(t)
	c.refused(http.StatusForbidden, "ErrorAccessDenied", http.MethodGet, "/users/bob@example.com/events", nil)
	c.want(http.StatusCreated, http.MethodPost, "/subscriptions", wanted(app.URL))
	if known, err := s.SetPlace("alice@example.com", PlaceOnPremises); !known || err != nil {
		t.Fatal(known, err)
	}
	c.refused(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", http.MethodGet, aliceEvents, nil)
	if n := len(s.GraphSubscriptions()); n != 0 {
		t.Errorf("%d subscriptions stay behind", n)
	}
	if _, err := s.SetPlace("alice@example.com", PlaceOnline); err != nil {
		t.Fatal(err)
	}
	if id := text(c.create(desk("1", 0)), "id"); !strings.HasPrefix(id, "AAkA") {
		t.Errorf("an immutable id is %q", id)
	}
}
