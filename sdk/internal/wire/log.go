package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

// maxLogLine is how much of one line of a plugin's log is kept.
const maxLogLine = 64 << 10

// PluginLogger returns the logger of a plugin process: JSON lines to w, which a ProcessLog reads on the host's end.
func PluginLogger(w io.Writer, level string) hclog.Logger {
	l := hclog.LevelFromString(level)
	if l == hclog.NoLevel {
		l = hclog.Debug
	}
	return hclog.New(&hclog.LoggerOptions{Level: l, Output: w, JSONFormat: true})
}

const (
	// logLines a second are what a plugin may write for long, after logBurst of them at once.
	logLines = 200
	logBurst = 2000
	// logReport is how often it is said how much was dropped.
	logReport = time.Second
	// keptWords are the last lines that are remembered to tell why a process ended: maxKept of each, to say maxWord of it.
	keptWords = 3
	maxKept   = 4 << 10
	maxWord   = 300
)

// A ProcessLog is the host's end of what one process writes: it logs it line by line, without secrets. What is beyond a
// measure is read and dropped, so that a process neither fills the host's log nor ever waits for it. It is made for
// hostile input: a line may be anything.
type ProcessLog struct {
	log     hclog.Logger
	secrets *Secrets
	limit   *rate.Limiter
	dropped atomic.Int64

	mu       sync.Mutex
	untold   int64 // dropped and not yet reported
	pending  *time.Timer
	panicked string   // the first line of a panic
	words    []string // the last lines
}

// NewProcessLog returns a ProcessLog that writes to log and hides secrets, which may be nil.
func NewProcessLog(log hclog.Logger, secrets *Secrets) *ProcessLog {
	return &ProcessLog{log: log, secrets: secrets, limit: rate.NewLimiter(logLines, logBurst)}
}

// Dropped returns how many lines were dropped so far.
func (l *ProcessLog) Dropped() int64 { return l.dropped.Load() }

// Warn logs what the host has to say of the process, beside what that writes itself.
func (l *ProcessLog) Warn(message string, pairs ...any) { l.log.Warn(message, pairs...) }

// LastWords returns what the process wrote last, dropped or not, for an error that tells of its end: the first line of a
// panic if there was one, else the last lines. It is empty when nothing was written.
func (l *ProcessLog) LastWords() string {
	l.mu.Lock()
	words := slices.Clone(l.words)
	if l.panicked != "" {
		words = []string{l.panicked}
	}
	l.mu.Unlock()
	for i, w := range words {
		if _, message, _, ok := parseLogLine(w); ok {
			w = message
		}
		words[i] = shorten(l.secrets.HideCut(w), maxWord)
	}
	return strings.Join(words, "; ")
}

// Copy reads what the process writes until it ends. Lines of PluginLogger keep their level and fields; others are Debug,
// and a panic and what follows it is Error. Several streams of one process may be copied at once.
func (l *ProcessLog) Copy(r io.Reader) {
	defer l.report()
	lines := bufio.NewReaderSize(r, maxLogLine)
	panicking := false
	for {
		line, err := lines.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		line = bytes.TrimRight(line, "\r\n")
		panicking = panicking || startsPanic(line)
		if len(line) > 0 {
			l.remember(line)
			if l.admit() {
				panicking = l.line(string(line), logged{panicking: panicking, cut: cut})
			}
		}
		if cut {
			err = skipLine(lines)
		}
		if err != nil {
			return
		}
	}
}

// admit reports whether another line is within the measure.
func (l *ProcessLog) admit() bool {
	if l.limit.Allow() {
		return true
	}
	l.dropped.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.untold++; l.pending == nil {
		l.pending = time.AfterFunc(logReport, l.report)
	}
	return false
}

// report says how much was dropped since it was said last.
func (l *ProcessLog) report() {
	l.mu.Lock()
	untold := l.untold
	l.untold = 0
	if l.pending != nil {
		l.pending.Stop()
		l.pending = nil
	}
	l.mu.Unlock()
	if untold > 0 {
		l.log.Warn("the plugin writes more than the log can take; lines were dropped", "lines", untold)
	}
}

// remember keeps line as one of the last.
func (l *ProcessLog) remember(line []byte) {
	said := string(line[:min(len(line), maxKept)])
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panicked == "" && startsPanic(line) {
		l.panicked = said
	}
	if len(l.words) >= keptWords {
		l.words = slices.Delete(l.words, 0, 1)
	}
	l.words = append(l.words, said)
}

func startsPanic(line []byte) bool {
	return bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: "))
}

func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// logged is what is known of a line beside its text.
type logged struct {
	panicking bool // it belongs to a panic's stack, unless it is one of PluginLogger
	cut       bool
}

// line logs one line and reports whether the plugin is writing a panic's stack.
func (l *ProcessLog) line(line string, is logged) bool {
	if level, message, pairs, ok := parseLogLine(line); ok {
		l.log.Log(level, l.secrets.Hide(message), l.secrets.hideAll(pairs)...)
		return false
	}
	if is.cut {
		line = l.secrets.HideCut(line)
	}
	line = l.secrets.Hide(line)
	if is.panicking {
		l.log.Error(line)
	} else {
		l.log.Debug(line)
	}
	return is.panicking
}

func parseLogLine(line string) (level hclog.Level, message string, pairs []any, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return 0, "", nil, false
	}
	var fields map[string]any
	if !json.Valid([]byte(line)) {
		return 0, "", nil, false
	}
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber() // with every digit
	if dec.Decode(&fields) != nil {
		return 0, "", nil, false
	}
	message, ok = fields["@message"].(string)
	name, _ := fields["@level"].(string)
	if level = hclog.LevelFromString(name); !ok || level == hclog.NoLevel || level == hclog.Off {
		return 0, "", nil, false
	}
	var keys []string
	for k := range fields {
		if !strings.HasPrefix(k, "@") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		pairs = append(pairs, k, fields[k])
	}
	return level, message, pairs, true
}
