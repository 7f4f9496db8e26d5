package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

func heardOf(who string, kind backend.HintKind) Heard {
	return Heard{Tenant: "Default", Person: who, TokenHash: []byte(who), Kind: kind}
}

func people(batch []Heard) []string {
	var names []string
	for _, h := range batch {
		names = append(names, h.Person)
	}
	slices.Sort(names)
	return names
}

func TestMessagesThatArriveDuringATransactionShareTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var batches [][]Heard
		b := newBatcher(func(_ context.Context, batch []Heard) error {
			<-release
			batches = append(batches, batch)
			return nil
		}, time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.add(t.Context(), heardOf("first", backend.Dirty)) })
		synctest.Wait() // the first transaction runs
		for i := range 10 {
			wg.Go(func() {
				if err := b.add(t.Context(), heardOf(fmt.Sprintf("p%d", i%5), backend.HintKind(i/5))); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if len(batches) != 2 || len(batches[1]) != 5 {
			t.Fatalf("transactions: %v; want two, the second for five mailboxes", batches)
		}
		for _, h := range batches[1] {
			if h.Kind != backend.Dirty {
				t.Errorf("%s was merged to %v, want the stronger Dirty", h.Person, h.Kind)
			}
		}
	})
}

func TestSignsOfLifeWaitForEachOtherButNothingWaitsForThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var batches [][]string
		var at []time.Duration
		b := newBatcher(func(_ context.Context, batch []Heard) error {
			batches, at = append(batches, people(batch)), append(at, time.Since(began))
			return nil
		}, time.Minute)
		var wg sync.WaitGroup
		add := func(who string, kind backend.HintKind, after time.Duration) {
			wg.Go(func() {
				time.Sleep(after)
				if err := b.add(t.Context(), heardOf(who, kind)); err != nil {
					t.Error(err)
				}
			})
		}
		add("a", backend.Alive, 0)
		add("b", backend.Alive, linger/2)
		add("c", backend.Alive, 2*linger)
		add("d", backend.Dirty, 2*linger+time.Millisecond)
		wg.Wait()
		if got := fmt.Sprint(batches, at); got != fmt.Sprint([][]string{{"a", "b"}, {"c", "d"}}, []time.Duration{linger, 2*linger + time.Millisecond}) {
			t.Errorf("transactions: %s", got)
		}
	})
}

func TestAnswerWaitsForTheTransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		committed := false
		b := newBatcher(func(context.Context, []Heard) error {
			time.Sleep(5 * time.Second) // the bubble's clock
			committed = true
			return nil
		}, time.Minute)
		if err := b.add(t.Context(), heardOf("a", backend.Dirty)); err != nil || !committed {
			t.Errorf("add = %v, committed %v", err, committed)
		}
	})
}

func TestOneBadEntryDoesNotCostTheOthersTheirMark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("no such mailbox")
		release := make(chan struct{})
		var saved []string
		b := newBatcher(func(_ context.Context, batch []Heard) error {
			<-release
			if slices.Contains(people(batch), "bad") {
				return bad
			}
			saved = append(saved, people(batch)...)
			return nil
		}, time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.add(t.Context(), heardOf("first", backend.Dirty)) })
		synctest.Wait()
		for _, who := range []string{"a", "bad", "c"} {
			wg.Go(func() {
				err := b.add(t.Context(), heardOf(who, backend.Dirty))
				if (who == "bad") != errors.Is(err, bad) {
					t.Errorf("%s: %v", who, err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		slices.Sort(saved)
		if !slices.Equal(saved, []string{"a", "c", "first"}) {
			t.Errorf("saved %v", saved)
		}
	})
}

func TestACallerThatLeavesDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBatcher(func(ctx context.Context, _ []Heard) error {
			<-release
			return ctx.Err()
		}, time.Minute)
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.add(gone, heardOf("leader", backend.Dirty)) })
		synctest.Wait()
		wg.Go(func() { _ = b.add(gone, heardOf("leader of the second", backend.Dirty)) })
		synctest.Wait()
		wg.Go(func() {
			if err := b.add(t.Context(), heardOf("stays", backend.Dirty)); err != nil {
				t.Errorf("the one that stayed: %v", err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(release)
		wg.Wait()
	})
}

func TestAStoreThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(func(ctx context.Context, _ []Heard) error {
			<-ctx.Done()
			return ctx.Err()
		}, 15*time.Second)
		began := time.Now()
		err := b.add(t.Context(), heardOf("a", backend.Dirty))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 15*time.Second {
			t.Errorf("add = %v after %v", err, time.Since(began))
		}
	})
}

func TestMailboxesAreMarkedInTheirOrder(t *testing.T) {
	t.Parallel()
	merged := merge([]Heard{heardOf("c", backend.Alive), heardOf("a", backend.Dirty), heardOf("b", backend.Alive), heardOf("c", backend.Dirty)})
	got := ""
	for _, h := range merged {
		got += fmt.Sprint(h.Person, h.Kind, " ")
	}
	if want := fmt.Sprint("a", backend.Dirty, " b", backend.Alive, " c", backend.Dirty, " "); got != want {
		t.Errorf("merged to %q, want %q", got, want)
	}
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		most, total := 0, 0
		b := newBatcher(func(_ context.Context, batch []Heard) error {
			<-release
			most, total = max(most, len(batch)), total+len(batch)
			return nil
		}, time.Minute)
		var wg sync.WaitGroup
		for i := range 3 * maxBatch {
			wg.Go(func() { _ = b.add(t.Context(), heardOf(fmt.Sprint(i), backend.Dirty)) })
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if most > maxBatch || total != 3*maxBatch {
			t.Errorf("largest batch %d, %d in all", most, total)
		}
	})
}
