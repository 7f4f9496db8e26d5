package exchangesim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) {
		a.Secrets = append(a.Secrets, Secret{Value: "old", Ends: noon}, Secret{Value: "still good", Ends: noon.Add(time.Second)})
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeTenant(sampleTenant, func(t *Tenant) {
		t.Apps = append(t.Apps, App{ID: subsidiaryTenant, Name: "Off", Secrets: []Secret{{Value: "off"}}, Disabled: true})
	}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tenant string
		form   url.Values
		status int
		kind   string
		code   int // 0: a token
		text   string
	}{
		"right":                      {sampleTenant, c.form(), 200, "", 0, ""},
		"tenant by its domain":       {"EXAMPLE.com", c.form(), 200, "", 0, ""},
		"second secret":              {sampleTenant, c.form("client_secret", "still good"), 200, "", 0, ""},
		"slash in the scope":         {sampleTenant, c.form("scope", "https://outlook.office365.com//.default"), 200, "", 0, ""},
		"scope by the resource's id": {sampleTenant, c.form("scope", exchangeResource+"/.default"), 200, "", 0, ""},
		"scopes of MSAL":             {sampleTenant, c.form("scope", c.resource()+"/.default openid offline_access profile"), 200, "", 0, ""},
		"unknown tenant":             {"12345678-2222-3333-4444-555555555555", c.form(), 400, "invalid_request", 90002, "Tenant '12345678-2222-3333-4444-555555555555' not found."},
		"unknown domain":             {"nowhere.example", c.form(), 400, "invalid_request", 90002, "Tenant 'nowhere.example' not found."},
		"malformed tenant":           {"nonsense", c.form(), 400, "invalid_request", 900023, "Specified tenant identifier 'nonsense' is neither a valid DNS name"},
		"empty GUID":                 {"00000000-0000-0000-0000-000000000000", c.form(), 400, "invalid_request", 900021, "may not be an empty GUID"},
		"common":                     {"common", c.form(), 400, "invalid_request", 50059, "No tenant-identifying information"},
		"no grant type":              {sampleTenant, c.form("grant_type", ""), 400, "invalid_request", 900144, "parameter: 'grant_type'."},
		"password":                   {sampleTenant, c.form("grant_type", "password"), 400, "unsupported_grant_type", 70003, "'password'"},
		"no app":                     {sampleTenant, c.form("client_id", ""), 400, "invalid_request", 900144, "parameter: 'client_id'."},
		"no scope":                   {sampleTenant, c.form("scope", ""), 400, "invalid_request", 900144, "parameter: 'scope'."},
		"two scopes":                 {sampleTenant, c.form("scope", "https://a/.default https://b/.default"), 400, "invalid_scope", 70011, "is not valid"},
		"empty resource":             {sampleTenant, c.form("scope", "/.default"), 400, "invalid_scope", 70011, "is not valid"},
		"scope of users":             {sampleTenant, c.form("scope", "https://graph.microsoft.com/Calendars.ReadWrite"), 400, "invalid_scope", 1002012, "/.default"},
		"unknown app":                {sampleTenant, c.form("client_id", subsidiaryApp), 400, "unauthorized_client", 700016, "was not found in the directory 'Example'"},
		"app disabled":               {sampleTenant, c.form("client_id", subsidiaryTenant, "client_secret", "off"), 400, "unauthorized_client", 7000112, "(Off) is disabled."},
		"no credential":              {sampleTenant, c.form("client_secret", ""), 401, "invalid_client", 7000218, "'client_assertion' or 'client_secret'"},
		"wrong secret":               {sampleTenant, c.form("client_secret", "guess"), 401, "invalid_client", 7000215, "Invalid client secret provided."},
		"expired secret":             {sampleTenant, c.form("client_secret", "old"), 401, "invalid_client", 7000222, "are expired"},
		"unknown resource":           {sampleTenant, c.form("scope", "https://files.example/.default"), 400, "invalid_resource", 500011, "The resource principal named https://files.example was not found in the tenant named Example."},
		"path in the resource":       {sampleTenant, c.form("scope", c.resource()+"/EWS/Exchange.asmx/.default"), 400, "invalid_resource", 500011, "was not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := c.ask(tc.tenant, tc.form)
			if tc.code == 0 {
				if a.Status != 200 || a.Type != "Bearer" || a.ExpiresIn != 3599 || a.Token == "" || a.Header.Get("Cache-Control") == "" {
					t.Errorf("answer %+v", a)
				}
				return
			}
			if a.Status != tc.status || a.Error != tc.kind || !slices.Equal(a.Codes, []int{tc.code}) || !strings.Contains(a.Description, tc.text) {
				t.Errorf("answer %+v, want %d %s %d %q", a, tc.status, tc.kind, tc.code, tc.text)
			}
			if !strings.HasPrefix(a.Description, "AADSTS") || !strings.Contains(a.Description, "Trace ID: "+a.Trace+" Correlation ID: "+a.Correlation+" Timestamp: 2026-11-22 12:00:00Z") {
				t.Errorf("description %q", a.Description)
			}
			if a.Timestamp != "2026-11-22 12:00:00Z" || !strings.HasPrefix(a.URI, "https://login.microsoftonline.com/error?code=") {
				t.Errorf("answer %+v", a)
			}
			if strings.Contains(a.Body, "guess") {
				t.Errorf("the secret comes back: %s", a.Body)
			}
		})
	}
}

func TestTokenRequestsOfOtherForms(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	endpoint := c.url + "/" + sampleTenant + "/oauth2/v2.0/token"
	do := func(method, body string, change func(*http.Request)) entraAnswer {
		req, err := http.NewRequestWithContext(t.Context(), method, endpoint, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(req)
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return readEntra(t, resp)
	}
	basic := do("POST", c.form("client_id", "", "client_secret", "").Encode(), func(r *http.Request) { r.SetBasicAuth(sampleApp, url.QueryEscape("app-secret")) })
	if basic.Status != 200 {
		t.Errorf("credential in the header: %+v", basic)
	}
	if a := do("GET", "", func(*http.Request) {}); a.Status != 400 || a.Codes[0] != 900561 {
		t.Errorf("GET: %+v", a)
	}
	if a := do("POST", c.form().Encode(), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); a.Status != 400 || a.Codes[0] != 900144 {
		t.Errorf("not a form: %+v", a)
	}
	const correlation = "0b3fbf0c-7a4b-4b7b-9a66-0a3b1b6a1d11"
	if a := do("POST", "", func(r *http.Request) { r.Header.Set("client-request-id", correlation) }); a.Correlation != correlation {
		t.Errorf("correlation %q", a.Correlation)
	}
}

// certify makes a certificate for an app.
func certify(t *testing.T, from, to time.Time) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "app"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// assert makes a client assertion.
func assert(t *testing.T, algorithm string, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	header["alg"], header["typ"] = algorithm, "JWT"
	var parts []string
	for _, v := range []any{header, claims} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(data))
	}
	signed := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	var err error
	if algorithm == "PS256" {
		signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestClientAssertions(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	good, key := certify(t, noon.Add(-time.Hour), noon.Add(time.Hour))
	old, oldKey := certify(t, noon.Add(-2*time.Hour), noon)
	if err := s.ChangeApp(sampleTenant, sampleApp, func(a *App) { a.Certificates = []*x509.Certificate{old, good} }); err != nil {
		t.Fatal(err)
	}
	long, short := sha256.Sum256(good.Raw), sha1.Sum(good.Raw)
	expired := sha256.Sum256(old.Raw)
	sum := map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(long[:])}
	endpoint := c.resource() + "/" + sampleTenant + "/oauth2/v2.0/token"
	claims := func(fields ...any) map[string]any {
		m := map[string]any{"aud": endpoint, "iss": sampleApp, "sub": sampleApp, "jti": "1", "nbf": noon.Unix(), "exp": noon.Add(10 * time.Minute).Unix()}
		for i := 0; i < len(fields); i += 2 {
			m[fields[i].(string)] = fields[i+1]
		}
		return m
	}
	for name, tc := range map[string]struct {
		algorithm      string
		key            *rsa.PrivateKey
		header, claims map[string]any
		kind           string // of the assertion; empty: the right one
		code           int
	}{
		"PS256":                    {"PS256", key, sum, claims(), "", 0},
		"RS256":                    {"RS256", key, sum, claims(), "", 0},
		"padded standard base64":   {"PS256", key, map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(long[:])}, claims(), "", 0},
		"SHA-1":                    {"RS256", key, map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(short[:])}, claims(), "", 0},
		"audience by domain":       {"PS256", key, sum, claims("aud", []string{c.resource() + "/example.com/oauth2/v2.0/token"}), "", 0},
		"wrong kind":               {"PS256", key, sum, claims(), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", 50027},
		"other key":                {"PS256", oldKey, sum, claims(), "", 700027},
		"symmetric":                {"HS256", key, sum, claims(), "", 700027},
		"no thumbprint":            {"PS256", key, map[string]any{}, claims(), "", 700027},
		"unknown thumbprint":       {"PS256", key, map[string]any{"x5t": "AAAA"}, claims(), "", 700027},
		"expired certificate":      {"PS256", oldKey, map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(expired[:])}, claims(), "", 700027},
		"other subject":            {"PS256", key, sum, claims("sub", subsidiaryApp), "", 700021},
		"other issuer":             {"PS256", key, sum, claims("iss", subsidiaryApp), "", 700021},
		"audience of another host": {"PS256", key, sum, claims("aud", "https://login.microsoftonline.com/"+sampleTenant+"/oauth2/v2.0/token"), "", 700023},
		"audience of another":      {"PS256", key, sum, claims("aud", c.resource()+"/"+subsidiaryTenant+"/oauth2/v2.0/token"), "", 700023},
		"expired":                  {"PS256", key, sum, claims("exp", noon.Add(-10*time.Minute).Unix()), "", 700024},
		"without end":              {"PS256", key, sum, claims("exp", nil), "", 700024},
		"not yet valid":            {"PS256", key, sum, claims("nbf", noon.Add(10*time.Minute).Unix()), "", 700024},
		"claims of no kind":        {"PS256", key, sum, claims("exp", "soon"), "", 50027},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := map[string]any{}
			for k, v := range tc.header {
				header[k] = v
			}
			if tc.kind == "" {
				tc.kind = assertionType
			}
			a := c.ask(sampleTenant, c.form("client_secret", "", "client_assertion_type", tc.kind, "client_assertion", assert(t, tc.algorithm, tc.key, header, tc.claims)))
			if tc.code == 0 && a.Status != 200 || tc.code != 0 && (a.Status != 401 || a.Error != "invalid_client" || a.Codes[0] != tc.code) {
				t.Errorf("answer %+v, want %d", a, tc.code)
			}
		})
	}
	for name, assertion := range map[string]string{"not a token": "x", "two parts": "a.b", "not JSON": "e30.eA.e30"} {
		if a := c.ask(sampleTenant, c.form("client_secret", "", "client_assertion_type", assertionType, "client_assertion", assertion)); a.Status != 401 || a.Codes[0] != 50027 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := c.ask(sampleTenant, c.form("client_secret", "", "client_assertion", "a.b.c")); a.Codes[0] != 900144 {
		t.Errorf("without a kind: %+v", a)
	}
}

func TestMetadataNamesTheHostThatWasAsked(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	get := func(path string, into any) int {
		t.Helper()
		resp, err := c.http.Get(c.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if into != nil {
			if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode
	}
	var config map[string]any
	if status := get("/example.com/v2.0/.well-known/openid-configuration", &config); status != 200 {
		t.Fatalf("status %d", status)
	}
	base := c.resource() + "/" + sampleTenant
	for key, want := range map[string]string{"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "jwks_uri": base + "/discovery/v2.0/keys"} {
		if config[key] != want {
			t.Errorf("%s is %v, want %s", key, config[key], want)
		}
	}
	var refusal entraAnswer
	if status := get("/nowhere.example/v2.0/.well-known/openid-configuration", &refusal); status != 400 || refusal.Error != "invalid_tenant" {
		t.Errorf("unknown tenant: %d %+v", status, refusal)
	}
	var instance struct {
		Endpoint string `json:"tenant_discovery_endpoint"`
		Metadata []struct{ Aliases []string }
	}
	asked := "/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(base+"/oauth2/v2.0/authorize")
	if status := get(asked, &instance); status != 200 || instance.Endpoint != base+"/v2.0/.well-known/openid-configuration" || len(instance.Metadata) != 1 {
		t.Errorf("instance: %d %+v", status, instance)
	}
	var keys struct{ Keys []struct{ Kid, N, E string } }
	if get("/common/discovery/v2.0/keys", &keys); len(keys.Keys) != 1 {
		t.Fatalf("keys %+v", keys)
	}
	n, _ := base64.RawURLEncoding.DecodeString(keys.Keys[0].N)
	e, _ := base64.RawURLEncoding.DecodeString(keys.Keys[0].E)
	token, err := parseJWT(c.token())
	if err != nil {
		t.Fatal(err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if token.header.Key != keys.Keys[0].Kid || token.verify(public) != nil {
		t.Errorf("the published key %+v does not fit %+v", keys.Keys[0], token.header)
	}
	if get("/example.com/oauth2/authorize", nil) != 404 || get("/x", nil) != 404 {
		t.Error("paths that are not served are answered")
	}
}

func TestTokensSayWhoAndForWhat(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	c := serveCloud(t, s)
	token, err := parseJWT(c.token("scope", "https://graph.microsoft.com/.default"))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(token.claims, &claims); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"aud": "https://graph.microsoft.com", "iss": "https://sts.windows.net/" + sampleTenant + "/", "tid": sampleTenant, "appid": sampleApp,
		"ver": "1.0", "idtyp": "app", "appidacr": "1", "nbf": float64(noon.Unix()), "exp": float64(noon.Add(time.Hour).Unix()),
	} {
		if claims[key] != want {
			t.Errorf("%s is %v, want %v", key, claims[key], want)
		}
	}
	if roles, _ := claims["roles"].([]any); len(roles) != 2 || roles[0] != roleEWS || roles[1] != roleCalendarsWrite {
		t.Errorf("roles %v", claims["roles"])
	}
}

func TestAppsTravelAsJSON(t *testing.T) {
	t.Parallel()
	certificate, _ := certify(t, noon, noon.Add(time.Hour))
	off := false
	want := Tenant{
		ID: sampleTenant, Domains: []string{"example.com"}, EWSEnabled: &off, EWSAllowedApps: []string{},
		Apps: []App{{ID: sampleApp, Secrets: []Secret{{Value: "x", Ends: noon}, {Value: "y"}}, Certificates: []*x509.Certificate{certificate}, Mailboxes: []string{"a@example.com"}}},
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Tenant
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(data) || got.EWSAllowedApps == nil || !got.Apps[0].Certificates[0].Equal(certificate) {
		t.Errorf("%s\n%s\n%v", data, again, err)
	}
	pemText := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	for name, text := range map[string]string{
		"unknown field": `{"id":"` + sampleApp + `","secret":"x"}`, "no certificate": `{"certificates":["x"]}`,
		"not a certificate": `{"certificates":["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]}`,
	} {
		if err := json.Unmarshal([]byte(text), new(App)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if list, err := parseCertificates([]string{pemText + pemText}); err != nil || len(list) != 2 {
		t.Errorf("two in one text: %d, %v", len(list), err)
	}
}

func TestFaultyTenantsAreRefused(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{})
	const id = "99999999-7777-8888-9999-000000000000"
	for name, tenant := range map[string]Tenant{
		"no GUID":      {ID: "x", Domains: []string{"x.example"}},
		"no domain":    {ID: id},
		"not a domain": {ID: id, Domains: []string{"localhost"}},
		"taken domain": {ID: id, Domains: []string{"Example.com"}},
		"taken id":     {ID: sampleTenant, Domains: []string{"x.example"}},
		"app":          {ID: id, Domains: []string{"x.example"}, Apps: []App{{ID: "x"}}},
		"app twice":    {ID: id, Domains: []string{"x.example"}, Apps: []App{{ID: sampleApp}, {ID: strings.ToUpper(sampleApp)}}},
	} {
		if err := s.AddTenant(tenant); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := s.ChangeTenant(subsidiaryTenant, func(t *Tenant) { t.Domains = append(t.Domains, "example.com") }); err == nil {
		t.Error("a domain was given to two tenants")
	}
	if err := s.ChangeApp(sampleTenant, subsidiaryApp, func(*App) {}); !notThere(err) {
		t.Errorf("unknown app: %v", err)
	}
	if n := len(s.Tenants()); n != 2 {
		t.Errorf("%d tenants", n)
	}
}

func FuzzJWT(f *testing.F) {
	f.Add("e30.e30.e30", "AAAA")
	f.Add("eyJhbGciOiJSUzI1NiIsIng1dCI6IkFBQUEifQ.eyJhdWQiOlsiYSJdLCJleHAiOjEuNX0.AAAA", "+/==")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, thumbprint string) {
		decodeThumbprint(thumbprint)
		token, err := parseJWT(text)
		if err != nil {
			return
		}
		if token.verify(&key.PublicKey) == nil {
			t.Errorf("%q is signed by nobody, yet accepted", text)
		}
		var claims assertionClaims
		_ = json.Unmarshal(token.claims, &claims) // what comes out of it must not matter
		if got := claims.Expires.time(); got.Before(time.Unix(0, 0)) {
			t.Errorf("%q expires %v", text, got)
		}
	})
}
