package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// maxLogLine is how much of one line of a plugin's log is kept.
const maxLogLine = 64 << 10

// PluginLogger returns the logger of a plugin process: JSON lines to w, which CopyLog reads on the host's end.
func PluginLogger(w io.Writer, level string) hclog.Logger {
	l := hclog.LevelFromString(level)
	if l == hclog.NoLevel {
		l = hclog.Debug
	}
	return hclog.New(&hclog.LoggerOptions{Level: l, Output: w, JSONFormat: true})
}

// CopyLog reads what a plugin writes to stderr until it ends, and logs it line by line. Lines of PluginLogger keep their
// level and fields; others are Debug, and a panic and what follows it is Error. It is made for hostile input: a line
// may be anything.
func CopyLog(r io.Reader, log hclog.Logger) {
	lines := bufio.NewReaderSize(r, maxLogLine)
	panicking := false
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			panicking = logLine(log, strings.TrimRight(string(line), "\r\n"), panicking)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = skipLine(lines)
		}
		if err != nil {
			return
		}
	}
}

func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// logLine logs one line and reports whether the plugin is writing a panic's stack.
func logLine(log hclog.Logger, line string, panicking bool) bool {
	if level, message, pairs, ok := parseLogLine(line); ok {
		log.Log(level, message, pairs...)
		return false
	}
	panicking = panicking || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	switch {
	case line == "":
	case panicking:
		log.Error(line)
	default:
		log.Debug(line)
	}
	return panicking
}

func parseLogLine(line string) (level hclog.Level, message string, pairs []any, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return 0, "", nil, false
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
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
