package verify

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/launch"
)

// built builds a program of the module into a folder.
func built(t *testing.T, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, "roomwire-"+filepath.Base(pkg))
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../../"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// feed serves an empty calendar to whoever has the token.
func feed(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`[]`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAPluginIsHeldAgainstTheContract(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOOD_TOKEN", "t0ken")
	t.Setenv("BAD_TOKEN", "another")
	good := Order{
		File: built(t, dir, "examples/backend-feed"), Set: []string{"max_bytes=1000"}, Check: "P*/*", URL: feed(t),
		Auth: built(t, dir, "examples/auth-header"), AuthSet: []string{"token=env:GOOD_TOKEN"}, Mailboxes: []string{"dora@example.com"},
	}
	var told []Check
	report, err := Conformance(t.Context(), good, func(c Check) { told = append(told, c) })
	if err != nil || report.Failed > 0 || report.Passed < 5 || report.Skipped < 5 {
		t.Fatalf("%+v, %v", report, err)
	}
	if report.Plugin != "feed" || report.Kind != "backend" || !reflect.DeepEqual(report.Checks, told) {
		t.Errorf("%+v, told %+v", report, told)
	}

	for _, c := range report.Checks {
		if said := strings.Join(c.Said, "\n"); strings.Contains(said, "Fixture.") && !strings.Contains(said, "a Go test can set") || strings.Contains(said, "Fixture.Absent") {
			t.Errorf("%s tells somebody with a command line of Go: %s", c.Name, said)
		}
	}
	if !slices.ContainsFunc(report.Checks, func(c Check) bool { return strings.Contains(strings.Join(c.Said, ""), "--absent is not given") }) {
		t.Errorf("no check says which flag it lacks: %+v", report.Checks)
	}

	bad := good
	bad.AuthSet = []string{"token=env:BAD_TOKEN"}
	report, err = Conformance(t.Context(), bad, func(Check) {})
	if err != nil || !slices.ContainsFunc(report.Checks, func(c Check) bool { return c.Name == "Probe/ReachesTheMailbox" && c.Failed() }) {
		t.Errorf("with the wrong token: %+v, %v", report, err)
	}
}

func TestAnOrderThatCannotBeCarriedOutSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	header, backend := built(t, dir, "examples/auth-header"), built(t, dir, "examples/backend-feed")
	for says, o := range map[string]Order{
		"say with --mailbox":                   {File: backend},
		"no such file":                         {File: filepath.Join(dir, "none"), Mailboxes: []string{"a@example.com"}},
		"is no pattern":                        {File: backend, Mailboxes: []string{"a@example.com"}, Check: "["},
		`--set: the plugin has no setting`:     {File: backend, Mailboxes: []string{"a@example.com"}, Set: []string{"min=1"}},
		`--auth-set: the setting "token" is a`: {File: backend, Mailboxes: []string{"a@example.com"}, Auth: header, AuthSet: []string{"token=t0ken"}, URL: "https://mail.example.com/"},
		"say with --url":                       {File: backend, Mailboxes: []string{"a@example.com"}, Auth: header},
	} {
		report, err := Conformance(t.Context(), o, func(Check) {})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "t0ken") || len(report.Checks) > 0 {
			t.Errorf("%v with %d checks, want %q", err, len(report.Checks), says)
		}
	}
}

func TestSettingsAreReadByWhatThePluginSays(t *testing.T) {
	t.Setenv("SECRET", "s3cret")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := []launch.Setting{
		{Name: "user", Type: "string"}, {Name: "password", Type: "string", Secret: true}, {Name: "every", Type: "duration"},
		{Name: "size", Type: "integer"}, {Name: "deep", Type: "bool"}, {Name: "hosts", Type: "list"},
	}
	got, err := ParseSettings([]string{
		"user=a=b", "password=env:SECRET", "every=30s", "size=12", "deep=true", `hosts=["a","b"]`,
	}, known)
	want := map[string]any{
		"user": "a=b", "password": "s3cret", "every": "30s", "size": 12.0, "deep": true, "hosts": []any{"a", "b"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := ParseSettings([]string{"password=file:" + file}, known); err != nil || got["password"] != "from a file" {
		t.Errorf("from a file: %v, %v", got, err)
	}
	for says, one := range map[string]string{
		"is a secret":       "password=hidden",
		"must be a integer": "size=hidden",
		"is not set":        "user=env:ROOMWIRE_NO_SUCH_VARIABLE",
		"no setting":        "colour=hidden",
		"without =":         "hidden",
	} {
		if _, err := ParseSettings([]string{one}, known); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %q", one, err, says)
		}
	}
}

func TestPinsAreCompared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put("roomwire-auth-a", "a")
	put("roomwire-backend-b", "b")
	if _, err := supervise.WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	put("roomwire-backend-b", "another")
	pins, err := Pins(dir, nil)
	if err != nil || len(pins) != 2 || !pins[0].Good || pins[1].Good || pins[1].State != supervise.StateChanged {
		t.Errorf("%+v, %v", pins, err)
	}
	if pins, err := Pins(dir, []string{"auth-a"}); err != nil || len(pins) != 1 || pins[0].Name != "auth-a" {
		t.Errorf("one by its name: %+v, %v", pins, err)
	}
	if _, err := Pins(dir, []string{"auth-z"}); err == nil {
		t.Error("a plugin that there is not was verified")
	}
}

func TestAModeIsTakenFromTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "roomwire-auth-basic")
	if err := os.WriteFile(binary, []byte("basic"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := supervise.WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Plugins: config.Plugins{Dir: dir}, SyncModes: []config.SyncMode{{
		Name: "Exchange2013", Backend: "exchange2013", Auth: []string{"basic"}, URL: "https://mail.example.com/", UseImpersonation: true,
		AuthSettings:    map[string]config.Settings{"basic": {"user": "svc", "password": config.NewSecret("s3cret")}},
		BackendSettings: config.Settings{"tier": "test"},
	}}}
	mode, err := ModeOf(cfg, "exchange2013")
	if err != nil {
		t.Fatal(err)
	}
	if err := mode.may("http://mail.example.com/EWS/Exchange.asmx"); err == nil || !strings.Contains(err.Error(), "Basic over plain HTTP is refused") {
		t.Errorf("the password may travel readable: %v", err)
	}
	if err := mode.may("https://mail.example.com/EWS/Exchange.asmx"); err != nil {
		t.Errorf("the mode's account may not be used at its own server: %v", err)
	}
	if !mode.ActAs || mode.URL != "https://mail.example.com/" || mode.fit(launch.Description{})["tier"] != "test" || len(mode.auth) != 1 ||
		mode.auth[0].path != binary || mode.auth[0].fit(launch.Description{})["password"] != "s3cret" {
		t.Errorf("%+v", mode)
	}
	if _, err := ModeOf(cfg, "Other"); err == nil {
		t.Error("a mode that there is not was found")
	}
	if err := os.WriteFile(binary, []byte("changed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ModeOf(cfg, "Exchange2013"); err == nil || !strings.Contains(err.Error(), "as it was pinned") {
		t.Errorf("an auth plugin that was changed would get the password: %v", err)
	}
}

func TestAnAuthPluginIsHeldAgainstTheContract(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOOD_TOKEN", "t0ken")
	t.Setenv("BAD_TOKEN", "another-t0ken")
	good := Order{File: built(t, dir, "examples/auth-header"), Set: []string{"token=env:GOOD_TOKEN"}, URL: feed(t)}
	report, err := Conformance(t.Context(), good, func(Check) {})
	if err != nil || report.Failed > 0 || report.Passed < 15 || report.Kind != "auth" {
		t.Fatalf("%+v, %v", report, err)
	}
	bad := good
	bad.Set = []string{"token=env:BAD_TOKEN"}
	bad.Check = "Server/TakesTheLogin"
	report, err = Conformance(t.Context(), bad, func(Check) {})
	if err != nil || len(report.Checks) != 1 || !report.Checks[0].Failed() {
		t.Errorf("with the wrong token: %+v, %v", report, err)
	}
	for says, o := range map[string]Order{
		"--mode and --auth are for backends": {File: good.File, Set: good.Set, Auth: good.File},
		"is no pattern":                      {File: good.File, Set: good.Set, Check: "["},
		"--ca-file":                          {File: good.File, Set: good.Set, CAFile: filepath.Join(dir, "none")},
		"--set":                              {File: good.File, Set: []string{"token=shown"}},
		"say --mailbox twice":                {File: good.File, Set: good.Set, Mailboxes: []string{"a@example.com"}},
		"the proxy must be":                  {File: good.File, Set: good.Set, Proxy: "::"},
	} {
		if _, err := Conformance(t.Context(), o, func(Check) {}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want an error with %q", err, says)
		}
	}
}

// With --mode an unknown binary works with the account of the real configuration: where the host would not log in, it does
// not either, and a server that the binary chooses itself gets nothing.
func TestAModesAccountIsUsedWhereTheHostWouldUseItAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	backend := built(t, dir, "examples/backend-feed")
	built(t, dir, "plugins/auth-basic")
	if _, err := supervise.WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	mode := func(url string) *Mode {
		t.Helper()
		cfg := &config.Config{Plugins: config.Plugins{Dir: dir}, SyncModes: []config.SyncMode{{
			Name: "Own", Backend: "feed", Auth: []string{"basic"}, URL: url, HTTP: config.HTTP{Timeout: time.Minute},
			AuthSettings: map[string]config.Settings{"basic": {"user": "svc", "password": config.NewSecret("s3cret")}},
		}}}
		out, err := ModeOf(cfg, "Own")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	order := Order{File: backend, Mailboxes: []string{"a@example.com"}, Check: "Probe/ReachesTheMailbox"}
	for says, o := range map[string]struct{ mode, url string }{
		"Basic over plain HTTP is refused":      {mode: server.URL},
		"Basic over plain HTTP is refused. The": {mode: "https://mail.example.com/", url: server.URL},
		"say with --url":                        {},
	} {
		order.Mode, order.URL = mode(o.mode), o.url
		report, err := Conformance(t.Context(), order, func(Check) {})
		if err == nil || !strings.Contains(err.Error(), says) || len(report.Checks) > 0 {
			t.Errorf("%+v: %v with %d checks, want %q", o, err, len(report.Checks), says)
		}
	}
	// Even if that were overlooked, plain HTTP gets no password.
	order.Mode, order.URL = mode(server.URL), ""
	order.Mode.may = func(string) error { return nil }
	report, err := Conformance(t.Context(), order, func(Check) {})
	if err != nil || len(report.Checks) == 0 || !slices.ContainsFunc(report.Checks, func(c Check) bool {
		said := strings.Join(c.Said, "")
		return c.Failed() && strings.Contains(said, "over plain HTTP") && !strings.Contains(said, "Executable")
	}) {
		t.Errorf("%+v, %v", report, err)
	}
	close(asked)
	for header := range asked {
		if header != "" {
			t.Error("the server was given the password")
		}
	}
}
