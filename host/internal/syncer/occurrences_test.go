package syncer

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// tenDays makes a booking a daily series from 1 December on.
func tenDays(b *booking.Booking) { b.Recurrence = "FREQ=DAILY;COUNT=10" }

// december is nine o'clock UTC on a day of that month.
func december(day int) time.Time { return time.Date(2026, 12, day, 9, 0, 0, 0, time.UTC) }

func (w *world) put(b *booking.Booking, on booking.OnConflict) (booking.Saved, error) {
	return w.engine.Put(w.Context(), b, booking.Match{}, on)
}

func (w *world) putOccurrence(id string, x booking.Exception) (booking.Saved, error) {
	return w.engine.PutOccurrence(w.Context(), booking.OccurrenceChange{Tenant: tenant, Booking: id, Exception: x})
}

func TestConflictsOfASeriesAreRefusedOrSkipped(t *testing.T) {
	each(t, func(w *world) {
		w.book("third", func(b *booking.Booking) { b.Start, b.End = december(3), december(3).Add(time.Hour) })
		w.book("fifth", by("bob"), func(b *booking.Booking) { b.Start, b.End = december(5).Add(30*time.Minute), december(5).Add(time.Hour) })
		_, err := w.tryBook("s", tenDays)
		o, taken := errors.AsType[*booking.OverlapError](err)
		if !taken || len(o.Conflicts) != 2 || !o.Conflicts[1].Start.Equal(december(5)) || !slices.Equal(o.Others, []string{"fifth", "third"}) {
			w.Fatalf("err = %+v", err)
		}
		not := refusalOf(err)
		if !strings.Contains(not.listed, "fifth, third, at 2026-12-03 09:00 UTC (room-a), 2026-12-05") {
			w.Errorf("listed as %q", not.listed)
		}
		if !strings.Contains(not.why, "by another booking, at 2026-12-03 09:00 UTC (room-a), 2026-12-05") || strings.Contains(not.why, "fifth") {
			w.Errorf("refused because %q", not.why)
		}
		series := &booking.Booking{
			Tenant: tenant, ID: "s", Title: "Planning", Organizer: "alice", Resources: []string{"room-a"}, Zone: "Europe/Berlin",
			Start: december(1), End: december(1).Add(time.Hour), Recurrence: "FREQ=DAILY;COUNT=10",
		}
		saved, err := w.put(series, booking.Skip)
		if err != nil || !saved.Created || len(saved.Skipped) != 2 || len(saved.Booking.Exceptions) != 2 || !saved.Booking.Exceptions[0].Skipped {
			w.Fatalf("saved %+v, %v", saved, err)
		}
		again, err := w.put(series, booking.Skip)
		if err != nil || again.Booking.Version != saved.Booking.Version || len(again.Skipped) != 2 {
			w.Errorf("put again: %+v, %v", again, err)
		}
		// Another room for one of them is no conflict, and what was left out comes back where the room is free again.
		if _, err := w.engine.Cancel(w.Context(), tenant, "fifth", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		series.Exceptions = []booking.Exception{{Occurrence: december(3), Resources: &[]string{"room-b"}}}
		saved, err = w.put(series, booking.Refuse)
		if err != nil || len(saved.Booking.Exceptions) != 1 || saved.Booking.Exceptions[0].Skipped {
			w.Errorf("saved %+v, %v", saved.Booking, err)
		}
		// A single booking has nothing to leave out.
		if _, err := w.put(&booking.Booking{
			Tenant: tenant, ID: "x", Organizer: "alice", Resources: []string{"room-b"}, Start: december(3), End: december(3).Add(time.Hour),
		}, booking.Skip); err == nil {
			w.Error("a single booking was taken though its room is not free")
		}
		series.Exceptions = []booking.Exception{{Occurrence: december(4), Resources: &[]string{"bob"}}}
		if _, err := w.put(series, booking.Refuse); err == nil || !strings.Contains(err.Error(), "exceptions[0].resources[0]") {
			w.Errorf("a person as a room: %v", err)
		}
	})
}

func TestExceptionsThatNobodySpeaksOfStay(t *testing.T) {
	each(t, func(w *world) {
		title := "Elsewhere"
		w.book("s", tenDays, func(b *booking.Booking) {
			b.Exceptions = []booking.Exception{{Occurrence: december(2), Title: &title}, {Occurrence: december(9), Skipped: true}}
		})
		later := w.booking("s").Clone()
		later.Start, later.End = later.Start.Add(time.Hour), later.End.Add(time.Hour)
		later.Recurrence, later.Exceptions, later.ExceptionsUnsaid = "FREQ=DAILY;COUNT=8", nil, true
		saved, err := w.put(later, booking.Refuse)
		if err != nil || len(saved.Dropped) != 1 || !saved.Dropped[0].Skipped {
			w.Fatalf("saved %+v, %v", saved, err)
		}
		x := saved.Booking.Exceptions
		if len(x) != 1 || !x[0].Occurrence.Equal(december(2).Add(time.Hour)) || *x[0].Title != title {
			w.Errorf("exceptions %+v", x)
		}
		if b := w.booking("s"); b.ExceptionsUnsaid || !booking.Same(b, saved.Booking) {
			w.Errorf("stored %+v", b)
		}
		none := later.Clone()
		none.ExceptionsUnsaid = false
		if saved, err := w.put(none, booking.Refuse); err != nil || len(saved.Booking.Exceptions) != 0 {
			w.Errorf("said to be none: %+v, %v", saved, err)
		}
	})
}

func TestOneOccurrenceIsChangedByItself(t *testing.T) {
	each(t, func(w *world) {
		first := w.book("s", tenDays)
		w.book("other", at(14), func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(0, 0, 3), b.End.AddDate(0, 0, 3) })
		from, to := december(4).Add(4*time.Hour), december(4).Add(5*time.Hour)
		saved, err := w.putOccurrence("s", booking.Exception{Occurrence: december(4), Start: &from, End: &to})
		if err != nil || saved.Booking.Version != first.Version+1 || len(saved.Booking.Exceptions) != 1 {
			w.Fatalf("saved %+v, %v", saved.Booking, err)
		}
		if saved, err = w.putOccurrence("s", booking.Exception{Occurrence: december(4), Start: &from, End: &to}); err != nil || saved.Booking.Version != first.Version+1 {
			w.Errorf("the same again: %+v, %v", saved.Booking, err)
		}
		taken, end := from.Add(time.Hour), to.Add(time.Hour)
		_, err = w.putOccurrence("s", booking.Exception{Occurrence: december(4), Start: &taken, End: &end})
		if o, refused := errors.AsType[*booking.OverlapError](err); !refused || len(o.Conflicts) != 1 || !o.Conflicts[0].Occurrence.Equal(december(4)) || o.Others[0] != "other" {
			w.Errorf("onto another booking: %v", err)
		}
		across, end := december(6), december(6).Add(time.Hour)
		_, err = w.putOccurrence("s", booking.Exception{Occurrence: december(4), Start: &across, End: &end})
		if v, invalid := errors.AsType[*booking.InvalidError](err); !invalid || v.Violations[0].Field != "end" {
			w.Errorf("across its neighbour: %v", err)
		}
		for _, at := range []time.Time{december(4).Add(time.Minute), december(24)} {
			if _, err := w.putOccurrence("s", booking.Exception{Occurrence: at, Skipped: true}); !errors.Is(err, booking.ErrNotFound) {
				w.Errorf("%v: %v", at, err)
			}
		}
		if _, err := w.putOccurrence("other", booking.Exception{Occurrence: december(4), Skipped: true}); err == nil {
			w.Error("an occurrence of a single booking was left out")
		}
		if saved, err = w.putOccurrence("s", booking.Exception{Occurrence: december(4)}); err != nil || len(saved.Booking.Exceptions) != 0 {
			w.Errorf("as in the series: %+v, %v", saved.Booking, err)
		}
		stale := booking.OccurrenceChange{Tenant: tenant, Booking: "s", Exception: booking.Exception{Occurrence: december(4), Skipped: true}, Match: booking.Match{Set: true, Version: 1}}
		if _, err := w.engine.PutOccurrence(w.Context(), stale); err == nil {
			w.Error("a stale version was taken")
		}
	})
}

func TestSeriesThatGoOnTellOfWhoIsInTheWay(t *testing.T) {
	each(t, func(w *world) {
		w.book("endless", func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY" })
		far := december(1).Add(booking.Horizon).Truncate(24*time.Hour).AddDate(0, 0, 14)
		for far.Weekday() != december(1).Weekday() {
			far = far.AddDate(0, 0, 1)
		}
		w.book("later", by("bob"), func(b *booking.Booking) { b.Start, b.End = far.Add(9*time.Hour), far.Add(10*time.Hour) })
		if n, err := w.engine.ExtendSeries(w.Context()); n != 0 || err != nil {
			w.Errorf("extended %d, %v", n, err)
		}
		w.later(60 * 24 * time.Hour)
		if n, err := w.engine.ExtendSeries(w.Context()); n != 1 || err != nil {
			w.Errorf("extended %d, %v", n, err)
		}
		open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Booking: "endless"})
		if err != nil || len(open) != 1 || open[0].Kind != kindRoomConflict || !strings.Contains(open[0].Detail, "room-a is taken on "+far.Format(time.DateOnly)) {
			w.Errorf("differences %+v, %v", open, err)
		}
	})
}

// raw runs a statement on the database, past the store.
func (w *world) raw(statement string, args ...any) {
	w.Helper()
	driver, source := "pgx", w.url
	if path, sqlite := strings.CutPrefix(w.url, "sqlite:"); sqlite {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(w.Context(), statement, args...); err != nil {
		w.Fatal(err)
	}
}

func TestOneDamagedSeriesDoesNotHoldUpTheOthers(t *testing.T) {
	each(t, func(w *world) {
		for i, id := range []string{"a", "b", "c", "d"} {
			w.book(id, ruled("FREQ=WEEKLY"), func(b *booking.Booking) {
				b.Start, b.End = b.Start.AddDate(0, 0, i), b.End.AddDate(0, 0, i)
			})
		}
		w.raw("UPDATE booking SET exceptions = 'no JSON' WHERE id = 'a'")
		w.raw("UPDATE booking SET recurrence = 'FREQ=SECONDLY' WHERE id = 'c'")
		w.later(60 * 24 * time.Hour)
		for try, want := range []int{2, 0} {
			if n, err := w.engine.ExtendSeries(w.Context()); n != want || err != nil {
				w.Errorf("try %d: extended %d, %v", try, n, err)
			}
		}
		listed := func() (out []string) {
			w.Helper()
			open, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{})
			if err != nil {
				w.Fatal(err)
			}
			for _, d := range open {
				out = append(out, d.Booking+" "+d.Kind)
			}
			slices.Sort(out)
			return out
		}
		if got := listed(); !slices.Equal(got, []string{"a series unreadable", "c series unreadable"}) {
			w.Errorf("listed: %q", got)
		}
		w.raw("UPDATE booking SET exceptions = '' WHERE id = 'a'")
		if n, err := w.engine.ExtendSeries(w.Context()); n != 1 || err != nil {
			w.Errorf("mended: extended %d, %v", n, err)
		}
		if got := listed(); !slices.Equal(got, []string{"c series unreadable"}) {
			w.Errorf("listed: %q", got)
		}
	})
}

func TestExplainTellsOfASeries(t *testing.T) {
	each(t, func(w *world) {
		from, to := december(2).Add(time.Hour), december(2).Add(2*time.Hour)
		w.book("s", tenDays, func(b *booking.Booking) {
			b.Exceptions = []booking.Exception{{Occurrence: december(2), Start: &from, End: &to, Resources: &[]string{"room-b"}}, {Occurrence: december(3), Skipped: true}}
		})
		w.later(december(2).Sub(w.now()))
		x := w.explain("s").Series
		if x == nil || x.Recurrence != "FREQ=DAILY;COUNT=10" || x.Zone != "Europe/Berlin" || len(x.Next) != 8 {
			w.Fatalf("%+v", x)
		}
		if o := x.Next[0]; !o.Start.Equal(from) || !o.Exception || !slices.Equal(o.Resources, []string{"room-b"}) {
			w.Errorf("next %+v", o)
		}
		w.book("b1", at(14))
		if x := w.explain("b1").Series; x != nil {
			w.Errorf("a single booking: %+v", x)
		}
	})
}
