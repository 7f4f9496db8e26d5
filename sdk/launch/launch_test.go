package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestAPluginDescribesItselfAndItsSettings(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "nonce")
	d := p.Description()
	if d.Kind != AuthPlugin || d.Name != "nonce" || d.Version != "0.1.0" || !slices.Equal(d.Auth.Schemes, []string{"Nonce"}) ||
		d.Auth.Attempts != 1 {
		t.Errorf("description = %+v", d)
	}
	want := []Setting{
		{Name: "user", Type: "string", Doc: "who", Required: true},
		{Name: "password", Type: "string", Doc: "the password", Required: true, Secret: true},
		{Name: "count", Type: "integer", Doc: "a number"},
		{Name: "strict", Type: "bool"}, {Name: "wait", Type: "duration"}, {Name: "list", Type: "list"},
	}
	if !slices.Equal(d.Settings, want) {
		t.Errorf("settings = %+v, want %+v", d.Settings, want)
	}
}

func TestSettingsAreDecodedStrictly(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "nonce")
	for _, tc := range []struct {
		settings map[string]any
		named    string
	}{
		{map[string]any{"user": "a"}, `"password" is required`},
		{map[string]any{"user": "", "password": "S3cr3t"}, `"user" is required`},
		{map[string]any{"user": "a", "password": "S3cr3t", "pasword": "S3cr3t"}, `unknown setting "pasword"`},
		{map[string]any{"User": "a", "password": "S3cr3t"}, `unknown setting "User"`},
		{map[string]any{"user": "a", "password": 12345678}, `"password" must be a string`},
		{map[string]any{"user": "a", "password": "S3cr3t", "count": "S3cr3t"}, `"count" must be a integer`},
		{map[string]any{"user": "a", "password": "S3cr3t", "wait": "S3cr3t"}, `"wait" must be a duration`},
		{map[string]any{"user": func() {}}, "plain data"},
	} {
		_, err := p.OpenAuth(t.Context(), tc.settings)
		if fault.Of(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), tc.named) {
			t.Errorf("error = %v, want invalid with %q", err, tc.named)
		}
		if err != nil && (strings.Contains(err.Error(), "S3cr3t") || strings.Contains(err.Error(), "12345678")) {
			t.Errorf("the error shows a value: %v", err)
		}
	}
	good := map[string]any{"user": "a", "password": "b", "count": 3, "wait": "90s", "strict": true, "list": []string{"x"}}
	if _, err := p.OpenAuth(t.Context(), good); err != nil {
		t.Errorf("good settings: %v", err)
	}
}

func TestALoginOfTwoLegsTravelsFromBackendToAuthPlugin(t *testing.T) {
	t.Parallel()
	s := nonceServer(t, "secret")
	nonce, _ := startPlugin(t, "nonce")
	p, _ := startPlugin(t, "backend")
	var allowed []string
	id := identity(t, nonce, map[string]any{"user": "alice", "password": "secret"})
	id.Allow = func(origin string) error {
		allowed = append(allowed, origin)
		return nil
	}
	b := openBackend(t, p, BackendConfig{Identities: []Identity{id}, ActAs: true})
	st, err := b.Probe(t.Context(), backend.Mailbox{URL: s.URL + "/EWS"})
	if err != nil || st.Server != "alice" || st.Delegate {
		t.Errorf("probe = %+v, %v; want alice", st, err)
	}
	if !slices.Equal(allowed, []string{s.URL}) {
		t.Errorf("the host was asked to allow %v, want %v", allowed, s.URL)
	}

	wrong := identity(t, nonce, map[string]any{"user": "alice", "password": "wrong"})
	b = openBackend(t, p, BackendConfig{Identities: []Identity{wrong}})
	if _, err := b.Probe(t.Context(), backend.Mailbox{URL: s.URL}); fault.Of(err) != fault.Unauthorized {
		t.Errorf("with a wrong password: %v, want unauthorized", err)
	}
}

func TestTheHostRefusesAnIdentityForAnOrigin(t *testing.T) {
	t.Parallel()
	s := nonceServer(t, "secret")
	p, _ := startPlugin(t, "backend")
	id := Identity{
		Name: "x", AuthTraits: AuthTraits{Schemes: []string{"Nonce"}},
		Allow: func(origin string) error { return fmt.Errorf("not at %s: %w", origin, fault.Forbidden) },
		Auth: authFunc(func(context.Context, auth.Target) (auth.Exchange, error) {
			t.Error("the identity was used")
			return nil, nil
		}),
	}
	b := openBackend(t, p, BackendConfig{Identities: []Identity{id}})
	_, err := b.Probe(t.Context(), backend.Mailbox{URL: s.URL})
	if fault.Of(err) != fault.Forbidden || !strings.Contains(err.Error(), "not at "+s.URL) {
		t.Errorf("error = %v, want the host's own", err)
	}
}

// What no schema declares may be a secret, as what a slip of a password's name stands for.
func TestASettingThatThePluginDoesNotDeclareIsHidden(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	if _, err := p.OpenBackend(t.Context(), BackendConfig{Settings: map[string]any{"secrte": "S3cr3t-setting"}}); fault.Of(err) != fault.Invalid {
		t.Errorf("open = %v, want invalid", err)
	}
	_, err := p.OpenBackend(t.Context(), BackendConfig{Settings: map[string]any{"refuse": "the server said S3cr3t-setting"}})
	if err == nil || !strings.Contains(err.Error(), "the server said") || strings.Contains(err.Error(), "S3cr3t") {
		t.Errorf("open = %v, want it without the value", err)
	}
}

func TestSecretsAreNeitherInArgumentsNorEnvironmentNorLogs(t *testing.T) {
	t.Setenv("ROOMWIRE_TEST_SECRET", "S3cr3t-of-the-host")
	p, j := startPlugin(t, "backend")
	nonce, nj := startPlugin(t, "nonce")
	identity(t, nonce, map[string]any{"user": "alice", "password": "S3cr3t-password"})
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"secret": "S3cr3t-setting"}})
	st, err := b.Probe(t.Context(), backend.Mailbox{Address: "environment"})
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	if err := json.Unmarshal([]byte(st.Server), &env); err != nil {
		t.Fatal(err)
	}
	for _, e := range env {
		name, _, isVariable := strings.Cut(e, "=")
		known := strings.HasPrefix(name, "PLUGIN_") || strings.HasPrefix(name, "ROOMWIRE_PLUGIN") ||
			slices.Contains([]string{"SystemRoot", "SystemDrive", "TEMP", "TMP"}, name)
		if isVariable && !known {
			t.Errorf("the plugin was given the variable %s", name)
		}
	}
	nj.wait("opened")
	if all := st.Server + j.String() + nj.String(); strings.Contains(all, "S3cr3t") {
		t.Error("a secret is in the environment, the arguments or the log")
	}
	st, err = b.Probe(t.Context(), backend.Mailbox{Address: "stdin"})
	if err != nil || st.Server != `""` {
		t.Errorf("stdin held %s, %v; want nothing", st.Server, err)
	}
}

func TestAChangedBinaryIsNotStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plugin")
	raw, err := os.ReadFile(binary("backend"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	sum, err := Sum(binary("backend"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger()})
	if fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v, want invalid naming the file", err)
	}
	_, err = Start(t.Context(), Options{Path: path + "-absent", SHA256: sum, Log: hclog.NewNullLogger()})
	if fault.Of(err) != fault.Unavailable || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want unavailable: no such file", err)
	}
}

func TestABinaryThatIsNoPluginIsUnavailable(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("true")
	if err != nil {
		t.Skipf("SKIPPED, there is no program that does nothing: %v", err)
	}
	sum, err := Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger()})
	if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "no plugin") {
		t.Errorf("error = %v, want unavailable that doubts the binary", err)
	}
}

func TestRunByHandItSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"basic": "password", "ntlm": "channel_binding", "backend": "abilities"} {
		out, err := exec.Command(binary(name)).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s by hand: %v, want exit status 1", name, err)
		}
		if !strings.Contains(string(out), "Roomwire") || !strings.Contains(string(out), want) {
			t.Errorf("%s by hand says %q", name, out)
		}
	}
}

func TestThePluginsLogComesWithLevelAndFields(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "logs"}); err != nil {
		t.Fatal(err)
	}
	j.wait("[WARN]  a warning: colour=red", `[DEBUG] {"@message":5`, "[DEBUG] a plain line")
}

func TestCloseReachesTheInstance(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	j.wait("instance closed")
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"}); fault.Of(err) != fault.Unavailable {
		t.Errorf("a call of a closed instance: %v, want unavailable", err)
	}
}

func TestAFaultyCAFileOrProxyIsExplained(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []HTTPOptions{{CAFile: empty}, {CAFile: empty + "-absent"}, {Proxy: "user:S3cr3t@proxy"}} {
		_, err := p.OpenBackend(t.Context(), BackendConfig{HTTP: o})
		if fault.Of(err) != fault.Invalid || strings.Contains(err.Error(), "S3cr3t") {
			t.Errorf("%+v: %v, want invalid without the password", o, err)
		}
	}
}

func TestACancelledCallEndsThePluginsRequest(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(ended)
	}))
	t.Cleanup(s.Close)
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := b.Probe(ctx, backend.Mailbox{URL: s.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the caller's own", err)
	}
	<-ended
}

func TestADeadlineReachesThePlugin(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	if _, err := b.Probe(ctx, backend.Mailbox{Address: "hang"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the caller's own", err)
	}
	j.wait("hang ended")
}

func TestAPluginsOwnTimeoutIsNotTheCallers(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	_, err := b.Probe(t.Context(), backend.Mailbox{Address: "own timeout", URL: "192.0.2.1:1"})
	if fault.Of(err) != fault.Unavailable || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want unavailable", err)
	}
}
