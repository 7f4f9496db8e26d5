package exchangesim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// subsidiaryPeople are the sample people and somebody of the subsidiary.
func subsidiaryPeople() []Person {
	return append(SamplePeople(), Person{Address: "sue@subsidiary.example", Password: "secret"}, Person{Address: "nils@nowhere.example", Password: "secret"})
}

func TestEWSOnlineLetsBearersIn(t *testing.T) {
	t.Parallel()
	now := noon
	s, _ := serve(t, Options{People: subsidiaryPeople(), Now: func() time.Time { return now }})
	c := serveCloud(t, s)
	if err := s.ChangeTenant(sampleTenant, func(t *Tenant) {
		t.Apps = append(t.Apps,
			App{ID: "00000000-0000-0000-0000-000000000001", Secrets: []Secret{{Value: "no consent"}}},
			App{ID: "00000000-0000-0000-0000-000000000002", Secrets: []Secret{{Value: "graph only"}}, Roles: []string{roleCalendarsWrite}},
			App{ID: "00000000-0000-0000-0000-000000000003", Secrets: []Secret{{Value: "scoped"}}, Roles: []string{roleEWS}, Mailboxes: []string{"Bob@example.com"}},
			App{ID: "00000000-0000-0000-0000-000000000004", Secrets: []Secret{{Value: "gone"}}, Roles: []string{roleEWS}},
		)
	}); err != nil {
		t.Fatal(err)
	}
	of := func(number, secret string) string {
		return c.token("client_id", "00000000-0000-0000-0000-00000000000"+number, "client_secret", secret)
	}
	good, gone := c.token(), of("4", "gone")
	if err := s.ChangeTenant(sampleTenant, func(t *Tenant) { t.Apps = t.Apps[:len(t.Apps)-1] }); err != nil {
		t.Fatal(err)
	}
	subsidiary := c.ask("subsidiary.example", c.form("client_id", subsidiaryApp, "client_secret", "subsidiary-secret")).Token
	signature := good[:len(good)-8] + strings.Repeat("A", 8)
	for name, tc := range map[string]struct {
		token, address string
		status         int
		code, reason   string // of the SOAP fault or answer; of x-ms-diagnostics
	}{
		"right":                          {good, "alice@example.com", 200, "NoError", ""},
		"token of the service by itself": {c.token("scope", "https://outlook.office365.com/.default"), "alice@example.com", 200, "NoError", ""},
		"token of the service by its id": {c.token("scope", exchangeResource+"/.default"), "alice@example.com", 200, "NoError", ""},
		"no token":                       {"", "alice@example.com", 401, "", ""},
		"malformed":                      {"a.b", "alice@example.com", 401, "", "invalid_token"},
		"wrong signature":                {signature, "alice@example.com", 401, "", "The signature of the token is invalid."},
		"token of Graph":                 {c.token("scope", "https://graph.microsoft.com/.default"), "alice@example.com", 401, "", "The audience claim value is invalid 'https://graph.microsoft.com'."},
		"token of another host":          {c.token("scope", "https://127.0.0.1:1/.default"), "alice@example.com", 401, "", "invalid_resource"},
		"no roles":                       {of("1", "no consent"), "alice@example.com", 401, "", `2000008;reason="The token contains no permissions`},
		"app that is gone":               {gone, "alice@example.com", 401, "", "not known"},
		"without the role":               {of("2", "graph only"), "alice@example.com", 403, "", ""},
		"out of the scope":               {of("3", "scoped"), "alice@example.com", 500, "ErrorImpersonateUserDenied", ""},
		"in the scope":                   {of("3", "scoped"), "bob@example.com", 200, "NoError", ""},
		"nobody":                         {good, "", 500, "ErrorInvalidExchangeImpersonationHeaderData", ""},
		"unknown":                        {good, "nobody@example.com", 500, "ErrorNonExistentMailbox", ""},
		"account without mailbox":        {good, "svc-rooms@example.com", 500, "ErrorNonExistentMailbox", ""},
		"mailbox of another tenant":      {good, "sue@subsidiary.example", 500, "ErrorNonExistentMailbox", ""},
		"mailbox of no tenant":           {good, "nils@nowhere.example", 500, "ErrorNonExistentMailbox", ""},
		"other tenant":                   {subsidiary, "sue@subsidiary.example", 200, "NoError", ""},
		"other tenant's app":             {subsidiary, "alice@example.com", 500, "ErrorNonExistentMailbox", ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := c.ews(tc.token, tc.address)
			status, root, err := client.send(t.Context(), getCalendar)
			if err != nil || status != tc.status {
				t.Fatalf("status %d, %v; want %d", status, err, tc.status)
			}
			if status == 401 {
				offered := client.answer.Values("WWW-Authenticate")
				if len(offered) != 1 || !strings.HasPrefix(offered[0], `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="`) || !strings.Contains(offered[0], `error="invalid_token"`) {
					t.Errorf("offered %q", offered)
				}
				if got := client.answer.Get("x-ms-diagnostics"); !strings.Contains(got, tc.reason) || tc.reason == "" && got != "" {
					t.Errorf("diagnostics %q, want %q", got, tc.reason)
				}
			}
			if tc.code == "" {
				return
			}
			if v := root.child("Header", "ServerVersionInfo"); v.attr("MinorVersion") != "20" {
				t.Errorf("version %+v", v)
			}
			got := root.child("Body", "Fault", "detail", "ResponseCode").value()
			if status == 200 {
				got = root.child("Body", "GetFolderResponse", "ResponseMessages", "GetFolderResponseMessage", "ResponseCode").value()
			}
			if got != tc.code {
				t.Errorf("code %q, want %q", got, tc.code)
			}
		})
	}
	now = now.Add(time.Hour)
	old := c.ews(good, "alice@example.com")
	if status, _, _ := old.send(t.Context(), getCalendar); status != 401 || !strings.Contains(old.answer.Get("x-ms-diagnostics"), "expired") {
		t.Errorf("expired: %d %q", status, old.answer.Get("x-ms-diagnostics"))
	}
	if use := s.TokenUse(); use.Bearer["missing"] != 1 || use.Bearer["audience"] != 2 || use.Bearer["expired"] != 1 {
		t.Errorf("use %+v", use)
	}
}

func TestTheTenantSwitchesEWSOff(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{People: subsidiaryPeople()})
	c := serveCloud(t, s)
	token := c.token()
	subsidiary := c.ask(subsidiaryTenant, c.form("client_id", subsidiaryApp, "client_secret", "subsidiary-secret")).Token
	yes, no := true, false
	for _, tc := range []struct {
		name    string
		enabled *bool
		allowed []string
		want    int
	}{
		{"unset", nil, nil, 200},
		{"off", &no, []string{sampleApp}, 403},
		{"on without a list", &yes, nil, 200},
		{"on for others", &yes, []string{subsidiaryApp}, 403},
		{"on for nobody", &yes, []string{}, 403},
		{"on for the app", &yes, []string{strings.ToUpper(sampleApp)}, 200},
	} {
		if err := s.ChangeTenant(sampleTenant, func(t *Tenant) { t.EWSEnabled, t.EWSAllowedApps = tc.enabled, tc.allowed }); err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"alice@example.com", "bob@example.com"} {
			if status, _, err := c.ews(token, address).send(t.Context(), getCalendar); err != nil || status != tc.want {
				t.Errorf("%s, %s: status %d, %v; want %d", tc.name, address, status, err, tc.want)
			}
		}
		if status, _, err := c.ews(subsidiary, "sue@subsidiary.example").send(t.Context(), getCalendar); err != nil || status != 200 {
			t.Errorf("%s, the other tenant: status %d, %v", tc.name, status, err)
		}
	}
}

func TestAnchorsMayBeAskedFor(t *testing.T) {
	t.Parallel()
	s, local := serve(t, Options{})
	c := serveCloud(t, s)
	with := c.ews(c.token(), "alice@example.com")
	without := *with
	without.fields = http.Header{"Authorization": with.fields["Authorization"]}
	if status, _, _ := without.send(t.Context(), getCalendar); status != 200 {
		t.Errorf("before: status %d", status)
	}
	s.RequireAnchor(true)
	if status, _, _ := without.send(t.Context(), getCalendar); status != 503 {
		t.Errorf("without: status %d", status)
	}
	if code := with.code(getCalendar); code != "NoError" {
		t.Errorf("with: %s", code)
	}
	if code := local.code(getCalendar); code != "NoError" {
		t.Errorf("on-premises: %s", code)
	}
}

func TestRolesHoldUntilTheTokenEnds(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	early := c.ews(c.token(), "alice@example.com")
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) { a.Roles = nil; a.Disabled = true }); err != nil {
		t.Fatal(err)
	}
	if code := early.code(getCalendar); code != "NoError" {
		t.Errorf("an early token: %s", code)
	}
	s.RevokeTokens()
	if status, _, _ := early.send(t.Context(), getCalendar); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
}

// Whose roles are assigned in Exchange gets tokens without roles, and may come nevertheless.
func TestAssignedRolesAreNotInTheToken(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) { a.Mailboxes = []string{"alice@example.com"} }); err != nil {
		t.Fatal(err)
	}
	text := c.token()
	token, err := parseJWT(text)
	if err != nil || strings.Contains(string(token.claims), `"roles"`) {
		t.Errorf("claims %s, %v", token.claims, err)
	}
	app := c.ews(text, "alice@example.com")
	if code := app.code(getCalendar); code != "NoError" {
		t.Errorf("assigned: %s", code)
	}
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) { a.Roles = nil }); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := app.send(t.Context(), getCalendar); status != 401 {
		t.Errorf("taken: status %d", status)
	}
}

func TestMailboxesLieSomewhere(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	token := c.token()
	local := (&testClient{t: t, url: c.url, http: c.http}).impersonating("PrimarySmtpAddress", "alice@example.com")
	onPrem := serveAgain(t, s)
	local.url = onPrem
	cloudSide := c.ews(token, "alice@example.com")
	for place, want := range map[string]struct{ local, online string }{
		PlaceBoth:       {"NoError", "NoError"},
		PlaceOnPremises: {"NoError", "ErrorNonExistentMailbox"},
		PlaceOnline:     {"ErrorNonExistentMailbox", "NoError"},
		PlaceMoving:     {"ErrorMailboxMoveInProgress", "ErrorMailboxMoveInProgress"},
	} {
		if found, err := s.SetPlace("alice@example.com", place); err != nil || !found {
			t.Fatal(found, err)
		}
		if got := local.code(getCalendar); got != want.local {
			t.Errorf("%q on-premises: %s, want %s", place, got, want.local)
		}
		if got := cloudSide.code(getCalendar); got != want.online {
			t.Errorf("%q online: %s, want %s", place, got, want.online)
		}
		if _, err := s.Outlook("alice@example.com").Create(Appointment{Subject: "x", Start: at(9), End: at(10)}); err != nil {
			t.Errorf("%q: Outlook: %v", place, err)
		}
	}
	if _, err := s.SetPlace("alice@example.com", "moon"); err == nil {
		t.Error("the moon is no place")
	}
	if err := s.AddPerson(Person{Address: "x@example.com", Place: "moon"}); err == nil {
		t.Error("the moon is no place for new people")
	}
	if found, _ := s.SetPlace("nobody@example.com", PlaceOnline); found {
		t.Error("nobody was found")
	}
}

// serveAgain starts another on-premises listener and returns its URL.
func serveAgain(t *testing.T, s *Server) string {
	t.Helper()
	ts := httptest.NewUnstartedServer(s)
	ts.Config = s.HTTPServer()
	ts.Start()
	t.Cleanup(ts.Close)
	return ts.URL
}

const subscribeCalendar = `<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`

func TestSubscriptionsStayWithTheirMailbox(t *testing.T) {
	t.Parallel()
	s, local := serve(t, Options{})
	c := serveCloud(t, s)
	app := c.ews(c.token(), "alice@example.com")
	online := app.must(subscribeCalendar).child("SubscriptionId").value()
	onPrem := local.must(subscribeCalendar).child("SubscriptionId").value()
	get := func(id string) string {
		return `<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>x</m:Watermark></m:GetEvents>`
	}
	if code := local.code(get(online)); code != "ErrorSubscriptionAccessDenied" {
		t.Errorf("an app's subscription is alice's: %s", code)
	}
	if _, err := s.SetPlace("alice@example.com", PlaceOnline); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Subscriptions()); n != 1 || s.Subscriptions()[0].ID != online {
		t.Errorf("subscriptions %+v, want only %s, not %s", s.Subscriptions(), online, onPrem)
	}
	for range onlineSubscriptions - 1 {
		app.must(subscribeCalendar)
	}
	if code := app.code(subscribeCalendar); code != "ErrorExceededSubscriptionCount" {
		t.Errorf("one more than allowed: %s", code)
	}
	if code := c.ews(c.token(), "bob@example.com").code(subscribeCalendar); code != "NoError" {
		t.Errorf("another mailbox: %s", code)
	}
}

func TestLoginFaults(t *testing.T) {
	t.Parallel()
	s, local := serve(t, Options{})
	c := serveCloud(t, s)
	f := s.Faults()
	metadata := func() int {
		resp, err := c.http.Get(c.url + "/" + sampleTenant + "/v2.0/.well-known/openid-configuration")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	f.LoginDown()
	if a := c.ask(sampleTenant, c.form()); a.Status != 503 || !strings.HasPrefix(a.Body, "<html>") || metadata() != 503 {
		t.Errorf("down: %+v", a)
	}
	f.Reset()
	f.LoginBusy(1, 17*time.Second)
	if a := c.ask(sampleTenant, c.form()); a.Status != 429 || a.Header.Get("Retry-After") != "17" || a.Codes[0] != 90055 {
		t.Errorf("busy: %+v", a)
	}
	if err := f.Add(Fault{Kind: "error", Operation: OperationToken, ResponseCode: "65001"}); err != nil {
		t.Fatal(err)
	}
	if a := c.ask(sampleTenant, c.form()); a.Status != 400 || a.Error != "invalid_grant" || a.Codes[0] != 65001 {
		t.Errorf("error: %+v", a)
	}
	f.Status(500, 1)
	if a := c.ask(sampleTenant, c.form()); a.Status != 200 || metadata() != 200 {
		t.Errorf("a fault of EWS hits the login server: %+v", a)
	}
	if status, _, _ := local.send(t.Context(), getCalendar); status != 500 {
		t.Errorf("EWS: status %d", status)
	}
	before := s.TokenUse()
	for _, kind := range []string{"drop-before", "drop-after"} {
		if err := f.Add(Fault{Kind: kind, Operation: OperationToken}); err != nil {
			t.Fatal(err)
		}
		if resp, err := c.http.PostForm(c.url+"/"+sampleTenant+"/oauth2/v2.0/token", c.form()); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: status %d", kind, resp.StatusCode)
		}
	}
	after := s.TokenUse()
	if after.Requests-before.Requests != 2 || after.Issued-before.Issued != 1 || after.Refused["503"] != 2 || after.Refused["429"] != 1 || after.Refused["65001"] != 1 {
		t.Errorf("use %+v", after)
	}
	const late = 20 * time.Millisecond
	f.LoginSlow(late)
	began := time.Now()
	if a := c.ask(sampleTenant, c.form()); a.Status != 200 || time.Since(began) < late {
		t.Errorf("slow: %+v after %v", a, time.Since(began))
	}
}

func TestATokenRequestCanBeHeld(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	arrived, release := s.Faults().PauseBefore(OperationToken)
	answers := make(chan int, 1)
	go func() {
		resp, err := c.http.PostForm(c.url+"/"+sampleTenant+"/oauth2/v2.0/token", c.form())
		if err != nil {
			answers <- 0
			return
		}
		_ = resp.Body.Close()
		answers <- resp.StatusCode
	}()
	<-arrived
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) { a.Secrets[0].Ends = noon }); err != nil {
		t.Fatal(err)
	}
	release()
	if status := <-answers; status != 401 {
		t.Errorf("status %d", status)
	}
}

func TestAppsHearOfEventsAsTheyHappen(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{Minute: 100 * time.Millisecond})
	c := serveCloud(t, s)
	app := c.ews(c.token(), "alice@example.com")
	id := app.must(`<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>`).child("SubscriptionId").value()
	if _, err := s.Outlook("alice@example.com").Create(Appointment{Subject: "x", Start: at(9), End: at(10)}); err != nil {
		t.Fatal(err)
	}
	resp, err := app.post(t.Context(), `<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>`+id+`</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	told, err := io.ReadAll(resp.Body) // until the timeout, a tenth of a second
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CreatedEvent", `MinorVersion="20"`, "Closed"} {
		if !strings.Contains(string(told), want) {
			t.Errorf("%s is missing in %s", want, told)
		}
	}
}
