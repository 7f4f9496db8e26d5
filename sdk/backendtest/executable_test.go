package backendtest

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// built builds a program of the module.
func built(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roomwire-"+filepath.Base(pkg))
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// A binary that is examined gets no credential for a server that nobody named, and none that others can read on the way.
func TestAnAccountIsUsedAtTheServersNamedAlone(t *testing.T) {
	t.Parallel()
	plugin, login := built(t, "sdk/launch/testplugin/backend"), built(t, "examples/auth-header")
	for name, c := range map[string]struct {
		elsewhere, plain bool
		want             fault.Kind
		says             string
	}{
		"another server":   {elsewhere: true, plain: true, want: fault.Invalid, says: "none of Executable.URLs"},
		"plain HTTP":       {want: fault.Invalid, says: "readable over plain HTTP"},
		"a server of ours": {plain: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var shown atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					shown.Store(true)
					return
				}
				w.Header().Set("WWW-Authenticate", "Bearer")
				w.WriteHeader(http.StatusUnauthorized)
			}))
			t.Cleanup(server.Close)
			named := server.URL
			if c.elsewhere {
				named = "http://127.0.0.1:1/"
			}
			p, err := Executable{
				Path: plugin, Auth: []Auth{{Path: login, Settings: map[string]any{"token": "t0ken"}}},
				URLs: []string{"https://mail.example.com", named + "/EWS"}, PlainHTTP: c.plain,
			}.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			b, err := p.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Probe(t.Context(), backend.Mailbox{URL: server.URL})
			if fault.Of(err) != c.want && err != nil || (err == nil) != (c.want == "") || shown.Load() != (c.want == "") {
				t.Errorf("Probe = %v, want kind %q; the server saw the token: %v", err, c.want, shown.Load())
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error does not say %q: %v", c.says, err)
			}
		})
	}
}

func TestAnAccountWithoutAServerIsRefused(t *testing.T) {
	t.Parallel()
	for says, urls := range map[string][]string{
		"Executable.URLs must say":         nil,
		"number 2 of Executable.URLs must": {"https://mail.example.com", "ftp://user:s3cret@mail.example.com"},
	} {
		p, err := Executable{Path: "none", Auth: []Auth{{Path: "none"}}, URLs: urls}.Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Start = %v, %v; want %q", p, err, says)
		}
	}
}

func TestOriginsCompareHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://Mail.Example.com/EWS/Exchange.asmx": "https://mail.example.com:443",
		"HTTPS://mail.example.com:443":               "https://mail.example.com:443",
		"http://mail.example.com":                    "http://mail.example.com:80",
		"http://[::1]:8080/x":                        "http://[::1]:8080",
		"mail.example.com":                           "",
		"https://":                                   "",
		"https://mail.example.com.evil.example":      "https://mail.example.com.evil.example:443",
		"https://mail.example.com@evil.example/":     "https://evil.example:443",
	} {
		if got := originOf(raw); got != want {
			t.Errorf("the origin of %s is %q, want %q", raw, got, want)
		}
	}
}
