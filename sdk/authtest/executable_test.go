package authtest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/fault"
)

// build builds a package of this module as a plugin.
func build(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func start(t *testing.T, e Executable) *Process {
	t.Helper()
	p, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// A journaled text is written by the process and read by the test.
type journaled struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journaled) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journaled) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestAnExecutableTellsWhatIsExamined(t *testing.T) {
	t.Parallel()
	var log journaled
	p := start(t, Executable{
		Path:     build(t, "./testplugin/leaky"),
		Settings: map[string]any{"token": "t0ken-1"}, Other: map[string]any{"token": "t0ken-2"},
		Bad: map[string]map[string]any{"a blank": {"token": "t0ken 3"}},
		Log: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}),
	})
	f := p.Fixture()
	if f.Wrong != nil || f.Other == nil || !slices.Equal(f.Traits.Schemes, []string{"Bearer"}) || f.Traits.Attempts != 1 {
		t.Errorf("fixture %+v", f)
	}
	for _, secret := range []string{"t0ken-1", "t0ken-2", "t0ken 3"} {
		if !slices.Contains(f.Secrets, secret) {
			t.Errorf("%q is not looked for", secret)
		}
	}
	for _, name := range []string{"a blank", "an unknown setting", "token is empty", "token is missing", "token is no text"} {
		if f.Bad[name] == nil {
			t.Errorf("no bad settings %q", name)
		}
	}
	r := conformance.NewReport(t.Context(), nil)
	Run(r, f)
	// It takes what it is given, and logs it.
	want := []string{"Open/RefusesWhatCanNeverWork", "Open/CarriesOrRefusesWhatIsOdd", "Secrets/AreInNoLog"}
	if got := named(r, conformance.Failed); !slices.Equal(got, want) {
		t.Errorf("failed: %q, want %q", got, want)
	}
	if !strings.Contains(log.String(), "opened") || !strings.Contains(p.Logged(), "opened") {
		t.Errorf("logged %q and %q", log.String(), p.Logged())
	}
}

func TestAnExecutableThatCannotBeExaminedSaysWhy(t *testing.T) {
	t.Parallel()
	if _, err := (Executable{Path: filepath.Join(t.TempDir(), "nothing")}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("no binary: %v", err)
	}
	if _, err := (Executable{CAPEM: []byte("x")}).Start(t.Context()); fault.Of(err) != fault.Invalid {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := (Executable{Path: build(t, "../../examples/backend-feed")}).Start(t.Context()); fault.Of(err) != fault.Invalid {
		t.Errorf("a backend: %v", err)
	}
}
