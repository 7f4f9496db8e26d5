package supervise

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// stage writes a binary somewhere and stages it.
func stage(t *testing.T, dir, file, content, name string) Pin {
	t.Helper()
	from := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(from, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := Stage(dir, from, name, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func take(t *testing.T, dir string, p Pin) {
	t.Helper()
	if err := Take(dir, p); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, p.Name); err != nil {
		t.Fatal(err)
	}
}

// byHand puts a binary into a folder, written so long from now.
func byHand(t *testing.T, dir, file, content string, from time.Duration) {
	t.Helper()
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(from)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// pin returns what is pinned, without and with what was before it.
func pin(t *testing.T, dir, name string) (now Pin, before *Pin) {
	t.Helper()
	p, err := pinned(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	before, p.Previous = p.Previous, nil
	return p, before
}

func TestAnInstalledVersionLeavesTheOneBeforeForRollback(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-x": "one"})
	if _, err := WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	byHand, _ := pin(t, dir, "auth-x")
	two := stage(t, dir, "roomwire-auth-x", "two", "")
	if now, _ := pin(t, dir, "auth-x"); now != byHand {
		t.Errorf("staging pinned %+v", now)
	}
	take(t, dir, two)
	now, before := pin(t, dir, "auth-x")
	if now != two || before == nil || *before != byHand {
		t.Errorf("pinned %+v, before %+v; want %+v, %+v", now, before, two, byHand)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, byHand.File)); err != nil || string(raw) != "one" {
		t.Errorf("the binary before is %q, %v", raw, err)
	}

	three := stage(t, dir, "new-build", "three", "auth-x")
	take(t, dir, three)
	if _, err := os.Stat(filepath.Join(dir, byHand.File)); err != nil {
		t.Errorf("a binary that somebody put there by hand was removed: %v", err)
	}
	back, err := Before(dir, "auth-x")
	if err != nil || back != two {
		t.Fatalf("before = %+v, %v; want %+v", back, err, two)
	}
	take(t, dir, back)
	if now, before := pin(t, dir, "auth-x"); now != two || before == nil || *before != three {
		t.Errorf("rolled back to %+v, before %+v", now, before)
	}
	four := stage(t, dir, "roomwire-auth-x", "four", "")
	take(t, dir, four)
	if _, err := os.Stat(filepath.Join(dir, three.File)); !os.IsNotExist(err) {
		t.Errorf("a version that nobody can roll back to is still there: %v", err)
	}
	if entries, err := List(dir); err != nil || len(entries) != 2 || entries[0].State != StateGood || entries[1].State != StateUnknown {
		t.Errorf("list = %+v, %v; want the pinned one, and the one by hand as not pinned", entries, err)
	}
}

func TestPinningAgainKeepsWhatWasInstalled(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-x": "one"})
	lock := func() {
		t.Helper()
		if _, err := WriteLock(dir); err != nil {
			t.Fatal(err)
		}
	}
	lock()
	two := stage(t, dir, "roomwire-auth-x", "two", "")
	take(t, dir, two)
	before, err := os.ReadFile(filepath.Join(dir, LockFile))
	if err != nil {
		t.Fatal(err)
	}
	lock()
	if after, err := os.ReadFile(filepath.Join(dir, LockFile)); err != nil || string(after) != string(before) {
		t.Errorf("pinning again wrote %s%v; want the same as before:\n%s", after, err, before)
	}
	// A new build put there by hand is meant.
	byHand(t, dir, "roomwire-auth-x", "three", time.Hour)
	lock()
	if now, before := pin(t, dir, "auth-x"); now.File != "roomwire-auth-x" || before == nil || *before != two {
		t.Errorf("pinned %+v, before %+v", now, before)
	}
}

func TestABinaryThatIsNotWhatWasWantedIsNotInstalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(t.TempDir(), "roomwire-auth-x")
	if err := os.WriteFile(from, []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Stage(dir, from, "", strings.Repeat("a", 64)); err == nil || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("another sum: %v", err)
	}
	other := filepath.Join(t.TempDir(), "plugin")
	if err := os.Rename(from, other); err != nil {
		t.Fatal(err)
	}
	if _, err := Stage(dir, other, "", ""); err == nil || !strings.Contains(err.Error(), "roomwire-auth-NAME") {
		t.Errorf("a name that is none: %v", err)
	}
	if _, err := Stage(dir, other, "auth-../x", ""); err == nil {
		t.Error("a path as a name was taken")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestARemovedPluginIsNeitherPinnedNorThere(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-x": "one", "roomwire-auth-y": "y"})
	if _, err := WriteLock(dir); err != nil {
		t.Fatal(err)
	}
	take(t, dir, stage(t, dir, "roomwire-auth-x", "two", ""))
	if was, err := Drop(dir, "auth-x"); err != nil || !was {
		t.Fatalf("drop = %v, %v", was, err)
	}
	entries, err := List(dir)
	if err != nil || len(entries) != 1 || entries[0].Name != "auth-y" {
		t.Errorf("list = %+v, %v", entries, err)
	}
	if was, err := Drop(dir, "auth-x"); err != nil || was {
		t.Errorf("dropped twice: %v, %v", was, err)
	}
}

func TestAnEarlierVersionThatChangedIsNotTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	take(t, dir, stage(t, dir, "roomwire-auth-x", "one", ""))
	if _, err := Before(dir, "auth-x"); err == nil || !strings.Contains(err.Error(), "no earlier version") {
		t.Errorf("nothing before: %v", err)
	}
	one, _ := pin(t, dir, "auth-x")
	take(t, dir, stage(t, dir, "roomwire-auth-x", "two", ""))
	if err := os.WriteFile(filepath.Join(dir, one.File), []byte("evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Before(dir, "auth-x"); err == nil || !strings.Contains(err.Error(), "not what it was") {
		t.Errorf("a changed one: %v", err)
	}
}

func TestPinsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := Pin{Name: "auth-x", Kind: "auth", File: "roomwire-auth-x@0123456789ab", SHA256: strings.Repeat("1", 64)}
	b := Pin{Name: "backend-y", Kind: "backend", File: "roomwire-backend-y.exe", SHA256: strings.Repeat("2", 64)}
	a.Previous = &Pin{Name: "auth-x", Kind: "auth", File: "roomwire-auth-x", SHA256: strings.Repeat("3", 64)}
	if err := writePins(dir, []Pin{b, a}); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadLock(dir); err != nil || !reflect.DeepEqual(got, []Pin{a, b}) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestABinaryThatIsNotThereAsItWasStagedIsNotPinned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"changed": func(path string) error { return os.WriteFile(path, []byte("evil"), 0o755) },
	} {
		p := stage(t, dir, "roomwire-auth-x", name, "")
		if err := spoil(filepath.Join(dir, p.File)); err != nil {
			t.Fatal(err)
		}
		if err := Take(dir, p); err == nil || !strings.Contains(err.Error(), "no longer") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, LockFile)); !os.IsNotExist(err) {
			t.Errorf("%s: something was pinned: %v", name, err)
		}
	}
}

func TestWhatCannotBeSweptIsNoReasonNotToPin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, content := range []string{"one", "two"} {
		take(t, dir, stage(t, dir, "roomwire-auth-x", content, ""))
	}
	old := filepath.Join(dir, "roomwire-auth-x@0123456789ab") // a folder that is not empty cannot be removed, not even by root
	if err := os.MkdirAll(filepath.Join(old, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	three := stage(t, dir, "roomwire-auth-x", "three", "")
	if err := Take(dir, three); err != nil {
		t.Fatal(err)
	}
	if now, _ := pin(t, dir, "auth-x"); now != three {
		t.Errorf("pinned %+v, want %+v", now, three)
	}
	if err := Sweep(dir, "auth-x"); runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "0123456789ab")) {
		t.Errorf("sweep = %v, want what is still there", err)
	}
}

func TestWhatACrashedStageLeftIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	byHand(t, dir, ".new-1", "half", -2*time.Hour)
	byHand(t, dir, ".new-2", "half", 0) // another Stage may be at it
	stage(t, dir, "roomwire-auth-x", "one", "")
	left, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != ".new-2" {
		t.Errorf("left: %v, %v", left, err)
	}
}
