// Package soak makes random schedules of acts for model tests, and short ones of those that fail.
//
// An Act says little by itself: what its numbers mean depends on the state that it meets, so that a schedule from which
// acts are taken away is a schedule still. That is how Shorten makes a failing one short enough to read. The same seed
// gives the same schedule for as long as the Table stays as it is; a schedule that is to outlive it is kept as text.
//
//	acts := soak.NewTable("put 3, pass 5").Schedule(seed, 8, 40)
//	if play(acts) != "" {
//		fmt.Print(soak.Text(soak.Shorten(acts, func(a []soak.Act) bool { return play(a) != "" })))
//	}
package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// An Act is one step of a schedule.
type Act struct {
	Do      string // a word
	A, B, C int    // at least 0
}

// String returns the act as a Go literal has it.
func (a Act) String() string { return fmt.Sprintf("{%q, %d, %d, %d}", a.Do, a.A, a.B, a.C) }

// A Table holds the acts that a schedule is made of.
type Table struct {
	weights []weight
	total   int
}

type weight struct {
	do string
	n  int
}

// NewTable reads a table of acts and of how often they happen, beside the others, such as "put 3, pass 5". It panics if
// text is none.
func NewTable(text string) Table {
	var t Table
	for part := range strings.SplitSeq(text, ",") {
		var w weight
		if got, err := fmt.Sscanf(strings.TrimSpace(part), "%s %d", &w.do, &w.n); got != 2 || w.n < 0 {
			panic(fmt.Sprintf("%q is no act with a weight: %v", part, err))
		}
		t.weights = append(t.weights, w)
		t.total += w.n
	}
	if t.total == 0 {
		panic("no act has a weight")
	}
	return t
}

// Draw returns a random act.
func (t Table) Draw(r *rand.Rand) Act {
	n := r.IntN(t.total)
	for _, w := range t.weights {
		if n -= w.n; n < 0 {
			return Act{w.do, r.IntN(1 << 16), r.IntN(1 << 16), r.IntN(1 << 16)}
		}
	}
	panic("unreachable")
}

// Schedule returns the schedule of a seed, which has at least least acts and fewer than least + more.
func (t Table) Schedule(seed uint64, least, more int) []Act {
	r := rand.New(rand.NewPCG(seed, 2026))
	acts := make([]Act, least+r.IntN(more))
	for i := range acts {
		acts[i] = t.Draw(r)
	}
	return acts
}

// Shorten takes acts away from a schedule while it still fails. It calls fails about n·log n times for one of n acts.
func Shorten(acts []Act, fails func([]Act) bool) []Act {
	for size := max(len(acts)/2, 1); size > 0; {
		shorter := false
		for i := 0; i+size <= len(acts); {
			if less := slices.Delete(slices.Clone(acts), i, i+size); fails(less) {
				acts, shorter = less, true
			} else {
				i++
			}
		}
		if !shorter {
			size /= 2
		}
	}
	return acts
}

// Text returns a schedule in the form that Parse reads: one act a line.
func Text(acts []Act) string {
	var b strings.Builder
	for _, a := range acts {
		fmt.Fprintf(&b, "%s %d %d %d\n", a.Do, a.A, a.B, a.C)
	}
	return b.String()
}

// Parse reads what Text writes. Empty lines and those that begin with # are left out.
func Parse(text string) ([]Act, error) {
	var acts []Act
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var a Act
		var rest string
		if got, _ := fmt.Sscanf(line+" .", "%s %d %d %d %s", &a.Do, &a.A, &a.B, &a.C, &rest); got != 5 || rest != "." || min(a.A, a.B, a.C) < 0 {
			return nil, fmt.Errorf("line %d of the schedule, %q, is no act: want a word and three numbers", n, line)
		}
		acts = append(acts, a)
	}
	return acts, nil
}
