package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// A fakeProcess runs for a while, or until it is stopped.
type fakeProcess struct {
	exited  chan struct{}
	stopped chan struct{}
}

func newFake(runs time.Duration) *fakeProcess {
	p := &fakeProcess{exited: make(chan struct{}), stopped: make(chan struct{}, 1)}
	if runs > 0 {
		time.AfterFunc(runs, func() { close(p.exited) })
	}
	return p
}

func (p *fakeProcess) Description() launch.Description { return launch.Description{Version: "1.2.3"} }
func (p *fakeProcess) Exited() <-chan struct{}         { return p.exited }
func (p *fakeProcess) ExitErr() error                  { return errors.New("exit status 2") }
func (p *fakeProcess) Stop(context.Context) error {
	p.stopped <- struct{}{}
	return nil
}

// keep runs a keeper for a time and returns when it started its process, counted from the beginning.
func keep(t *testing.T, total time.Duration, start func(n int) (process, error)) (at []time.Duration, k *keeper) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), total)
	defer cancel()
	began := time.Now()
	k = newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (process, error) {
		at = append(at, time.Since(began))
		return start(len(at))
	})
	k.run(ctx)
	return at, k
}

func seconds(n ...int) []time.Duration {
	var out []time.Duration
	for _, s := range n {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}

func TestACrashLoopRestsLongerAndLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, k := keep(t, 5*time.Minute, func(int) (process, error) { return nil, errors.New("no such file") })
		if want := seconds(0, 1, 3, 7, 15, 31, 63, 123, 183, 243); !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
		_, err := k.get(t.Context())
		if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "backend-x does not run (since 2000-01-01") {
			t.Errorf("get = %v, want unavailable naming the plugin and since when", err)
		}
	})
}

func TestALongRunIsForgiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := []time.Duration{0, 0, 2 * time.Minute, time.Second, time.Hour}
		at, _ := keep(t, 10*time.Minute, func(n int) (process, error) {
			if runs[n-1] == 0 {
				return nil, errors.New("not yet")
			}
			return newFake(runs[n-1]), nil
		})
		// Two failures, a good run from 3 s to 123 s, then the shortest rest again.
		if want := seconds(0, 1, 3, 124, 127); !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
	})
}

func TestAPluginIsStoppedWithItsSupervisor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFake(0)
		_, k := keep(t, time.Minute, func(int) (process, error) { return p, nil })
		select {
		case <-p.stopped:
		default:
			t.Error("the process was not stopped")
		}
		if st := k.status(); st.Running || st.Problem != "it was stopped" || st.Restarts != 0 {
			t.Errorf("status = %+v", st)
		}
	})
}

func TestCallsWaitForTheFirstStartAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(ctx context.Context) (process, error) {
			if n++; n > 1 {
				<-ctx.Done() // a start that takes its time
				return nil, ctx.Err()
			}
			time.Sleep(5 * time.Second)
			return newFake(5 * time.Second), nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.run(ctx)
		}()
		began := time.Now()
		impatient, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		if _, err := k.get(impatient); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("an impatient call: %v after %v", err, time.Since(began))
		}
		if p, err := k.get(ctx); err != nil || p == nil || time.Since(began) != 5*time.Second {
			t.Errorf("a patient call: %v after %v, want a process after 5 s", err, time.Since(began))
		}
		if st := k.status(); !st.Running || st.Version != "1.2.3" {
			t.Errorf("status = %+v", st)
		}
		time.Sleep(8 * time.Second)
		if _, err := k.get(ctx); fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("during the second start: %v, want unavailable at once with the reason", err)
		}
		cancel()
		<-done
	})
}
