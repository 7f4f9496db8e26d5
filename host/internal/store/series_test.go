package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// soon is when the series of these tests start, a month after the store's clock says it is.
var soon = morning.AddDate(0, 1, 0)

// openAt is storetest.Open with a clock that the test sets.
func openAt(t *testing.T, test func(t *testing.T, s *store.Store, clock *time.Time)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, url string) {
		clock := morning
		test(t, storetest.New(t, store.Options{URL: url, Now: func() time.Time { return clock }}), &clock)
	})
}

func seriesOf(id, rule string, resources ...string) *booking.Booking {
	b := meeting(id, 0, 1, resources...)
	b.Start = soon
	b.End = b.Start.Add(time.Hour)
	b.Recurrence = rule
	b.Normalize()
	return b
}

func TestASeriesComesBackAsItWas(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, _ *time.Time) {
		want := seriesOf("s", "FREQ=DAILY", "red")
		at := want.Start.AddDate(0, 0, 1)
		from, to := at.Add(time.Hour), at.Add(2*time.Hour)
		want.Zone, want.LeadMinutes, want.FollowMinutes = "Europe/Berlin", 15, 30
		want.Organizer, want.External = "", &booking.Address{Name: "Guest", Email: "guest@example.net"}
		want.Exceptions = []booking.Exception{
			{Occurrence: at, Start: &from, End: &to, Title: new("Other"), Resources: &[]string{}, Attendees: &[]booking.Attendee{}, Reminder: &booking.Reminder{Minutes: new(5)}},
			{Occurrence: at.AddDate(0, 0, 1), Skipped: true},
			{Occurrence: at.AddDate(0, 0, 2), Resources: &[]string{"blue"}, Notes: new(""), Busy: new(booking.Free)},
		}
		want.Attendees = []booking.Attendee{{Email: "bob@example.com", Role: booking.Required}}
		want.ReminderMinutes = new(10)
		want.Notes = "N"
		want.Created, want.Updated = morning, morning
		want.Normalize()
		putBooking(t, s, want)
		got, ok, err := s.Booking(t.Context(), tenant, "s")
		if err != nil || !ok || !booking.Same(got, want) || !reflect.DeepEqual(got.Exceptions, want.Exceptions) {
			t.Errorf("got  %+v, %v, %v\nwant %+v", got, ok, err, want)
		}
	})
}

func conflicts(t *testing.T, s *store.Store, old, next *booking.Booking) []booking.Conflict {
	t.Helper()
	var found []booking.Conflict
	tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
		found, err = tx.Conflicts(ctx, old, next)
		return err
	})
	return found
}

func TestConflictsNameTheOccurrences(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, _ *time.Time) {
		single := meeting("single", 0, 1, "red")
		single.Start = soon.AddDate(0, 0, 7).Add(30 * time.Minute)
		single.End = single.Start.Add(time.Hour)
		fortnightly := seriesOf("fortnightly", "FREQ=WEEKLY;INTERVAL=2;COUNT=3", "red", "blue")
		fortnightly.Start, fortnightly.End = soon.AddDate(0, 0, 14).Add(-10*time.Minute), soon.AddDate(0, 0, 14)
		fortnightly.FollowMinutes = 5 // or else they would touch only
		fortnightly.Recurrence = "FREQ=WEEKLY;INTERVAL=2;COUNT=3"
		fortnightly.Normalize()
		long := meeting("long", 0, 1, "blue")
		long.Start, long.End = soon.AddDate(0, 0, -100), soon.AddDate(0, 0, 1)
		putBooking(t, s, single, fortnightly, long)

		weekly := seriesOf("weekly", "FREQ=WEEKLY", "red", "blue")
		var got []string
		for _, c := range conflicts(t, s, nil, weekly) {
			got = append(got, fmt.Sprintf("%d %s %q", int(c.Start.Sub(weekly.Start).Hours()/24), c.Resource, c.Others))
			if !c.Occurrence.Equal(c.Start) || c.End.Sub(c.Start) != time.Hour {
				t.Errorf("conflict %+v", c)
			}
		}
		want := []string{`0 blue ["long"]`, `7 red ["single"]`, `14 blue ["fortnightly"]`, `14 red ["fortnightly"]`,
			`28 blue ["fortnightly"]`, `28 red ["fortnightly"]`, `42 blue ["fortnightly"]`, `42 red ["fortnightly"]`}
		if !slices.Equal(got, want) {
			t.Errorf("conflicts\n%q, want\n%q", got, want)
		}

		// What it has already is none, nor is another title.
		putBooking(t, s, weekly)
		again := weekly.Clone()
		again.Title = "Other"
		if c := conflicts(t, s, weekly, again); len(c) > 0 {
			t.Errorf("conflicts of another title: %+v", c)
		}
		again.Exceptions = []booking.Exception{{Occurrence: weekly.Start.AddDate(0, 0, 7), Resources: &[]string{"green"}}}
		if c := conflicts(t, s, weekly, again); len(c) > 0 {
			t.Errorf("conflicts of an occurrence that makes room: %+v", c)
		}
		from := single.Start.Add(30 * time.Minute)
		to := from.Add(time.Hour)
		again.Exceptions = []booking.Exception{{Occurrence: weekly.Start.AddDate(0, 0, 7), Start: &from, End: &to}}
		if c := conflicts(t, s, weekly, again); len(c) != 1 || c[0].Resource != "red" || !c[0].Start.Equal(from) {
			t.Errorf("conflicts of a moved occurrence: %+v", c)
		}
	})
}

// TestConflictsAreTheModels compares what the tables say with what the model does.
func TestConflictsAreTheModels(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, _ *time.Time) {
		kept := map[string]*booking.Booking{}
		rapid.Check(t, func(r *rapid.T) {
			b := seriesOf(rapid.StringMatching(`[a-f]`).Draw(r, "id"), rapid.SampledFrom([]string{
				"", "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=2;COUNT=4", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=DAILY;COUNT=60",
			}).Draw(r, "rule"), rapid.SliceOfN(rapid.StringMatching(`[xy]`), 0, 2).Draw(r, "resources")...)
			b.Start = b.Start.Add(time.Duration(rapid.IntRange(0, 200).Draw(r, "hours")) * time.Hour)
			b.End = b.Start.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "length")) * time.Hour)
			b.LeadMinutes = rapid.SampledFrom([]int{0, 60}).Draw(r, "lead")
			if rapid.IntRange(0, 5).Draw(r, "cancelled") == 0 {
				b.Status = booking.Cancelled
			}
			b.Normalize()
			if b.Series() && rapid.Bool().Draw(r, "exception") {
				n := 0
				for o := range booking.Occurrences(b, time.Time{}) {
					if n++; n == 2 {
						b.SetException(booking.Exception{Occurrence: o.Occurrence, Resources: &[]string{"y"}})
						break
					}
				}
				b.Normalize()
			}
			if len(booking.Validate(b)) > 0 {
				b.Recurrence, b.Exceptions = "", nil
			}
			var want []string
			for _, o := range kept {
				if o.ID != b.ID && booking.Overlaps(b, o) {
					want = append(want, o.ID)
				}
			}
			slices.Sort(want)
			err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				got, err := tx.Overlapping(ctx, b)
				if err != nil {
					return err
				}
				if !slices.Equal(got, want) {
					return fmt.Errorf("Overlapping(%+v) = %q, want %q", b, got, want)
				}
				return tx.PutBooking(ctx, b)
			})
			if err != nil {
				r.Fatal(err)
			}
			kept[b.ID] = b
		})
	})
}

func TestSeriesAreChosenByTheirOccurrences(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, _ *time.Time) {
		weekly := seriesOf("b-weekly", "FREQ=WEEKLY", "red")
		at := weekly.Start.AddDate(0, 0, 14)
		weekly.Exceptions = []booking.Exception{
			{Occurrence: at, Skipped: true}, {Occurrence: at.AddDate(0, 0, 7), Resources: &[]string{"blue"}, Title: new("green")},
		}
		weekly.Normalize()
		var list []*booking.Booking
		for i := range 5 {
			none := seriesOf(fmt.Sprintf("a%d", i), "FREQ=WEEKLY;COUNT=2")
			list = append(list, none)
		}
		putBooking(t, s, append(list, weekly, seriesOf("c-daily", "FREQ=DAILY", "red"))...)
		day := func(n int) time.Time { return soon.Truncate(24*time.Hour).AddDate(0, 0, n) }
		for _, c := range []struct {
			filter store.BookingFilter
			want   []string
		}{
			{store.BookingFilter{From: day(7), To: day(8), Limit: 100}, []string{"a0", "a1", "a2", "a3", "a4", "b-weekly", "c-daily"}},
			{store.BookingFilter{From: day(8), To: day(9)}, []string{"c-daily"}},
			{store.BookingFilter{From: day(14), To: day(15)}, []string{"c-daily"}},
			{store.BookingFilter{From: day(70), To: day(71), Limit: 2}, []string{"b-weekly", "c-daily"}},
			{store.BookingFilter{From: day(3), To: day(8), Limit: 3, After: "a2"}, []string{"a3", "a4", "b-weekly"}},
			{store.BookingFilter{From: day(3), To: day(5), Limit: 1}, []string{"c-daily"}},
			{store.BookingFilter{Resource: "blue"}, []string{"b-weekly"}},
			{store.BookingFilter{Resource: "blue", From: day(22)}, nil},
			{store.BookingFilter{Resource: "green"}, nil},
			{store.BookingFilter{Person: "alice", From: day(4000), Resource: "red"}, []string{"b-weekly", "c-daily"}},
		} {
			got, err := s.Bookings(t.Context(), tenant, c.filter)
			if err != nil || !slices.Equal(ids(got), c.want) {
				t.Errorf("Bookings(%+v) = %q, %v; want %q", c.filter, ids(got), err, c.want)
			}
		}
	})
}

// A series without end occupies its resources ever further; what others have there by then is told.
func TestSeriesThatGoOnAreExtended(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, clock *time.Time) {
		daily, ended, bare := seriesOf("daily", "FREQ=DAILY", "red"), seriesOf("ended", "FREQ=DAILY;COUNT=900", "blue"), seriesOf("bare", "FREQ=DAILY")
		for _, b := range []*booking.Booking{daily, ended, bare} {
			b.Start = clock.Truncate(24*time.Hour).AddDate(0, 0, -1).Add(9 * time.Hour)
			b.End = b.Start.Add(time.Hour)
		}
		later := meeting("later", 0, 1, "red")
		later.Start = clock.Truncate(24*time.Hour).Add(booking.Horizon).AddDate(0, 0, 3).Add(9 * time.Hour)
		later.End = later.Start.Add(time.Hour)
		putBooking(t, s, daily, ended, bare)
		if c := conflicts(t, s, nil, later); len(c) > 0 {
			t.Fatalf("conflicts beyond the horizon: %+v", c)
		}
		putBooking(t, s, later)
		extend := func() (list []store.Extended) {
			tx(t, s, func(ctx context.Context, tx *store.Tx) (err error) {
				done, err := tx.ExtendSeries(ctx, 0, 10)
				list = done.Series
				return err
			})
			return list
		}
		if list := extend(); len(list) > 0 {
			t.Fatalf("extended on the same day: %+v", list)
		}
		*clock = clock.AddDate(0, 0, 10)
		var got []string
		for _, x := range extend() {
			got = append(got, fmt.Sprintf("%s %d", x.Booking.ID, len(x.Conflicts)))
			for _, c := range x.Conflicts {
				if !c.Start.Equal(later.Start) || !slices.Equal(c.Others, []string{"later"}) {
					t.Errorf("conflict %+v", c)
				}
			}
		}
		slices.Sort(got)
		if want := []string{"daily 1", "ended 0"}; !slices.Equal(got, want) {
			t.Errorf("extended %q, want %q", got, want)
		}
		if list := extend(); len(list) > 0 {
			t.Errorf("extended twice: %+v", list)
		}
		one := meeting("one", 0, 1, "red")
		one.Start = later.Start.AddDate(0, 0, 2)
		one.End = one.Start.Add(time.Hour)
		if c := conflicts(t, s, nil, one); len(c) != 1 || c[0].Others[0] != "daily" {
			t.Errorf("conflicts with what was added: %+v", c)
		}
		*clock = clock.AddDate(0, 0, 300) // "ended" has an end within reach now
		if list := extend(); len(list) != 2 {
			t.Errorf("extended %+v", list)
		}
		*clock = clock.AddDate(0, 0, 1)
		if list := extend(); len(list) != 1 || list[0].Booking.ID != "daily" {
			t.Errorf("extended %+v", list)
		}
	})
}

// TestTwoWritersNeverDoubleBookAnOccurrence has series and single bookings race for one room.
func TestTwoWritersNeverDoubleBookAnOccurrence(t *testing.T) {
	t.Parallel()
	openAt(t, func(t *testing.T, s *store.Store, _ *time.Time) {
		taken := errors.New("taken")
		results := make(chan string, 8)
		for i := range 8 {
			go func() {
				b := seriesOf(fmt.Sprintf("b%d", i), "FREQ=DAILY;COUNT=400", "red")
				if i%2 == 0 {
					b = meeting(b.ID, 0, 1, "red")
					b.Start, b.End = soon.AddDate(0, 0, 350), soon.AddDate(0, 0, 350).Add(time.Hour)
				}
				err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					if c, err := tx.Conflicts(ctx, nil, b); err != nil || len(c) > 0 {
						return errors.Join(err, taken)
					}
					return tx.PutBooking(ctx, b)
				})
				if err != nil && !errors.Is(err, taken) {
					t.Error(err)
				}
				if err != nil {
					b.ID = ""
				}
				results <- b.ID
			}()
		}
		wins := 0
		for range 8 {
			if <-results != "" {
				wins++
			}
		}
		if wins != 1 {
			t.Errorf("%d bookings got the room, want one", wins)
		}
	})
}

// What a long series occupies is written where it changes, and not with every title.
func TestALongSeriesIsWrittenWhereItChanges(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return morning }
	s := storetest.New(t, store.Options{URL: storetest.SQLite(t), Now: clock})
	written := func(b *booking.Booking) (rows int64) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			var before, after int64
			return errors.Join(
				tx.SQL().QueryRowContext(ctx, "SELECT total_changes()").Scan(&before),
				tx.PutBooking(ctx, b),
				tx.SQL().QueryRowContext(ctx, "SELECT total_changes()").Scan(&after),
				func() error { rows = after - before; return nil }(),
			)
		})
		return rows
	}
	b := seriesOf("long", "FREQ=DAILY;COUNT=520", "red", "blue")
	if n := written(b); n != 1+2*520 {
		t.Errorf("a new series: %d rows, want %d", n, 1+2*520)
	}
	b.Title = "Other"
	if n := written(b); n != 1 {
		t.Errorf("another title: %d rows, want 1", n)
	}
	from, to := b.Start.AddDate(0, 0, 3).Add(time.Hour), b.Start.AddDate(0, 0, 3).Add(2*time.Hour)
	b.Exceptions = []booking.Exception{{Occurrence: b.Start.AddDate(0, 0, 3), Start: &from, End: &to}, {Occurrence: b.Start.AddDate(0, 0, 9), Skipped: true}}
	if n := written(b); n != 1+2*2+2 {
		t.Errorf("one occurrence moved and one left out: %d rows, want %d", n, 1+2*2+2)
	}
	b.Status = booking.Cancelled
	if n := written(b); n != 1+2*519 {
		t.Errorf("cancelled: %d rows, want %d", n, 1+2*519)
	}
	b.Status, b.Recurrence, b.Exceptions = booking.Confirmed, "", nil
	if n := written(b); n != 1+2 {
		t.Errorf("a single booking again: %d rows, want 3", n)
	}
}

// BenchmarkSaveALongSeries looks for conflicts and saves one with 520 occurrences.
func BenchmarkSaveALongSeries(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{URL: "sqlite:" + b.TempDir() + "/bench.db", Now: func() time.Time { return morning }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		n++
		x := seriesOf(fmt.Sprint("s", n), "FREQ=DAILY;COUNT=520", fmt.Sprint("room", n))
		err := s.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Conflicts(ctx, nil, x)
			return errors.Join(err, tx.PutBooking(ctx, x))
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
