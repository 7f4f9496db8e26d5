package httpauth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/roomwire/roomwire/sdk/fault"
)

// together has n callers send at once, the first of whom is answered by first; it returns their errors and how many
// requests were made.
func together(t *testing.T, n int, tr *trial, first, later error) (errs []error, made int64) {
	t.Helper()
	var count atomic.Int64
	var mu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				resp, err := tr.send(t.Context(), func() (*http.Response, error) {
					if count.Add(1) > 1 {
						return &http.Response{}, later
					}
					<-answer
					return &http.Response{}, first
				})
				if err == nil && resp == nil {
					err = errors.New("neither an answer nor an error")
				}
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		synctest.Wait()
		if got := count.Load(); got != 1 && !tr.accepted.Load() {
			t.Errorf("%d requests on trial at once", got)
		}
		close(answer)
		wg.Wait()
	})
	return errs, count.Load()
}

func TestAWrongPasswordIsTriedOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	errs, made := together(t, 16, &trial{}, fault.Unauthorized, nil)
	if made != 1 {
		t.Errorf("%d logins with a wrong password, want 1", made)
	}
	for _, err := range errs {
		if fault.Of(err) != fault.Unauthorized {
			t.Errorf("error = %v, want unauthorized", err)
		}
	}
}

// A server that is away says nothing of the password: the next request is on trial in the first one's place.
func TestAWrongPasswordIsTriedOnceAfterAnOutage(t *testing.T) {
	t.Parallel()
	errs, made := together(t, 16, &trial{}, fault.Unavailable, fault.Unauthorized)
	if made != 2 {
		t.Errorf("%d requests, of which one found the server away; want 2", made)
	}
	refused := 0
	for _, err := range errs {
		if fault.Of(err) == fault.Unauthorized {
			refused++
		}
	}
	if refused != 15 {
		t.Errorf("%d were refused, want 15", refused)
	}
}

func TestOnceAcceptedNobodyWaits(t *testing.T) {
	t.Parallel()
	for _, first := range []error{nil, fault.Unavailable} {
		errs, made := together(t, 16, &trial{}, first, nil)
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		if want := map[bool]int{true: 0, false: 1}[first == nil]; made != 16 || failed != want {
			t.Errorf("first %v: %d requests, %d failed; want 16 and %d", first, made, failed, want)
		}
	}
}

func TestALaterRefusalPutsTheIdentityOnTrialAgain(t *testing.T) {
	t.Parallel()
	tr := &trial{}
	for _, step := range []error{nil, fault.Unauthorized} {
		_, _ = tr.send(context.Background(), func() (*http.Response, error) { return &http.Response{}, step })
		if got := tr.accepted.Load(); got != (step == nil) {
			t.Errorf("after %v accepted is %v", step, got)
		}
	}
}

func TestWhoGivesUpAsTheTrialEndsGetsAnError(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	close(over)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 64 { // which of the two ends is seen first is chance
		tr := &trial{}
		tr.flight.work = &work[struct{}]{done: over}
		resp, err := tr.send(ctx, func() (*http.Response, error) { return &http.Response{}, nil })
		if !errors.Is(err, context.Canceled) || resp != nil {
			t.Fatalf("send = %v, %v", resp, err)
		}
	}
}
