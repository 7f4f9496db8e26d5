package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const appSettings = `{
  "CalendarSync": {
    "Ews": {
      "Common": { "NotificationEndpointUrl": "https://rooms.example.com/WebServices/SyncNotification.svc?Default" },
      "Providers": { "Ews1": { "Url": "https://mail.example.com/EWS/Exchange.asmx", "ServiceUser": "svc", "ServicePassword": "hidden-1", }, },
    },
    "Graph": { "TenantId": "t", "AppId": "a", "ClientSecret": "hidden-2" }, // one tenant
  },
}`

// put writes a file into dir and returns its path.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestConfigImportIsReadyForUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := put(t, t.TempDir(), "appsettings.json", appSettings)
	target := filepath.Join(dir, "roomwire.hcl")

	out, err := roomwire(t.Context(), "config", "import", file, "--out", target, "--config", dir)
	if err != nil || strings.Contains(out, "hidden") || !strings.Contains(out, "wrote "+target) || !strings.Contains(out, "Next: roomwire config check") {
		t.Fatalf("got %v\n%s", err, out)
	}
	if hcl := contents(t, target); strings.Contains(hcl, "hidden") || !strings.Contains(hcl, `file("secrets/ews1-password")`) {
		t.Errorf("the file:\n%s", hcl)
	}
	if got := contents(t, dir, "secrets", "microsoft365-client-secret"); got != "hidden-2\n" {
		t.Errorf("the secret is %q", got)
	}
	out, err = roomwire(t.Context(), "config", "check", "--config", dir)
	if err != nil || !strings.Contains(out, `sync mode "Microsoft365"`) || !strings.Contains(out, "notices arrive at https://rooms.example.com/WebServices/SyncNotification.svc") {
		t.Errorf("config check: %v\n%s", err, out)
	}
	if out, err := roomwire(t.Context(), "config", "import", file, "--out", target, "--config", dir); err != nil {
		t.Errorf("the same once more: %v\n%s", err, out)
	}
}

func TestConfigImportLeavesFilesAlone(t *testing.T) {
	t.Parallel()
	dir := folder(t, twoServers)
	target := filepath.Join(dir, "roomwire.hcl")
	from := t.TempDir()
	file := put(t, from, "appsettings.json", appSettings)
	put(t, from, "appsettings.Production.json", `{"CalendarSync":{"Graph":{"ClientSecret":"hidden-3"}}}`)

	out, err := roomwire(t.Context(), "config", "import", file, "--out", target, "--config", dir)
	if err == nil || !strings.Contains(err.Error(), target+" is there already") || contents(t, target) != twoServers {
		t.Fatalf("got %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets")); err == nil {
		t.Error("secrets were written though nothing else was")
	}
	out, err = roomwire(t.Context(), "config", "import", file, "--config", dir)
	if err != nil || !strings.Contains(out, "copy the blocks into "+target) || !strings.Contains(out, "appsettings.Production.json was not read") {
		t.Errorf("got %v\n%s", err, out)
	}
	out, err = roomwire(t.Context(), "config", "import", file, filepath.Join(from, "appsettings.Production.json"), "--config", dir)
	if err == nil || !strings.Contains(err.Error(), "microsoft365-client-secret is there already") {
		t.Errorf("another secret: %v\n%s", err, out)
	}
	out, err = roomwire(t.Context(), "config", "import", file, filepath.Join(from, "appsettings.Production.json"), "--out", target, "--force", "--config", dir)
	if err != nil || contents(t, dir, "secrets", "microsoft365-client-secret") != "hidden-3\n" || contents(t, target+".previous") != twoServers {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestConfigImportToStandardOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := put(t, dir, "appsettings.json", appSettings)
	out, err := roomwire(t.Context(), "config", "import", file, "--out", "-", "--config", dir)
	if err != nil || !strings.Contains(out, `env("ROOMWIRE_SYNC_MODE_EWS1_PASSWORD")`) || !strings.Contains(out, "Set the variable ROOMWIRE_SYNC_MODE_EWS1_PASSWORD") ||
		strings.Contains(out, "hidden") {
		t.Errorf("got %v\n%s", err, out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("files were written: %v, %v", entries, err)
	}
}

func TestConfigImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text, says string
		written    bool
	}{
		"no JSON":       {"<xml/>", "appsettings.json:1:1: a settings file begins with {", false},
		"no section":    {"{}", "there is no section CalendarSync", false},
		"no mode":       {`{"CalendarSync":{"Graph":{"AuthMode":"Delegated"}}}`, "Nothing was written.", false},
		"a certificate": {`{"CalendarSync":{"Graph":{"TenantId":"t","AppId":"a","CertificateThumbprint":"AB"}}}`, "certs/microsoft365.pfx", true},
		"a server that is not Microsoft's": {
			`{"CalendarSync":{"Ews":{"Providers":{"O365":{"TenantId":"t","AppId":"a","ClientSecret":"s","Url":"https://x.example/EWS/Exchange.asmx"}}}}}`,
			"It cannot be used before what is called an error above has been put right.", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := put(t, t.TempDir(), "appsettings.json", tc.text)
			out, err := roomwire(t.Context(), "config", "import", file, "--config", dir)
			if err != nil {
				out += err.Error()
			}
			if err == nil || !strings.Contains(filepath.ToSlash(out), tc.says) {
				t.Errorf("got %v\n%s\nwant %q", err, out, tc.says)
			}
			if _, err := os.Stat(filepath.Join(dir, importedFile)); (err == nil) != tc.written {
				t.Errorf("written: %v, want %v", err, tc.written)
			}
		})
	}
	if _, err := roomwire(t.Context(), "config", "import", "x", "--env", "--secrets", "s"); err == nil || codeOf(err) != 2 {
		t.Errorf("both ways for secrets: %v", err)
	}
	if _, err := roomwire(t.Context(), "config", "import", "x", "--config", filepath.Join(t.TempDir(), "cofnigs")); err == nil || !strings.Contains(err.Error(), "--config DIR") {
		t.Errorf("no folder: %v", err)
	}
}

func TestTheGuideNamesTheFlagsOfConfigImport(t *testing.T) {
	t.Parallel()
	guide := contents(t, "..", "docs", "administrator", "exchange-online.md")
	for _, flag := range regexp.MustCompile(`--[a-z]+`).FindAllString(configImportCmd(&flags{}).Flags().FlagUsages(), -1) {
		if !strings.Contains(guide, "`"+flag) {
			t.Errorf("exchange-online.md does not tell of %s", flag)
		}
	}
}
