package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// removed removes alice, has f happen, and has her back.
func (w *world) removed(f func(), back ...func(*directory.Person)) {
	w.Helper()
	if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
		w.Fatal(err)
	}
	f()
	p := directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"}
	for _, change := range back {
		change(&p)
	}
	w.person(p)
}

// daysOf has passes over alice's calendar on some days in a row.
func (w *world) daysOf(person string) {
	w.Helper()
	for range 3 {
		w.pass(person)
		w.later(26 * time.Hour)
	}
}

// mailedSince returns the mails after the first n: what was done, and the key.
func (w *world) mailedSince(n int) []string {
	mails := slices.Clone(w.server.mails[n:])
	slices.Sort(mails)
	return mails
}

// tableOf imports a table of the persons with these ids, and of the rooms. Addresses are those of the ids, but for those given.
func (w *world) tableOf(addresses map[string]string, ids ...string) {
	w.Helper()
	var table []directory.Person
	for _, id := range ids {
		p := directory.Person{Tenant: tenant, ID: id, Email: id + "@example.com", DisplayName: id, SyncMode: "Memory", Kind: directory.KindPerson}
		if address, given := addresses[id]; given {
			p.Email = address
		}
		table = append(table, p)
	}
	for _, r := range []string{"room-a", "room-b"} {
		table = append(table, directory.Person{
			Tenant: tenant, ID: r, Email: r + "@example.com", DisplayName: "Room " + strings.ToUpper(r[5:]), Kind: directory.KindResource, SyncMode: "Memory", SyncDisabled: true,
		})
	}
	out, err := w.engine.ImportPersons(w.Context(), tenant, table, ImportOptions{RemoveMissing: true})
	if err != nil || !out.Applied {
		w.Fatal(out, err)
	}
}

// Somebody's id is another one from now on, as after a change of the login name: the table has the same mailbox under the new id, and the
// booking system names the new organizer, before or after the first pass. It is the same calendar: nothing is doubled, nobody is invited once more,
// and what is cancelled goes.
func TestAnotherIDOfTheSameMailboxDoublesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		early   bool // the calendar is read before the booking system names the new organizer
	}{
		"same address":          {address: alice},
		"same address, early":   {address: alice, early: true},
		"other address":         {address: "alice.smith@example.com"},
		"other address, early":  {address: "alice.smith@example.com", early: true},
		"written another way":   {address: strings.ToUpper(alice)},
		"back to the former id": {address: alice, early: true},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b1")
				w.book("b2", at(12))
				w.pass("alice")
				for _, it := range w.server.items(alice) {
					w.server.identify(alice, it.Ref, "uid of "+it.Key)
				}
				w.full()
				mails := len(w.server.mails)
				id := "alice.smith"
				w.server.boxes[c.address] = w.server.boxes[alice]
				w.tableOf(map[string]string{id: c.address}, id, "bob", "carol")
				if c.early {
					w.pass(id)
				}
				if strings.HasPrefix(name, "back") {
					id = "alice"
					w.tableOf(nil, id, "bob", "carol")
					w.pass(id)
				} else {
					for _, b := range []string{"b1", "b2"} {
						w.rebook(b, by(id))
					}
				}
				w.daysOf(id)
				if n := len(w.server.items(alice)); n != 2 {
					w.Errorf("%d items, want 2: %+v", n, w.server.items(alice))
				}
				if got := w.mailedSince(mails); len(got) > 0 || len(w.allOpen()) > 0 {
					w.Errorf("mailed: %v, listed: %+v", got, w.allOpen())
				}
				w.server.move(alice, w.itemOf("b2.1").Ref) // and is known still
				w.daysOf(id)
				w.rebook("b2", at(14))
				w.cancel("b1")
				w.daysOf(id)
				if it := w.only(alice); it.ForeignKey != "b2" || it.Event.Start.Hour() != 14 {
					w.Errorf("item = %+v", it)
				}
				if got := w.mailedSince(mails); !slices.Equal(got, []string{"2 b2.1", "3 b1.1"}) {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// The booking is cancelled, or given to somebody else, before the booking system hears of the new id.
func TestABookingThatIsOverBeforeItsOrganizersOtherIDIsKnown(t *testing.T) {
	for name, address := range map[string]string{"same address": alice, "other address": "alice.smith@example.com"} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprint(name, early), func(t *testing.T) {
				each(t, func(w *world) {
					w.booked(3)
					for _, it := range w.server.items(alice) {
						w.server.identify(alice, it.Ref, "uid of "+it.Key)
					}
					w.full()
					w.server.boxes[address] = w.server.boxes[alice]
					w.tableOf(map[string]string{"alice.smith": address}, "alice.smith", "bob", "carol")
					if early {
						w.pass("alice.smith")
					}
					w.cancel("b1")
					w.rebook("b2", by("bob"))
					w.pass("bob")
					w.daysOf("alice.smith")
					if err := w.engine.Sync(w.Context(), tenant, "alice.smith", true); err != nil {
						w.Fatal(err)
					}
					w.pass("alice.smith")
					listed := 0
					for _, d := range w.allOpen() {
						if d.Kind != unlinkedLeftAlone || d.Booking == "b0" {
							w.Errorf("listed: %+v", d)
						}
						listed++
					}
					if there := len(w.server.items(alice)) - 1; there != listed || address == alice && there != 0 {
						w.Errorf("%d items too many, %d are listed", there, listed)
					}
					w.itemOf("b0.1")
				})
			})
		}
	}
}

// The former id is back, without an address or with another one, and its bookings still name it: nobody has given them to somebody else, so
// nothing is called off.
func TestAnItemStaysWhileItsBookingNamesTheFormerID(t *testing.T) {
	for _, address := range []string{"", "alice@elsewhere.example"} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprint(address, early), func(t *testing.T) {
				each(t, func(w *world) {
					w.booked(2)
					mails := len(w.server.mails)
					w.tableOf(map[string]string{"alice.smith": alice}, "alice.smith", "bob", "carol")
					if early {
						w.pass("alice.smith")
					}
					w.tableOf(map[string]string{"alice": address, "alice.smith": alice}, "alice", "alice.smith", "bob", "carol")
					w.daysOf("alice.smith")
					w.rebook("b1", titled("changed"))
					w.daysOf("alice.smith")
					if n := len(w.server.items(alice)); n != 2 || len(w.mailedSince(mails)) > 0 {
						w.Errorf("%d items, want 2; mailed: %v", n, w.mailedSince(mails))
					}
					w.rebook("b0", by("bob"))
					w.daysOf("alice.smith")
					if it := w.only(alice); it.ForeignKey != "b1" {
						w.Errorf("item = %+v", it)
					}
				})
			})
		}
	}
}

// Whoever gets the address of somebody who left long ago has another mailbox: nothing of it is touched, and what the calendar of the one before
// had does not matter.
func TestAnAddressThatIsSomebodyElsesByNow(t *testing.T) {
	each(t, func(w *world) {
		w.booked(2)
		w.tableOf(nil, "bob", "carol")
		w.server.boxes[alice] = &box{items: map[calendar.Ref]*calendar.Item{}}
		w.cancel("b0")
		w.tableOf(map[string]string{"alma": alice}, "alma", "bob", "carol")
		w.silently(func() { w.daysOf("alma") })
		w.none(alice)
		if open := w.allOpen(); len(open) > 0 {
			w.Errorf("listed: %+v", open)
		}
	})
}

// Somebody is missing in one night's table and is back the next day. What the booking system cancelled or gave away in between is carried out
// then, and those invited hear of it, wherever the item lies by then.
func TestWhatHappenedWhileSomebodyWasMissingInTheTable(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world){
		"":             func(*world) {},
		"item moved":   func(w *world) { w.server.move(alice, w.itemOf("b1.1").Ref) },
		"given around": func(w *world) { w.rebook("b2", by("carol")); w.rebook("b2", by("bob")) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(4)
				mails := len(w.server.mails)
				w.removed(func() {
					w.cancel("b1")
					w.rebook("b2", by("bob"))
					meanwhile(w)
				})
				w.daysOf("alice")
				if got := w.mailedSince(mails); !slices.Equal(got, []string{"3 b1.1", "3 b2.1"}) {
					w.Errorf("mailed: %v", got)
				}
				if n := len(w.server.items(alice)); n != 2 {
					w.Errorf("%d items, want 2", n)
				}
				if open := w.allOpen(); len(open) > 0 {
					w.Errorf("listed: %+v", open)
				}
				if w.booking("b0").Status != booking.Confirmed || w.booking("b2").Organizer != "bob" {
					w.Error("a booking was changed")
				}
			})
		})
	}
}

// She is back, and nothing has been read yet, or her sync is off: what is cancelled then is carried out as well.
func TestWhatIsCancelledBeforeTheFirstLookAtWhoIsBack(t *testing.T) {
	each(t, func(w *world) {
		w.booked(4)
		mails := len(w.server.mails)
		w.removed(func() {}, func(p *directory.Person) { p.SyncDisabled = true })
		w.pass("alice")
		w.cancel("b1")
		w.rebook("b2", syncOff) // and so its item is let go
		w.cancel("b2")
		w.rebook("b3", syncOff)
		w.rebook("b3", func(b *booking.Booking) { b.SyncOff = false })
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
		w.cancel("b0")
		w.pass("alice")
		if n := len(w.server.items(alice)); n != 2 {
			w.Errorf("%d items, want 2", n)
		}
		w.itemOf("b2.1")
		w.itemOf("b3.1")
		if got := w.mailedSince(mails); !slices.Equal(got, []string{"3 b0.1", "3 b1.1"}) {
			w.Errorf("mailed: %v", got)
		}
	})
}

// What nobody is to hear of, and what is not to be touched, while she was missing.
func TestWhatStaysOfWhoWasMissing(t *testing.T) {
	for name, c := range map[string]struct {
		before, meanwhile func(w *world)
		items, mails      int
	}{
		"over": {items: 3, meanwhile: func(w *world) {
			w.cancel("b1")
			w.later(20 * 24 * time.Hour)
		}},
		"out of the sync before": {items: 3, before: func(w *world) { w.rebook("b1", syncOff); w.pass("alice") }, meanwhile: func(w *world) { w.cancel("b1") }},
		"a copy":                 {items: 3, mails: 1, before: func(w *world) { w.copyOf("b1.1"); w.pass("alice") }, meanwhile: func(w *world) { w.cancel("b1") }},
		"deleted meanwhile": {items: 2, meanwhile: func(w *world) {
			w.server.remove(alice, w.itemOf("b1.1").Ref)
			w.cancel("b1")
		}},
		"cancelled by a conflict": {items: 3, before: func(w *world) {
			w.tx(func(ctx context.Context, tx *store.Tx) error {
				l, _, err := tx.Link(ctx, tenant, "b1.1")
				if err != nil {
					return err
				}
				pr, err := pairUp(ctx, tx, l)
				if err != nil {
					return err
				}
				return w.engine.cancelFromCalendar(ctx, tx, &pr, "no room is free")
			})
		}, meanwhile: func(*world) {}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(3)
				if c.before != nil {
					c.before(w)
				}
				mails := len(w.server.mails)
				w.removed(func() { c.meanwhile(w) })
				w.daysOf("alice")
				if n := len(w.server.items(alice)); n != c.items {
					w.Errorf("%d items, want %d", n, c.items)
				}
				if got := w.mailedSince(mails); len(got) != c.mails {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// A removal that was under way, of which nobody was to hear, mails nobody after its person was missing; one of which all were to hear tells them.
func TestARemovalUnderWayGoesOnAsItWasMeant(t *testing.T) {
	for _, mail := range []calendar.Mail{calendar.MailNobody, calendar.MailAll} {
		t.Run(fmt.Sprint(mail), func(t *testing.T) {
			each(t, func(w *world) {
				w.booked(2)
				mails := len(w.server.mails)
				w.cancel("b1")
				w.tx(func(ctx context.Context, tx *store.Tx) error {
					return tx.ReviseIntent(ctx, tenant, "b1.1", store.OpDelete, mail)
				})
				w.removed(func() {})
				w.daysOf("alice")
				if it := w.only(alice); it.Key != "b0.1" {
					w.Errorf("item = %+v", it)
				}
				if got := len(w.mailedSince(mails)); got != map[bool]int{true: 1}[mail == calendar.MailAll] {
					w.Errorf("%d mails", got)
				}
			})
		})
	}
}

// A table that lacks somebody for a night while the booking system cancels a lot: that waits for a word, as it always does.
func TestManyCancellationsOfWhoWasMissingWait(t *testing.T) {
	const n = 12
	each(t, func(w *world) {
		w.many(n)
		mails := len(w.server.mails)
		w.removed(func() {
			for i := range n {
				w.cancel(fmt.Sprintf("b%02d", i))
			}
		})
		w.pass("alice")
		q := w.waiting(BookingCancellations, n)
		if len(w.server.items(alice)) != n || len(w.mailedSince(mails)) > 0 {
			w.Fatalf("%d items, mailed %v", len(w.server.items(alice)), w.mailedSince(mails))
		}
		w.decideUnit(q, Approve)
		w.none(alice)
		if got := w.mailedSince(mails); len(got) != n {
			w.Errorf("mailed: %v", got)
		}
	})
}

// Who is back in shadow mode has nothing written.
func TestWhoIsBackInShadowModeHasNothingRemoved(t *testing.T) {
	each(t, func(w *world) {
		w.booked(3)
		w.removed(func() { w.cancel("b1") })
		w.shadow(true)
		w.silently(func() {
			w.cancel("b2")
			w.daysOf("alice")
		})
		w.shadow(false)
		w.daysOf("alice")
		if it := w.only(alice); it.Key != "b0.1" {
			w.Errorf("item = %+v", it)
		}
	})
}

// An item is being made, and its answer is lost, when its organizer is removed, and is back: it is not made twice.
func TestAnItemOnItsWayIsNotMadeTwiceByWhoIsBack(t *testing.T) {
	for name, remove := range map[string]func(w *world){
		"missing in a table": func(w *world) { w.tableOf(nil, "bob", "carol") },
		"removed by hand": func(w *world) {
			if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.pass("alice")
				w.book("b1")
				w.server.after = func(call string) error {
					if call == "apply" {
						return fault.Unavailable
					}
					return nil
				}
				w.once("alice")
				w.only(alice)
				w.server.after = nil
				mails := len(w.server.mails)
				remove(w)
				w.tableOf(nil, "alice", "bob", "carol")
				w.later(time.Hour)
				w.daysOf("alice")
				w.only(alice)
				if got := w.mailedSince(mails); len(got) > 0 {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// What was taken over by its time and subject bears no marker. Its owner, or whoever has the same mailbox under another id, is back: it is known.
func TestWhatBearsNoMarkerIsKnownWhenItsOwnerIsBack(t *testing.T) {
	for _, id := range []string{"alice", "alice.smith"} {
		t.Run(id, func(t *testing.T) {
			each(t, func(w *world) {
				w.shadow(true)
				ref := w.oldSync(w.book("bare"), false)
				w.pass("alice")
				w.shadow(false)
				w.pass("alice")
				w.tableOf(nil, "bob", "carol")
				w.tableOf(map[string]string{id: alice}, id, "bob", "carol")
				w.silently(func() {
					if id != "alice" {
						w.rebook("bare", by(id))
					}
					w.daysOf(id)
				})
				if it := w.only(alice); it.Ref != ref {
					w.Errorf("item = %+v", it)
				}
				w.cancel("bare")
				w.daysOf(id)
				w.none(alice)
			})
		})
	}
}
