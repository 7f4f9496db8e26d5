package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestKeysAreDifferentAndValid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 100 {
		key, row := New("Default", "booking system", []Scope{ScopeBookings}, now)
		if seen[key] || seen[row.ID] {
			t.Fatal("a key came twice")
		}
		seen[key], seen[row.ID] = true, true
		if !Valid(key) || !bytes.Equal(row.Hash, Hash(key)) || row.Tenant != "Default" || row.Name != "booking system" || !row.Created.Equal(now) {
			t.Errorf("row %+v does not fit its key", row)
		}
		if !strings.HasPrefix(key, "rw_"+row.ID+"_") {
			t.Errorf("the key does not begin with its id %q", row.ID)
		}
	}
	if key, hash := NewAdmin(); !Valid(key) || !bytes.Equal(hash, Hash(key)) {
		t.Error("the host's own key is not valid")
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	t.Parallel()
	key, _ := New("Default", "x", nil, time.Time{})
	for _, s := range []string{"", "rw_", key[1:], key + "a", key[:len(key)-1], strings.ToUpper(key), strings.ReplaceAll(key, "_", "-"), "rw_abc_" + key[12:], key[:len(key)-1] + "1", "Bearer " + key} {
		if Valid(s) {
			t.Errorf("Valid(%q)", s)
		}
	}
}

func TestFileIsReadableByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "roomwire serve") {
		t.Errorf("without a file: %v", err)
	}
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil { //nolint:gosec // an old file with a wrong mode
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil {
		t.Error("a damaged file was taken")
	}
	key, _ := NewAdmin()
	want := File{URL: "https://127.0.0.1:8081", Key: key, Certificate: Fingerprint([]byte("certificate"))}
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(dir); err != nil || got != want {
		t.Errorf("Read = %v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if s := fmt.Sprintf("%v %+v %#v", want, want, want); strings.Contains(s, key) {
		t.Error("the key is shown when the file is printed")
	}
	for range 2 {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
