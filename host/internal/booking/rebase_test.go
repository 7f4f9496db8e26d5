package booking

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRebaseKeepsWhatItCan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		old := drawSeries(t, "b1")
		next := old.Clone()
		if rapid.Bool().Draw(t, "later") {
			next.Start, next.End = next.Start.Add(2*time.Hour), next.End.Add(2*time.Hour)
			if next.AllDay {
				next.Start, next.End = old.Start, old.End
			}
		}
		if rapid.Bool().Draw(t, "daily") {
			next.Recurrence = "FREQ=DAILY;COUNT=30"
		}
		had := len(next.Exceptions)
		dropped := Rebase(old, next)
		next.Normalize()
		whole := 0
		for _, x := range dropped {
			if day := wallOf(x.Occurrence, old.location()).Truncate(24 * time.Hour); !old.AllDay && next.Series() && x.Start == nil {
				for o := range Occurrences(next, time.Time{}) {
					if o.Start.After(x.Occurrence.AddDate(0, 1, 0)) {
						break
					}
					if wallOf(o.Occurrence, next.location()).Truncate(24 * time.Hour).Equal(day) {
						t.Fatalf("%+v was dropped though there is an occurrence on that day", x)
					}
				}
			}
			whole++
		}
		if len(next.Exceptions) > had || len(next.Exceptions)+whole < had && SameOccupancy(old, next) {
			t.Fatalf("%d exceptions became %d, with %d dropped", had, len(next.Exceptions), whole)
		}
		if v := Validate(next); len(v) > 0 && !slices.ContainsFunc(v, func(v Violation) bool {
			return v.Field == "recurrence" || v.Field == "end" || v.Field == "exceptions"
		}) {
			t.Fatalf("%+v breaks rules: %v", next, v)
		}
	})
	// The case that people meet: every occurrence one hour later.
	b := weekly(tuesdays)
	title := "Elsewhere"
	b.Exceptions = []Exception{{Occurrence: utc(2026, 10, 22, 7, 0), Title: &title}, {Occurrence: utc(2026, 10, 27, 8, 0), Skipped: true}}
	b.Normalize()
	next := b.Clone()
	next.Start, next.End = b.Start.Add(time.Hour), b.End.Add(time.Hour)
	if dropped := Rebase(b, next); len(dropped) > 0 || len(next.Exceptions) != 2 || !next.Exceptions[1].Occurrence.Equal(utc(2026, 10, 27, 9, 0)) || *next.Exceptions[0].Title != title {
		t.Errorf("one hour later: %+v, dropped %+v", next.Exceptions, dropped)
	}
	next = b.Clone()
	next.Recurrence = "FREQ=WEEKLY;BYDAY=TU"
	if dropped := Rebase(b, next); len(dropped) != 1 || *dropped[0].Title != title || len(next.Exceptions) != 1 {
		t.Errorf("on Tuesdays only: %+v, dropped %+v", next.Exceptions, dropped)
	}
}
