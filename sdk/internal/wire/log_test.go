package wire

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// A paper is written on by several goroutines.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// take returns what was written since it was taken last.
func (p *paper) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.text.Reset()
	return p.text.String()
}

func TestALogBeyondTheMeasureIsDroppedAndReportedOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out paper
		l := NewProcessLog(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug, DisableTime: true}), nil)
		r, w := io.Pipe()
		done := make(chan struct{})
		go func() {
			l.Copy(r)
			close(done)
		}()
		// logged returns how many lines were logged since it was asked last, and what was reported among them.
		logged := func() (lines int, reports []string) {
			synctest.Wait()
			for line := range strings.Lines(out.take()) {
				if strings.Contains(line, "[WARN]") {
					reports = append(reports, strings.TrimSpace(line[strings.LastIndex(line, ":")+1:]))
				} else {
					lines++
				}
			}
			return lines, reports
		}
		write := func(lines int) {
			_, _ = io.WriteString(w, strings.Repeat("x\n", lines))
		}
		check := func(when string, wantLines int, wantReports ...string) {
			t.Helper()
			if lines, reports := logged(); lines != wantLines || !slices.Equal(reports, wantReports) {
				t.Errorf("%s: %d lines and reports %q, want %d and %q", when, lines, reports, wantLines, wantReports)
			}
		}
		write(logBurst)
		check("a burst", logBurst)
		write(100)
		check("more", 0)
		time.Sleep(logReport + time.Millisecond)
		check("a second later", 0, "lines=100")
		time.Sleep(time.Second)
		check("silence", 0)
		write(3 * logLines)
		check("after two seconds", 2*logLines)
		time.Sleep(time.Second / 2)
		write(logLines)
		time.Sleep(time.Second/2 + time.Millisecond)
		check("two droppings within a second", logLines/2, fmt.Sprint("lines=", logLines+logLines/2))
		write(logLines)
		_ = w.Close()
		<-done
		check("the end", logLines/2, fmt.Sprint("lines=", logLines/2))
		if got := l.Dropped(); got != 100+int64(logLines+logLines) {
			t.Errorf("%d lines dropped", got)
		}
	})
}

func TestTheLastWordsAreThePanicOrTheLastLines(t *testing.T) {
	t.Parallel()
	var secrets Secrets
	secrets.AddSetting("S3cr3t")
	for _, tc := range []struct{ written, want string }{
		{"", ""},
		{"1\n2\n\n3\n" + `{"@message":"message S3cr3t","@level":"info","a":"b"}`, "2; 3; message (secret)"},
		{"before\npanic: S3cr3t\n\ngoroutine 1\nmain.go\n", "panic: (secret)"},
		{strings.Repeat("x", 2*maxKept), strings.Repeat("x", maxWord) + "…"},
	} {
		l := NewProcessLog(hclog.NewNullLogger(), &secrets)
		l.Copy(strings.NewReader(tc.written))
		if got := l.LastWords(); got != tc.want {
			t.Errorf("last words of %q = %q, want %q", tc.written[:min(40, len(tc.written))], got, tc.want)
		}
	}
}

func TestNumbersThatAreSecretAreHiddenInALogLinesFields(t *testing.T) {
	t.Parallel()
	var secrets Secrets
	secrets.AddSetting(12345678)
	secrets.AddSetting("1234567890123456789")
	var out, plugin bytes.Buffer
	PluginLogger(&plugin, "debug").Info("m", "pin", 12345678, "share", 12345678.0, "deep", map[string]any{"pins": []any{12345678, 5}}, "long", int64(1234567890123456789), "n", 1234567)
	plugin.WriteString(`{"@message":"m","@level":"info","pin":1.2345678e7,"big":9007199254740993}` + "\n")
	NewProcessLog(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug}), &secrets).Copy(&plugin)
	if s := out.String(); strings.Contains(s, "345678 ") || strings.Contains(s, "e7") || strings.Count(s, hidden) != 5 ||
		!strings.Contains(s, "n=1234567 ") || !strings.Contains(s, "big=9007199254740993") {
		t.Errorf("logged %q", s)
	}
}

func TestSecretsAreHiddenInALogLineAndItsFields(t *testing.T) {
	t.Parallel()
	var secrets Secrets
	secrets.AddSetting("S3cr3t")
	var out, plugin bytes.Buffer
	PluginLogger(&plugin, "debug").Info("a S3cr3t", "b", "S3cr3t", "c", []string{"S3cr3t"}, "d", map[string]any{"S3cr3t": []any{"S3cr3t", 1}}, "n", 5)
	plugin.WriteString("plain S3cr3t\n{\"@message\":5,\"x\":\"S3cr3t\"}\n" + strings.Repeat("x", maxLogLine-4) + "S3cr3t\n")
	NewProcessLog(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug}), &secrets).Copy(&plugin)
	if s := out.String(); strings.Contains(s, "S3c") || strings.Count(s, hidden) != 8 || !strings.Contains(s, "n=5") {
		t.Errorf("logged %q", s[:400])
	}
}
