package exchangesim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const (
	sampleTenant, sampleApp         = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	subsidiaryTenant, subsidiaryApp = "66666666-7777-8888-9999-000000000000", "ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee"
)

// A cloud is Exchange Online on a listener of a test.
type cloud struct {
	t    *testing.T
	sim  *Server
	url  string
	http *http.Client
}

// serveCloud starts the online role of s, without TLS on its way.
func serveCloud(t *testing.T, s *Server) *cloud {
	t.Helper()
	ts := httptest.NewServer(s.Online())
	t.Cleanup(ts.Close)
	return &cloud{t: t, sim: s, url: ts.URL, http: ts.Client()}
}

// resource is the audience of this cloud's EWS.
func (c *cloud) resource() string { return "https://" + strings.TrimPrefix(c.url, "http://") }

// An entraAnswer is an answer of the login server, whatever it is.
type entraAnswer struct {
	Status      int
	Header      http.Header
	Body        string
	Token       string `json:"access_token"`
	Type        string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	RefreshIn   int    `json:"refresh_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	Correlation string `json:"correlation_id"`
	Trace       string `json:"trace_id"`
	Timestamp   string `json:"timestamp"`
	URI         string `json:"error_uri"`
}

// form is a right token request of the sample app, with fields replaced; an empty value takes one away.
func (c *cloud) form(fields ...string) url.Values {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {sampleApp}, "client_secret": {"app-secret"}, "scope": {c.resource() + "/.default"},
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] == "" {
			form.Del(fields[i])
			continue
		}
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// ask sends a token request.
func (c *cloud) ask(tenant string, form url.Values) entraAnswer {
	c.t.Helper()
	resp, err := c.http.PostForm(c.url+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		c.t.Fatal(err)
	}
	return readEntra(c.t, resp)
}

func readEntra(t *testing.T, resp *http.Response) entraAnswer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := entraAnswer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	return a
}

// token returns a token of the sample app for EWS.
func (c *cloud) token(fields ...string) string {
	c.t.Helper()
	a := c.ask(sampleTenant, c.form(fields...))
	if a.Status != http.StatusOK || a.Token == "" {
		c.t.Fatalf("token: %+v", a)
	}
	return a.Token
}

// ews is a client of EWS with a token, acting as somebody unless the address is empty.
func (c *cloud) ews(token, address string) *testClient {
	made := &testClient{t: c.t, url: c.url, http: c.http, fields: http.Header{}}
	if token != "" {
		made.fields.Set("Authorization", "Bearer "+token)
	}
	if address != "" {
		made.fields.Set("X-AnchorMailbox", address)
		made.header = `<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` + address + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`
	}
	return made
}

func TestAnAppActsOnTheMailboxThatIsOnPremisesToo(t *testing.T) {
	t.Parallel()
	s, local := serve(t, Options{})
	c := serveCloud(t, s)
	app := c.ews(c.token(), "alice@example.com")
	status, root, err := app.send(t.Context(), createItem(`<t:Subject>Desk 7</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>`))
	if err != nil || status != http.StatusOK {
		t.Fatalf("create: status %d, %v", status, err)
	}
	if v := root.child("Header", "ServerVersionInfo"); v.attr("MajorVersion") != "15" || v.attr("MinorVersion") != "20" {
		t.Errorf("version %+v", v)
	}
	items := s.Outlook("alice@example.com").Items()
	if len(items) != 1 || items[0].Subject != "Desk 7" {
		t.Fatalf("items %+v", items)
	}
	local.must(getItem(itemID(items[0].ID, "")))
	if changes, _, _ := local.sync("", "10"); len(changes) != 1 {
		t.Errorf("%d changes on-premises", len(changes))
	}
	if use := s.TokenUse(); use.Requests != 1 || use.Issued != 1 || use.Bearer["accepted"] != 1 {
		t.Errorf("use %+v", use)
	}
}
