package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// readers is the number of connections that read an SQLite database beside the one that writes.
const readers = 4

func (s *Store) openSQLite(ctx context.Context, path string) error {
	s.dialect = SQLite
	if path == "" || strings.HasPrefix(path, ":") {
		return fmt.Errorf("store url %q names no file; write for example \"sqlite:data/roomwire.db\"", s.url)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find database file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder for database: %w", err)
	}
	if s.file, err = lockFile(path); err != nil {
		return err
	}
	// The file holds calendars: nobody else on the machine shall read it. SQLite gives its side files the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	// One connection writes: with more of them SQLite's lock is waited for by polling, which is slower and unfair.
	// FULL, because a notice is acknowledged once its mark is committed.
	common := "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	if s.writer, err = openCompiled(fileURI(path) + "?" + common + "&_txlock=immediate"); err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	s.writer.SetMaxOpenConns(1)
	s.writer.SetConnMaxLifetime(0)
	s.group = newGroup(s.writer)
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("database %s: %w", path, err)
	}
	// One process at a time has the file: whoever had duties is dead, and nobody needs to wait until they run out.
	if _, err := s.writer.ExecContext(ctx, "DELETE FROM duty"); err != nil {
		return fmt.Errorf("database %s: end the duties of a dead host: %w", path, err)
	}
	if s.reader, err = openCompiled(fileURI(path) + "?" + common + "&_pragma=query_only(1)"); err != nil {
		return fmt.Errorf("open database %s for reading: %w", path, err)
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return nil
}

// fileURI writes path as SQLite wants it in a URI, so that no character of it is taken for something else.
func fileURI(path string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/… becomes /C:/…
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath()
}

// An InUseError refuses an SQLite database that another process has open.
type InUseError struct {
	Path string
	PID  string // of the other process, if known
}

// Error implements error.
func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != "" {
		who = "process " + e.PID
	}
	return fmt.Sprintf("database %s is in use by %s: stop that one first", e.Path, who)
}

// A fileLock is held by the process that has an SQLite database open, for as long as it lives.
type fileLock struct{ f *os.File }

// lockFile takes the lock beside the database at path. The file stays behind; what counts is the lock on it, which the
// system takes back when the process ends, however it ends.
func lockFile(path string) (*fileLock, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of database: %w", err)
	}
	if err := lockExclusive(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		pid, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			pid = nil
		}
		return nil, &InUseError{Path: path, PID: strings.TrimSpace(string(pid))}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close())
	}
	return &fileLock{f}, nil
}

func (l *fileLock) release() error {
	if err := l.f.Truncate(0); err != nil {
		return errors.Join(err, l.f.Close())
	}
	return l.f.Close()
}
