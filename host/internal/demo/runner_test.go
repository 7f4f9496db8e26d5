package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a runner that writes to memory.
func rig(t *testing.T) (*runner, *bytes.Buffer) {
	t.Helper()
	log, err := openLogbook(filepath.Join(t.TempDir(), "roomwire.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.close)
	var out bytes.Buffer
	return &runner{
		paper: &paper{out: &out}, limit: 20 * time.Second, log: log,
		begin: func() {}, took: func() time.Duration { return 7 * time.Millisecond },
	}, &out
}

func TestAFailedStepShowsWhatWasExpectedAndTheLog(t *testing.T) {
	t.Parallel()
	r, out := rig(t)
	fmt.Fprintln(r.log, "[ERROR] of an earlier step")
	ran := 0
	failed := r.run(t.Context(), []step{
		{"A", "works", func(context.Context) error { ran++; return nil }, "done"},
		{"B", "does not", func(context.Context) error {
			ran++
			fmt.Fprintln(r.log, "[INFO] plain")
			fmt.Fprintln(r.log, "[WARN] telling")
			return &unmet{"the calendar of Alice", "two", "one"}
		}, "done"},
		{"C", "comes too late", func(context.Context) error { ran++; return nil }, "done"},
	})
	r.summary(failed, "")
	if !failed || ran != 2 {
		t.Errorf("failed %v after %d steps", failed, ran)
	}
	text := out.String()
	for _, want := range []string{
		"ok  done after 7 ms", "FAILED  the calendar of Alice", "expected  two", "seen      one", "[WARN] telling",
		"Steps not run: 1.", "FAILED: 1 of 3 steps",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "plain") || strings.Contains(text, "earlier") {
		t.Errorf("the output shows lines that tell nothing:\n%s", text)
	}
}

func TestAStepHasALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, out := rig(t)
		began, looks := time.Now(), 0
		failed := r.run(t.Context(), []step{{"A", "never ends", func(ctx context.Context) error {
			return until(ctx, func() error {
				if looks++; ctx.Err() != nil {
					return errors.New("what a look says when its time is over")
				}
				return &unmet{"the calendar", "something", "nothing"}
			})
		}, "done"}})
		if !failed || time.Since(began) != r.limit {
			t.Errorf("failed %v after %v", failed, time.Since(began))
		}
		if looks < 2 || !strings.Contains(out.String(), "expected  something") {
			t.Errorf("after %d looks:\n%s", looks, out.String())
		}
	})
}

func TestWhenTheHostEndsTheStepSaysWhy(t *testing.T) {
	t.Parallel()
	r, out := rig(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := r.run(ctx, []step{{"A", "is cut off", func(ctx context.Context) error {
		cancel(errors.New("the host ended: disk full"))
		return until(ctx, func() error { return errors.New("no answer") })
	}, "done"}})
	if !failed || !strings.Contains(out.String(), "the host ended: disk full") {
		t.Errorf("failed %v:\n%s", failed, out.String())
	}
}

func TestColoursOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		p := &paper{out: &out, color: color}
		p.heading("A", "title")
		p.passed("done", time.Millisecond)
		if got := strings.Contains(out.String(), "\x1b["); got != color {
			t.Errorf("color %v: escape sequences %v", color, got)
		}
	}
}

func TestTheLogbookKeepsLinesWhole(t *testing.T) {
	t.Parallel()
	r, _ := rig(t)
	for _, part := range []string{"a", "b\nc", "d\n[WARN] e\n", "f"} {
		if _, err := r.log.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(r.log.since(0, 10), "|"); got != "[WARN] e" {
		t.Errorf("since the beginning: %q", got)
	}
	mark := r.log.mark()
	for i := range 3 * pages {
		fmt.Fprintf(r.log, "line %d\n", i)
	}
	if got := r.log.since(mark, 2); len(got) != 2 || got[1] != fmt.Sprintf("line %d", 3*pages-1) {
		t.Errorf("the last lines: %q", got)
	}
}

func TestSpansReadLikeACalendar(t *testing.T) {
	t.Parallel()
	friday := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	a, err := newAgenda(friday)
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]span{
		"Mon 30 Nov 10:00-11:00":           a.hours(0, 10, 11),
		"Tue 1 Dec, all day":               a.days(1, 2),
		"Mon 30 Nov to Tue 1 Dec, all day": a.days(0, 2),
		"Wed 2 Dec to Sat 5 Dec, all day":  a.days(2, 6),
		"Tue 1 Dec 09:00-10:00":            a.hours(1, 9, 10),
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	there, err := a.days(0, 1).in("America/New_York")
	if err != nil || there.start.UTC().Hour() != 5 || there.String() != "Mon 30 Nov, all day" {
		t.Errorf("in New York: %v, %v", there.start, err)
	}
}
