package appsettings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/config"
)

// everything is a file with all that the section is known to have.
const everything = `{
  // an installation with two servers on-premises, Exchange Online and a subsidiary
  "Logging": { "LogLevel": { "Default": "Information" } },
  "ConnectionStrings": { "Rooms": "Server=.;Password=other-secret" },
  "CalendarSync": {
    "Graph": {
      "AppId": "aaaaaaaa-0000-0000-0000-000000000001",
      "TenantId": "11111111-0000-0000-0000-000000000001",
      "AuthMode": "AppOnly",
      "ClientState": "secret-of-rooms",
      "CallbackUrl": "https://public.example.com/api/webhooks/graph",
      "ClientSecret": "graph~secret",
      "CertificateThumbprint": "",
    },
    "Ews": {
      "Common": {
        "NotificationEndpointUrl": "https://public.example.com/WebServices/SyncNotification.svc?Rooms",
        "RenewalThresholdMinutes": 40,
        "StatusFrequencyMinutes": 15 /* Exchange's sign of life */
      },
      "Providers": {
        "Ews1": {
          "Url": "https://mail.example.com/EWS/Exchange.asmx",
          "ServiceUser": "EXAMPLE\\svc-rooms",
          "ServicePassword": "p\"w${1}"
        },
        "Ews2": { "Url": "", "ServiceUser": null },
        "O365": {
          "Url": "https://outlook.office365.com/EWS/Exchange.asmx",
          "TenantId": "11111111-0000-0000-0000-000000000001",
          "AppId": "aaaaaaaa-0000-0000-0000-000000000001",
          "ClientSecret": "ews~secret",
          "DomainOverrides": {
            "Subsidiary.example": {
              "TenantId": "66666666-0000-0000-0000-000000000001",
              "AppId": "ffffffff-0000-0000-0000-000000000001",
              "ClientSecret": "subsidiary~secret"
            }
          }
        }
      }
    }
  }
}`

const everythingHCL = `# Made by roomwire config import. It said what it could not carry over.

tenant "Rooms" {
  root_url = "https://public.example.com/Rooms"
}

sync {
  status_frequency = "15m"
}

sync_mode "EWS1" {
  url      = "https://mail.example.com/EWS/Exchange.asmx"
  user     = "EXAMPLE\\svc-rooms"
  password = file("secrets/ews1-password")
}

sync_mode "O365" {
  tenant_id     = "11111111-0000-0000-0000-000000000001"
  app_id        = "aaaaaaaa-0000-0000-0000-000000000001"
  client_secret = file("secrets/o365-client-secret")

  domain_override "subsidiary.example" {
    tenant_id     = "66666666-0000-0000-0000-000000000001"
    app_id        = "ffffffff-0000-0000-0000-000000000001"
    client_secret = file("secrets/o365-subsidiary.example-client-secret")
  }
}

sync_mode "Microsoft365" {
  tenant_id     = "11111111-0000-0000-0000-000000000001"
  app_id        = "aaaaaaaa-0000-0000-0000-000000000001"
  client_secret = file("secrets/microsoft365-client-secret")
}
`

func convert(t *testing.T, text string, o Options) Result {
	t.Helper()
	settings, _, err := Read("appsettings.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	made, err := Convert(settings, o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestConvertEverything(t *testing.T) {
	t.Parallel()
	made := convert(t, everything, Options{Secrets: "secrets"})
	if string(made.HCL) != everythingHCL {
		t.Errorf("got\n%s", made.HCL)
	}
	var warnings []string
	for _, d := range made.Findings {
		if d.Severity == config.Warning {
			warnings = append(warnings, d.Summary+" at "+d.File)
		}
	}
	if len(warnings) != 1 || warnings[0] != "Microsoft365 has no domain_override, O365 has at appsettings.json:7" {
		t.Errorf("warnings: %q", warnings)
	}
	if len(made.Modes) != 3 || made.Modes[1] != (Mode{"O365", "CalendarSync:Ews:Providers:O365"}) {
		t.Errorf("modes: %v", made.Modes)
	}
	got := map[string]string{}
	for _, s := range made.Secrets {
		got[s.File] = s.Text.Reveal()
	}
	for file, want := range map[string]string{
		"secrets/ews1-password": `p"w${1}`, "secrets/o365-client-secret": "ews~secret",
		"secrets/o365-subsidiary.example-client-secret": "subsidiary~secret", "secrets/microsoft365-client-secret": "graph~secret",
	} {
		if got[file] != want {
			t.Errorf("%s holds %q, want %q", file, got[file], want)
		}
	}
	noSecrets(t, made, "graph~secret", "ews~secret", "subsidiary~secret", `p"w`, "secret-of-rooms", "other-secret")
}

func noSecrets(t *testing.T, made Result, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(string(made.HCL), secret) || strings.Contains(made.Findings.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

const section1 = `{"CalendarSync":{`

// online is a file whose provider O365 has the settings.
func online(settings string) string {
	return section1 + `"Ews":{"Providers":{"O365":{"TenantId":"t","AppId":"a",` + settings + `}}}}}`
}

func TestConvert(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text    string
		options Options
		hcl     []string // parts of the HCL
		not     []string // what is not in it
		says    []string // parts of the findings
	}{
		"flattened, other case": {
			text: `{"calendarsync:graph:tenantid":"t","CALENDARSYNC":{"Graph:AppId":"a","graph":{"ClientSecret":"s"}}}`,
			hcl:  []string{`sync_mode "Microsoft365" {`, `tenant_id     = "t"`, `app_id        = "a"`, `client_secret = env("ROOMWIRE_SYNC_MODE_MICROSOFT365_CLIENT_SECRET")`},
			not:  []string{"tenant \"", "sync {"},
		},
		"delegated": {
			text: section1 + `"Graph":{"TenantId":"t","AppId":"a","ClientSecret":"s","AuthMode":"delegated"}}}`,
			hcl:  []string{`sync_mode "Microsoft365"`},
			says: []string{"Warning: AuthMode Delegated was not carried over\n  at appsettings.json:1", "Calendars.ReadWrite (Application)"},
		},
		"an unknown auth mode": {
			text: section1 + `"Graph":{"TenantId":"t","AppId":"a","ClientSecret":"s","AuthMode":"ROPC"}}}`,
			says: []string{"CalendarSync:Graph:AuthMode was not carried over"},
		},
		"a certificate": {
			text: section1 + `"Graph":{"TenantId":"t","AppId":"a","CertificateThumbprint":"\u200eab CD 12"}}}`,
			hcl:  []string{`certificate_file     = "certs/microsoft365.pfx"`, `certificate_password = env("ROOMWIRE_SYNC_MODE_MICROSOFT365_CERTIFICATE_PASSWORD")`},
			not:  []string{"client_secret"},
			says: []string{`Cert:\LocalMachine\My\ABCD12 -FilePath microsoft365.pfx`, "environment variable ROOMWIRE_SYNC_MODE_MICROSOFT365_CERTIFICATE_PASSWORD"},
		},
		"a certificate, with files": {
			text:    section1 + `"Graph":{"TenantId":"t","AppId":"a","CertificateThumbprint":"AB"}}}`,
			options: Options{Secrets: "/etc/roomwire/secrets"},
			hcl:     []string{`certificate_password = file("/etc/roomwire/secrets/microsoft365-certificate-password")`},
			says:    []string{"the file /etc/roomwire/secrets/microsoft365-certificate-password"},
		},
		"a certificate beside a secret": {
			text: online(`"ClientSecret":"s","CertificateThumbprint":"AB"`),
			hcl:  []string{"client_secret"}, not: []string{"certificate_file"},
			says: []string{"Note: CalendarSync:Ews:Providers:O365:CertificateThumbprint was not carried over"},
		},
		"a slip": {
			text: section1 + `"Grpah":{"AppId":"a"},"Graph":{"TenantId":"t","AppId":"a","ClientSecert":"s"}}}`,
			says: []string{"CalendarSync:Grpah:AppId was not carried over", "Did you mean Graph?", "Did you mean ClientSecret?", "the sync mode Microsoft365 lacks ClientSecret"},
		},
		"an unknown provider": {
			text: section1 + `"Ews":{"Providers":{"Google":{"Url":"https://x"}}},"Graph":{"TenantId":"t","AppId":"a","ClientSecret":"s"}}}`,
			says: []string{"CalendarSync:Ews:Providers:Google:Url was not carried over", "Google is not known here."},
		},
		"a secret that is elsewhere": {
			text: online(`"ClientSecret":"@Microsoft.KeyVault(SecretUri=https://v.example/x)"`),
			hcl:  []string{`client_secret = env("ROOMWIRE_SYNC_MODE_O365_CLIENT_SECRET")`}, not: []string{"KeyVault"},
			says: []string{"stands for a secret that is kept elsewhere", "Put the secret itself into ROOMWIRE_SYNC_MODE_O365_CLIENT_SECRET."},
		},
		"a secret with a line break": {
			text: online(`"ClientSecret":"s\n"`), options: Options{Secrets: "secrets"},
			says: []string{"the secret in CalendarSync:Ews:Providers:O365:ClientSecret was not carried over", "secrets/o365-client-secret by hand"},
		},
		"a user's password": {
			text: online(`"ClientSecret":"s","ServiceUser":"u@example.com","ServicePassword":"pw-of-u"`),
			not:  []string{"u@example.com", "pw-of-u"},
			says: []string{"O365:ServicePassword was not carried over", "full_access_as_app"},
		},
		"a national cloud": {
			text: online(`"ClientSecret":"s","Url":"https://outlook.office365.us/EWS/Exchange.asmx"`),
			hcl:  []string{`cloud         = "usgov"`}, not: []string{"url"},
		},
		"a server that is not Microsoft's": {
			text: online(`"ClientSecret":"s","Url":"https://mail.example.com/EWS/Exchange.asmx"`),
			hcl:  []string{`url           = "https://mail.example.com/EWS/Exchange.asmx"`},
			says: []string{"is no address of Exchange Online"},
		},
		"overrides as a list": {
			text: online(`"ClientSecret":"s","DomainOverrides":[{"Domain":"@A.example","TenantId":"t2"},{"Domain":"b.example","AppId":"b"},{"TenantId":"t3"},{"Domain":"a.example","TenantId":"t4"},{"MailDomain":"*.c.example","TenantId":"t5"}]`),
			hcl: []string{
				"domain_override \"a.example\" {\n    tenant_id     = \"t2\"\n    app_id        = \"a\"\n    client_secret = env(\"ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_A_EXAMPLE_CLIENT_SECRET\")",
				"domain_override \"b.example\" {\n    tenant_id = \"t\"\n    app_id    = \"b\"\n  }",
			},
			not: []string{"t3", "t4", "t5"},
			says: []string{
				"O365, domain a.example has no secret of its own; the one of O365 was taken", "the sync mode O365, domain b.example lacks ClientSecret", "DomainOverrides:2 was not carried over", "There is an entry for a.example before it.",
				"DomainOverrides:4 was not carried over",
			},
		},
		"overrides whose variables would be the same": {
			text: online(`"ClientSecret":"s","DomainOverrides":{"a-b.example":{"AppId":"x","ClientSecret":"1"},"a.b.example":{"AppId":"y","ClientSecret":"2"}}`),
			hcl:  []string{`env("ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_A_B_EXAMPLE_CLIENT_SECRET")`, `env("ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_A_B_EXAMPLE_CLIENT_SECRET__2")`},
		},
		"overrides of Graph": {
			text: section1 + `"Graph":{"TenantId":"t","AppId":"a","ClientSecret":"s","DomainOverrides":{"b.example":{"TenantId":"u","Url":"https://x"}}}}}`,
			hcl:  []string{"domain_override \"b.example\" {\n    tenant_id     = \"u\""}, not: []string{"https://x"},
			says: []string{"DomainOverrides:b.example:Url was not carried over"},
		},
		"a provider that is off": {
			text: section1 + `"Ews":{"Providers":{"Ews1":{"Enabled":"False","Url":"https://x/EWS/Exchange.asmx","ServiceUser":"u","ServicePassword":"p"}}}}}`,
			not:  []string{"EWS1"}, says: []string{"It is switched off there.", "there is no sync mode in the section"},
		},
		"delegate access": {
			text: section1 + `"Ews":{"Providers":{"Ews2":{"Enabled":true,"ServiceUrl":"https://m.example.com/EWS/Exchange.asmx","UserName":"u","Password":"p","Domain":"D","UseImpersonation":false}}}}}`,
			hcl:  []string{`sync_mode "EWS2" {`, `use_impersonation = false`, `domain            = "D"`, `password          = env("ROOMWIRE_SYNC_MODE_EWS2_PASSWORD")`},
		},
		"two names for one thing": {
			text: section1 + `"Ews":{"Providers":{"Ews1":{"Url":"https://a/x","ServiceUrl":"https://b/x","User":"u","ServiceUser":"u","Password":"p"}}}}}`,
			hcl:  []string{`"https://a/x"`}, not: []string{"https://b/x"},
			says: []string{"Ews1:ServiceUrl was not carried over", "Another key for the same"},
		},
		"numbers out of range": {
			text: online(`"ClientSecret":"s"`)[:len(online(`"ClientSecret":"s"`))-3] + `,"Common":{"StatusFrequencyMinutes":0,"RenewalThresholdMinutes":"40"}}}}`,
			not:  []string{"sync {"}, says: []string{"StatusFrequencyMinutes was not carried over", "RenewalThresholdMinutes has no setting of its own"},
		},
		"the other endpoint": {
			text:    section1 + `"Ews":{"Common":{"NotificationEndpointUrl":"https://a.example/api/webhooks/exchange"}},"Graph":{"CallbackUrl":"https://b.example/api/webhooks/graph"}}}`,
			options: Options{Tenant: "Main"},
			hcl:     []string{"tenant \"Main\" {\n  root_url = \"https://a.example/Main\""},
			says:    []string{`<add key="ExchangePushNotificationUseLegacyEndpoint" value="false"/>`, "CallbackUrl has another host"},
		},
		"an endpoint of one's own": {
			text: section1 + `"Ews":{"Common":{"NotificationEndpointUrl":"https://a.example:8443/x?y"}},"Graph":{"CallbackUrl":"http://a.example:8443/z"}}}`,
			hcl:  []string{`root_url = "https://a.example:8443/y"`},
			says: []string{`key="ExchangePushNotificationEndpointUrl" value="https://a.example:8443/x"`, "CallbackUrl has a path that Roomwire does not answer", "is not https"},
		},
		"only a callback": {
			text: section1 + `"Graph":{"CallbackUrl":"https://a.example/api/webhooks/graph?api"}}}`,
			hcl:  []string{`root_url = "https://a.example/Default"`},
			says: []string{"names no tenant"},
		},
		"no address": {
			text: section1 + `"Graph":{"CallbackUrl":"rooms"}}}`,
			says: []string{"CallbackUrl was not carried over"},
		},
		"nothing in it": {text: `{"CalendarSync":{}}`, says: []string{"there is no sync mode in the section"}},
		"a text":        {text: `{"CalendarSync":"on"}`, says: []string{"CalendarSync was not carried over"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := convert(t, tc.text, tc.options)
			hcl, says := string(made.HCL), made.Findings.String()
			for _, part := range tc.hcl {
				if !strings.Contains(hcl, part) {
					t.Errorf("%q is not in\n%s", part, hcl)
				}
			}
			for _, part := range tc.not {
				if strings.Contains(hcl, part) {
					t.Errorf("%q is in\n%s", part, hcl)
				}
			}
			for _, part := range tc.says {
				if !strings.Contains(says, part) {
					t.Errorf("%q is not in\n%s", part, says)
				}
			}
			for _, d := range made.Findings {
				if d.Summary == "" || d.Detail == "" || d.Severity == config.Warning && d.Remedy == "" || !strings.HasPrefix(d.File, "appsettings.json:") {
					t.Errorf("finding without reason, remedy or place: %+v", d)
				}
			}
		})
	}
}

func TestConvertNeedsTheSection(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"Logging":{}}`:               "Name the appsettings.json",
		`{"CalenderSync":{"Graph":1}}`: `Is "CalenderSync" meant?`,
	} {
		settings, _, err := Read("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Convert(settings, Options{}); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// load reads the result as the host does, with the secrets that are known.
func load(t *testing.T, made Result) (*config.Config, config.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	var environ []string
	files := map[string]string{config.HCLFile: string(made.HCL)}
	for _, s := range made.Secrets {
		if s.Env != "" {
			environ = append(environ, s.Env+"="+s.Text.Reveal())
		} else {
			files[s.File] = s.Text.Reveal() + "\n"
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Load(config.Source{Dir: dir, Environ: environ})
}

// knowsOverrides reports whether the loader knows domain_override blocks.
func knowsOverrides(t *testing.T) bool {
	t.Helper()
	_, diags := load(t, Result{HCL: []byte("sync_mode \"O365\" {\n  tenant_id = \"t\"\n  app_id = \"a\"\n  client_secret = \"s\"\n" +
		"  domain_override \"b.example\" {\n    tenant_id = \"u\"\n    app_id = \"b\"\n    client_secret = \"r\"\n  }\n}\n")})
	return !strings.Contains(diags.String(), "domain_override`")
}

func TestTheLoaderTakesTheResult(t *testing.T) {
	t.Parallel()
	text := everything
	if !knowsOverrides(t) {
		t.Log("NOT CHECKED: domain_override blocks, which this loader does not know")
		from, to := strings.Index(text, `"DomainOverrides"`), strings.Index(text, "subsidiary~secret")
		text = text[:from] + strings.TrimLeft(text[to+len("subsidiary~secret\""):], " \n}") + strings.Repeat("}", 5)
	}
	for name, o := range map[string]Options{"files": {Secrets: "secrets"}, "environment": {}} {
		cfg, diags := load(t, convert(t, text, o))
		if diags.HasErrors() || diags.Count(config.Warning) > 0 {
			t.Fatalf("%s: %s", name, diags)
		}
		ews, _ := cfg.Mode("EWS1")
		online, _ := cfg.Mode("O365")
		graph, _ := cfg.Mode("Microsoft365")
		if got := ews.AuthSettings["ntlm"].Text("password") + ews.AuthSettings["ntlm"].Text("user"); got != `p"w${1}EXAMPLE\svc-rooms` {
			t.Errorf("%s: EWS1 logs in with %q", name, got)
		}
		if got := online.AuthSettings["oauth"].Text("client_secret") + graph.AuthSettings["oauth"].Text("client_secret"); got != "ews~secretgraph~secret" {
			t.Errorf("%s: the secrets are %q", name, got)
		}
		if got := cfg.Tenants[0]; got.RootURL != "https://public.example.com/Rooms" || got.Name != "Rooms" || len(cfg.Tenants) != 1 {
			t.Errorf("%s: the tenant is %s with %s", name, got.Name, got.RootURL)
		}
		if cfg.Sync.StatusFrequency.Minutes() != 15 {
			t.Errorf("%s: status frequency %s", name, cfg.Sync.StatusFrequency)
		}
	}
}
