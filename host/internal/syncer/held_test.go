package syncer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// heldDifference returns the one difference about a write that was held back.
func (w *world) heldDifference() store.Difference {
	w.Helper()
	open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: mailHeldBack})
	if err != nil || len(open) != 1 {
		w.Fatalf("%d writes are shown as held back, %v; want one: %+v", len(open), err, open)
	}
	return open[0]
}

// quiet reads everything in full a few times: nothing is tried, nothing is said.
func (w *world) quietly(person string) {
	w.Helper()
	before, said := w.server.calls["apply"], w.timeline(person)
	for range 7 {
		w.later(25 * time.Hour)
		if err := w.engine.Sync(w.Context(), tenant, person, true); err != nil {
			w.Fatal(err)
		}
		w.pass(person)
	}
	if n := w.server.calls["apply"] - before; n != 0 {
		w.Errorf("%d writes were tried again", n)
	}
	if now := w.timeline(person); now != said {
		w.Errorf("it was said again: %s, after %s", now, said)
	}
	if b := w.booking("b"); b.SyncDisabled {
		w.Errorf("the sync of the booking is disabled: %s", b.SyncProblem)
	}
}

// A held is a booking whose item cannot be written silently.
var helds = map[string]struct {
	hold func(w *world) // has a write held back
	says string
	gone bool // the booking is over
}{
	"a change that concerns nobody": {func(w *world) {
		w.book("b", func(b *booking.Booking) { b.Title = "Renamed" })
	}, "not changed (subject", false},
	"a rollback": {func(w *world) {
		w.book("other", by("bob"), at(12))
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) {
			ev.Start, ev.End = ev.Start.Add(3*time.Hour), ev.End.Add(3*time.Hour)
		})
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.MarkDirty(ctx, tenant, "alice", zeroTime) })
	}, "not changed (time", false},
	"a deletion": {func(w *world) {
		w.book("b", by("carol"))
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			links, err := tx.LinksOfPerson(ctx, tenant, "alice", "", 10)
			if err != nil || len(links) != 1 {
				w.Fatalf("%+v, %v", links, err)
			}
			return tx.ReviseIntent(ctx, tenant, links[0].Key, store.OpDelete, calendar.MailNobody)
		})
	}, "not deleted", true},
}

func TestASilentActThatCannotBeDoneIsLaidBeforeAPersonOnce(t *testing.T) {
	for name, c := range helds {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b")
				w.pass("alice")
				w.server.loud = true
				c.hold(w)
				w.pass("alice")
				d := w.heldDifference()
				if !strings.Contains(d.Detail, c.says) || !strings.Contains(d.Detail, "would be mailed") || strings.Contains(d.Detail, "Renamed") {
					t.Errorf("detail: %s", d.Detail)
				}
				mails := len(w.server.mails)
				w.quietly("alice")
				w.heldDifference()
				if len(w.server.mails) != mails {
					t.Errorf("mails: %v", w.server.mails)
				}
			})
		})
	}
}

func TestAHeldBackWriteIsMadeThoughItMailsWhenAPersonSaysSo(t *testing.T) {
	for name, c := range helds {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b")
				w.pass("alice")
				w.server.loud = true
				c.hold(w)
				w.pass("alice")
				d, mails := w.heldDifference(), len(w.server.mails)
				if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseBooking}); err == nil || !strings.Contains(err.Error(), "mail") {
					t.Errorf("without a word on mail: %v", err)
				}
				if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseBooking, Mail: true}); err != nil {
					t.Fatal(err)
				}
				w.pass("alice")
				if n := w.differences(mailHeldBack); n != 0 || len(w.server.mails) != mails+1 {
					t.Errorf("%d held back, mails %v", n, w.server.mails[mails:])
				}
				if c.gone {
					w.none(alice)
					return
				}
				b, it := w.booking("b"), w.only(alice)
				if it.Event.Subject != b.Title || !it.Event.Start.Equal(b.Start) {
					t.Errorf("item %+v, booking %+v", it.Event, b)
				}
				w.quietly("alice")
			})
		})
	}
}

func TestTheBookingTakesWhatTheCalendarSaysWhenAPersonSaysSo(t *testing.T) {
	for name, c := range helds {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.book("b")
				w.pass("alice")
				w.server.loud = true
				c.hold(w)
				w.pass("alice")
				d, writes := w.heldDifference(), w.server.writes
				err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseCalendar})
				if name == "a rollback" { // the room is taken there
					if _, refused := errors.AsType[*booking.InvalidError](err); !refused || !strings.Contains(err.Error(), "taken") {
						t.Fatalf("the rules were not asked: %v", err)
					}
					w.heldDifference()
					if _, err := w.engine.Cancel(w.Context(), tenant, "other", booking.Match{}); err != nil {
						t.Fatal(err)
					}
					err = w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: UseCalendar})
				}
				if err != nil {
					t.Fatal(err)
				}
				w.pass("alice")
				if n := w.differences(mailHeldBack); n != 0 || w.server.writes != writes {
					t.Errorf("%d held back, %d writes", n, w.server.writes-writes)
				}
				it := w.only(alice)
				if b := w.booking("b"); !c.gone && (b.Title != it.Event.Subject || !b.Start.Equal(it.Event.Start)) {
					t.Errorf("booking %+v, item %+v", b, it.Event)
				}
				w.quietly("alice")
				w.only(alice)
			})
		})
	}
}

func TestWhatIsIgnoredIsNotShownAgainUntilASideChanges(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		w.server.loud = true
		helds["a change that concerns nobody"].hold(w)
		w.pass("alice")
		if err := w.engine.Resolve(w.Context(), tenant, w.heldDifference().ID, Resolution{Use: UseNeither}); err != nil {
			t.Fatal(err)
		}
		w.quietly("alice")
		if n := w.differences(mailHeldBack); n != 0 {
			t.Errorf("%d are shown", n)
		}
		w.book("b", func(b *booking.Booking) { b.Title = "Renamed again" })
		w.pass("alice")
		w.heldDifference()
	})
}

func TestALaterChangeThatMayMailGoesThroughAndClosesIt(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		w.server.loud = true
		helds["a change that concerns nobody"].hold(w)
		w.pass("alice")
		w.heldDifference()
		w.book("b", func(b *booking.Booking) { b.Title = "Renamed" }, at(15))
		w.pass("alice")
		if n := w.differences(mailHeldBack); n != 0 {
			t.Errorf("%d are held back", n)
		}
		if it := w.only(alice); it.Event.Subject != "Renamed" || it.Event.Start.Hour() != 15 {
			t.Errorf("item %+v", it.Event)
		}
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Location = "elsewhere" })
		w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.MarkDirty(ctx, tenant, "alice", zeroTime) })
		w.pass("alice")
		if b := w.booking("b"); b.Location != "elsewhere" {
			t.Errorf("an edit in the calendar is not taken over: %+v", b)
		}
	})
}

func TestACalendarThatCanKeepSilentIsWrittenAfterAMove(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		w.server.loud = true
		helds["a change that concerns nobody"].hold(w)
		w.pass("alice")
		w.heldDifference()
		w.server.loud = false
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", SyncURL: "https://elsewhere.example.com/x"})
		w.pass("alice")
		if n := w.differences(mailHeldBack); n != 0 || w.only(alice).Event.Subject != "Renamed" {
			t.Errorf("%d are held back, item %+v", n, w.only(alice).Event)
		}
	})
}

func TestWhatCannotBeResolved(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			return tx.AddDifference(ctx, store.Difference{Tenant: tenant, Person: "alice", Booking: "b", Kind: seriesLeftAlone, Detail: "x"})
		})
		all, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		id := all[0].ID
		for name, c := range map[string]struct {
			tenant string
			id     int64
			use    string
			want   string
		}{
			"unknown":            {tenant, id + 1, UseNeither, "not found"},
			"of another tenant":  {"Other", id, UseNeither, "not found"},
			"another kind":       {tenant, id, UseBooking, "can only be ignored"},
			"no such resolution": {tenant, id, "both", "none of"},
		} {
			err := w.engine.Resolve(w.Context(), c.tenant, c.id, Resolution{Use: c.use, Mail: true})
			if err == nil || c.want == "not found" && !errors.Is(err, booking.ErrNotFound) || c.want != "not found" && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.engine.Resolve(w.Context(), tenant, id, Resolution{Use: UseNeither}); err != nil {
			t.Fatal(err)
		}
		if err := w.engine.Resolve(w.Context(), tenant, id, Resolution{Use: UseNeither}); err == nil || !strings.Contains(err.Error(), "ignored already") {
			t.Errorf("a second time: %v", err)
		}
	})
}
