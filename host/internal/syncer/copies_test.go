package syncer

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func doraWithout(sync bool) directory.Person {
	return directory.Person{ID: "dora", Email: "dora@example.com", SyncDisabled: sync}
}

// copied has b1 in alice's calendar with a copy of its item, which was met.
func (w *world) copied() (original, dup calendar.Ref) {
	w.Helper()
	w.book("b1")
	w.pass("alice")
	it := w.only(alice)
	original = it.Ref
	it.Ref = ""
	dup = w.server.add(alice, it)
	w.pass("alice")
	return original, dup
}

func TestCopyDoesNotStandForADeletedOriginal(t *testing.T) {
	each(t, func(w *world) {
		original, dup := w.copied()
		w.server.remove(alice, original)
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		if it := w.only(alice); it.Ref != dup || w.booking("b1").Status != booking.Cancelled {
			w.Errorf("item %s, want the copy %s; booking %s", it.Ref, dup, w.booking("b1").Status)
		}
	})
}

func TestItemMadeAnewBesideACopyHasAKeyOfItsOwn(t *testing.T) {
	each(t, func(w *world) {
		original, dup := w.copied()
		w.server.remove(alice, original)
		w.book("b1", at(14))
		w.pass("alice")
		w.pass("alice")
		items := w.server.items(alice)
		if len(items) != 2 || items[0].Ref != dup || items[0].Event.Start.Hour() != 9 || items[1].Event.Start.Hour() != 14 || items[0].Key == items[1].Key {
			w.Fatalf("items = %+v", items)
		}
		w.book("b1", at(15))
		w.pass("alice")
		if items := w.server.items(alice); items[0].Event.Start.Hour() != 9 || items[1].Event.Start.Hour() != 15 {
			w.Errorf("items = %+v", items)
		}
	})
}

func TestMovedOriginalIsFoundAmongCopies(t *testing.T) {
	each(t, func(w *world) {
		original, dup := w.copied()
		w.server.move(alice, original)
		w.pass("alice")
		w.book("b1", at(14))
		w.pass("alice")
		for _, it := range w.server.items(alice) {
			if want := map[bool]int{true: 9, false: 14}[it.Ref == dup]; it.Event.Start.Hour() != want {
				w.Errorf("%s at %d, want %d", it.Ref, it.Event.Start.Hour(), want)
			}
		}
	})
}

func (w *world) addInItem(address string, change ...func(*calendar.Event)) calendar.Ref {
	w.Helper()
	e := calendar.Event{
		Subject: "Planning", Location: "Room A", Zone: "Europe/Berlin", Busy: calendar.Occupied,
		Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
		Attendees: []calendar.Attendee{
			{Address: calendar.Address{Email: bob}},
			{Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
		},
	}
	for _, c := range change {
		c(&e)
	}
	return w.server.add(address, calendar.Item{ForeignKey: "b1", Event: e})
}

func TestTakeOverAdoptsAndMailsNobody(t *testing.T) {
	elsewhere := func(e *calendar.Event) { e.Location = "somewhere else" }
	each(t, func(w *world) {
		ref := w.addInItem(alice, elsewhere)
		w.book("b1") // a booking like any other: its maker does not know that an item exists
		w.pass("alice")
		w.pass("alice")
		it := w.only(alice)
		if it.Ref != ref || it.Event.Location != "Room A" || len(w.server.mails) != 0 {
			w.Errorf("item %+v, mails %v", it, w.server.mails)
		}
		if w.differences("edit lost") != 1 {
			w.Errorf("the item's own place was not laid before anybody")
		}
	})
}

// Those whom the add-in's item invited hear that it is off, though nobody at Roomwire had seen it before.
func TestAnItemThatWasNeverMetIsCalledOffWithItsBooking(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.addInItem(alice)
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		w.none(alice)
		if len(w.server.mails) != 1 {
			w.Errorf("mails %v, want the cancellation", w.server.mails)
		}
	})
}

func TestItemFoundAfterAFailedCreateDoesNotChangeTheBooking(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		w.server.before = func(call string) error {
			if call == "apply" {
				return fmt.Errorf("busy: %w", fault.Unavailable)
			}
			return nil
		}
		w.pass("alice")
		w.server.before = nil
		ref := w.addInItem(alice, func(e *calendar.Event) { e.Subject = "as the add-in named it" })
		w.later(time.Hour)
		w.pass("alice")
		if it, b := w.only(alice), w.booking("b1"); it.Ref != ref || it.Event.Subject != "Planning" || b.Version != 1 || w.differences("edit lost") != 1 {
			w.Errorf("item %+v, booking %+v, %d differences", it, b, w.differences("edit lost"))
		}
	})
}

func TestItemMovedWhileItIsAboutToBeWrittenIsNotMadeTwice(t *testing.T) {
	each(t, func(w *world) {
		w.addInItem(alice, func(e *calendar.Event) { e.Location = "somewhere else" })
		w.book("b1")
		moved := false
		w.server.before = func(call string) error {
			if call == "fetch" && !moved {
				moved = true
				w.server.move(alice, w.only(alice).Ref)
			}
			return nil
		}
		w.pass("alice")
		w.later(time.Minute)
		w.pass("alice")
		if it := w.only(alice); it.Event.Location != "Room A" || !moved {
			w.Errorf("item %+v", it)
		}
	})
}

func TestItemThatWasToGoIsThatOfTheBookingThatIsBack(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		ref := w.addInItem(alice)
		w.pass("alice")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.book("b1", at(14))
		refused := false
		w.server.before = func(call string) error {
			if call == "apply" && !refused {
				refused = true
				return fmt.Errorf("not now: %w", fault.Invalid)
			}
			return nil
		}
		w.pass("alice")
		w.later(time.Hour)
		w.pass("alice")
		w.later(25 * time.Hour)
		w.pass("alice")
		if it, b := w.only(alice), w.booking("b1"); it.Ref != ref || it.Event.Start.Hour() != 14 || b.Status != booking.Confirmed || !refused {
			w.Errorf("item %+v, booking %+v", it, b)
		}
	})
}

func TestItemMadeForABookingThatIsBackIsNotTakenForTheOneThatIsToGo(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.remove(alice, w.only(alice).Ref)
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.book("b1")
		ref := w.addInItem(alice)
		w.pass("alice")
		w.pass("alice")
		if it := w.only(alice); it.Ref != ref {
			w.Errorf("item %s, want %s", it.Ref, ref)
		}
	})
}

func TestBookingIsLinkedThoughItsFormerOrganizersItemStillWaitsToGo(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.person(doraWithout(true))
		w.book("b1", by("dora"))
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncDisabled: true})
		w.person(doraWithout(false))
		w.pass("dora")
		w.only("dora@example.com")
	})
}

func TestTakeOverOfAMailboxThatIsSwitchedOn(t *testing.T) {
	each(t, func(w *world) {
		w.person(doraWithout(true))
		w.book("b1", by("dora"))
		ref := w.addInItem("dora@example.com")
		w.person(doraWithout(false))
		w.pass("dora")
		w.later(25 * time.Hour)
		w.pass("dora")
		if it := w.only("dora@example.com"); it.Ref != ref || w.server.writes != 0 {
			w.Errorf("item %+v after %d writes", it, w.server.writes)
		}
		w.book("b1", by("dora"), at(14))
		w.pass("dora")
		if it := w.only("dora@example.com"); it.Event.Start.Hour() != 14 {
			w.Errorf("item %+v", it)
		}
	})
}

func TestItemOfTheAddInThatComesLateIsListed(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
		w.pass("alice")
		w.later(16 * time.Minute)
		w.pass("alice")
		made := w.only(alice)
		late := w.addInItem(alice)
		w.pass("alice")
		w.server.edit(alice, late, func(e *calendar.Event) { e.Subject = "mine" })
		w.pass("alice")
		if b := w.booking("b1"); b.Title != "Planning" || w.differences("copy left alone") != 1 {
			w.Errorf("booking %q, %d differences", b.Title, w.differences("copy left alone"))
		}
		if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if it := w.only(alice); it.Ref != late || it.Ref == made.Ref {
			w.Errorf("item %s is left, want %s", it.Ref, late)
		}
	})
}

func TestAdoptedItemIsDeletedWhereItWasMovedTo(t *testing.T) {
	for name, move := range map[string]func(*world, calendar.Ref){
		"OutAndBack": func(w *world, ref calendar.Ref) { w.server.move(alice, ref) },
		"WhileItIsAboutToBeDeleted": func(w *world, ref calendar.Ref) {
			w.amid("fetch", func() { w.server.move(alice, ref) })
		},
		"ToAnotherServer": func(w *world, _ calendar.Ref) {
			w.server.migrate(alice)
			w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncURL: "https://other.example.com"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1", func(b *booking.Booking) { b.ItemExpected = true })
				ref := w.addInItem(alice)
				w.pass("alice")
				if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				move(w, ref)
				w.pass("alice")
				w.none(alice)
			})
		})
	}
}

func TestItemLeftByAConflictStandsForItsBookingWhenThatIsBack(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1", by("carol"))
		w.book("b2", at(14), by("bob"))
		w.pass("carol")
		ref := w.only(carol).Ref
		w.server.edit(carol, ref, func(e *calendar.Event) { e.Start, e.End = e.Start.Add(5*time.Hour), e.End.Add(5*time.Hour) })
		w.pass("carol")
		w.book("b1", by("carol"), at(16))
		w.pass("carol")
		w.pass("carol")
		if it := w.only(carol); it.Ref != ref || it.Event.Start.Hour() != 16 {
			w.Errorf("item %+v", it)
		}
		if s := w.state("carol"); s.Status != store.StatusOK {
			w.Errorf("state %+v", s)
		}
	})
}

// TestAnItemMadeAnewIsKnownBesideTheOldOne: an item was deleted and is made anew, the answer is lost, and somebody brings the old one back,
// which its deletion has called off. That one is read first.
func TestAnItemMadeAnewIsKnownBesideTheOldOne(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.identify(alice, w.only(alice).Ref, "u1")
		w.pass("alice")
		old := w.only(alice)
		w.server.remove(alice, old.Ref)
		w.book("b1", at(14))
		w.server.after = func(call string) error {
			if call != "apply" {
				return nil
			}
			w.server.after = nil
			made, back := w.only(alice), old
			back.Ref, back.Event.Cancelled = "", true
			w.server.identify(alice, made.Ref, "u2")
			w.server.untold(alice) // it is told after the other one
			w.server.add(alice, back)
			w.server.edit(alice, made.Ref, func(*calendar.Event) {})
			return fmt.Errorf("the answer was lost: %w", fault.Unavailable)
		}
		w.pass("alice")
		w.later(time.Hour)
		w.pass("alice")
		w.pass("alice")
		var live []calendar.Item
		for _, it := range w.server.items(alice) {
			if !it.Event.Cancelled {
				live = append(live, it)
			}
		}
		if len(live) != 1 || live[0].Event.Start.Hour() != 14 || live[0].Key != old.Key {
			w.Fatalf("items = %+v", live)
		}
		if links, err := w.store.LinksOfBooking(w.Context(), tenant, "b1"); err != nil || len(links) != 1 || links[0].Ref != live[0].Ref {
			w.Errorf("links %+v, %v", links, err)
		}
	})
}

func TestMeetingCalledOffStandsForNothing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("b2", at(12))
		w.pass("alice")
		for _, it := range w.server.items(alice) {
			w.server.edit(alice, it.Ref, func(e *calendar.Event) { e.Cancelled = true })
		}
		w.book("b1", at(14)) // the booking system's change prevails: there shall be a meeting
		w.pass("alice")
		w.pass("alice")
		if w.booking("b1").Status != booking.Confirmed || w.booking("b2").Status != booking.Cancelled {
			w.Errorf("b1 is %s, b2 is %s", w.booking("b1").Status, w.booking("b2").Status)
		}
		var live []calendar.Item
		for _, it := range w.server.items(alice) {
			if !it.Event.Cancelled {
				live = append(live, it)
			}
		}
		if len(live) != 1 || live[0].Event.Start.Hour() != 14 {
			w.Fatalf("items = %+v", live)
		}
		w.book("b1", at(15))
		w.pass("alice")
		if s := w.state("alice"); s.Status != store.StatusOK || w.booking("b1").SyncDisabled {
			w.Errorf("state %+v", s)
		}
	})
}
