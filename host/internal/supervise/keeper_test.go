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
	mute    func() bool  // whether it answers no Ping
	memory  func() int64 // that it uses
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

func (p *fakeProcess) Kill()             { p.stopped <- struct{}{}; close(p.exited) }
func (p *fakeProcess) LogDropped() int64 { return 3 }
func (p *fakeProcess) LastWords() string { return "" }
func (p *fakeProcess) Protocol() int     { return 1 }
func (p *fakeProcess) PID() int          { return 4711 }
func (p *fakeProcess) Ping(ctx context.Context) error {
	if p.mute != nil && p.mute() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (p *fakeProcess) Usage() (launch.Usage, error) {
	if p.memory == nil {
		return launch.Usage{Memory: 1 << 20}, nil
	}
	return launch.Usage{Memory: p.memory()}, nil
}

// keep runs a keeper for a time and returns when it started its process, counted from the beginning.
func keep(t *testing.T, total time.Duration, start func(n int) (process, error)) (at []time.Duration, k *keeper) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), total)
	defer cancel()
	began := time.Now()
	k = newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
		at = append(at, time.Since(began))
		p, err := start(len(at))
		return live{process: p}, err
	})
	k.run(ctx)
	return at, k
}

func secs(n ...int) []time.Duration {
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
		if want := secs(0, 1, 3, 7, 15, 31, 63, 123, 183, 243); !slices.Equal(at, want) {
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
		// Two failures, a good run from 3 s to 123 s, after which it is started at once; then the shortest rest again.
		if want := secs(0, 1, 3, 123, 125); !slices.Equal(at, want) {
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
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(ctx context.Context) (live, error) {
			if n++; n > 1 {
				<-ctx.Done() // a start that takes its time
				return live{}, ctx.Err()
			}
			time.Sleep(5 * time.Second)
			return live{process: newFake(5 * time.Second)}, nil
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

func TestACrashAfterAFairRunCostsNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
			if n++; n > 1 {
				time.Sleep(50 * time.Millisecond)
			}
			return live{process: newFake(fairRun)}, nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.run(ctx)
		}()
		time.Sleep(fairRun + 10*time.Millisecond)
		began := time.Now()
		if _, err := k.get(ctx); err != nil || time.Since(began) != 40*time.Millisecond {
			t.Errorf("a call while it is started again: %v after %v, want it to wait for the start", err, time.Since(began))
		}
		if st := k.status(); st.Restarts != 1 || st.Loop || !strings.Contains(st.LastEnd, "exit status 2") || st.Dropped != 6 {
			t.Errorf("status = %+v", st)
		}
		cancel()
		<-done
	})
}

func TestAPluginThatHangsIsEndedAndStartedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hung := newFake(0)
		hung.mute = func() bool { return time.Since(began) > time.Minute }
		at, k := keep(t, 3*time.Minute, func(n int) (process, error) {
			if n == 1 {
				return hung, nil
			}
			return newFake(0), nil
		})
		if len(at) != 2 || at[1] < time.Minute+20*time.Second || at[1] > time.Minute+time.Minute {
			t.Errorf("started at %v, want a second start within the minute after it fell silent", at)
		}
		if st := k.status(); !strings.Contains(st.LastEnd, "it hung") {
			t.Errorf("status = %+v, want why the first was ended", st)
		}
	})
}

func TestAPluginThatAnswersSometimesIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, asked := newFake(0), 0
		p.mute = func() bool { asked++; return asked%3 != 0 }
		if at, _ := keep(t, 10*time.Minute, func(int) (process, error) { return p, nil }); len(at) != 1 || asked < 10 {
			t.Errorf("started at %v, asked %d times; want it to be kept", at, asked)
		}
	})
}

func TestAPluginThatOutgrowsItsMemoryIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		large := newFake(0)
		large.memory = func() int64 { return int64(time.Since(began)/time.Second) << 20 } // a MiB each second
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var at []time.Duration
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
			if at = append(at, time.Since(began)); len(at) == 1 {
				return live{process: large}, nil
			}
			return live{process: newFake(0)}, nil
		})
		k.limit = 32 << 20
		k.run(ctx)
		if want := secs(0, 35); !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
		select {
		case <-large.stopped:
		default:
			t.Error("the one that was too large was not stopped")
		}
		if st := k.status(); st.Restarts != 1 || !strings.Contains(st.LastEnd, "it used 35 MiB of memory") {
			t.Errorf("status = %+v", st)
		}
	})
}

func TestACrashLoopIsCalledOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
			return live{process: newFake(time.Second)}, nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.run(ctx)
		}()
		time.Sleep(30 * time.Second)
		if st := k.status(); !st.Loop || st.Running || !st.Retry.After(time.Now()) {
			t.Errorf("status = %+v, want a loop and when it is tried again", st)
		}
		cancel()
		<-done
	})
}

func TestAPluginThatNeedsMoreMemoryThanItMayIsReplacedMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		began := time.Now()
		var at []time.Duration
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
			at = append(at, time.Since(began))
			p := newFake(0)
			p.memory = func() int64 { return 48 << 20 }
			return live{process: p}, nil
		})
		k.limit = 32 << 20
		k.run(ctx)
		if want := secs(0, 5, 10, 20, 40, 80, 140, 200, 260); !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
	})
}

func TestAPluginOfTwiceTheMemoryIsEndedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		first := newFake(0)
		first.memory = func() int64 { return 65 << 20 }
		n := 0
		k := newKeeper("backend-x", hclog.NewNullLogger(), func(context.Context) (live, error) {
			if n++; n == 1 {
				return live{process: first}, nil
			}
			return live{process: newFake(0)}, nil
		})
		k.limit = 32 << 20
		k.run(ctx)
		select {
		case <-first.exited: // a fake ends by Kill alone
		default:
			t.Error("it was not killed")
		}
		if st := k.status(); n != 2 || !strings.Contains(st.LastEnd, "twice") {
			t.Errorf("%d starts, %+v", n, st)
		}
	})
}
