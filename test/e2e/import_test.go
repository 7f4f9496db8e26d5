package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// crowd is a file of so many people who are not synced, beside those of the site; each line passes through change.
func (s *site) crowd(n int, change func(i int, line string) string) string {
	rows := append([]string{}, s.rows()...)
	for i := range n {
		line := fmt.Sprintf("crowd-%d,crowd-%d@example.com,Crowd %d,person,,,false,rollback", i, i, i)
		if line = change(i, line); line != "" {
			rows = append(rows, line)
		}
	}
	return strings.Join(rows, "\n") + "\n"
}

func same(_ int, line string) string { return line }

type importReport struct {
	Applied                                      bool
	Created, Updated, Unchanged, Removed, Failed int
}

// TestImportOfTenThousand creates, changes and removes them, and refuses what is faulty as a whole.
func TestImportOfTenThousand(t *testing.T) {
	t.Parallel()
	many := 10_000
	if os.Getenv("ROOMWIRE_E2E_RACE") != "" {
		many = 1_000 // the race detector makes SQLite very slow
	}
	s := newSite(t, setup{})
	there := len(s.rows()) - 1
	admin := s.newKey("admin")
	want := func(a answer, want importReport) {
		t.Helper()
		var got importReport
		if s.decode(a, &got); got != want {
			t.Errorf("the import's report is %+v, want %+v", got, want)
		}
	}
	post := func(query, csv string, headers ...string) answer {
		t.Helper()
		return s.request("POST", "/persons/import?"+query, admin, csv, append([]string{"Content-Type", "text/csv"}, headers...)...)
	}
	count := func() int {
		t.Helper()
		return strings.Count(s.must("person", "list"), "\n") - 1
	}
	before := count()
	all := s.crowd(many, same)
	want(post("dry_run=true", all), importReport{Created: many, Unchanged: there})
	bad := many * 7 / 9
	faulty := s.crowd(many, func(i int, line string) string {
		if i == bad {
			return strings.Replace(line, "@", " at ", 1)
		}
		return line
	})
	a := post("all_or_nothing=true", faulty)
	if line := there + bad + 2; a.status != http.StatusUnprocessableEntity || !bytes.Contains(a.body, fmt.Appendf(nil, "%d", line)) {
		t.Errorf("a faulty line %d: %d %.400s", line, a.status, a.body)
	}
	if now := count(); now != before {
		t.Errorf("%d persons are there after imports that change nothing, before %d", now, before)
	}

	// The whole of it, with the progress told.
	a = post("all_or_nothing=true", all, "Accept", "application/x-ndjson")
	lines := bytes.Split(bytes.TrimSpace(a.body), []byte("\n"))
	last := 0
	for _, line := range lines[:len(lines)-1] {
		var step struct{ Done, Of int }
		if err := json.Unmarshal(line, &step); err != nil || step.Done < last || step.Of != many+there {
			t.Fatalf("progress %s after %d: %v", line, last, err)
		}
		last = step.Done
	}
	if len(lines) < 3 {
		t.Errorf("the progress was told in %d lines", len(lines))
	}
	want(answer{status: a.status, body: lines[len(lines)-1]}, importReport{Applied: true, Created: many, Unchanged: there})
	want(post("", all), importReport{Applied: true, Unchanged: many + there})

	// By the command: some are changed, some left out.
	gone, renamed := fmt.Sprintf("%d removed", many/100), fmt.Sprintf("%d updated", many/100)
	fewer := s.write("fewer.csv", s.crowd(many, func(i int, line string) string {
		switch {
		case i%100 == 0:
			return ""
		case i%100 == 1:
			return strings.Replace(line, "Crowd", "Renamed", 1)
		}
		return line
	}))
	if out := s.must("person", "import", fewer, "--remove-missing", "--dry-run"); !strings.Contains(out, gone) || !strings.Contains(out, renamed) {
		t.Errorf("a dry run says:\n%.600s", out)
	}
	if out := s.must("person", "import", fewer, "--remove-missing"); !strings.Contains(out, gone) || !strings.Contains(out, renamed) {
		t.Errorf("the import says:\n%.600s", out)
	}
	few := s.write("few.csv", s.crowd(10, same))
	if errs := fails(s, "person", "import", few, "--remove-missing"); !strings.Contains(errs, "--force") {
		t.Errorf("removing nearly all: %.600s", errs)
	}
	if out := s.must("person", "import", few, "--remove-missing", "--force"); !strings.Contains(out, fmt.Sprintf("%d removed", many-many/100-9)) {
		t.Errorf("removing nearly all by force: %.600s", out)
	}
	if now := count(); now != before+10 {
		t.Errorf("%d persons are there in the end, want %d", now, before+10)
	}
	s.bothWays("alice", "unimpressed", day(1, 9))
}
