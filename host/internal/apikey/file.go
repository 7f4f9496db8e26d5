package apikey

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FileName is the name of the file that holds the host's own key, in its data folder.
const FileName = "admin.key"

// A File tells commands on the same machine how to reach the running host. Its text form hides the key.
type File struct {
	URL string // of the api listener, e.g. http://127.0.0.1:8081
	Key string
	// Certificate is the fingerprint of what the listener shows; empty if it speaks plain HTTP. It is not that of the
	// configured file, which may have been renewed and not be in force yet.
	Certificate string
}

// Fingerprint identifies a certificate in DER form.
func Fingerprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der)) }

// String hides the key.
func (f File) String() string { return "apikey.File{" + f.URL + ", redacted}" }

// GoString hides the key.
func (f File) GoString() string { return f.String() }

// Write puts f into dir, readable by its owner only. A file of an earlier start is replaced as a whole.
func Write(dir string, f File) error {
	path := filepath.Join(dir, FileName)
	// CreateTemp makes files with mode 0600; renaming keeps it, whatever the old file's mode was.
	tmp, err := os.CreateTemp(dir, FileName+".*")
	if err != nil {
		return fmt.Errorf("the host's key file: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // already renamed if all went well
	_, err = fmt.Fprintf(tmp, "%s\n%s\n%s\n", f.URL, f.Key, f.Certificate)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("the host's key file %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("the host's key file %s: %w", path, err)
	}
	return nil
}

// Read returns the file in dir. Its error satisfies errors.Is(err, fs.ErrNotExist) if no host has written one.
func Read(dir string) (File, error) {
	path := filepath.Join(dir, FileName)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("no host seems to run with this data folder (there is no %s): start roomwire serve first: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return File{}, fmt.Errorf("the host's key file may not be read: run this command as the user the host runs as: %w", err)
	case err != nil:
		return File{}, fmt.Errorf("the host's key file: %w", err)
	}
	lines := strings.Fields(string(data))
	if len(lines) == 2 {
		lines = append(lines, "")
	}
	if len(lines) != 3 || !Valid(lines[1]) {
		return File{}, fmt.Errorf("the host's key file %s is damaged: restart the host, which writes it anew", path)
	}
	return File{URL: lines[0], Key: lines[1], Certificate: lines[2]}, nil
}

// Remove takes the file away when the host stops. One that is gone already is no error.
func Remove(dir string) error {
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the host's key file: %w", err)
	}
	return nil
}
