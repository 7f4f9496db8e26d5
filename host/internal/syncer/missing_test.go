package syncer

import (
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The answer to the making of an item was lost, and the table that is imported next leaves its person out for once. Forgetting
// the person by DELETE keeps in mind that there may be an item; an import that forgets the same person does not.
func TestImportThatLeavesOutAPersonWhoseItemIsBeingMade(t *testing.T) {
	for _, by := range []string{"delete", "import"} {
		t.Run(by, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.book("b1")
				lost := false
				w.server.after = func(call string) error {
					if call == "apply" && !lost {
						lost = true
						return fault.Unavailable
					}
					return nil
				}
				if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil || !lost {
					w.Fatal(lost, err)
				}
				rows, err := w.store.Persons(w.Context(), tenant, store.PersonFilter{})
				if err != nil {
					w.Fatal(err)
				}
				var all, without []directory.Person
				for _, r := range rows {
					all = append(all, r.Person)
					if r.ID != "alice" {
						without = append(without, r.Person)
					}
				}
				if by == "delete" {
					if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
						w.Fatal(err)
					}
				} else if out, err := w.engine.ImportPersons(w.Context(), tenant, without, ImportOptions{RemoveMissing: true}); err != nil || !out.Applied {
					w.Fatal(out, err)
				}
				if out, err := w.engine.ImportPersons(w.Context(), tenant, all, ImportOptions{RemoveMissing: true}); err != nil || !out.Applied {
					w.Fatal(out, err)
				}
				w.later(DefaultLimits().RetryMax * 2)
				w.pass("alice")
				w.only(alice)
			})
		})
	}
}

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
