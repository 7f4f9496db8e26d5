package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relock pins a folder again.
func relock(t *testing.T, dir string) Locked {
	t.Helper()
	l, err := WriteLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPinningAgainTakesNoOlderBinaryThatLiesThereByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	byHand(t, dir, "roomwire-auth-x", "one", -time.Hour)
	if l := relock(t, dir); len(l.Changes) != 1 || l.Changes[0].Name != "auth-x" || l.Changes[0].From != "" || l.Changes[0].To != l.Pins[0].SHA256 {
		t.Errorf("first: %+v", l)
	}
	two := stage(t, dir, "roomwire-auth-x", "two", "")
	take(t, dir, two)
	three := stage(t, dir, "roomwire-auth-x", "three", "")
	take(t, dir, three)

	l := relock(t, dir)
	if now, before := pin(t, dir, "auth-x"); now != three || before == nil || *before != two {
		t.Errorf("pinned %+v, before %+v; want %+v, %+v", now, before, three, two)
	}
	if len(l.Changes) != 0 || len(l.Passed) != 1 || l.Passed[0].File != "roomwire-auth-x" {
		t.Errorf("it says %+v; want no change, and that the one by hand was passed", l)
	}

	byHand(t, dir, "roomwire-auth-x", "four", time.Hour)
	l = relock(t, dir)
	now, before := pin(t, dir, "auth-x")
	if now.File != "roomwire-auth-x" || before == nil || *before != three {
		t.Errorf("pinned %+v, before %+v; want the one by hand, %+v", now, before, three)
	}
	if want := (Change{"auth-x", three.SHA256, now.SHA256}); len(l.Changes) != 1 || l.Changes[0] != want {
		t.Errorf("changes = %+v, want %+v", l.Changes, want)
	}
}

func TestAVersionThatWasTakenBackIsNewerThanWhatLayThereMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := stage(t, dir, "roomwire-auth-x", "one", "")
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, one.File), long, long); err != nil {
		t.Fatal(err)
	}
	byHand(t, dir, "roomwire-auth-x", "meanwhile", -time.Minute)
	take(t, dir, one)
	relock(t, dir)
	if now, _ := pin(t, dir, "auth-x"); now != one {
		t.Errorf("pinned %+v, want %+v", now, one)
	}
}

func TestABadLineUnpinsNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	byHand(t, dir, "roomwire-auth-y", "y", 0)
	relock(t, dir)
	for _, content := range []string{"one", "two"} {
		take(t, dir, stage(t, dir, "roomwire-auth-x", content, ""))
	}
	path := filepath.Join(dir, LockFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("<<<<<<< HEAD\n"), before...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLock(dir); err == nil {
		t.Fatal("the line is read")
	}
	l := relock(t, dir)
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("now it says\n%s%v; want\n%s", after, err, before)
	}
	if len(l.Changes) != 0 || len(l.Unread) != 1 || !strings.Contains(l.Unread[0], `1: "<<<<<<< HEAD"`) {
		t.Errorf("it says %+v", l)
	}
}

func TestWhatIsInstalledIsNotPinnedFromNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(lock string) error{
		"a bad line": func(lock string) error {
			text, err := os.ReadFile(lock)
			if err != nil {
				return err
			}
			return os.WriteFile(lock, []byte(strings.ReplaceAll(string(text), "  roomwire-auth-x@", "  roomwire-auth-X@")), 0o600)
		},
		"no list": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			byHand(t, dir, "roomwire-auth-y", "y", 0)
			relock(t, dir)
			y, _ := pin(t, dir, "auth-y")
			one, two := stage(t, dir, "roomwire-auth-x", "one", ""), stage(t, dir, "roomwire-auth-x", "two", "")
			if err := errors.Join(Take(dir, one), Take(dir, two), spoil(filepath.Join(dir, LockFile))); err != nil {
				t.Fatal(err)
			}
			l, err := WriteLock(dir)
			for _, want := range []string{"auth-x", "roomwire plugin install FILE", filepath.Join(dir, one.File), filepath.Join(dir, two.File)} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("lock = %v, want it to say %q", err, want)
				}
			}
			if pins, err := ReadLock(dir); err != nil || len(pins) != 1 || pins[0] != y || len(l.Pins) != 1 {
				t.Errorf("pinned %+v, %v; want %+v", pins, err, y)
			}
			// What it says to do puts it right.
			again, err := Stage(dir, filepath.Join(dir, two.File), "", "")
			if err != nil || again != two {
				t.Fatalf("staged %+v, %v", again, err)
			}
			take(t, dir, two)
			if l := relock(t, dir); len(l.Pins) != 2 || len(l.Changes) != 0 {
				t.Errorf("in the end: %+v", l)
			}
		})
	}
}

func TestWithoutPinsAnOlderBinaryByHandIsNoAnswerToWhichVersionIsMeant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	byHand(t, dir, "roomwire-auth-x", "one", -time.Hour)
	stage(t, dir, "roomwire-auth-x", "two", "")
	if l, err := WriteLock(dir); err == nil || len(l.Pins) != 0 {
		t.Errorf("pinned %+v, %v", l.Pins, err)
	}
	byHand(t, dir, "roomwire-auth-x", "three", time.Hour)
	if l := relock(t, dir); len(l.Pins) != 1 || l.Pins[0].File != "roomwire-auth-x" {
		t.Errorf("pinned %+v, want the newer one by hand", l.Pins)
	}
}

func TestAPinWhoseBinaryIsGoneStaysForRollback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := stage(t, dir, "roomwire-auth-x", "one", "")
	take(t, dir, one)
	two := stage(t, dir, "roomwire-auth-x", "two", "")
	take(t, dir, two)
	if err := os.Remove(filepath.Join(dir, two.File)); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteLock(dir); err == nil || !strings.Contains(err.Error(), two.File) || !strings.Contains(err.Error(), one.File) {
		t.Errorf("lock = %v, want it to name both", err)
	}
	if back, err := Before(dir, "auth-x"); err != nil || back != one {
		t.Errorf("before = %+v, %v; want %+v", back, err, one)
	}
	// Once nothing of it is there, it is no longer pinned.
	if err := os.Remove(filepath.Join(dir, one.File)); err != nil {
		t.Fatal(err)
	}
	if l := relock(t, dir); len(l.Pins) != 0 || len(l.Changes) != 1 || l.Changes[0] != (Change{"auth-x", two.SHA256, ""}) {
		t.Errorf("in the end: %+v", l)
	}
}

func TestANewBuildOfWhatIsPinnedByHandKeepsTheVersionBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	two := stage(t, dir, "roomwire-auth-x", "two", "")
	take(t, dir, two)
	byHand(t, dir, "roomwire-auth-x", "three", time.Hour)
	relock(t, dir)
	byHand(t, dir, "roomwire-auth-x", "four", -time.Hour) // as tar unpacks it
	relock(t, dir)
	if entries, err := List(dir); err != nil || len(entries) != 1 || entries[0].State != StateGood {
		t.Errorf("list = %+v, %v", entries, err)
	}
	if _, before := pin(t, dir, "auth-x"); before == nil || *before != two {
		t.Errorf("before = %+v, want %+v", before, two)
	}
}

func TestAPluginThatIsPinnedTwiceIsNotChosenFrom(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 64) + "  roomwire-auth-x@aaaaaaaaaaaa\n" + strings.Repeat("b", 64) + "  roomwire-auth-x@bbbbbbbbbbbb\n"
	dir := folder(t, map[string]string{LockFile: text})
	if _, err := WriteLock(dir); err == nil || !strings.Contains(err.Error(), ":2: plugin auth-x is pinned twice") {
		t.Errorf("lock = %v", err)
	}
	if now, err := os.ReadFile(filepath.Join(dir, LockFile)); err != nil || string(now) != text {
		t.Errorf("now it says %s, %v", now, err)
	}
}

func TestOneCommandAtATimeChangesAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := Hold(t.Context(), dir, "roomwire plugin install")
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Hold(impatient, dir, "roomwire plugin lock"); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "roomwire plugin install, process ") {
		t.Errorf("second = %v, want who is in the way", err)
	}
	waited := make(chan error)
	go func() {
		release, err := Hold(t.Context(), dir, "roomwire plugin lock")
		if err == nil {
			release()
		}
		waited <- err
	}()
	release()
	if err := <-waited; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	release, err = Hold(impatient, dir, "roomwire plugin remove")
	if err != nil {
		t.Fatalf("nobody holds it, and yet: %v", err)
	}
	release()
	if _, err := Hold(t.Context(), filepath.Join(dir, "absent"), "x"); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("no folder: %v", err)
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ pauses, failures, tries int }{{3, 0, 1}, {3, 2, 3}, {3, 9, 4}, {0, 1, 1}} {
		tries := 0
		err := again(make([]time.Duration, tc.pauses), func() error {
			if tries++; tries <= tc.failures {
				return errors.New("in use")
			}
			return nil
		})
		if tries != tc.tries || (err != nil) != (tc.failures > tc.pauses) {
			t.Errorf("%+v: %d tries, %v", tc, tries, err)
		}
	}
}

func TestWithoutAListEveryBinaryIsUnknown(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"roomwire-auth-a": "a", "README": "c"})
	if entries, err := Unpinned(dir); err != nil || len(entries) != 1 || entries[0].State != StateUnknown || entries[0].Name != "auth-a" {
		t.Errorf("unpinned = %+v, %v", entries, err)
	}
	if entries, err := Unpinned(filepath.Join(dir, "absent")); err != nil || len(entries) != 0 {
		t.Errorf("no folder: %+v, %v", entries, err)
	}
}
