package exchangesim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A recorder writes request and answer bodies into numbered files. A nil recorder writes nothing.
type recorder struct {
	dir string
	mu  sync.Mutex
	n   int
	err error // the first one; recording stops there
}

func newRecorder(dir string) (*recorder, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for recordings: %w", err)
	}
	return &recorder{dir: dir}, nil
}

// record keeps one exchange; reply is nil where none was sent.
func (r *recorder) record(name string, request, reply []byte) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if name == "" {
		name = "Invalid"
	}
	kind := "xml"
	if strings.HasPrefix(name, "Graph") {
		kind = "json"
	}
	r.write(fmt.Sprintf("%05d-%s.req.%s", r.n, name, kind), request)
	if reply != nil {
		r.write(fmt.Sprintf("%05d-%s.res.%s", r.n, name, kind), reply)
	}
}

func (r *recorder) write(name string, body []byte) {
	if r.err == nil {
		r.err = os.WriteFile(filepath.Join(r.dir, name), body, 0o644)
	}
}

// failure is the first error of writing, if any.
func (r *recorder) failure() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return fmt.Errorf("record traffic: %w", r.err)
	}
	return nil
}
