package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// engineering is the real engine's handling of persons.
type engineering struct {
	people
	e *syncer.Engine
}

func (p engineering) Import(ctx context.Context, tenant string, rows []directory.Person, o ImportOptions) (Import, error) {
	done, err := p.e.ImportPersons(ctx, tenant, rows, syncer.ImportOptions(o))
	out := Import{Removed: done.Removed, Persons: done.Before, Applied: done.Applied, TooMany: done.TooMany}
	for _, r := range done.Persons {
		out.Rows = append(out.Rows, Imported{Created: r.Created, Changed: r.Changed, Err: r.Err})
	}
	return out, err
}

// importRig is a rig whose imports are done by the real engine. It has alice, bob, r1 and r2.
func importRig(t *testing.T) (*rig, func(query, csv string, headers ...string) answer, func() string) {
	t.Helper()
	g := newRig(t)
	g.Persons = engineering{people{Store: g.store}, syncer.New(syncer.Options{Store: g.store, Render: Render, Limits: syncer.DefaultLimits()})}
	h := New(g.Options)
	post := func(query, csv string, headers ...string) answer {
		t.Helper()
		return g.call(t, h, "POST", persons+"/import"+query, csv, append([]string{"Content-Type", "text/csv"}, headers...)...)
	}
	ids := func() string {
		t.Helper()
		rows, err := g.store.Persons(t.Context(), "Default", store.PersonFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.ID)
		}
		return strings.Join(names, " ")
	}
	return g, post, ids
}

func results(r rest.ImportReport) string {
	var all []string
	for _, l := range r.Lines {
		all = append(all, fmt.Sprint(l.Line, " ", or(l.ID, "-"), " ", l.Result))
	}
	return strings.Join(all, ", ")
}

func TestAllOrNothingIsOneOfThem(t *testing.T) {
	t.Parallel()
	_, post, ids := importRig(t)
	const good = "id,email\nalice,alice@example.com\ncarol,carol@example.com\n"
	for name, c := range map[string]struct{ csv, fields string }{
		"a faulty line":        {good + "dave,not an address\nerin,\n", "line 4, email line 5, email"},
		"an address of others": {good + "dave,bob@example.com\n", "line 4"},
	} {
		r := post("?all_or_nothing=true", c.csv)
		if r.StatusCode != 422 || r.fields() != c.fields || ids() != "alice bob r1 r2" {
			t.Errorf("%s: %d %s, now %s", name, r.StatusCode, r.text, ids())
		}
	}
	report := decode[rest.ImportReport](t, post("?all_or_nothing=true", good).text)
	if !report.Applied || report.Created != 1 || ids() != "alice bob carol r1 r2" {
		t.Errorf("%+v, now %s", report, ids())
	}
}

func TestADryRunSaysWhatWouldHappen(t *testing.T) {
	t.Parallel()
	_, post, ids := importRig(t)
	const csv = "id,email\nalice,alice@example.org\ncarol,carol@example.com\ndave,bob@example.com\nerin,no\n"
	for query, want := range map[string]string{
		"?dry_run=true":                     "2 alice updated, 3 carol created, 4 dave failed, 5 - failed",
		"?dry_run=true&all_or_nothing=true": "2 alice updated, 3 carol created, 4 dave failed, 5 - failed",
		// bob goes, so that his address is free.
		"?dry_run=true&remove_missing=true": "2 alice updated, 3 carol created, 4 dave created, 5 - failed, 0 - warning, 0 bob removed, 0 r1 removed, 0 r2 removed",
	} {
		r := post(query, csv)
		report := decode[rest.ImportReport](t, r.text)
		if r.StatusCode != 200 || report.Applied || results(report) != want {
			t.Errorf("%s: %d %s\nwant %s", query, r.StatusCode, results(report), want)
		}
		if got := ids(); got != "alice bob r1 r2" {
			t.Errorf("%s: now %s", query, got)
		}
	}
}

func TestPersonsThatTheFileLeavesOutAreRemovedOnRequest(t *testing.T) {
	t.Parallel()
	_, post, ids := importRig(t)
	const all = "id,email,kind\nalice,alice@example.com,\nr1,r1@example.com,resource\n"
	if r := post("?remove_missing=true", all+"bad,no,\n"); r.StatusCode != 422 || ids() != "alice bob r1 r2" {
		t.Errorf("with a faulty line: %d %s, now %s", r.StatusCode, r.text, ids())
	}
	r := post("?remove_missing=true", "id,email\nalice,alice@example.com\n")
	if r.StatusCode != 409 || r.problem.Type != urn+"removals" || !strings.Contains(r.problem.Detail, "3 of 4") || ids() != "alice bob r1 r2" {
		t.Errorf("more than half: %d %s, now %s", r.StatusCode, r.text, ids())
	}
	report := decode[rest.ImportReport](t, post("?remove_missing=true", all).text)
	if !report.Applied || report.Removed != 2 || !strings.HasSuffix(results(report), "0 bob removed, 0 r2 removed") || ids() != "alice r1" {
		t.Errorf("half: %+v %s, now %s", report, results(report), ids())
	}
	report = decode[rest.ImportReport](t, post("?remove_missing=true&force=true", "id,email\nzoe,zoe@example.com\n").text)
	if !report.Applied || report.Removed != 2 || ids() != "zoe" {
		t.Errorf("with force: %+v, now %s", report, ids())
	}
}

func TestAnImportTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	_, post, _ := importRig(t)
	var csv bytes.Buffer
	csv.WriteString("id,email\n")
	const many = 3_000 // the race detector makes ten thousand long
	for i := range many {
		fmt.Fprintf(&csv, "p%d,p%d@example.com\n", i, i)
	}
	for _, query := range []string{"", "?all_or_nothing=true&remove_missing=true"} {
		began := time.Now()
		r := post(query, csv.String(), "Accept", "application/x-ndjson")
		t.Logf("%d lines%s: %v", many, query, time.Since(began).Round(time.Millisecond))
		lines := strings.Split(strings.TrimSpace(r.text), "\n")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/x-ndjson" || len(lines) < many/1000 {
			t.Fatalf("%d %v %.200s", r.StatusCode, r.Header, r.text)
		}
		last := -1
		for _, line := range lines[:len(lines)-1] {
			var step struct{ Done, Of int }
			if err := json.Unmarshal([]byte(line), &step); err != nil || step.Of != many || step.Done <= last {
				t.Errorf("%s after %d: %v", line, last, err)
			}
			last = step.Done
		}
		report := decode[rest.ImportReport](t, lines[len(lines)-1])
		if last != many || !report.Applied || report.Created+report.Unchanged != many || report.Failed != 0 {
			t.Errorf("%d done: %+v", last, report.Created)
		}
	}
	r := post("?all_or_nothing=true", "id,email\na,p1@example.com\n", "Accept", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(r.text), "\n")
	if p := decode[rest.Problem](t, lines[len(lines)-1]); p.Status != 422 || p.Type != urn+"invalid" || len(*p.Violations) != 1 {
		t.Errorf("what could not be taken: %s", r.text)
	}
	if r := post("?all_or_nothing=true", "id,email\na,b\n", "Accept", "application/x-ndjson"); r.StatusCode != 422 {
		t.Errorf("what cannot be read: %d %s", r.StatusCode, r.text)
	}
}
