package syncer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// lie changes an item, or removes it if change is nil, and tells nobody: no pull mentions it.
func (m *memory) lie(address string, ref calendar.Ref, change func(*calendar.Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	if change == nil {
		delete(b.items, ref)
		return
	}
	it := *b.items[ref]
	change(&it.Event)
	it.Modified = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	b.items[ref] = &it
}

// unheard has something happen in alice's calendar that no pull from the present cursor tells of.
func (w *world) unheard(do func()) {
	w.Helper()
	do()
	b := w.server.box(alice)
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		mb, _, err := tx.Mailbox(ctx, tenant, "alice")
		if err != nil {
			return err
		}
		mb.Cursor = string(b.cursor(len(b.log)))
		return tx.SaveMailbox(ctx, mb)
	})
}

// scan makes a scan and has the passes do it.
func (w *world) scan(s store.Scan) store.Scan {
	w.Helper()
	s.Tenant = tenant
	s, err := w.engine.StartScan(w.Context(), s)
	if err != nil {
		w.Fatal(err)
	}
	for _, person := range []string{"alice", "bob", "carol"} {
		w.pass(person)
	}
	s, found, err := w.store.Scan(w.Context(), tenant, s.ID)
	if err != nil || !found || s.Ended.IsZero() {
		w.Fatalf("scan = %+v, %v, %v", s, found, err)
	}
	return s
}

func (w *world) allOpen() (open []store.Difference) {
	w.Helper()
	open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
	if err != nil {
		w.Fatal(err)
	}
	return open
}

// one returns the only open difference.
func (w *world) one(kind string) store.Difference {
	w.Helper()
	all := w.allOpen()
	if len(all) != 1 || all[0].Kind != kind {
		w.Fatalf("open differences = %+v, want one %q", all, kind)
	}
	return all[0]
}

func (w *world) resolve(d store.Difference, r Resolution) {
	w.Helper()
	if err := w.engine.Resolve(w.Context(), tenant, d.ID, r); err != nil {
		w.Fatal(err)
	}
	w.pass("alice")
	got, _, err := w.store.Difference(w.Context(), tenant, d.ID)
	if err != nil || got.Open {
		w.Errorf("after %+v: %+v, %v", r, got, err)
	}
}

func TestAScanFindsWhatNobodyToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		do        func(w *world)
		kind      string
		recommend store.Side
		booking   func(w *world) // after the booking was used
		calendar  func(w *world) // after the calendar was; nil: it cannot be
	}{
		"an item that says something else": {
			func(w *world) {
				w.server.lie(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Subject = "Review" })
			}, fieldsDiffer, store.SideCalendar,
			func(w *world) {
				if got := w.only(alice).Event.Subject; got != "Planning" {
					w.Errorf("the item says %q", got)
				}
			},
			func(w *world) {
				if got := w.booking("b").Title; got != "Review" {
					w.Errorf("the booking says %q", got)
				}
			},
		},
		"an item that is gone": {
			func(w *world) { w.server.lie(alice, w.only(alice).Ref, nil) }, itemMissing, store.SideCalendar,
			func(w *world) { w.only(alice) },
			func(w *world) {
				w.none(alice)
				if w.booking("b").Status != booking.Cancelled {
					w.Error("the booking stands")
				}
			},
		},
		"a second item": {
			func(w *world) {
				it := w.only(alice)
				it.Ref = ""
				w.server.add(alice, it)
			}, doubledItem, store.SideNeither,
			func(w *world) { w.only(alice) }, nil,
		},
		"an item whose booking is over": {
			func(w *world) {
				it := w.only(alice)
				w.later(time.Second)
				if _, err := w.engine.Cancel(w.Context(), tenant, "b", booking.Match{}); err != nil {
					w.Fatal(err)
				}
				w.pass("alice")
				it.Ref = ""
				w.server.add(alice, it)
			}, itemWithoutBooking, store.SideBooking,
			func(w *world) { w.none(alice) },
			func(w *world) {
				if w.booking("b").Status != booking.Confirmed {
					w.Error("the booking does not stand again")
				}
				w.only(alice)
			},
		},
	} {
		for _, use := range []string{UseBooking, UseCalendar, UseNeither} {
			t.Run(name+" "+use, func(t *testing.T) {
				each(t, func(w *world) {
					w.book("b")
					w.pass("alice")
					w.unheard(func() { c.do(w) })
					before := len(w.server.mails)
					scan := w.scan(store.Scan{Target: store.ScanPerson, Name: "alice"})
					d := w.one(c.kind)
					if d.Recommend != c.recommend || d.Why == "" || d.Newer == "" {
						t.Errorf("difference = %+v, want recommendation %q and a reason", d, c.recommend)
					}
					if n := scan.Counts.Differing + scan.Counts.Settling; n != 1 {
						t.Errorf("scan = %+v", scan.Counts)
					}
					w.scan(store.Scan{Target: store.ScanBooking, Name: "b"})
					if again := w.one(c.kind); again.ID != d.ID {
						t.Errorf("a second scan says it again: %+v", again)
					}
					if use == UseCalendar && c.calendar == nil {
						if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: use}); err == nil {
							t.Error("the calendar can be used")
						}
						return
					}
					w.resolve(d, Resolution{Use: use})
					switch use {
					case UseBooking:
						c.booking(w)
					case UseCalendar:
						c.calendar(w)
					default:
						w.scan(store.Scan{Target: store.ScanAll, Thorough: true})
					}
					if open := w.allOpen(); len(open) != 0 {
						t.Errorf("still open: %+v", open)
					}
					if len(w.server.mails) != before {
						t.Errorf("somebody was mailed: %v", w.server.mails[before:])
					}
				})
			})
		}
	}
}

func TestADifferenceClosesWhenBothSidesAgreeAgain(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		w.unheard(func() {
			w.server.lie(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Subject = "Review" })
		})
		w.scan(store.Scan{Target: store.ScanPerson, Name: "alice"})
		d := w.one(fieldsDiffer)
		w.book("b", func(b *booking.Booking) { b.Title = "Review" })
		w.pass("alice")
		got, _, err := w.store.Difference(w.Context(), tenant, d.ID)
		if err != nil || got.Open || got.Status != store.DifferenceClosed || got.Ended.IsZero() {
			t.Errorf("difference = %+v, %v", got, err)
		}
	})
}

func TestCheckAgainComparesAnew(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		w.pass("alice")
		ref := w.only(alice).Ref
		w.unheard(func() {
			w.server.lie(alice, ref, func(ev *calendar.Event) { ev.Subject = "Review" })
		})
		w.scan(store.Scan{Target: store.ScanRoom, Name: "room-a"})
		d := w.one(fieldsDiffer)
		w.server.lie(alice, ref, func(ev *calendar.Event) { ev.Subject = "Planning" })
		w.resolve(d, Resolution{Use: CheckAgain})
	})
}

func TestAScanGoesOnWhereItWas(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 130)
		w.pass("alice")
		w.unheard(func() {
			w.server.lie(alice, w.server.items(alice)[129].Ref, func(ev *calendar.Event) { ev.Subject = "Review" })
		})
		s, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanPerson, Name: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		broken := true
		w.server.before = func(call string) error {
			if call == "fetch" && broken {
				broken = false
				return context.DeadlineExceeded
			}
			return nil
		}
		fetched := w.server.calls["fetch"]
		for range 3 {
			if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil {
				t.Fatal(err)
			}
			w.later(time.Hour)
		}
		if got := w.server.calls["fetch"] - fetched; got != 4 { // 130 items are three batches, and one failed
			t.Errorf("%d requests, want 4", got)
		}
		s, _, err = w.store.Scan(w.Context(), tenant, s.ID)
		if err != nil || s.Ended.IsZero() || s.Counts.Compared != 130 || len(w.allOpen()) != 1 {
			t.Errorf("scan = %+v, %v; open %+v", s, err, w.allOpen())
		}
	})
}

func TestAScanGoesOnAfterAKill(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 130)
		w.pass("alice")
		s, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanPerson, Name: "alice", Thorough: true})
		if err != nil {
			t.Fatal(err)
		}
		reached := 0
		w.engine.Failpoint = func(name string) {
			if name == "scan:stored" {
				if reached++; reached == 2 {
					panic("killed")
				}
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the pass was not killed")
				}
			}()
			_, _ = w.engine.Pass(w.Context(), tenant, "alice") // it does not return
		}()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		w.start()
		fetched := w.server.calls["fetch"]
		w.pass("alice")
		if s, _, err = w.store.Scan(w.Context(), tenant, s.ID); err != nil || s.Ended.IsZero() || s.Counts.Compared != 130 || s.Counts.Failed != 0 {
			t.Errorf("scan = %+v, %v", s, err)
		}
		if got := w.server.calls["fetch"] - fetched; got != 2 { // of three batches
			t.Errorf("%d requests after the kill, want 2", got)
		}
	})
}

func TestAScanIsCancelled(t *testing.T) {
	each(t, func(w *world) {
		w.daily(0, 130)
		w.pass("alice")
		s, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanAll, Thorough: true})
		if err != nil {
			t.Fatal(err)
		}
		reads := 0
		w.server.before = func(call string) error {
			if call == "fetch" {
				if reads++; reads == 2 { // while a batch is read
					if _, err := w.engine.CancelScan(w.Context(), tenant, s.ID); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		}
		for _, person := range []string{"alice", "bob"} {
			w.pass(person)
		}
		s, _, err = w.store.Scan(w.Context(), tenant, s.ID)
		if err != nil || s.Ended.IsZero() || s.Counts.Waiting != 0 || s.Counts.Failed != s.Counts.Mailboxes || s.Counts.Compared >= 130 || reads != 2 {
			t.Errorf("scan = %+v after %d reads, %v", s, reads, err)
		}
		again, err := w.engine.CancelScan(w.Context(), tenant, s.ID)
		if err != nil || !again.Ended.Equal(s.Ended) || again.Counts != s.Counts {
			t.Errorf("cancelled again: %+v, %v", again, err)
		}
		if _, err := w.engine.CancelScan(w.Context(), tenant, s.ID+1); !errors.Is(err, booking.ErrNotFound) {
			t.Errorf("an unknown scan: %v", err)
		}
	})
}

func TestAnUnchangedCalendarIsComparedWithoutReading(t *testing.T) {
	each(t, func(w *world) {
		w.drifting(3)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			b := w.booking("b01").Clone()
			b.Title = "Silently other"
			return tx.PutBooking(ctx, b)
		})
		calls := w.counted()
		scan := w.scan(store.Scan{Target: store.ScanPerson, Name: "alice"})
		if calls["fetch"] != 0 || scan.Counts.Unchanged != 1 || scan.Counts.Settling != 1 {
			t.Errorf("calls %v, scan %+v", calls, scan.Counts)
		}
		if d := w.one(fieldsDiffer); d.Booking != "b01" || !d.Settles || d.Recommend != store.SideBooking {
			t.Errorf("difference = %+v", d)
		}
	})
}

func TestWhatCannotBeScanned(t *testing.T) {
	each(t, func(w *world) {
		w.book("b")
		at := w.now()
		for _, c := range []struct {
			scan store.Scan
			want string
		}{
			{store.Scan{Target: store.ScanBooking, Name: "x"}, "not found"},
			{store.Scan{Target: store.ScanSeries, Name: "b"}, "not a series"},
			{store.Scan{Target: store.ScanPerson, Name: "x"}, "not found"},
			{store.Scan{Target: store.ScanPerson, Name: "room-a"}, "is a room"},
			{store.Scan{Target: store.ScanRoom, Name: "alice"}, "is a person"},
			{store.Scan{Target: store.ScanWindow}, "give from"},
			{store.Scan{Target: store.ScanWindow, From: at, To: at}, "before it begins"},
			{store.Scan{Target: "moon"}, "none of"},
		} {
			c.scan.Tenant = tenant
			if _, err := w.engine.StartScan(w.Context(), c.scan); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.scan, err, c.want)
			}
		}
		s, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanRoom, Name: "room-b"})
		if err != nil || s.Ended.IsZero() {
			t.Errorf("a scan of nothing does not end: %+v, %v", s, err)
		}
	})
}

var _ backend.DriftChecker = (*memory)(nil)

func TestAScanComparesASeriesByOccurrence(t *testing.T) {
	each(t, func(w *world) {
		w.book("b", ruled(fiveDays), with(retitled(1, "Review")))
		w.pass("alice")
		w.unheard(func() {
			w.server.lie(alice, w.only(alice).Ref, func(ev *calendar.Event) {
				ev.Exceptions = nil
				changeOccurrence(ev, nth(1), func(one *calendar.Event) { one.Subject = "Retrospective" })
			})
		})
		w.scan(store.Scan{Target: store.ScanSeries, Name: "b"})
		d := w.one(fieldsDiffer)
		if d.Detail != "recurrence" {
			t.Errorf("difference = %+v", d)
		}
		w.resolve(d, Resolution{Use: UseCalendar})
		if got := w.told("b"); got != "2 09:00 Retrospective" {
			t.Errorf("exceptions = %q", got)
		}
	})
}
