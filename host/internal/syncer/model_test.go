package syncer

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

type act = soak.Act

// What happens how often.
var weights = soak.NewTable(`put 14, series 16, cancel 3, edit 12, remove 4, move 3, copy 2, touch 2, addin 6, book 4,
	stranger 1, switch 2, relocate 1, migrate 1, sync 2, approve 1, restore 1,
	lost 1, forget 1, wipe 1, reject 4, off 3, transfer 6, ways 4, config 1, looptest 1, loud 2,
	pass 22, later 5, fault 9, cut 4, amid 9, crash 6, settle 1`)

// schedule is that of a seed; a third of them are about one or two series.
func schedule(seed uint64) []act {
	acts := weights.Schedule(seed, 8, 40)
	r := rand.New(rand.NewPCG(seed, 2027))
	for i := range acts {
		if seed%3 == 0 && r.IntN(2) == 0 {
			acts[i] = act{Do: "series", A: r.IntN(2), B: r.IntN(1 << 16), C: r.IntN(1 << 16)}
		}
	}
	return acts
}

// stage is a store that many schedules are played on, each in a tenant of its own, with a clock of its own.
type stage struct {
	store *store.Store
	mu    sync.Mutex
	time  time.Time
	plays int
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *stage) set(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = t
}

// broken is the panic of a model whose promise is broken.
type broken string

// play carries a schedule out and returns what was found wrong; empty if nothing.
func (s *stage) play(t *testing.T, acts []act, trace func(string)) (wrong string) {
	m := newModel(t, s)
	m.trace = trace
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			wrong = string(b)
		}
	}()
	for _, a := range acts {
		m.do(a)
	}
	m.settleAll(1)
	m.repeatsNothing()
	return ""
}

func number(t *testing.T, name string, usual int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return usual
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%q is no number", name, v)
	}
	return n
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	url := storetest.SQLite
	if os.Getenv("ROOMWIRE_DATABASE") == "postgres" {
		url = storetest.Postgres
	}
	s.store = storetest.New(t, store.Options{URL: url(t), Now: s.now})
	return s
}

// TestSchedulesConverge plays random schedules of what booking system, people in Outlook, servers, administrators and
// dying hosts may do, in any order and in the middle of each other, and checks what must be true when all is quiet.
// ROOMWIRE_SCHEDULES says how many, ROOMWIRE_SEED which is the first; ROOMWIRE_DATABASE=postgres has them on PostgreSQL.
func TestSchedulesConverge(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first, n := number(t, "ROOMWIRE_SEED", 1), number(t, "ROOMWIRE_SCHEDULES", 30)
	failures := 0
	for seed := first; seed < first+n && failures < 3; seed++ {
		acts := schedule(uint64(seed))
		wrong := s.play(t, acts, nil)
		if wrong == "" {
			continue
		}
		failures++
		short := soak.Shorten(acts, func(a []act) bool { return s.play(t, a, nil) != "" })
		var story []string
		why := s.play(t, short, func(line string) { story = append(story, line) })
		t.Errorf("ROOMWIRE_SEED=%d: %s\nshortened to %v:\n%s\n%s", seed, wrong, short, strings.Join(story, "\n"), why)
	}
}
