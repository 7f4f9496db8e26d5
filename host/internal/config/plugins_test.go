package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// schemasOf reads the section "schemas" of a test file: a plugin, then a line for each setting (name, type, required,
// secret, and what it is behind two hyphens), or why it could not be asked behind an exclamation mark.
func schemasOf(t *testing.T, text string) map[string]PluginSchema {
	t.Helper()
	out := map[string]PluginSchema{}
	var p PluginSchema
	for line := range strings.Lines(text) {
		what, doc, _ := strings.Cut(strings.TrimRight(line, "\n"), " -- ")
		words := strings.Fields(what)
		switch {
		case len(words) == 0:
			continue
		case !strings.HasPrefix(line, " "):
			name, problem, _ := strings.Cut(what, " ! ")
			p = PluginSchema{Plugin: name, Problem: problem}
		case len(words) < 2:
			t.Fatalf("no setting: %q", line)
		default:
			p.Settings = append(p.Settings, PluginSetting{
				Name: words[0], Type: words[1], Doc: doc,
				Required: slices.Contains(words, "required"), Secret: slices.Contains(words, "secret"),
			})
		}
		out[p.Plugin] = p
	}
	return out
}

// TestEveryFaultOfAPluginsSettingsIsExplained compares the printed findings with testdata/plugins.
func TestEveryFaultOfAPluginsSettingsIsExplained(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/plugins/*.txt")
	if err != nil || len(paths) < 10 {
		t.Fatalf("found %d test files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			names, files := sections(t, path)
			schemas := schemasOf(t, files["schemas"])
			delete(files, "schemas")
			c, loaded, dir := loadFiles(t, files)
			if c == nil {
				t.Fatal(loaded)
			}
			diags := c.CheckPlugins(schemas)
			got := strings.ReplaceAll(filepath.ToSlash(diags.String()), filepath.ToSlash(dir), "configs")
			if *update {
				_, files = sections(t, path)
				rewrite(t, path, names, files, got)
			} else if got != files["want"] {
				t.Errorf("findings:\n%s\nwant:\n%s", got, files["want"])
			}
			if len(diags) == 0 {
				t.Error("no finding at all")
			}
			if shown := got + c.Knowing(schemas).Redacted(); strings.Contains(shown, "hunt") || strings.Contains(shown, "er2") {
				t.Errorf("a secret is shown:\n%s", shown)
			}
			for _, d := range diags {
				held(t, d)
			}
		})
	}
}

func TestPluginsAreOpenedWithWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	const every = `
auth-kerberos
  user string required
  password string required secret
  spn-host string
auth-kerberos-x
  user string
  x integer
backend-feed
  text string
  yes bool
  no bool
  whole integer
  share number
  every duration
  hosts list
  headers map
  tokenURL string
`
	mode := func(auth, more string) string {
		return "sync_mode \"my-feed\" {\n  backend = \"feed\"\n  auth = [" + auth + "]\n" + more + "\n}\n"
	}
	const variables = "ROOMWIRE_SYNC_MODE_MY_FEED_"
	for name, c := range map[string]struct {
		hcl, environ, rooms, schemas string
		plugin                       string
		want                         map[string]any
		findings                     int // when it was loaded and checked, but for what is not asked about here
	}{
		"values of their own type": {
			hcl: mode(`"kerberos"`, `user = "u"
				password = "p"
				backend_settings {
					text = "t"
					yes = true
					whole = 7
					share = 2
					every = "30s"
					hosts = ["a", "b"]
					headers = { a = { b = 1 } }
				}`),
			plugin: "backend-feed",
			want: map[string]any{
				"text": "t", "yes": true, "whole": int64(7), "share": int64(2), "every": "30s",
				"hosts": []any{"a", "b"}, "headers": map[string]any{"a": map[string]any{"b": int64(1)}},
			},
		},
		"texts of a file": {
			hcl: mode(`"kerberos"`, `user = "u"
				password = "p"
				backend_settings {
					yes = "true"
					no = "0"
					whole = "7"
					share = " 0.5 "
					hosts = "a, b"
				}`),
			plugin: "backend-feed",
			want:   map[string]any{"yes": true, "no": false, "whole": int64(7), "share": 0.5, "hosts": []any{"a", "b"}},
		},
		"variables go before the file": {
			hcl: mode(`"kerberos"`, `user = "u"
				password = "p"
				backend_settings {
					text = "file"
					whole = 7
				}`),
			environ: variables + "BACKEND_SETTINGS_WHOLE=8\n" + variables + "BACKEND_SETTINGS_YES=TRUE\n" + variables + "BACKEND_SETTINGS_EVERY=1m\n" +
				variables + "BACKEND_SETTINGS_HOSTS=a,b\n" + variables + "BACKEND_SETTINGS_TOKENURL=u\n" + variables + "BACKEND_SETTINGS_SHARE=",
			plugin: "backend-feed",
			want:   map[string]any{"text": "file", "whole": int64(8), "yes": true, "every": "1m", "hosts": []any{"a", "b"}, "tokenURL": "u"},
		},
		"attributes of the mode that a stranger declares": {
			hcl:     mode(`"kerberos"`, "user = \"u\"\ntenant_id = \"t\""),
			environ: variables + "PASSWORD=p\n" + variables + "AUTH_SETTINGS_KERBEROS_SPN_HOST=h",
			plugin:  "auth-kerberos",
			want:    map[string]any{"user": "u", "password": "p", "spn-host": "h"}, findings: 1, // tenant_id has no effect
		},
		"ROOMS keys for a stranger": {
			hcl:    "sync_mode \"Exchange2013\" {\n  backend = \"feed\"\n  auth = [\"kerberos\"]\n}\n",
			rooms:  roomsOnPremises,
			plugin: "auth-kerberos",
			want:   map[string]any{"user": "svc-rooms", "password": " p&ss "},
		},
		"its own block goes before the mode's": {
			hcl: mode(`"kerberos"`, `user = "u"
				password = "p"
				auth_settings "kerberos" {
					user = "own"
				}`),
			plugin: "auth-kerberos",
			want:   map[string]any{"user": "own", "password": "p"},
		},
		"the longer of two names": {
			hcl:     mode(`"kerberos", "kerberos-x"`, "user = \"u\"\npassword = \"p\""),
			environ: variables + "AUTH_SETTINGS_KERBEROS_X_X=5",
			plugin:  "auth-kerberos-x",
			want:    map[string]any{"user": "u", "x": int64(5)},
		},
		"what it does not declare is kept from it, and of another type is for it to refuse": {
			hcl:      mode(`"kerberos"`, "user = \"u\"\npassword = \"p\"\nbackend_settings {\n  colour = \"red\"\n  whole = \"many\"\n}"),
			environ:  variables + "BACKEND_SETTINGS_SIZE=8",
			plugin:   "backend-feed",
			want:     map[string]any{"whole": "many"},
			findings: 3,
		},
		"one that could not be asked gets all": {
			hcl:      mode(`"kerberos"`, "user = \"u\"\npassword = \"p\"\nbackend_settings {\n  colour = \"red\"\n  whole = \"7\"\n}"),
			schemas:  "auth-kerberos\n  user string\n  password string secret\nbackend-feed ! it is not installed\n",
			plugin:   "backend-feed",
			want:     map[string]any{"colour": "red", "whole": "7"},
			findings: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{HCLFile: c.hcl, "environ": c.environ}
			if c.rooms != "" {
				files[RoomsFile] = c.rooms
			}
			cfg := mustLoad(t, files)
			schemas := schemasOf(t, cmp.Or(c.schemas, every))
			if diags := cfg.CheckPlugins(schemas); len(diags) != c.findings {
				t.Errorf("%d findings, want %d:\n%s", len(diags), c.findings, diags)
			}
			m := cfg.SyncModes[0]
			if got := m.SettingsFor(c.plugin, schemas[c.plugin]).Reveal(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("it is opened with %#v, want %#v", got, c.want)
			}
			if shown := fmt.Sprintf("%v %+v %#v", m.Given(c.plugin), m.SettingsFor(c.plugin, schemas[c.plugin]), m); strings.Contains(shown, "p&ss") || strings.Contains(shown, `"p"`) {
				t.Errorf("a secret is shown: %s", shown)
			}
		})
	}
}

// Modes share an identity when Given is the same: then they must mean the same, whatever the plugin declares.
func TestWhatModesGiveIsTheSameOnlyIfTheyMeanTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, files := range map[string]map[string]string{
		"attribute":         {HCLFile: "user = \"a\""},
		"another attribute": {HCLFile: "user = \"b\""},
		"block":             {HCLFile: "auth_settings \"kerberos\" {\n  user = \"a\"\n}"},
		"variable":          {"environ": "ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBEROS_USER=a"},
		"nothing":           {},
	} {
		files[HCLFile] = "sync_mode \"Feed\" {\n  backend = \"feed\"\n  auth = [\"kerberos\"]\n" + files[HCLFile] + "\n}\n"
		raw, err := json.Marshal(mustLoad(t, files).SyncModes[0].Given("auth-kerberos").Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if other, again := seen[string(raw)]; again {
			t.Errorf("%s and %s give the same", name, other)
		}
		seen[string(raw)] = name
	}
}

func TestVariablesOfNoPluginAreReported(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBEROS_REALM":  "",
		"ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBREOS_REALM":  "Did you mean `ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBEROS_REALM`?",
		"ROOMWIRE_SYNC_MODE_FEED_AUTH_SETINGS_KERBEROS_REALM":   "Did you mean `ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBEROS_REALM`?",
		"ROOMWIRE_SYNC_MODE_FEED_BACKEND_SETTING_MAX_BYTES":     "Did you mean `ROOMWIRE_SYNC_MODE_FEED_BACKEND_SETTINGS_MAX_BYTES`?",
		"ROOMWIRE_SYNC_MODE_FEDE_BACKEND_SETTINGS_MAX_BYTES":    "Did you mean `ROOMWIRE_SYNC_MODE_FEED_BACKEND_SETTINGS_MAX_BYTES`?",
		"ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_NTLM_USER":       "Sync mode Feed uses no auth plugin that it could be for",
		"ROOMWIRE_SYNC_MODE_FEED_AUTH_SETTINGS_KERBEROS_":       "Sync mode Feed uses no auth plugin that it could be for",
		"ROOMWIRE_SYNC_MODE_SOMETHING_BACKEND_SETTINGS_ELSE":    "",
		"ROOMWIRE_SYNC_MODE_FEED_BACKEND_SETTINGS_AUTH_SETINGS": "",
	} {
		_, diags, _ := loadFiles(t, map[string]string{
			HCLFile:   "sync_mode \"Feed\" {\n  backend = \"feed\"\n  auth = [\"kerberos\"]\n}\ntenant \"Default\" {\n  root_url = \"https://rooms.example.com/Default\"\n}\n",
			"environ": name + "=x",
		})
		if got := diags.String(); want == "" && got != "" || !strings.Contains(got, want) || want != "" && !strings.Contains(got, "variable "+name+" is not read") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// What stands in a block of a plugin is in no finding as long as nobody knows whether it is secret, not even when the
// file is broken.
func TestFindingsShowNoSettingsOfPlugins(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]string{
		"a text":                 "pin = \"hunter2\" + 1",
		"an unclosed text":       "pin = \"hunter2\n  tan = \"er2\"",
		"one without quotes":     "pin = hunter2",
		"a number":               "pin = 222222 x",
		"a list":                 "pins = [\"hunter2\", \"er2\" 1]",
		"an object":              "pins = {\n  a = \"hunter2\"\n  b = \"er2\" c\n}",
		"a here-document":        "pin = <<EOT\nhunter2\nEOT\n  x == 1",
		"a comment":              "x = y # not hunter2",
		"a block":                "pin {\n  x = \"hunter2\"\n}",
		"nothing but one":        "\"hunter2\"",
		"a name":                 "colour = env(\"ABSENT\")",
		"an operator and a text": "x = 5 * \"hunter2\"",
	} {
		for _, kind := range []string{"backend_settings", "auth_settings \"kerberos\""} {
			_, diags, _ := loadFiles(t, map[string]string{
				HCLFile: "sync_mode \"Feed\" {\n  backend = \"feed\"\n  auth = [\"kerberos\"]\n  " + kind + " {\n  " + block + "\n  }\n}\n",
			})
			got := diags.String()
			if !diags.HasErrors() {
				t.Errorf("%s: no error", name)
			}
			if strings.Contains(got, "hunt") || strings.Contains(got, "er2") || strings.Contains(got, "222222") {
				t.Errorf("%s in %s: a finding shows it:\n%s", name, kind, got)
			}
			if name == "a name" && !strings.Contains(got, "ABSENT") {
				t.Errorf("the name of a variable is hidden:\n%s", got)
			}
		}
	}
}

func TestDiffShowsSettingsOfPluginsThatAreNoSecret(t *testing.T) {
	t.Parallel()
	load := func(n int) *Config {
		return mustLoad(t, map[string]string{HCLFile: fmt.Sprintf("sync_mode \"Feed\" {\n  backend = \"feed\"\n  backend_settings {\n    size = %d\n    pin = %d\n  }\n}\n", n, n)})
	}
	say := func(old, next *Config) string {
		var lines []string
		for _, c := range Diff(old, next) {
			lines = append(lines, strings.TrimPrefix(c.String(), `sync_mode "Feed" / backend_settings / `))
		}
		return strings.Join(lines, "; ")
	}
	old, next := load(11), load(22)
	if got := say(old, next); got != "pin changed (secret); size changed (secret)" {
		t.Errorf("nothing is known: %q", got)
	}
	schemas := schemasOf(t, "backend-feed\n  size integer\n  pin integer secret\n")
	if got := say(old.Knowing(schemas), next.Knowing(schemas)); got != "pin changed (secret); size = 22 (was 11)" {
		t.Errorf("the plugin is known: %q", got)
	}
	if !ModeChanged(Diff(old, next), "Feed") || len(Diff(old, load(11).Knowing(schemas))) != 0 {
		t.Error("what is known of a plugin is a change, or its settings are none")
	}
}

// A version of a plugin that needs another setting comes in while both are in the configuration: each gets its own.
func TestTwoVersionsOfAPluginTakeTheirOwnFromOneConfiguration(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, map[string]string{HCLFile: "sync_mode \"Feed\" {\n  backend = \"feed\"\n  backend_settings {\n    old = \"hunter1\"\n    new = \"hunter2\"\n  }\n}\n"})
	for schema, want := range map[string]string{"backend-feed\n  old string required\n": "hunter1", "backend-feed\n  new string required\n": "hunter2"} {
		schemas := schemasOf(t, schema)
		diags := cfg.CheckPlugins(schemas)
		if diags.HasErrors() || diags.Count(Warning) != 1 {
			t.Errorf("findings:\n%s", diags)
		}
		got := cfg.SyncModes[0].SettingsFor("backend-feed", schemas["backend-feed"]).Reveal()
		name := schemas["backend-feed"].Settings[0].Name
		if !reflect.DeepEqual(got, map[string]any{name: want}) {
			t.Errorf("%s: it is opened with %v", name, got)
		}
		shown := diags.String() + cfg.Knowing(schemas).Redacted() + fmt.Sprint(Diff(cfg, cfg.Knowing(schemas)))
		if other := map[string]string{"hunter1": "hunter2", "hunter2": "hunter1"}[want]; strings.Contains(shown, other) {
			t.Errorf("the value of the setting that is not declared is shown:\n%s", shown)
		}
	}
}
