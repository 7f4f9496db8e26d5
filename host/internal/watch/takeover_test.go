package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// A host that is killed gives nothing back. On PostgreSQL another one takes its servers over once its duty has run out, and
// has the mailboxes read: what happened meanwhile nobody heard.
func TestAnotherHostTakesOverFromOneThatWasKilled(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, server: newFake()}
		host := func(name string) (*store.Store, *Watch) {
			st, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			modes := oneMode{r, "streaming"}
			engine := syncer.New(syncer.Options{Store: st, Modes: modes, Limits: syncer.DefaultLimits()})
			return st, New(Options{Store: st, Engine: spy{engine, r}, Modes: modes, Holder: name, Limits: DefaultLimits()})
		}
		killed, one := host("one")
		st, two := host("two")
		defer st.Close()
		r.store, r.watch = st, two
		r.engine = syncer.New(syncer.Options{Store: st, Modes: oneMode{r, "streaming"}, Limits: syncer.DefaultLimits()})
		for _, id := range []string{"a", "b", "c"} {
			r.person(id, "streaming")
		}
		stop := r.start(one)
		time.Sleep(20 * time.Second)
		defer r.start(two)()
		time.Sleep(5 * time.Minute)
		if a, b := one.Stats(), two.Stats(); a.Ways["streaming"] != (Count{3, 3}) || len(b.Groups) != 0 {
			t.Fatalf("one listens to %+v, two to %+v", a.Ways, b.Ways)
		}
		wanted := r.mailbox("a").Wanted
		r.told()

		// What is killed has no connection to the database any more, so nothing of what follows reaches it.
		if err := killed.Close(); err != nil {
			t.Fatal(err)
		}
		stop()
		time.Sleep(10 * time.Second)
		if b := two.Stats(); len(b.Groups) != 0 || r.told() != "" {
			t.Errorf("two listens to %+v while one could still be alive", b.Ways)
		}
		time.Sleep(dutyFor + 2*tendEvery)
		if b := two.Stats(); b.Ways["streaming"] != (Count{3, 3}) || len(r.listens()) != 6 {
			t.Errorf("two listens to %+v, %d subscriptions", b.Ways, len(r.listens()))
		}
		if got := r.told(); got != "listening streaming 3" {
			t.Errorf("told %q", got)
		}
		if now := r.mailbox("a").Wanted; now == wanted {
			t.Error("the mailboxes are not read, though nobody listened for a while")
		}
	})
}
