// Package logfile keeps a log in a file that does not grow without bound.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Options say where the log is and how much of it is kept.
type Options struct {
	Path   string
	SizeMB int // a file larger than this is put aside, with the time in its name; at least 1
	Keep   int // how many of those are kept; 0 for any number
	Days   int // how long they are kept; 0 for ever
}

// Open opens the log, making its folder for its user alone if it is missing. What the program says when it crashes, which
// no logger sees, goes to a file beside it whose name ends in .crash.
func Open(o Options) (io.WriteCloser, error) {
	switch {
	case o.Path == "":
		return nil, errors.New("the log file has no name")
	case o.SizeMB < 1:
		return nil, fmt.Errorf("a log file of %d MB cannot be: take at least 1", o.SizeMB)
	case o.Keep < 0 || o.Days < 0:
		return nil, fmt.Errorf("%d old log files, kept %d days, cannot be: take 0 for no limit", o.Keep, o.Days)
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("the log file %s: %w", o.Path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the log file: %w", err)
	}
	// What cannot be written is said now: later there is no place to say it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the log file: %w", err)
	}
	if err := catchCrash(strings.TrimSuffix(path, filepath.Ext(path)) + ".crash"); err != nil {
		return nil, err
	}
	return &lumberjack.Logger{Filename: path, MaxSize: o.SizeMB, MaxBackups: o.Keep, MaxAge: o.Days, LocalTime: true}, nil
}

func catchCrash(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the file for crashes: %w", err)
	}
	defer f.Close() // the runtime keeps a duplicate
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("have crashes written to %s: %w", path, err)
	}
	return nil
}
