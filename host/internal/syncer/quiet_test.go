package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// trusts returns the tokens, as the server was told them, that are trusted by now; the subscription in force comes first.
func (w *world) trusts(person string) (tokens []string) {
	w.Helper()
	for _, req := range w.server.subscribed {
		if !strings.HasPrefix(req.Mailbox.Address, person+"@") {
			continue
		}
		_, token, _ := strings.Cut(req.URL, "&k=")
		sub, found, err := w.store.SubscriptionByToken(w.Context(), TokenHash(token))
		if err != nil {
			w.Fatal(err)
		}
		if found && sub.Active {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// heard checks that the one subscription of the mailbox that lives at the server bears the one token that is trusted.
func (w *world) heard(person string) {
	w.Helper()
	mb, tokens := w.mailbox(person), w.trusts(person)
	url := w.server.living[mb.SubscriptionID]
	if len(w.server.living) != 1 || len(tokens) != 1 || !strings.HasSuffix(url, "&k="+tokens[0]) {
		w.Errorf("%d subscriptions live, %q is in force with %q; trusted are %d tokens", len(w.server.living), mb.SubscriptionID, url, len(tokens))
	}
}

func (w *world) ends(want int) {
	w.Helper()
	if n, err := w.engine.EndLeftovers(w.Context()); err != nil || n != want {
		w.Errorf("%d leftovers ended, %v; want %d", n, err, want)
	}
}

func TestSilenceIsNotHeldAgainstAQuietSubscription(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.pass("alice")
		pulls := w.server.calls["pull"]
		w.after(25*time.Hour, "alice")
		w.on("alice", "push", "")
		w.heard("alice")
		if n := len(w.server.subscribed); n != 7 || len(w.server.living) != 1 {
			t.Errorf("asked %d times in a day, %d live; want renewals every four hours of the one", n, len(w.server.living))
		}
		if n := w.server.calls["pull"] - pulls; n < 6 {
			t.Errorf("pulled %d times, want at each renewal", n)
		}
		if n, err := w.store.Silent(w.Context(), w.now()); err != nil || n != 0 {
			t.Errorf("%d count as silent, %v", n, err)
		}
		if s := w.timeline("alice"); strings.Contains(s, "clock") || strings.Contains(s, "streaming") {
			t.Errorf("timeline: %s", s)
		}
	})
}

func TestAQuietSubscriptionThatIsGrantedProvesPush(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.server.noPush = fmt.Errorf("no: %w", fault.Forbidden)
		w.pass("alice")
		w.on("alice", "streaming", "")
		w.server.noPush = nil
		w.after(80*time.Minute, "alice")
		w.on("alice", "push", "")
		w.heard("alice")
	})
}

// lose is what the endpoint records when the server says that a subscription needs care.
func (w *world) lose(person string) {
	w.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.RenewSubscription(ctx, tenant, person); err != nil {
			return err
		}
		return tx.Notice(ctx, tenant, person, time.Time{})
	})
}

func TestWhatIsLostOfAQuietSubscriptionIsRenewedAndReplacedOnlyIfItIsGone(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.pass("alice")
		first := w.mailbox("alice").SubscriptionID
		pulls := w.server.calls["pull"]
		w.later(time.Minute)
		w.lose("alice")
		w.pass("alice")
		last := w.server.subscribed[len(w.server.subscribed)-1]
		if last.Existing == nil || last.Existing.ID != first || w.mailbox("alice").SubscriptionID != first || w.server.calls["pull"] == pulls {
			t.Errorf("asked with %+v, %q in force, %d pulls", last.Existing, w.mailbox("alice").SubscriptionID, w.server.calls["pull"]-pulls)
		}
		w.heard("alice")

		delete(w.server.living, first)
		w.later(time.Minute)
		w.lose("alice")
		w.pass("alice")
		if id := w.mailbox("alice").SubscriptionID; id == first {
			t.Errorf("%q is in force, which is gone", id)
		}
		w.heard("alice")
		w.ends(1) // the one that is gone: harmless
		w.heard("alice")
	})
}

func TestNewsOfALossWhileTheSubscriptionIsRenewedIsNotForgotten(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.pass("alice")
		w.later(5 * time.Hour)
		asked := len(w.server.subscribed)
		once := false
		w.server.before = func(call string) error {
			if call == "subscribe" && !once {
				once = true
				w.lose("alice")
			}
			return nil
		}
		w.pass("alice")
		if n := len(w.server.subscribed) - asked; n != 2 {
			t.Errorf("asked %d times, want twice", n)
		}
		w.heard("alice")
	})
}

func TestACrashWhileAQuietSubscriptionIsRenewedLosesNoMessage(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.pass("alice")
		for _, step := range []string{"subscribe:token-stored", "subscribe:granted"} {
			before := w.mailbox("alice").SubscriptionID
			w.later(5 * time.Hour)
			w.engine.Failpoint = func(s string) {
				if s == step {
					panic(crashed{s})
				}
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s was not reached", step)
					}
				}()
				w.pass("alice")
			}()
			_ = w.store.Close()
			w.start()
			w.prefer("push")
			w.heard("alice") // even before the next pass
			w.pass("alice")
			w.heard("alice")
			if id := w.mailbox("alice").SubscriptionID; id != before {
				t.Errorf("%s: %q in force, %q before", step, id, before)
			}
			w.ends(0)
		}
	})
}

func TestAQuietSubscriptionThatNobodyWantsIsEndedAtItsServer(t *testing.T) {
	for name, leave := range map[string]func(w *world){
		"switched off": func(w *world) {
			w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true})
		},
		"moved":   func(w *world) { w.person(directory.Person{ID: "alice", Email: "alice@elsewhere.example"}) },
		"removed": func(w *world) { _ = w.engine.DeletePerson(w.Context(), tenant, "alice") },
		"another way": func(w *world) {
			w.prefer("poll")
			w.later(time.Minute)
			_ = w.engine.Sync(w.Context(), tenant, "alice", false)
		},
		"messages do not arrive": func(w *world) { _ = w.engine.FallBack(w.Context(), tenant, "alice", "a test said so") },
		"called elsewhere": func(w *world) {
			w.engine.NotificationURL = func(string, string) string { return "https://other.example.com/x?Default" }
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.RenewSubscriptions(ctx, tenant)
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.server.quiet = true
				w.prefer("push")
				w.pass("alice")
				id := w.mailbox("alice").SubscriptionID
				w.later(time.Minute)
				leave(w)
				if name != "removed" {
					w.pass("alice")
				}
				if w.server.living[id] == "" {
					t.Fatal("it ended by itself")
				}
				w.server.noUnsub = fmt.Errorf("busy: %w", fault.Unavailable)
				w.ends(0)
				w.ends(0) // it waits
				w.server.noUnsub = nil
				w.later(10 * time.Minute)
				w.ends(1)
				if w.server.living[id] != "" {
					t.Error("it lives")
				}
				w.ends(0)
			})
		})
	}
}

func TestALeftoverThatCannotBeEndedIsForgottenWhenItHasEndedByItself(t *testing.T) {
	each(t, func(w *world) {
		w.server.quiet = true
		w.prefer("push")
		w.pass("alice")
		w.later(time.Minute)
		if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
			t.Fatal(err)
		}
		w.server.noUnsub = fmt.Errorf("no: %w", fault.Unauthorized)
		for range 60 {
			w.ends(0)
			w.later(6 * time.Hour)
		}
		if left, err := w.store.Leftovers(w.Context(), w.now().Add(24*time.Hour), 10); err != nil || len(left) != 0 {
			t.Errorf("left: %+v, %v", left, err)
		}
	})
}
