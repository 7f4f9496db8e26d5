package soak_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/soak"
)

// A tally is what was done in many schedules.
type tally struct {
	schedules, findings, passes, kills, requests, writes, held, differences int

	crashes, faults, acts map[string]int
}

func newTally() *tally {
	return &tally{crashes: map[string]int{}, faults: map[string]int{}, acts: map[string]int{}}
}

func sum(m map[string]int) (n int) {
	for _, one := range m {
		n += one
	}
	return n
}

// String is the last line of a run.
func (t *tally) String() string {
	return fmt.Sprintf("%d schedules, %d findings, %d acts, %d passes, %d requests, %d writes, %d crashes at %d failpoints, %d plugins killed, %d faults, %d decisions of administrators, %d differences listed",
		t.schedules, t.findings, sum(t.acts), t.passes, t.requests, t.writes, sum(t.crashes), len(t.crashes), t.kills, sum(t.faults), t.held, t.differences)
}

// schedule returns the acts of a seed; the first says how the world is.
func schedule(seed int) []soak.Act {
	how, t := soak.Act{Do: "world", A: seed, B: seed / 3, C: seed / 5}, table
	if hasRooms(how) {
		t = roomTable
	}
	return append([]soak.Act{how}, t.Schedule(uint64(seed), 8, 52)...)
}

// play carries a schedule out and returns what was found wrong, and the kind of promise that it breaks; empty if nothing.
func (s *stage) play(acts []soak.Act, tl *tally, trace func(string)) (wrong, kind string) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			wrong, kind = b.how, b.kind
		}
	}()
	var how soak.Act
	if len(acts) > 0 && acts[0].Do == "world" {
		how = acts[0]
	}
	w := newWorld(s, how, tl, trace)
	for _, a := range acts {
		w.do(a)
	}
	w.settle(1)
	w.checkRequests()
	w.repeatsNothing()
	return "", ""
}

// kinds are those of worlds, by which the schedules of a run can be chosen.
var kinds = map[string]func(soak.Act) bool{"rooms": hasRooms, "private": isPrivate}

// A run plays schedules, each with a seed of its own, and tells of those that fail.
type run struct {
	first, schedules int
	database         string
	most             int    // findings after which it ends
	only             string // a kind of world; empty: all
	trace            func(string)
}

// perStage is how many schedules one stage sees: what a server remembers grows.
const perStage = 100

func (r run) play(t *testing.T, tl *tally) {
	for from := r.first; from < r.first+r.schedules && tl.findings < r.most; from += perStage {
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			s := newStage(t, r.database)
			for seed := from; seed < min(from+perStage, r.first+r.schedules) && tl.findings < r.most; seed++ {
				acts := schedule(seed)
				if is := kinds[r.only]; is != nil && !is(acts[0]) {
					continue
				}
				tl.schedules++
				if wrong, kind := s.play(acts, tl, r.trace); wrong != "" {
					tl.findings++
					s.report(seed, acts, wrong, kind)
				}
			}
		})
	}
}

// shortenings is how often a schedule that failed is played again to make it shorter: it is told before, and each takes a while.
const shortenings = 150

// report shortens a schedule that failed, and says how to play it again.
func (s *stage) report(seed int, acts []soak.Act, wrong, kind string) {
	s.Logf("SEED=%d failed and is made shorter: %s", seed, wrong)
	tries := 0
	most := number(s.T, "TRIES", shortenings)
	short := soak.Shorten(acts, func(a []soak.Act) bool {
		if tries++; tries > most {
			return false
		}
		_, now := s.play(a, newTally(), nil)
		return now == kind
	})
	var story []string
	why, _ := s.play(short, newTally(), func(line string) { story = append(story, line) })
	s.Errorf("SEED=%d: %s\nshortened, to be replayed with ACTS=file:\n%s\n%s\n%s", seed, wrong, soak.Text(short), strings.Join(story, "\n"), why)
}

func number(t *testing.T, name string, usual int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return usual
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number", name, v)
	}
	return n
}

// TestSchedulesThroughPlugins plays random schedules of what the booking system, people in Outlook, servers, administrators and
// dying hosts and plugins do, through the real plugins against the Exchange stand-in, and checks what must be true when all is
// quiet.
//
// SCHEDULES says how many, SEED which is the first, STORE=postgres has them on PostgreSQL; `make soak` sets them. ACTS=file
// plays one schedule that is kept as text instead, and tells its story. PLAYS says how many are taken to have been played before on
// the same stage: tenants are counted, and delays are spread by the tenant's name, so that a schedule may fail for one number alone.
func TestSchedulesThroughPlugins(t *testing.T) {
	if file := os.Getenv("ACTS"); file != "" {
		replay(t, file)
		return
	}
	tl, began := newTally(), time.Now()
	r := run{first: number(t, "SEED", 1), schedules: number(t, "SCHEDULES", 40), database: os.Getenv("STORE"), most: number(t, "MOST", 3), only: os.Getenv("ONLY")}
	if r.schedules == 1 {
		r.trace = func(line string) { t.Logf("%6s %s", time.Since(began).Round(time.Millisecond), line) }
	}
	r.play(t, tl)
	t.Logf("SEED=%d, %s; crashes: %s; faults: %s; acts: %s", r.first, time.Since(began).Round(time.Second), tell(tl.crashes), tell(tl.faults), tell(tl.acts))
	t.Log(tl)
}

func tell(m map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(all, ", ")
}

// replay plays a schedule from a file.
func replay(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	acts, err := soak.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	tl, began := newTally(), time.Now()
	wrong, _ := newStage(t, os.Getenv("STORE")).play(acts, tl, func(line string) { t.Logf("%s %s", time.Since(began).Round(time.Millisecond), line) })
	if wrong != "" {
		t.Error(wrong)
	}
	t.Log(tl)
}
