package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// An issuer hands out numbered tokens of an hour, unless it has an error.
type issuer struct {
	asked  atomic.Int64
	err    atomic.Pointer[fault.Error]
	bare   atomic.Bool // its tokens bear no permission
	claims []string
}

func (i *issuer) issue(ctx context.Context, _, claims string) (token, error) {
	n := i.asked.Add(1)
	i.claims = append(i.claims, claims)
	asked := time.Now()
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
		return token{}, ctx.Err()
	}
	if err := i.err.Load(); err != nil {
		return token{}, err
	}
	k := token{value: fmt.Sprint("t", n), issued: asked, ends: asked.Add(time.Hour), bare: i.bare.Load()}
	if k.bare {
		k.renew = asked.Add(bareFor)
	}
	return k, nil
}

// inBubble runs a test on a cache whose clock is the bubble's.
func inBubble(t *testing.T, run func(t *testing.T, i *issuer, c *tokens)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		c := newTokens(i.issue, 20*time.Minute, hclog.NewNullLogger())
		defer c.close()
		run(t, i, c)
	})
}

func TestAThousandCallersCauseOneRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if got, _, err := c.get(t.Context(), demand{scope: "s"}); err != nil || got.value != "t1" {
					t.Errorf("get = %q, %v", got.value, err)
				}
			})
		}
		wg.Wait()
		if n := i.asked.Load(); n != 1 {
			t.Errorf("%d requests for 1000 callers, want 1", n)
		}
		if got, _, _ := c.get(t.Context(), demand{scope: "other"}); got.value != "t2" {
			t.Errorf("another scope's token = %q, want one of its own", got.value)
		}
	})
}

func TestATokenIsRenewedAheadWhileTheOneBeforeServes(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		began := time.Now()
		_, until, err := c.get(t.Context(), demand{scope: "s"})
		if want := began.Add(40*time.Minute + hostMargin); err != nil || !until.Equal(want) {
			t.Fatalf("until %v, %v; want %v, renewal and the sdk's margin", until, err, want)
		}
		time.Sleep(40 * time.Minute)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				got, until, err := c.get(t.Context(), demand{scope: "s"})
				if err != nil || got.value != "t1" || !until.Equal(time.Now().Add(askAgain+hostMargin)) {
					t.Errorf("while it is being renewed: %q until %v, %v; want the one before, for a while", got.value, until, err)
				}
			})
		}
		wg.Wait()
		time.Sleep(askAgain)
		if got, _, _ := c.get(t.Context(), demand{scope: "s"}); got.value != "t2" || i.asked.Load() != 2 {
			t.Errorf("afterwards %q after %d requests, want t2 after 2", got.value, i.asked.Load())
		}
	})
}

// Whoever asks after a consent gets by at once, and where permissions are given in Exchange alone nobody is stopped by it.
func TestWhoeverHasATokenWithoutAPermissionWaitsForTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		get := func(want string) {
			t.Helper()
			if got, _, err := c.get(t.Context(), demand{scope: "s"}); err != nil || got.value != want {
				t.Errorf("%q, %v, want %s", got.value, err, want)
			}
		}
		i.bare.Store(true)
		get("t1")
		time.Sleep(bareFor - time.Second)
		get("t1")
		time.Sleep(time.Second)
		get("t2")
		i.err.Store(&fault.Error{Kind: fault.Unavailable, Message: "away"})
		time.Sleep(bareFor)
		get("t2")
		get("t2")
		if n := i.asked.Load(); n != 3 {
			t.Errorf("%d requests, want 3: a server that is away is left alone", n)
		}
		i.err.Store(nil)
		i.bare.Store(false)
		time.Sleep(firstPause)
		get("t4")
		time.Sleep(30 * time.Minute)
		get("t4")
	})
}

func TestALoginServerThatIsAwayForAnHourStopsNobodyBeforeTheTokenEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		first, _, err := c.get(t.Context(), demand{scope: "s"})
		if err != nil {
			t.Fatal(err)
		}
		i.err.Store(&fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer, Message: "away"})
		away, before := time.Now(), i.asked.Load()
		for time.Since(away) < 2*time.Hour { // somebody asks every 10 s
			got, _, err := c.get(t.Context(), demand{scope: "s"})
			if alive := time.Now().Before(first.ends); alive != (err == nil) || alive && got != first {
				t.Fatalf("%s after the server went: %v, %v; its token ends after an hour", time.Since(away), got, err)
			}
			if err != nil && (fault.Of(err) != fault.Unavailable || fault.After(err) > lastPause) {
				t.Fatalf("error %v, to be tried again in %s", err, fault.After(err))
			}
			time.Sleep(10 * time.Second)
		}
		// 80 minutes of trying: 15 s, 30 s, 1 min … 5 min.
		if n := i.asked.Load() - before; n < 15 || n > 22 {
			t.Errorf("%d requests to a server that is away, want about 19", n)
		}
		i.err.Store(nil)
		time.Sleep(lastPause)
		if _, _, err := c.get(t.Context(), demand{scope: "s"}); err != nil {
			t.Errorf("after it is back: %v", err)
		}
	})
}

func TestAPauseThatTheServerAsksForIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		i.err.Store(&fault.Error{Kind: fault.Throttled, After: 10 * time.Minute, Message: "busy"})
		_, _, err := c.get(t.Context(), demand{scope: "s"})
		time.Sleep(4 * time.Minute)
		_, _, again := c.get(t.Context(), demand{scope: "s"})
		if fault.Of(err) != fault.Throttled || fault.After(err) != 10*time.Minute || fault.After(again) != 6*time.Minute || i.asked.Load() != 1 {
			t.Errorf("%v for %s, then for %s, after %d requests", err, fault.After(err), fault.After(again), i.asked.Load())
		}
	})
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		refused := func(value string) demand {
			return demand{scope: "s", refused: auth.RefusedSum(token{value: value}.bearer()), claims: `{"x":1}`}
		}
		if _, _, err := c.get(t.Context(), demand{scope: "s"}); err != nil {
			t.Fatal(err)
		}
		if got, _, err := c.get(t.Context(), refused("t1")); !errors.Is(err, errYoung) || got.value != "t1" {
			t.Errorf("one that was just issued: %q, %v; want it told", got.value, err)
		}
		time.Sleep(2 * youngFor)
		for range 3 { // several backends hold the first
			if got, _, err := c.get(t.Context(), refused("t1")); err != nil || got.value != "t2" {
				t.Errorf("get = %q, %v; want t2", got.value, err)
			}
		}
		if got, _, err := c.get(t.Context(), refused("t2")); !errors.Is(err, errYoung) || got.value != "t2" {
			t.Errorf("the new one refused as well: %q, %v; want no third", got.value, err)
		}
		if len(i.claims) != 2 || i.claims[0] != "" || i.claims[1] != `{"x":1}` {
			t.Errorf("claims asked for: %q", i.claims)
		}
	})
}

func TestACallerWhoLeavesTakesNobodyAlong(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, c *tokens) {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, _, err := c.get(ctx, demand{scope: "s"})
			left <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		if got, _, err := c.get(t.Context(), demand{scope: "s"}); err != nil || got.value != "t1" || i.asked.Load() != 1 {
			t.Errorf("who stayed: %q, %v after %d requests", got.value, err, i.asked.Load())
		}
	})
}

func TestWhenATokenIsRenewed(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return time.Unix(0, 0).Add(time.Duration(minutes) * time.Minute) }
	for name, tc := range map[string]struct {
		before     time.Duration
		ends, hint int // minutes; no hint: 0
		want       int
	}{
		"before its end":             {20 * time.Minute, 60, 0, 40},
		"no earlier than half-way":   {55 * time.Minute, 60, 0, 30},
		"when the login server says": {20 * time.Minute, 24 * 60, 12 * 60, 12 * 60},
		"never too late":             {time.Second, 60, 0, 59},
		"the default":                {0, 90, 0, 70},
		"a hint later than our wish": {20 * time.Minute, 60, 50, 40},
	} {
		c := newTokens(nil, tc.before, hclog.NewNullLogger())
		k := token{issued: at(0), ends: at(tc.ends)}
		if tc.hint > 0 {
			k.renew = at(tc.hint)
		}
		if got := c.renewal(k); !got.Equal(at(tc.want)) {
			t.Errorf("%s: %s after its issue, want %d min", name, got.Sub(at(0)), tc.want)
		}
	}
}
