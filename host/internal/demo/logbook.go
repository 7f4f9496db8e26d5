package demo

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// pages is how many lines of the log are kept for showing.
const pages = 5000

// logbook takes the host's log into a file and keeps its last lines, to show those of a step that failed.
type logbook struct {
	mu    sync.Mutex
	file  io.WriteCloser
	path  string
	part  []byte   // a line that has not ended yet
	lines []string // the last ones
	total int      // lines ever written
}

func openLogbook(path string) (*logbook, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &logbook{file: f, path: path}, nil
}

// Write implements io.Writer.
func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			break
		}
		l.lines = append(l.lines, string(l.part[:i]))
		l.part = l.part[i+1:]
		l.total++
	}
	if len(l.lines) > 2*pages {
		l.lines = append([]string(nil), l.lines[len(l.lines)-pages:]...)
	}
	n, err := l.file.Write(b)
	if err != nil {
		return n, fmt.Errorf("write the log: %w", err)
	}
	return n, nil
}

// mark names the end of what is written so far.
func (l *logbook) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// since returns the telling lines after mark: warnings and errors, or the last lines if there are none; at most so many.
func (l *logbook) since(mark, most int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines[max(0, len(l.lines)-(l.total-mark)):]
	var telling, other []string
	for _, line := range lines {
		if !strings.Contains(line, ".api: request") { // mostly the demonstration's own looking
			other = append(other, line)
		}
		if strings.Contains(line, "[WARN]") || strings.Contains(line, "[ERROR]") {
			telling = append(telling, line)
		}
	}
	if len(telling) == 0 {
		telling = other
	}
	return append([]string(nil), telling[max(0, len(telling)-most):]...)
}

func (l *logbook) close() { _ = l.file.Close() }
