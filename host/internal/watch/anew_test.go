package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestAModeConfiguredAnewIsListenedToAnewAtOnce(t *testing.T) {
	for _, way := range []string{"streaming", "pull"} {
		t.Run(way, func(t *testing.T) {
			bubble(t, way, 3, func(r *rig) {
				time.Sleep(time.Minute)
				r.told()
				before, after := r.server, newFake()
				r.configure(after)
				r.watch.ModeChanged("EWS")
				time.Sleep(time.Minute)
				asked := before.subscriptions()
				if open := before.open(); len(open) > 0 || asked != 3 {
					t.Errorf("%d calls to what was configured before, %d subscriptions", len(open), asked)
				}
				if got := len(r.listens()); got != 3 {
					t.Errorf("%d subscriptions by what is configured now", got)
				}
				if got := r.told(); got != "listening "+way+" 3" {
					t.Errorf("told %q", got)
				}
			})
		})
	}
}

// A plugin instance that was replaced ends its connections; they are not opened by it again.
func TestAConnectionThatEndsIsOpenedAsConfiguredNow(t *testing.T) {
	bubble(t, "streaming", 2, func(r *rig) {
		time.Sleep(time.Minute)
		before := r.server
		r.configure(newFake())
		for _, c := range before.open() {
			c.end <- nil
		}
		time.Sleep(time.Minute)
		if open := before.open(); len(open) > 0 {
			t.Errorf("%d calls to what was configured before", len(open))
		}
		if got := r.sizes(); !slices.Equal(got, []int{2}) {
			t.Errorf("connections of %v to what is configured now", got)
		}
	})
}

// A refused login rests for up to an hour, but not once the password was mended; and the old one is not tried again.
func TestAMendedLoginIsTriedAtOnce(t *testing.T) {
	bubble(t, "streaming", 20, func(r *rig) {
		r.server.mu.Lock()
		r.server.fail = func(string, string) error {
			return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: "wrong password"}
		}
		r.server.mu.Unlock()
		time.Sleep(2 * time.Hour)
		before := r.server
		tried := before.subscriptions()
		r.configure(newFake())
		r.watch.ModeChanged("EWS")
		time.Sleep(30 * time.Second)
		if got := before.subscriptions(); got != tried {
			t.Errorf("the old login was tried %d times more", got-tried)
		}
		if got := r.sizes(); !slices.Equal(got, []int{20}) {
			t.Errorf("connections of %v", got)
		}
	})
}

// What serves single mail domains logs in otherwise: its mailboxes are listened to apart.
func TestMailboxesOfAnOverrideAreListenedToApart(t *testing.T) {
	bubble(t, "streaming", 3, func(r *rig) {
		time.Sleep(time.Minute)
		if got := r.sizes(); !slices.Equal(got, []int{3}) {
			t.Fatalf("connections of %v", got)
		}
		r.mu.Lock()
		r.apart = "p001@example.com"
		r.mu.Unlock()
		time.Sleep(45 * time.Minute) // a connection that stands goes on until its time is over; what it says of others is ignored
		if got := r.sizes(); !slices.Equal(got, []int{1, 2}) && !slices.Equal(got, []int{2, 1}) {
			t.Errorf("connections of %v, want the one of the override apart", got)
		}
	})
}
