package webhook

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// start runs a host; stop ends it and waits.
func (r *rig) start(s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			r.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	r.Cleanup(stop)
	return stop
}

func TestRunSendsAtOnceWhatIsCommittedHere(t *testing.T) {
	each(t, func(r *rig) {
		r.start(r.service)
		r.create()
		for i := range 5 {
			r.change("created")
			<-r.came
			if got := len(r.received()); got != i+1 {
				r.Errorf("%d messages, want %d", got, i+1)
			}
		}
	})
}

// Two hosts on one store send every message once, in order, and one goes on where the other ended.
func TestHostsShareAWebhook(t *testing.T) {
	each(t, func(r *rig) {
		stop := r.start(r.service)
		r.start(r.host("b"))
		r.create()
		for range 10 {
			r.change("updated")
		}
		for range 10 {
			<-r.came
		}
		stop()
		for range 10 {
			r.change("updated")
		}
		for range 10 {
			<-r.came
		}
		want := ""
		for i := range 20 {
			if i > 0 {
				want += ", "
			}
			want += fmt.Sprintf("updated %d", i+1)
		}
		if got := r.seqs(); got != want {
			r.Errorf("received %s", got)
		}
	})
}

// A host that lost its duty while it sent stores nothing behind the back of the one that has it now.
func TestHostThatWasThoughtDeadStoresNothing(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		other := r.host("b")
		r.answers(func(n int) (int, http.Header) {
			if n == 1 { // the first host hangs for longer than its duty lasts
				r.later(2 * dutyFor)
				if mine, err := other.hold(context.Background(), name{tenant, w.ID}); !mine || err != nil {
					r.Errorf("hold = %v, %v", mine, err)
				}
			}
			return http.StatusOK, nil
		})
		if _, err := r.service.deliver(r.Context(), name{tenant, w.ID}); err == nil {
			r.Error("stored")
		}
		if got, _, err := r.store.Webhook(r.Context(), tenant, w.ID); err != nil || got.Seq != 0 {
			r.Errorf("webhook = %+v, %v", got, err)
		}
		if _, err := other.deliver(r.Context(), name{tenant, w.ID}); err != nil || r.seqs() != "created 1, created 1" {
			r.Errorf("received %s, %v", r.seqs(), err)
		}
	})
}

// What is changed or deleted while a message is under way is not undone by its outcome.
func TestChangesWhileAMessageIsUnderWay(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		r.answers(func(int) (int, http.Header) {
			_, err := r.service.Update(context.Background(), tenant, w.ID, Wish{Name: "renamed", URL: r.server.URL + "/new", Disabled: true})
			if err != nil {
				r.Error(err)
			}
			return http.StatusInternalServerError, nil
		})
		if w = r.deliver(w); w.Name != "renamed" || !w.Disabled || w.Attempts != 0 || w.Problem == "" {
			r.Errorf("webhook = %+v", w)
		}
		_, err := r.service.Update(r.Context(), tenant, w.ID, Wish{URL: r.server.URL})
		r.must(err)
		r.answers(func(int) (int, http.Header) {
			if err := r.service.Delete(context.Background(), tenant, w.ID); err != nil {
				r.Error(err)
			}
			return http.StatusOK, nil
		})
		if _, err := r.service.deliver(r.Context(), name{tenant, w.ID}); err != nil {
			r.Fatal(err)
		}
		if _, found, err := r.store.Webhook(r.Context(), tenant, w.ID); found || err != nil {
			r.Errorf("found = %v, %v", found, err)
		}
	})
}

func TestChangesThatWerePrunedAreSkipped(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		r.later(time.Hour)
		r.must(r.store.Tx(r.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Prune(ctx, store.Before{Changes: r.now()})
			return err
		}))
		r.change("updated")
		if w = r.deliver(w); r.seqs() != "updated 2" || w.Seq != 2 {
			r.Errorf("received %s, cursor at %d", r.seqs(), w.Seq)
		}
	})
}
