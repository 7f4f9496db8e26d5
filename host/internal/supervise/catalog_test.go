package supervise

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// folder makes a plugin folder of files, by name and content.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheLockPinsPluginBinariesAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"roomwire-auth-ntlm": "a", "roomwire-backend-exchange2013.exe": "b", "README": "c", "roomwire-other-x": "d", "roomwire-auth-": "e",
	})
	wrote, err := WriteLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	pins := wrote.Pins
	read, err := ReadLock(dir)
	if err != nil || len(read) != 2 || len(pins) != 2 || read[0] != pins[0] || read[1] != pins[1] {
		t.Fatalf("read %+v, %v; want what was written: %+v", read, err, pins)
	}
	want := Pin{Name: "auth-ntlm", Kind: "auth", File: "roomwire-auth-ntlm", SHA256: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
	if pins[0] != want || pins[1].Name != "backend-exchange2013" || pins[1].Kind != "backend" {
		t.Errorf("pins = %+v", pins)
	}
}

func TestTheListSaysWhatIsMissingChangedOrUnknown(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-a": "a", "roomwire-auth-b": "b", "roomwire-auth-c": "c"})
	if _, err := WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"roomwire-auth-b": "other", "roomwire-backend-d": "d"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "roomwire-auth-c")); err != nil {
		t.Fatal(err)
	}
	entries, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.Name] = e.State
	}
	for name, want := range map[string]string{"auth-a": StateGood, "auth-b": StateChanged, "auth-c": StateMissing, "backend-d": StateUnknown} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

func TestABrokenLockNamesItsLine(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no sum": "roomwire-auth-ntlm\n", "short": "abcd  roomwire-auth-ntlm", "no plugin": strings.Repeat("a", 64) + "  ls",
		"a path": strings.Repeat("a", 64) + "  ../roomwire-auth-ntlm",
	} {
		dir := folder(t, map[string]string{LockFile: "# a comment\n\n" + text})
		if _, err := ReadLock(dir); err == nil || !strings.Contains(err.Error(), LockFile+":3:") {
			t.Errorf("%s: %v, want an error at line 3", name, err)
		}
	}
	if _, err := ReadLock(t.TempDir()); err == nil || !strings.Contains(err.Error(), "roomwire plugin lock") {
		t.Errorf("no file: %v, want what to do", err)
	}
}

func TestWhatIsUnknownOrChangedIsNotStarted(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-a": "a"})
	wrote, err := WriteLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "roomwire-auth-a")
	if err := os.WriteFile(path, []byte("changed"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = launcher(Options{Dir: dir, Log: hclog.NewNullLogger()}, "auth-a")(t.Context())
	for _, want := range []string{path, wrote.Pins[0].SHA256, "d67e2e94", "roomwire plugin lock"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("changed: %v, want it to say %q", err, want)
		}
	}
	_, err = launcher(Options{Dir: dir, Log: hclog.NewNullLogger()}, "auth-b")(t.Context())
	if err == nil || !strings.Contains(err.Error(), "roomwire-auth-b") || !strings.Contains(err.Error(), LockFile) {
		t.Errorf("unknown: %v, want what is missing where", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = launcher(Options{Dir: dir, Log: hclog.NewNullLogger()}, "auth-a")(t.Context())
	if err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("missing: %v, want what to do", err)
	}
}

func FuzzReadLock(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  roomwire-auth-x\n# c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, LockFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		pins, _ := ReadLock(dir)
		for _, p := range pins {
			if filepath.Base(p.File) != p.File || len(p.SHA256) != 64 || !strings.HasPrefix(p.Name, p.Kind+"-") {
				t.Errorf("pin %+v", p)
			}
		}
	})
}
