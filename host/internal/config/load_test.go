package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

const roomsOnPremises = `<?xml version="1.0" encoding="utf-8"?>
<RoomsAppSettings>
  <add key="SmtpHost" value="smtp.example.com"/>
  <add key="Exchange2013ServiceUser" value="svc-rooms"/>
  <add key="Exchange2013ServicePassword" value=" p&amp;ss "/>
  <add key="Exchange2013ServiceDomain" value="EXAMPLE"/>
  <add key="ExchangeClientSecret" value=""/>
</RoomsAppSettings>
`

// mustLoad fails the test when there are errors.
func mustLoad(t *testing.T, files map[string]string) *Config {
	t.Helper()
	c, diags, _ := loadFiles(t, files)
	if diags.HasErrors() {
		t.Fatalf("Load found:\n%s", diags)
	}
	return c
}

func TestDefaultsWorkWithoutAnyFile(t *testing.T) {
	t.Parallel()
	c, diags := Load(Source{})
	if c == nil || diags.Count(Note) == 0 {
		t.Fatalf("Load = %v, %s", c, diags)
	}
	want := Sync{
		SubscriptionInterval: 240 * time.Minute, StatusFrequency: 30 * time.Minute, Coalesce: 2 * time.Second,
		ReconcileInterval: 24 * time.Hour, PollInterval: 5 * time.Minute, AttemptTimeout: 2 * time.Minute, RetryDelay: 30 * time.Second,
		WorkersPerServer: 10, WorkersPerMailbox: 1, MassDeletionLimit: 20, MassDeletionShare: 0.1, MassChangeLimit: 50, MassChangeShare: 0.2, RollbackTries: 5, CancelTries: 2,
		KeepTimeline: 90 * 24 * time.Hour, KeepChanges: 400 * 24 * time.Hour,
	}
	if c.Sync != want {
		t.Errorf("Sync = %+v, want %+v", c.Sync, want)
	}
	wantPull := Pull{100, 100, 10, 10, 20 * time.Minute, 30 * time.Second, 20 * time.Minute, 720 * time.Minute}
	if c.Pull != wantPull {
		t.Errorf("Pull = %+v, want %+v", c.Pull, wantPull)
	}
	if c.Listen.Notifications.Addr != ":8080" || c.Listen.API.Addr != "127.0.0.1:8081" || c.Listen.API.TLS() {
		t.Errorf("Listen = %+v", c.Listen)
	}
	if len(c.Tenants) != 1 || c.Tenants[0].Name != "Default" || len(c.SyncModes) != 0 {
		t.Errorf("Tenants = %+v, SyncModes = %+v", c.Tenants, c.SyncModes)
	}
}

func TestRoomsKeysAloneSetUpExchange2013(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, map[string]string{"RoomsAppSettings.config": roomsOnPremises})
	m, ok := c.Mode("exchange2013")
	if !ok || len(c.SyncModes) != 1 {
		t.Fatalf("modes = %+v", c.SyncModes)
	}
	if m.Backend != "exchange2013" || !reflect.DeepEqual(m.Auth, []string{"ntlm", "basic"}) || !m.UseImpersonation || m.Pull || !m.BuiltIn {
		t.Errorf("mode = %+v", m)
	}
	want := map[string]any{"user": "svc-rooms", "password": " p&ss ", "domain": "EXAMPLE"}
	for _, plugin := range m.Auth {
		if got := m.AuthSettings[plugin].Reveal(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s gets %v, want %v", plugin, got, want)
		}
	}
	if m.Markers != (Markers{"PublicStrings", "AppointmentOid"}) || m.HTTP.Timeout != 100*time.Second {
		t.Errorf("mode = %+v", m)
	}
}

func TestOnlineKeysSetUpThreeModes(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, map[string]string{"environ": "ExchangeTenantId=t\nExchangeAppId=a\nExchangeClientSecret=s"})
	var got []string
	for _, m := range c.SyncModes {
		got = append(got, fmt.Sprintf("%s %s %s %v %v", m.Name, m.Backend, m.URL, m.Pull, m.AuthSettings["oauth"].Reveal()))
	}
	const app = "map[app_id:a client_secret:s tenant_id:t]"
	want := []string{
		"O365 exchangeonline https://outlook.office365.com/EWS/Exchange.asmx false " + app,
		"O365Pull exchangeonline https://outlook.office365.com/EWS/Exchange.asmx true " + app,
		"Microsoft365 graph https://graph.microsoft.com/v1.0 false " + app,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("modes:\n%q\nwant:\n%q", got, want)
	}
}

func TestRoomsAreSyncedWhereThatIsSaid(t *testing.T) {
	t.Parallel()
	const key = `<RoomsAppSettings><add key="ExchangeRessourceSyncEnabled" value="true"/></RoomsAppSettings>`
	for name, tc := range map[string]struct {
		hcl, rooms string
		want       bool
	}{
		"by default":           {"", "", false},
		"by the block":         {"rooms {\n sync = true\n}\n", "", true},
		"by the ROOMS key":     {"", key, true},
		"not by one tenant":    {"rooms {\n sync = true\n}\ntenant \"Default\" {\n room_sync = false\n}\n", "", false},
		"by one tenant":        {"tenant \"Default\" {\n room_sync = true\n}\n", "", true},
		"the block before key": {"rooms {\n sync = false\n}\n", key, false},
	} {
		files := map[string]string{"roomwire.hcl": tc.hcl}
		if tc.rooms != "" {
			files["RoomsAppSettings.config"] = tc.rooms
		}
		c := mustLoad(t, files)
		if got, _ := c.Tenant("Default"); got.RoomSync != tc.want {
			t.Errorf("%s: %t, want %t", name, got.RoomSync, tc.want)
		}
	}
}

func TestPrivateItemsAreBusyBlocksWhereThatIsSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hcl  string
		want bool
	}{
		"by default":        {"", false},
		"by the block":      {"sync {\n private = \"busy\"\n}\n", true},
		"not by one tenant": {"sync {\n private = \"busy\"\n}\ntenant \"Default\" {\n private = \"full\"\n}\n", false},
		"by one tenant":     {"tenant \"Default\" {\n private = \"busy\"\n}\n", true},
	} {
		c := mustLoad(t, map[string]string{"roomwire.hcl": tc.hcl})
		if got, _ := c.Tenant("Default"); got.PrivateBusy != tc.want {
			t.Errorf("%s: %t, want %t", name, got.PrivateBusy, tc.want)
		}
	}
}

func TestRoomsFileInAnyEncoding(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(roomsOnPremises, "svc-rooms", "svc-räume")
	units := utf16.Encode([]rune("\uFEFF" + strings.Replace(text, "utf-8", "utf-16", 1)))
	var little, big bytes.Buffer
	for _, u := range units {
		little.Write([]byte{byte(u), byte(u >> 8)})
		big.Write([]byte{byte(u >> 8), byte(u)})
	}
	for name, data := range map[string]string{
		"UTF-8":                     text,
		"UTF-8 with mark":           "\uFEFF" + text,
		"UTF-8 with \\r\\n":         strings.ReplaceAll(text, "\n", "\r\n"),
		"UTF-8 that says utf-16":    strings.Replace(text, "utf-8", "utf-16", 1),
		"UTF-16 little endian":      little.String(),
		"UTF-16 big endian":         big.String(),
		"Windows-1252":              strings.ReplaceAll(text, "ä", "\xe4"),
		"Windows-1252 that says so": strings.Replace(strings.ReplaceAll(text, "ä", "\xe4"), "utf-8", "Windows-1252", 1),
	} {
		c := mustLoad(t, map[string]string{"RoomsAppSettings.config": data})
		m, _ := c.Mode("Exchange2013")
		if got := m.AuthSettings["ntlm"]["user"]; got != "svc-räume" {
			t.Errorf("%s: user = %v", name, got)
		}
	}
}

func TestWhatGoesFirst(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"RoomsAppSettings.config": strings.ReplaceAll(roomsOnPremises, "svc-rooms", "rooms-file"),
		"roomwire.hcl":            "sync_mode \"Exchange2013\" {\n}\n",
	}
	user := func() string {
		m, _ := mustLoad(t, files).Mode("Exchange2013")
		if m.BuiltIn {
			t.Error("a mode with a block counts as built in")
		}
		text, _ := m.AuthSettings["basic"]["user"].(string)
		return text
	}
	for _, step := range []struct{ file, text, want string }{
		{"", "", "rooms-file"},
		{"roomwire.hcl", "sync_mode \"Exchange2013\" {\n  user = \"hcl\"\n}\n", "hcl"},
		{"environ", "Exchange2013ServiceUser=rooms-env", "rooms-env"},
		{"environ", "Exchange2013ServiceUser=rooms-env\nROOMWIRE_SYNC_MODE_EXCHANGE2013_USER=own-env", "own-env"},
		{"environ", "ROOMWIRE_SYNC_MODE_EXCHANGE2013_USER=", "hcl"},
	} {
		files[step.file] = step.text
		delete(files, "")
		if got := user(); got != step.want {
			t.Errorf("after %q: user = %q, want %q", step.text, got, step.want)
		}
	}
}

func TestNotificationURL(t *testing.T) {
	t.Parallel()
	const (
		root    = "tenant \"Default\" {\n  root_url = \"https://rooms.example.com:8443/Default/\"\n}\n"
		service = "ExchangeServiceUrl=https://public.example.com/Webservices/SyncNotification.svc\n"
		push    = "ExchangePushNotificationEndpointUrl=https://push.example.com/api/webhooks/exchange\n"
		webhook = "ExchangePushNotificationUseLegacyEndpoint=false\n"
	)
	for _, c := range []struct{ hcl, environ, want, graph string }{
		{"", "", "", ""},
		{root, "", "https://rooms.example.com:8443/WebServices/SyncNotification.svc", "https://rooms.example.com:8443/api/webhooks/graph"},
		{root, webhook, "https://rooms.example.com:8443/api/webhooks/exchange", "https://rooms.example.com:8443/api/webhooks/graph"},
		{root, service + webhook, "https://public.example.com/Webservices/SyncNotification.svc", "https://public.example.com/api/webhooks/graph"},
		{root, service + push, "https://push.example.com/api/webhooks/exchange", "https://push.example.com/api/webhooks/graph"},
		{"", push, "https://push.example.com/api/webhooks/exchange", "https://push.example.com/api/webhooks/graph"},
		{
			"", "ExchangeServiceUrl=https://p.example.com/rooms/WEBSERVICES/SyncNotification.svc",
			"https://p.example.com/rooms/WEBSERVICES/SyncNotification.svc", "https://p.example.com/rooms/api/webhooks/graph",
		},
		{"", "ExchangeServiceUrl=https://p.example.com/hook", "https://p.example.com/hook", "https://p.example.com/api/webhooks/graph"},
		{
			"", "ROOMWIRE_TENANT_DEFAULT_ROOT_URL=http://r.example.com/Default",
			"http://r.example.com/WebServices/SyncNotification.svc", "http://r.example.com/api/webhooks/graph",
		},
	} {
		tenant, ok := mustLoad(t, map[string]string{"roomwire.hcl": c.hcl, "environ": c.environ}).Tenant("DEFAULT")
		if got := tenant.NotificationURL("exchange2013"); !ok || got != c.want {
			t.Errorf("with %q and %q: %q, want %q", c.hcl, c.environ, got, c.want)
		}
		if got := tenant.NotificationURL("graph"); got != c.graph {
			t.Errorf("with %q and %q: %q for Graph, want %q", c.hcl, c.environ, got, c.graph)
		}
	}
}

func TestRelativePaths(t *testing.T) {
	t.Parallel()
	c, diags, dir := loadFiles(t, map[string]string{"roomwire.hcl": "store {\n  url = \"sqlite:data/x.db\"\n}\n"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got, want := c.Store.URL, "sqlite:"+filepath.Join(dir, "data", "x.db"); got != want {
		t.Errorf("store = %q, want %q", got, want)
	}
	if got, want := c.Plugins, (Plugins{filepath.Join(dir, "bin", "plugins"), filepath.Join(dir, "bin", "plugins", "plugins.lock"), 1 << 30}); got != want {
		t.Errorf("plugins = %+v, want %+v", got, want)
	}
}

func TestListenBlocks(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, map[string]string{"roomwire.hcl": "listen {\n  notifications = \":1\"\n  api {\n    address = \"127.0.0.1:2\"\n  }\n}\n"})
	if c.Listen.Notifications.Addr != ":1" || c.Listen.API.Addr != "127.0.0.1:2" {
		t.Errorf("Listen = %+v", c.Listen)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, map[string]string{
		"environ":                 "EWS1=hunter2",
		"password.txt":            "hunter2\n",
		"RoomsAppSettings.config": strings.ReplaceAll(roomsOnPremises, " p&amp;ss ", "hunter2"),
		"roomwire.hcl": `
store {
  url = "postgres://rooms:hunter2@db.example.com/rooms?password=hunter2"
}
tenant "Default" {
  root_url = "https://r.example.com/Default"
}
sync_mode "EWS1" {
  user     = "svc"
  password = env("EWS1")
  http {
    proxy = "http://u:hunter2@proxy.example.com:3128"
  }
  auth_settings "ntlm" {
    plain   = "seen"
    harmless = "x ${file("password.txt")} y"
    nested  = { passphrase = "hunter2", n = 1.5 }
    number  = "hunter2"
    pin     = 22222
  }
  backend_settings {
    api_token = "hunter2"
    list = [1, true, "a"]
  }
}
`})
	m, _ := c.Mode("EWS1")
	if got := m.AuthSettings["ntlm"].Reveal()["harmless"]; got != "x hunter2 y" {
		t.Errorf("harmless = %q", got)
	}
	if got := m.AuthSettings["basic"].Reveal()["password"]; got != "hunter2" {
		t.Errorf("password = %q", got)
	}
	asJSON, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		c.Redacted(), fmt.Sprintf("%v %+v %#v", *c, *c, *c), fmt.Sprintf("%v %+v %#v", m, m.HTTP, m.AuthSettings), string(asJSON), fmt.Sprintf("%s %q %x %d", NewSecret("hunter2"), NewSecret("hunter2"), NewSecret("hunter2"), NewSecret("hunter2")),
	} {
		if strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("shows the password: %s", out)
		}
	}
	for _, unknown := range []string{"seen", "22222", "[1, true", "n = 1.5"} {
		if strings.Contains(c.Redacted(), unknown) {
			t.Errorf("Redacted shows %q, though nobody knows whether it is secret:\n%s", unknown, c.Redacted())
		}
	}
	known := c.Knowing(map[string]PluginSchema{
		"auth-ntlm": {Settings: []PluginSetting{
			{Name: "user", Type: "string", Secret: true},
			{Name: "plain", Type: "string"}, {Name: "harmless", Type: "string"}, {Name: "nested", Type: "map"},
			{Name: "number", Type: "string", Secret: true}, {Name: "pin", Type: "integer", Secret: true},
		}},
		"backend-exchange2013": {Settings: []PluginSetting{{Name: "list", Type: "list"}, {Name: "api_token", Type: "string"}}},
	}).Redacted()
	for _, want := range []string{`"seen"`, "user = (set)", "harmless = (set)", "pin = (set)", "api_token = (set)", "[1, true, \"a\"]", "n = 1.5"} {
		if !strings.Contains(known, want) {
			t.Errorf("Redacted lacks %q:\n%s", want, known)
		}
	}
	if strings.Contains(known, "hunter2") || strings.Contains(known, "22222") {
		t.Errorf("shows what the plugin declares to be secret: %s", known)
	}
}

func TestRedactedSaysWhereValuesComeFrom(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"roomwire.hcl":            "log {\n  level = \"debug\"\n}\n",
		"RoomsAppSettings.config": roomsOnPremises,
		"environ":                 "ROOMWIRE_LOG_FORMAT=json",
	}
	c, diags, dir := loadFiles(t, files)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	got := strings.ReplaceAll(c.Redacted(), dir+string(filepath.Separator), "")
	squeezed := strings.Join(strings.Fields(got), " ")
	for _, want := range []string{
		`level = "debug" # roomwire.hcl:2`, `format = "json" # environment ROOMWIRE_LOG_FORMAT`,
		`password = (set) # RoomsAppSettings.config:5`, `ExchangeClientSecret = (not set) # default`, `coalesce = "2s" # default`,
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("Redacted lacks %q:\n%s", want, got)
		}
	}
	again, _, dir2 := loadFiles(t, files)
	if second := strings.ReplaceAll(again.Redacted(), dir2+string(filepath.Separator), ""); second != got {
		t.Errorf("Redacted is not the same twice:\n%s\n%s", got, second)
	}
}

func TestExamplesLoadAndAreComplete(t *testing.T) {
	t.Parallel()
	const dir = "../../../configs"
	c, diags := Load(Source{Dir: dir, Executable: "/opt/roomwire/roomwire"})
	if len(diags) != 0 {
		t.Fatalf("the example has findings:\n%s", diags)
	}
	if _, ok := c.Mode("Exchange2013"); !ok {
		t.Error("the example sets up no Exchange2013")
	}
	example, err := os.ReadFile(filepath.Join(dir, HCLFile))
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := os.ReadFile(filepath.Join(dir, RoomsFile))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../../docs/administrator/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(b block)
	walk = func(b block) {
		for _, name := range b.names() {
			if !strings.Contains(string(example), name) {
				t.Errorf("%s does not mention %s", HCLFile, name)
			}
			if !strings.Contains(string(doc), "`"+name+"`") {
				t.Errorf("configuration.md does not mention %s", name)
			}
		}
		for _, c := range b.blocks {
			walk(c)
		}
	}
	walk(schema())
	for _, a := range roomsKeys().attrs {
		if !strings.Contains(string(rooms), `"`+a.name+`"`) && a.name != "Exchange2016ServiceDomain" {
			t.Errorf("%s does not mention %s", RoomsFile, a.name)
		}
		if !strings.Contains(string(doc), "`"+a.name+"`") {
			t.Errorf("configuration.md does not mention %s", a.name)
		}
	}
}

func TestMissingFolderIsAFault(t *testing.T) {
	t.Parallel()
	_, diags := Load(Source{Dir: filepath.Join(t.TempDir(), "cofnigs")})
	if !diags.HasErrors() || !strings.Contains(diags.String(), "--config DIR") {
		t.Errorf("findings:\n%s", diags)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	windows := SyncMode{Name: "Exchange2013", Backend: "exchange2013", Auth: []string{"ntlm", "basic"}}
	ntlm := SyncMode{Name: "N", Backend: "exchange2013", Auth: []string{"ntlm"}}
	online := SyncMode{Name: "O365", Backend: "exchangeonline", Auth: []string{"oauth"}}
	custom := SyncMode{Name: "O365", Backend: "exchangeonline", Auth: []string{"oauth"}, AuthSettings: map[string]Settings{"oauth": {"cloud": "custom"}}}
	kerberos := SyncMode{Name: "K", Backend: "exchange2013", Auth: []string{"kerberos"}}
	in := func(cloud string) SyncMode {
		return SyncMode{Name: "Microsoft365", Backend: "graph", Auth: []string{"oauth"}, AuthSettings: map[string]Settings{"oauth": {"cloud": cloud}}}
	}
	graph, china, freeGraph := in(""), in("china"), in("custom")
	for _, c := range []struct {
		mode SyncMode
		url  string
		want string
	}{
		{windows, "https://mail.example.com/EWS/Exchange.asmx", ""},
		{windows, "http://mail.example.com/EWS/Exchange.asmx", "Basic over plain HTTP"},
		{ntlm, "http://mail.example.com/EWS/Exchange.asmx", ""},
		{ntlm, "https://OUTLOOK.office365.com./EWS/Exchange.asmx", "neither NTLM nor Basic"},
		{ntlm, "https://outlook-dod.office365.us/EWS/Exchange.asmx", "neither NTLM nor Basic"},
		{ntlm, "https://notoutlook.com/EWS/Exchange.asmx", ""},
		{online, "https://outlook.office365.com/EWS/Exchange.asmx", ""},
		{online, "https://mail.example.com/EWS/Exchange.asmx", "does not belong to Exchange Online"},
		{online, "http://outlook.office365.com/EWS/Exchange.asmx", "OAuth over plain HTTP"},
		{custom, "https://mail.example.com/EWS/Exchange.asmx", ""},
		{custom, "http://mail.example.com/EWS/Exchange.asmx", "OAuth over plain HTTP"},
		{kerberos, "https://webmail.apps.mil/EWS/Exchange.asmx", "neither NTLM nor Basic"},
		{windows, "https://outlook.office365.com/EWS/Exchange.asmx", "neither NTLM nor Basic"},
		{windows, "https://graph.microsoft.us/v1.0", "does not speak EWS"},
		{graph, "https://graph.microsoft.com/v1.0", ""},
		{graph, "https://graph.microsoft.com:443/EWS/Exchange.asmx", ""}, // as an origin is asked about
		{graph, "https://graph.microsoft.com", "no path"},
		{graph, "http://graph.microsoft.com/v1.0", "OAuth over plain HTTP"},
		{graph, "https://dod-graph.microsoft.us/v1.0", "not Microsoft Graph of the cloud global"},
		{graph, "https://graph.microsoft.com.example.com/v1.0", "not Microsoft Graph"},
		{china, "https://microsoftgraph.chinacloudapi.cn/v1.0", ""},
		{freeGraph, "https://localhost:8443/v1.0", ""},
		{windows, "mail.example.com", "does not start with http"},
		{windows, "https://mail.example.com:99999/EWS/Exchange.asmx", "port"},
	} {
		p := c.mode.CheckURL(c.url)
		switch {
		case c.want == "" && p != nil:
			t.Errorf("%s: %v", c.url, p)
		case c.want != "" && (p == nil || !strings.Contains(p.What, c.want) || p.Remedy == ""):
			t.Errorf("%s: %v, want %q and a remedy", c.url, p, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"ExchangeTenantId", "ExchangeAppId", "url", "listen"}
	for given, want := range map[string]string{
		"ExchangeTenantID": "ExchangeTenantId", "ExchangTenantId": "ExchangeTenantId", "listne": "listen", "uri": "url",
		"ExchangeAppId": "", "SmtpHost": "", "x": "", "": "",
	} {
		if got := Nearest(given, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", given, got, want)
		}
	}
}
