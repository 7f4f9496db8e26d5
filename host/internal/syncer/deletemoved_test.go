package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// Between the read and the removal of one pass somebody drags the item of a booking that is over out of the calendar and back: it is
// removed where it lies now, and those whom it invites are told.
func TestAnItemThatIsMovedWhileItIsRemovedIsRemoved(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		mails := len(w.server.mails)
		w.amid("apply", func() { w.server.move(alice, w.only(alice).Ref) })
		for range 3 {
			w.pass("alice")
		}
		w.none(alice)
		w.quiet(mails + 1)
		if n := w.differences(unlinkedLeftAlone); n != 0 {
			w.Errorf("%d differences", n)
		}
		links, err := w.store.LinksOfBooking(w.Context(), tenant, "b1")
		if err != nil || len(links) != 1 || links[0].State != store.LinkDead {
			w.Errorf("links %+v, %v", links, err)
		}
	})
}

// It may as well be gone for good: then there is nothing left to do.
func TestAnItemThatGoesWhileItIsRemovedIsGone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		mails := len(w.server.mails)
		w.amid("apply", func() { w.server.remove(alice, w.only(alice).Ref) })
		for range 3 {
			w.pass("alice")
		}
		w.none(alice)
		w.quiet(mails)
		links, err := w.store.LinksOfBooking(w.Context(), tenant, "b1")
		if err != nil || len(links) != 1 || links[0].State != store.LinkDead {
			w.Errorf("links %+v, %v", links, err)
		}
	})
}
