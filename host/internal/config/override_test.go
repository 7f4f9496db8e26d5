package config

import (
	"fmt"
	"strings"
	"testing"
)

const twoTenants = `sync_mode "O365" {
  tenant_id     = "t1"
  app_id        = "a1"
  client_secret = "s1"
  client_secret_expires = "2027-01-31"
  backend_settings {
    chunk = 5
    wait  = "1s"
  }
  domain_override "Subsidiary.Example" {
    tenant_id     = "t2"
    app_id        = "a2"
    client_secret = "s2"
  }
  domain_override "slow.example" {
    backend_settings { chunk = 1 }
  }
}
`

func overridden(t *testing.T, hcl, environ string) (base, other SyncMode) {
	t.Helper()
	c := mustLoad(t, map[string]string{"roomwire.hcl": hcl, "environ": environ})
	base, _ = c.Mode("O365")
	other, found := c.Mode("o365/subsidiary.EXAMPLE")
	if !found {
		t.Fatal("there is no override")
	}
	return base, other
}

func TestAnOverrideServesItsMailDomainAlone(t *testing.T) {
	t.Parallel()
	base, _ := overridden(t, twoTenants, "")
	for address, want := range map[string]string{
		"bob@subsidiary.example":         "O365/subsidiary.example",
		"Bob@SUBSIDIARY.Example":         "O365/subsidiary.example",
		"bob@slow.example":               "O365/slow.example",
		"bob@example.com":                "O365",
		"bob@deep.subsidiary.example":    "O365",
		"bob@notsubsidiary.example":      "O365",
		"subsidiary.example@example.com": "O365",
		"":                               "O365",
	} {
		if got := base.For(address).Name; got != want {
			t.Errorf("%q is served by %s, want %s", address, got, want)
		}
	}
}

func TestCredentialsOfAnOverrideAreAGroup(t *testing.T) {
	t.Parallel()
	base, other := overridden(t, twoTenants, "")
	schema := PluginSchema{Plugin: "auth-oauth", Settings: []PluginSetting{
		{Name: "tenant_id", Type: "string"}, {Name: "app_id", Type: "string"}, {Name: "client_secret", Type: "string", Secret: true},
		{Name: "client_secret_expires", Type: "string"}, {Name: "cloud", Type: "string"}, {Name: "proxy", Type: "string"},
	}}
	if got := fmt.Sprint(base.SettingsFor("auth-oauth", schema).Reveal()); got != "map[app_id:a1 client_secret:s1 client_secret_expires:2027-01-31 tenant_id:t1]" {
		t.Errorf("the mode's: %s", got)
	}
	if got := fmt.Sprint(other.SettingsFor("auth-oauth", schema).Reveal()); got != "map[app_id:a2 client_secret:s2 tenant_id:t2]" {
		t.Errorf("the override's: %s", got)
	}
	slow := base.For("x@slow.example")
	if got := fmt.Sprint(slow.SettingsFor("auth-oauth", schema).Reveal()); got != "map[app_id:a1 client_secret:s1 client_secret_expires:2027-01-31 tenant_id:t1]" {
		t.Errorf("of an override without credentials: %s", got)
	}
	if slow.URL != base.URL || other.URL != base.URL || slow.Backend != "exchangeonline" || slow.Notices != NoticesPush {
		t.Errorf("%+v", slow)
	}
	backend := PluginSchema{Plugin: "backend-exchangeonline", Settings: []PluginSetting{{Name: "chunk", Type: "integer"}, {Name: "wait", Type: "duration"}}}
	for m, want := range map[string]string{"O365": "5 1s", "O365/slow.example": "1 1s", "O365/subsidiary.example": "5 1s"} {
		for _, one := range append([]SyncMode{base}, base.Overrides...) {
			if one.Name != m {
				continue
			}
			s := one.SettingsFor("backend-exchangeonline", backend).Reveal()
			if got := fmt.Sprint(s["chunk"], " ", s["wait"]); got != want {
				t.Errorf("%s gives its backend %s, want %s", m, got, want)
			}
		}
	}
}

func TestWhatAnOverrideMustSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ block, environ, want, remedy string }{
		"another tenant with this one's secret": {"tenant_id = \"t2\"\n    app_id = \"a2\"", "",
			"sync mode O365/subsidiary.example has no client secret", "ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_SUBSIDIARY_EXAMPLE_CLIENT_SECRET"},
		"only a secret":        {"client_secret = \"s2\"", "", "has no tenant id", `domain_override "subsidiary.example" { … } of sync_mode "O365"`},
		"another login server": {"cloud = \"china\"", "", "has no tenant id", "domain_override"},
		"settings of its own":  {"auth_settings \"oauth\" { }", "ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_SUBSIDIARY_EXAMPLE_AUTH_SETTINGS_OAUTH_APP_ID=x", "has no tenant id", "domain_override"},
		"a stranger's URL":     {"url = \"https://mail.example.org/EWS/Exchange.asmx\"", "", "does not belong to Exchange Online", "custom"},
		"nothing":              {"", "", `domain_override "subsidiary.example" { … } of sync_mode "O365" says nothing`, "delete it"},
		"a plugin not used":    {"auth_settings \"ntlm\" { x = 1 }\n url = \"https://outlook.office365.com/EWS/Exchange.asmx\"", "", `does not use the auth plugin "ntlm"`, "delete the block"},
		"a wrong name":         {"notices = \"poll\"", "", "there is no setting `notices`", "Known are"},
	} {
		hcl := "sync_mode \"O365\" {\n tenant_id = \"t1\"\n app_id = \"a1\"\n client_secret = \"s1\"\n domain_override \"subsidiary.example\" {\n " + c.block + "\n }\n}\n"
		_, diags, _ := loadFiles(t, map[string]string{"roomwire.hcl": hcl, "environ": c.environ})
		text := diags.String()
		if !strings.Contains(text, c.want) || !strings.Contains(text, c.remedy) {
			t.Errorf("%s: want %q and %q in\n%s", name, c.want, c.remedy, text)
		}
		if strings.Contains(text, "s1") || strings.Contains(text, "s2") {
			t.Errorf("%s: a secret is shown:\n%s", name, text)
		}
	}
	for _, label := range []string{"@subsidiary.example", "*.example", "a..b", "", "sub_sidiary.example", strings.Repeat("x", 64) + ".example"} {
		_, diags, _ := loadFiles(t, map[string]string{"roomwire.hcl": "sync_mode \"EWS1\" {\n domain_override \"" + label + "\" {\n  user = \"u\"\n }\n}\n"})
		if !strings.Contains(diags.String(), "is no mail domain") {
			t.Errorf("%q: %s", label, diags)
		}
	}
}

func TestVariablesBeatAnOverridesFile(t *testing.T) {
	t.Parallel()
	_, other := overridden(t, twoTenants, "ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_SUBSIDIARY_EXAMPLE_CLIENT_SECRET=s3\nExchangeTenantId=t9\nExchangeAppId=a9\nExchangeClientSecret=s9\n")
	got, tenant := other.AuthSettings["oauth"].Text("client_secret"), other.AuthSettings["oauth"].Text("tenant_id")
	if got != "s3" || tenant != "t2" {
		t.Errorf("secret %q of tenant %q", got, tenant)
	}
}

func TestAnOverrideInAnotherCloudHasItsURL(t *testing.T) {
	t.Parallel()
	hcl := strings.Replace(twoTenants, `tenant_id     = "t2"`, "cloud = \"usgov\"\n    tenant_id = \"t2\"", 1)
	base, other := overridden(t, hcl, "")
	if base.URL != "https://outlook.office365.com/EWS/Exchange.asmx" || other.URL != "https://outlook.office365.us/EWS/Exchange.asmx" {
		t.Errorf("%s and %s", base.URL, other.URL)
	}
	for own, want := range map[string]string{"": other.URL, base.URL: other.URL, "https://webmail.apps.mil/EWS/Exchange.asmx": "https://webmail.apps.mil/EWS/Exchange.asmx"} {
		if got := other.MailboxURL(own); got != want {
			t.Errorf("a person with the URL %q is reached at %q, want %q", own, got, want)
		}
	}
	if got := base.MailboxURL(base.URL); got != base.URL {
		t.Errorf("at %q", got)
	}
}

func TestAChangeOfAnOverrideConcernsItsDomainOnly(t *testing.T) {
	t.Parallel()
	old := mustLoad(t, map[string]string{"roomwire.hcl": twoTenants})
	for name, c := range map[string]struct {
		hcl  string
		want string
	}{
		"the override's secret": {strings.Replace(twoTenants, `"s2"`, `"s4"`, 1), "O365/subsidiary.example"},
		"the other override":    {strings.Replace(twoTenants, "chunk = 1", "chunk = 2", 1), "O365/slow.example"},
		"the mode's secret":     {strings.Replace(twoTenants, `"s1"`, `"s5"`, 1), "O365 O365/subsidiary.example O365/slow.example"},
		"nothing":               {twoTenants + "\n", ""},
		"a new override":        {strings.Replace(twoTenants, `"slow.example"`, `"new.example"`, 1), "O365/new.example"},
	} {
		next := mustLoad(t, map[string]string{"roomwire.hcl": c.hcl})
		changes := Diff(old, next)
		var got []string
		for _, m := range next.AllModes() {
			if ModeChanged(changes, m.Name) {
				got = append(got, m.Name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: changed are %v, want %s\n%v", name, got, c.want, changes)
		}
	}
	shown := old.Redacted()
	for _, want := range []string{`domain_override "Subsidiary.Example" {`, `tenant_id = "t2"`, `client_secret = (set)`} {
		if !strings.Contains(shown, want) {
			t.Errorf("config show lacks %q:\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "s2") {
		t.Errorf("config show shows a secret:\n%s", shown)
	}
}
