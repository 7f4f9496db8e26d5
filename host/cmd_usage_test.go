package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsNotUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"foo":                 `there is no command "roomwire foo"`,
		"person lst":          `did you mean "list"?`,
		"service staart":      `did you mean "start"?`,
		"person test":         "It is used so: roomwire person test ID",
		"person list extra":   "It is used so: roomwire person list",
		"doctor --jsn":        "unknown flag: --jsn",
		"webhook resend":      "It is used so: roomwire webhook resend ID [CHANGE]",
		"booking list --jsn3": "roomwire booking list --help",
	} {
		_, err := roomwire(t.Context(), strings.Fields(line)...)
		if err == nil || !strings.Contains(err.Error(), says) || codeOf(err) != 2 {
			t.Errorf("roomwire %s: exit code %d, %v; want 2 and %q", line, codeOf(err), err, says)
		}
	}
	if out, err := roomwire(t.Context(), "person"); err != nil || !strings.Contains(out, "Available Commands") {
		t.Errorf("roomwire person shows no help: %v\n%s", err, out)
	}
}

func TestPersonSetNeedsSomethingToSet(t *testing.T) {
	t.Parallel()
	dir := folder(t, twoServers)
	for _, step := range []struct{ line, says string }{
		{"person set ada", "name the mailbox with --email"},
		{"person set ada --email ada@example.com", ""},
		{"person set ada", "nothing was said to change"},
		{"person delete bob", `there is no person "bob"`},
	} {
		_, err := roomwire(t.Context(), append(strings.Fields(step.line), "--config", dir)...)
		if (err == nil) != (step.says == "") || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Errorf("roomwire %s: %v, want %q", step.line, err, step.says)
		}
	}
}

func TestAnImportThatIsRefusedNamesTheLines(t *testing.T) {
	t.Parallel()
	dir := folder(t, twoServers)
	file := filepath.Join(t.TempDir(), "people.csv")
	table := "id,email,shoe_size\nada,ada@example.com,38\nbob,bob,44\n"
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := roomwire(t.Context(), "person", "import", file, "--all-or-nothing", "--config", dir)
	if err == nil || !strings.Contains(out, file+": line 3, email: ") || !strings.Contains(out, "Nothing was changed.") {
		t.Errorf("got %v\n%s", err, out)
	}
	out, err = roomwire(t.Context(), "person", "import", file, "--config", dir)
	if err == nil || !strings.Contains(out, file+":1: shoe_size: ") || !strings.Contains(out, file+":3: email: ") || !strings.Contains(out, "1 created") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// TestApplyChecksAFileAsItWillLie has a candidate that names a file of the configuration folder and leaves
// RoomsAppSettings.config to it.
func TestApplyChecksAFileAsItWillLie(t *testing.T) {
	t.Parallel()
	dir, next := folder(t, twoServers), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pass"), []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := roomwire(t.Context(), "config", "apply", next, "--config", dir); err == nil || !strings.Contains(err.Error(), "there is neither") {
		t.Errorf("an empty folder: %v", err)
	}
	changed := strings.Replace(twoServers, `"other"`, `file("pass")`, 1)
	if err := os.WriteFile(filepath.Join(next, "roomwire.hcl"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := roomwire(t.Context(), "config", "apply", next, "--config", dir)
	if err != nil || !strings.Contains(out, "installed into") {
		t.Errorf("got %v\n%s", err, out)
	}
}
