package config

import (
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// oauthSchema is what auth-oauth declares, as far as it matters here.
func oauthSchema() PluginSchema {
	s := PluginSchema{Plugin: "auth-oauth"}
	for _, name := range append(authSettings()["oauth"], "ca_file", "proxy") {
		s.Settings = append(s.Settings, PluginSetting{Name: name, Type: "string", Secret: strings.HasSuffix(name, "secret")})
	}
	s.Settings = append(s.Settings, PluginSetting{Name: "renew_before", Type: "duration"})
	return s
}

const onlineKeys = "ExchangeTenantId=t\nExchangeAppId=a\nExchangeClientSecret=s\n"

func TestWhatAuthOAuthGets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, tc := range map[string]struct {
		hcl, environ string
		want         map[string]any
	}{
		"from ROOMS keys alone": {"", onlineKeys + "OAuthTokenMinutesBeforeRenew=7", map[string]any{"tenant_id": "t", "app_id": "a", "client_secret": "s", "renew_before": "7m"}},
		"zero minutes are one":  {"", onlineKeys + "OAuthTokenMinutesBeforeRenew=0", map[string]any{"tenant_id": "t", "app_id": "a", "client_secret": "s", "renew_before": "1m"}},
		"how the server is reached": {`
			http {
				ca_file = "ca.pem"
				proxy = "http://me:hunter2@proxy.example.com:3128"
			}`, onlineKeys, map[string]any{
			"tenant_id": "t", "app_id": "a", "client_secret": "s", "renew_before": "20m", "ca_file": filepath.Join(dir, "ca.pem"), "proxy": "http://me:hunter2@proxy.example.com:3128",
		}},
		"its own block goes before": {`
			http {
				proxy = "http://proxy.example.com:3128"
			}
			auth_settings "oauth" {
				proxy = "http://other.example.com:3128"
				renew_before = "5m"
			}`, onlineKeys, map[string]any{"tenant_id": "t", "app_id": "a", "client_secret": "s", "renew_before": "5m", "proxy": "http://other.example.com:3128"}},
		"rollover, and a cloud of one's own": {`
			client_secret_2 = "s2"
			client_secret_expires = "2027-01-31"
			client_secret_2_expires = "2029-01-31"
			cloud = "custom"
			authority = "https://login.example.com"
			url = "https://mail.example.com/EWS/Exchange.asmx"`, onlineKeys, map[string]any{
			"tenant_id": "t", "app_id": "a", "client_secret": "s", "client_secret_2": "s2", "client_secret_expires": "2027-01-31",
			"client_secret_2_expires": "2029-01-31", "cloud": "custom", "authority": "https://login.example.com", "renew_before": "20m",
		}},
		"a certificate": {`certificate_file = "ca.pem"
			certificate_password = "p"`, "ExchangeTenantId=t\nExchangeAppId=a", map[string]any{
			"tenant_id": "t", "app_id": "a", "certificate_file": filepath.Join(dir, "ca.pem"), "certificate_password": "p", "renew_before": "20m",
		}},
	} {
		files := map[string]string{HCLFile: "sync_mode \"O365\" {\n" + tc.hcl + "\n}\n", "ca.pem": string(ca), "environ": tc.environ}
		c, diags, folder := loadFiles(t, files)
		if diags.HasErrors() {
			t.Fatalf("%s:\n%s", name, diags)
		}
		m, _ := c.Mode("O365")
		got := m.SettingsFor("auth-oauth", oauthSchema()).Reveal()
		want := maps.Clone(tc.want)
		for k, v := range want {
			if text, ok := v.(string); ok && strings.HasPrefix(text, dir) {
				want[k] = filepath.Join(folder, strings.TrimPrefix(text, dir))
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if found := c.CheckSettings(map[string]PluginSchema{"auth-oauth": oauthSchema()}); len(found) != 0 {
			t.Errorf("%s: findings\n%s", name, found)
		}
		if text := c.Redacted(); strings.Contains(text, "hunter2") || strings.Count(text, "renew_before") != len(c.SyncModes) {
			t.Errorf("%s:\n%s", name, text)
		}
		if want := map[bool]int{true: 1, false: 3}[name == "a certificate"]; len(c.SyncModes) != want {
			t.Errorf("%s: %d modes, want %d", name, len(c.SyncModes), want)
		}
	}
}

func TestAReplacedCertificateAndAnotherRenewalConcernTheMode(t *testing.T) {
	t.Parallel()
	load := func(file, minutes string) *Config {
		return mustLoad(t, map[string]string{
			HCLFile: "sync_mode \"O365\" {\n  certificate_file = \"app.pfx\"\n}\n", "app.pfx": file, "environ": onlineKeys + "OAuthTokenMinutesBeforeRenew=" + minutes,
		})
	}
	given := func(c *Config) map[string]any {
		m, _ := c.Mode("O365")
		all := m.Given("auth-oauth").Reveal()
		delete(all["sync_mode"].(map[string]any), "certificate_file") // each is in a folder of its own
		return all
	}
	old := load("one", "20")
	for name, next := range map[string]*Config{"contents": load("two", "20"), "renewal": load("one", "21")} {
		if !ModeChanged(Diff(old, next), "O365") || reflect.DeepEqual(given(old), given(next)) {
			t.Errorf("%s: the mode goes on with what it had: %v", name, Diff(old, next))
		}
	}
	if same := load("one", "20"); !reflect.DeepEqual(given(old), given(same)) {
		t.Errorf("the same configuration gives other settings: %v, %v", given(old), given(same))
	}
}

func TestURLsOfTheClouds(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string][2]string{
		"global":    {"https://outlook.office365.com/EWS/Exchange.asmx", "https://graph.microsoft.com/v1.0"},
		"usgov":     {"https://outlook.office365.us/EWS/Exchange.asmx", "https://graph.microsoft.us/v1.0"},
		"usgov-dod": {"https://outlook-dod.office365.us/EWS/Exchange.asmx", "https://dod-graph.microsoft.us/v1.0"},
		"china":     {"https://partner.outlook.cn/EWS/Exchange.asmx", "https://microsoftgraph.chinacloudapi.cn/v1.0"},
	} {
		for i, backend := range []string{backendOnline, backendGraph} {
			c := mustLoad(t, map[string]string{HCLFile: `sync_mode "Mine" {
  backend = "` + backend + `"
  tenant_id = "t"
  app_id = "a"
  client_secret = "s"
  cloud = "` + cloud + `"
}
`})
			if m, _ := c.Mode("Mine"); m.URL != want[i] || m.CheckURL(m.URL) != nil {
				t.Errorf("%s in %s: %q, %v", backend, cloud, m.URL, m.CheckURL(m.URL))
			}
		}
	}
}
