package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// read returns a file of the site's folder.
func (s *site) read(name string) string {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.Fatal(err)
	}
	return string(data)
}

// replace changes a text of a file in the site's folder, which must be there.
func (s *site) replace(name, before, after string) {
	s.Helper()
	text := s.read(name)
	if !strings.Contains(text, before) {
		s.Fatalf("%s has no %q", name, before)
	}
	s.write(name, strings.Replace(text, before, after, 1))
}

// appendHCL adds to roomwire.hcl.
func (s *site) appendHCL(more string) {
	s.Helper()
	s.write("roomwire.hcl", s.read("roomwire.hcl")+more)
}
