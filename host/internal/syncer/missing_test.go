package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// A table leaves a room out for a night, and the next one has it again: what Outlook shows as the place of its meetings is what it was.
func TestARoomThatComesBackIsThePlaceAgain(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		before := w.only(alice).Event.Location
		rows, err := w.store.Persons(w.Context(), tenant, store.PersonFilter{})
		if err != nil {
			w.Fatal(err)
		}
		var all, without []directory.Person
		for _, r := range rows {
			all = append(all, r.Person)
			if r.ID != "room-a" {
				without = append(without, r.Person)
			}
		}
		for _, people := range [][]directory.Person{without, all} {
			if out, err := w.engine.ImportPersons(w.Context(), tenant, people, ImportOptions{RemoveMissing: true}); err != nil || !out.Applied {
				w.Fatal(out, err)
			}
			w.later(DefaultLimits().ReconcileInterval)
			w.pass("alice")
		}
		if got := w.only(alice).Event.Location; got != before || before == "" {
			w.Errorf("the place is %q, and was %q", got, before)
		}
		if b := w.booking("b1"); len(b.Resources) != 1 {
			w.Errorf("booking = %+v", b)
		}
	})
}
