package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// copied returns what the host logs of what a plugin wrote.
func copied(plugin string) string {
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug, DisableTime: true})
	NewProcessLog(log, nil).Copy(strings.NewReader(plugin))
	return out.String()
}

func TestAPluginsLogKeepsLevelAndFields(t *testing.T) {
	t.Parallel()
	var plugin bytes.Buffer
	log := PluginLogger(&plugin, "info")
	log.Debug("not wanted")
	log.Named("part").Warn("slow", "seconds", 3, "who", "a b")
	log.Error("failed", "error", "why")
	want := "[WARN]  slow: seconds=3 who=\"a b\"\n[ERROR] failed: error=why\n"
	if got := copied(plugin.String()); got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

func TestOtherLinesAreDebugAndAPanicIsAnError(t *testing.T) {
	t.Parallel()
	got := copied("hello\n{\"@message\":1}\n\npanic: boom\ngoroutine 1\n" + `{"@message":"m","@level":"info"}` + "\nafter")
	want := "[DEBUG] hello\n[DEBUG] {\"@message\":1}\n[ERROR] panic: boom\n[ERROR] goroutine 1\n[INFO]  m\n[DEBUG] after\n"
	if got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

func TestALongLineIsCutAndTheNextIsWhole(t *testing.T) {
	t.Parallel()
	got := copied(strings.Repeat("x", 3*maxLogLine) + "\nnext\n")
	if len(got) > maxLogLine+100 || !strings.HasSuffix(got, "[DEBUG] next\n") {
		t.Errorf("%d bytes ending in %q", len(got), got[max(0, len(got)-30):])
	}
}

func FuzzLog(f *testing.F) {
	f.Add(`{"@message":"m","@level":"info","@timestamp":"2026-11-22T00:00:00.000000Z","k":{"a":[1]}}`)
	f.Add(`{"@message":5,"@level":[],"@timestamp":{}}`)
	f.Add("panic: x\n")
	f.Fuzz(func(_ *testing.T, s string) { copied(s) })
}
