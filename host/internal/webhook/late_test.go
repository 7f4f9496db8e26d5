package webhook

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// A host that comes back after others have sent more, and stopped, does not have them sent again.
func TestHostThatComesLateDoesNotMoveTheCursorBack(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created", "updated")
		other := r.host("b")
		r.answers(func(n int) (int, http.Header) {
			if n == 1 {
				r.later(2 * dutyFor)
				if _, err := other.deliver(context.Background(), name{tenant, w.ID}); err != nil {
					r.Error(err)
				}
				r.later(2 * dutyFor)
			}
			return http.StatusOK, nil
		})
		if w = r.deliver(w); w.Seq != 2 {
			r.Errorf("cursor at %d, want 2", w.Seq)
		}
		if got, want := r.seqs(), "created 1, created 1, updated 2"; got != want {
			r.Errorf("received %s, want %s", got, want)
		}
	})
}

// Who answers 410 speaks for the URL that was asked, not for the one that was named meanwhile.
func TestGoneDoesNotSwitchOffAnotherReceiver(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		r.answers(func(n int) (int, http.Header) {
			if n > 1 {
				return http.StatusOK, nil
			}
			if _, err := r.service.Update(context.Background(), tenant, w.ID, Wish{URL: r.server.URL + "/new"}); err != nil {
				r.Error(err)
			}
			return http.StatusGone, nil
		})
		if w = r.deliver(w); w.Disabled || w.Seq != 1 || r.seqs() != "created 1, created 1" {
			r.Errorf("webhook = %+v, received %s", w, r.seqs())
		}
	})
}

// A webhook that is switched off and on while a message is under way is not served by two workers.
func TestSwitchingOffAndOnWaitsForTheMessageUnderWay(t *testing.T) {
	each(t, func(r *rig) {
		r.service.grace = time.Hour
		w := r.create()
		wish := Wish{URL: r.server.URL, Kinds: []string{"created"}}
		_, err := r.service.Update(r.Context(), tenant, w.ID, wish)
		r.must(err)
		// looked returns when Run has seen all that was changed before.
		looked := func() {
			probe := r.create(func(w *Wish) { w.Kinds = []string{"updated"} })
			r.change("updated")
			<-r.came
			r.must(r.service.Delete(context.Background(), tenant, probe.ID))
		}
		underWay := make(chan struct{})
		answer := make(chan struct{})
		r.answers(func(n int) (int, http.Header) {
			if n == 1 {
				close(underWay)
				<-answer
			}
			return http.StatusOK, nil
		})
		r.start(r.service)
		r.change("created")
		<-underWay
		wish.Disabled = true
		_, err = r.service.Update(r.Context(), tenant, w.ID, wish)
		r.must(err)
		looked()
		wish.Disabled = false
		_, err = r.service.Update(r.Context(), tenant, w.ID, wish)
		r.must(err)
		looked()
		if got := r.seqs(); got != "created 1, updated 2, updated 3" {
			r.Errorf("received %s while the first message is under way", got)
		}
		close(answer)
		<-r.came
		r.change("created")
		<-r.came
		if got := r.seqs(); got != "created 1, updated 2, updated 3, created 4" {
			r.Errorf("received %s", got)
		}
	})
}
