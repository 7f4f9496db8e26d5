package plan

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// genSeries makes a series of f, often a small one, with exceptions.
func genSeries(t *rapid.T, label string, f Fields) Fields {
	f.Recurrence = rapid.SampledFrom([]string{
		"FREQ=DAILY;COUNT=5", "FREQ=DAILY;COUNT=3", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=2;COUNT=3", "FREQ=DAILY;UNTIL=20260106T235959Z",
		"FREQ=WEEKLY", "FREQ=MONTHLY;BYMONTHDAY=2", // which does not begin on most of the starts
	}).Draw(t, label+" rule")
	d := days{}
	start := f.start()
	for range rapid.IntRange(0, 3).Draw(t, label+" exceptions") {
		day := start.Day(f.Start).AddDate(0, 0, rapid.IntRange(0, 4).Draw(t, label+" occurrence"))
		d[day] = genException(t, label, f, start.On(day))
	}
	for _, x := range d {
		f.Exceptions = append(f.Exceptions, x)
	}
	return Canonical(f)
}

func genException(t *rapid.T, label string, f Fields, at time.Time) Exception {
	if rapid.IntRange(0, 3).Draw(t, label+" skipped") == 0 {
		return Exception{Occurrence: at, Skipped: true}
	}
	is := f.plain(at)
	is.Subject = rapid.SampledFrom([]string{"a", "b", "x"}).Draw(t, label+" own subject")
	is.Body = rapid.SampledFrom([]string{"", "z"}).Draw(t, label+" own body")
	is.Location = rapid.SampledFrom([]string{"A", "X"}).Draw(t, label+" own location")
	is.Start = is.Start.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, label+" moved")) * time.Hour)
	is.End = is.Start.Add(time.Hour)
	which := calendar.Fields(rapid.Uint32().Draw(t, label+" own"))
	return f.Except(at, is, which&(calendar.FieldSubject|calendar.FieldBody|calendar.FieldLocation|calendar.FieldTime))
}

// checkOccurrences: what a side changed of a rule, or of one occurrence, is so afterwards, or is a Loss that names it.
func checkOccurrences(t *rapid.T, in Input, d Decision, side Side, before, now *Fields) {
	if (in.Omits | in.Base.Unsaid).Any(calendar.FieldRecurrence) {
		return
	}
	base, edited := in.Base.heard(), *before
	if side == CalendarSide {
		edited = thrown(in)
	}
	var lost calendar.Fields
	at := map[time.Time]Loss{}
	for _, l := range d.Lost {
		switch {
		case l.Side != side:
		case l.Occurrence.IsZero():
			lost |= l.Fields
		default:
			was := at[edited.start().Day(l.Occurrence)]
			l.Fields |= was.Fields
			l.Deleted = l.Deleted || was.Deleted
			at[edited.start().Day(l.Occurrence)] = l
		}
	}
	if clockDiffers(base, edited, true) != 0 && clockDiffers(edited, *now, true) != 0 && !lost.Any(clock) &&
		clockDiffers(base, edited, true)&clockDiffers(edited, *now, true) != 0 {
		t.Fatalf("%s's time or rule was lost silently by %+v", side, d)
	}
	was, wanted, got := base.byDay(), edited.byDay(), now.byDay()
	for day := range both(was, wanted, got) {
		x, y := wanted[day], got[day]
		edit := edits(base, edited, was[day], x, day) &^ in.Omits &^ in.Base.Unsaid &^ calendar.FieldBody
		if x.Skipped && !was[day].Skipped && !y.Skipped && !at[day].Deleted && now.Recurrence != "" && takesPlace(*now, day) {
			t.Fatalf("that %s leaves out %v was lost silently by %+v", side, day, d)
		}
		if edit != 0 && !x.Skipped && !lost.Any(clock) && takesPlace(*now, day) &&
			edit&edits(edited, *now, x, y, day)&^at[day].Fields != 0 {
			t.Fatalf("%s's edit of %v on %v was lost silently by %+v", side, edit, day, d)
		}
	}
}

func takesPlace(f Fields, day time.Time) bool {
	return len(Fields{Recurrence: f.Recurrence, Start: f.Start, End: f.End, AllDay: f.AllDay, Zone: f.Zone}.excepted(days{day: {Skipped: true}}).Exceptions) > 0
}

// genEdits edits some of the occurrences of a series, of which picked says which may be.
func genEdits(t *rapid.T, label string, f Fields, picked func(n int) bool) Fields {
	d := f.byDay()
	start := f.start()
	for n := range 5 {
		if day := start.Day(f.Start).AddDate(0, 0, n); picked(n) && rapid.Bool().Draw(t, label+" edits") {
			d[day] = genException(t, label, f, start.On(day))
		}
	}
	return f.excepted(d)
}

func genAgreed(t *rapid.T) Fields {
	f := genSeries(t, "agreed", genFields(t, "agreed"))
	f.Recurrence = "FREQ=DAILY;COUNT=5"
	return Canonical(f)
}

// TestEditsOfOtherOccurrencesMeet: what both sides change of different occurrences is on both afterwards, and nothing is lost.
func TestEditsOfOtherOccurrencesMeet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := genAgreed(t)
		booking := genEdits(t, "booking", base, func(n int) bool { return n%2 == 0 })
		item := genEdits(t, "item", base, func(n int) bool { return n%2 == 1 })
		for _, x := range base.Exceptions { // nobody can bring back in a calendar what was left out
			if day := base.start().Day(x.Occurrence); x.Skipped {
				d := item.byDay()
				d[day] = x
				item = item.excepted(d)
			}
		}
		in := Input{Base: &base, Booking: &booking, Item: &item}
		d := Plan(in)
		after := carry(in, d)
		want := days{}
		k, i := booking.byDay(), item.byDay()
		for n := range 5 {
			day := base.start().Day(base.Start).AddDate(0, 0, n)
			if x, is := k[day]; n%2 == 0 && is {
				want[day] = x
			} else if x, is := i[day]; n%2 == 1 && is {
				want[day] = x
			}
		}
		for _, side := range []*Fields{after.Booking, after.Item} {
			if differ := Diff(*side, base.excepted(want)) &^ calendar.FieldBody; differ != 0 {
				t.Fatalf("after %+v a side differs in %v:\n%+v\nwant\n%+v", d, differ, side.Exceptions, base.excepted(want).Exceptions)
			}
		}
		for _, l := range d.Lost {
			if l.Fields&^calendar.FieldBody != 0 || l.Deleted {
				t.Fatalf("lost: %+v", d.Lost)
			}
		}
	})
}

// TestAnotherTimeKeepsExceptions: a server throws exceptions away when the time or the rule of a series changes. They are
// still there afterwards, whoever changed it, but for those that have no occurrence any more, and nobody's edit is lost.
func TestAnotherTimeKeepsExceptions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := genAgreed(t)
		next := base
		next.Start, next.End = base.Start.Add(time.Hour), base.End.Add(time.Hour)
		next.Recurrence = rapid.SampledFrom([]string{"FREQ=DAILY;COUNT=5", "FREQ=DAILY;COUNT=3", "FREQ=DAILY;INTERVAL=2;COUNT=3"}).Draw(t, "another rule")
		next = next.excepted(base.byDay())
		bare := next
		bare.Exceptions = nil
		var in Input
		if rapid.Bool().Draw(t, "by the booking") {
			in = Input{Base: &base, Booking: &next, Item: &base}
			d := Plan(in)
			if d.BookingFields != 0 || !d.ItemFields.Any(calendar.FieldTime) {
				t.Fatalf("planned %+v", d)
			}
			// The write was cut off after its first step.
			in.Item, in.Sent = &bare, &next
		} else {
			in = Input{Base: &base, Booking: &base, Item: &bare}
		}
		d := Plan(in)
		if len(d.Lost) > 0 {
			t.Fatalf("lost: %+v\nbase %+v\nnext %+v\nitem %+v", d.Lost, base, next, *in.Item)
		}
		after := carry(in, d)
		for _, side := range []*Fields{after.Booking, after.Item} {
			if differ := Diff(*side, next) &^ calendar.FieldBody; differ != 0 {
				t.Fatalf("after %+v a side differs in %v:\n%+v\nwant\n%+v", d, differ, *side, next)
			}
		}
		if d.ItemFields.Any(calendar.FieldRecurrence) && in.Sent == nil && (News(in, d) != 0 || !d.Repaired.Any(calendar.FieldRecurrence)) {
			t.Fatalf("what the server threw away is news: %+v", d)
		}
		// It is told again before the exceptions are written: then they are still no edit.
		agreed := Agreed(Input{Base: in.Base, Booking: after.Booking, Item: in.Item}, d.ItemFields)
		again := Plan(Input{Base: agreed, Booking: after.Booking, Item: in.Item, Sent: in.Sent})
		if again.BookingFields != 0 || len(again.Lost) > 0 {
			t.Fatalf("told again before it is written: %+v", again)
		}
		if gone := Plan(Input{Base: agreed, Booking: after.Booking}); in.Sent == nil && !gone.CancelBooking {
			t.Fatalf("deleted before it is written: %+v", gone)
		}
	})
}

// TestAHalfWrittenSeriesIsNoEdit: a write of a series was cut off anywhere. Nothing of the booking is lost, and nobody's edit is
// reported; what somebody else did to the series meanwhile is taken over.
func TestAHalfWrittenSeriesIsNoEdit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, next := genAgreed(t), genAgreed(t)
		if rapid.Bool().Draw(t, "another rule") {
			next.Recurrence = "FREQ=DAILY;COUNT=4"
			next = Canonical(next)
		}
		if rapid.IntRange(0, 4).Draw(t, "made a series") == 0 {
			base.Recurrence, base.Exceptions = "", nil
		}
		item := next
		item.Exceptions = nil
		switch rapid.IntRange(0, 2).Draw(t, "cut off") {
		case 0: // between exceptions
			for _, x := range next.Exceptions {
				if rapid.Bool().Draw(t, "written") {
					item.Exceptions = append(item.Exceptions, x)
				}
			}
		case 1: // while the series was none, to bring back what was left out
			item = take(base, next, calendar.FieldTime)
			item.Recurrence, item.Exceptions = "", nil
		case 2: // before the beginning
			item = base
		}
		in := Input{Base: &base, Booking: &next, Item: &item, Sent: &next}
		d := Plan(in)
		if d.BookingFields&^calendar.FieldBody != 0 {
			t.Fatalf("planned %+v", d)
		}
		for _, l := range d.Lost {
			if l.Side == CalendarSide {
				t.Fatalf("lost: %+v\nbase %+v\nnext %+v\nitem %+v", d.Lost, base, next, *in.Item)
			}
		}
		after := carry(in, d)
		if differ := Diff(*after.Item, next) &^ calendar.FieldBody; differ != 0 {
			t.Fatalf("after %+v the item differs in %v", d, differ)
		}
	})
}

func TestCanonicalDropsWhatIsAsTheSeries(t *testing.T) {
	t.Parallel()
	f := with(func(f *Fields) { f.Zone, f.Recurrence = "Europe/Berlin", "RRULE:FREQ=WEEKLY;COUNT=30" })
	spring := f.start().On(f.start().Day(f.Start).AddDate(0, 0, 7*20)) // the clocks have changed
	same, other := f.plain(spring), f.plain(spring)
	other.Subject = "Review"
	f.Exceptions = []Exception{
		{Occurrence: spring, Own: calendar.FieldSubject | calendar.FieldTime, Is: &other},
		{Occurrence: f.Start, Own: calendar.FieldSubject, Is: &same},
		{Occurrence: f.Start.AddDate(1, 0, 0), Skipped: true}, // beyond the end
	}
	got := Canonical(*f)
	if len(got.Exceptions) != 1 || got.Exceptions[0].Own != calendar.FieldSubject || got.Exceptions[0].Is.Subject != "Review" {
		t.Errorf("exceptions = %+v", got.Exceptions)
	}
	if got.Recurrence != "FREQ=WEEKLY;BYDAY="+[]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}[f.Start.Weekday()]+";COUNT=30" {
		t.Errorf("rule = %q", got.Recurrence)
	}
	later := take(got, *with(func(g *Fields) { g.Start, g.End = f.Start.Add(time.Hour), f.End.Add(time.Hour) }), calendar.FieldTime)
	if want := spring.Add(time.Hour); len(later.Exceptions) != 1 || !later.Exceptions[0].Occurrence.Equal(want) {
		t.Errorf("an hour later the exceptions are %+v, want one at %v", later.Exceptions, want)
	}
}

// TestToldNamesWhatAttendeesSee: only the occurrences that change say who is mailed.
func TestToldNamesWhatAttendeesSee(t *testing.T) {
	t.Parallel()
	f := *with(func(f *Fields) { f.Recurrence = "FREQ=DAILY;COUNT=5" })
	at := f.plain(f.Start.AddDate(0, 0, 2))
	except := func(change func(*Fields)) Fields {
		is := at
		change(&is)
		g := f
		g.Exceptions = []Exception{f.Except(at.Start, is, calendar.AllFields)}
		return Canonical(g)
	}
	skipped := f
	skipped.Exceptions = []Exception{{Occurrence: at.Start, Skipped: true}}
	longer := f
	longer.Recurrence = "FREQ=DAILY;COUNT=6"
	for name, tc := range map[string]struct {
		to   Fields
		want calendar.Fields
	}{
		"Nothing":    {f, 0},
		"Retitled":   {except(func(f *Fields) { f.Subject = "x" }), calendar.FieldSubject},
		"Moved":      {except(func(f *Fields) { f.End = f.End.Add(time.Hour) }), calendar.FieldTime},
		"OtherRoom":  {except(func(f *Fields) { f.Resources = []string{"room-x@example.com"} }), calendar.FieldResources},
		"LeftOut":    {skipped, calendar.FieldTime},
		"Longer":     {longer, calendar.FieldTime},
		"WithAnyone": {except(func(f *Fields) { f.Attendees = nil }), calendar.FieldAttendees},
	} {
		if got := Told(Canonical(f), Canonical(tc.to)); got != tc.want {
			t.Errorf("%s: Told = %v, want %v", name, got, tc.want)
		}
	}
}

// TestLossesNameTheOccurrence is the table of what happens to one occurrence.
func TestLossesNameTheOccurrence(t *testing.T) {
	t.Parallel()
	base := Canonical(*with(func(f *Fields) { f.Recurrence = "FREQ=DAILY;COUNT=5" }))
	third := base.Start.AddDate(0, 0, 2)
	titled := func(title string) Fields {
		is := base.plain(third)
		is.Subject = title
		f := base
		f.Exceptions = []Exception{base.Except(third, is, calendar.AllFields)}
		return Canonical(f)
	}
	skipped := base
	skipped.Exceptions = []Exception{{Occurrence: third, Skipped: true}}
	shorter := Canonical(*with(func(f *Fields) { f.Recurrence = "FREQ=DAILY;COUNT=2" }))
	single := Canonical(*with(func(*Fields) {}))
	for name, tc := range map[string]struct {
		booking, item Fields
		want          Fields
		lost          []Loss
	}{
		"BothRetitled":            {titled("x"), titled("y"), titled("x"), []Loss{{Side: CalendarSide, Fields: calendar.FieldSubject, Occurrence: third}}},
		"BothAlike":               {titled("x"), titled("x"), titled("x"), nil},
		"EditBeatsLeavingOut":     {titled("x"), skipped, titled("x"), []Loss{{Side: CalendarSide, Deleted: true, Occurrence: third}}},
		"LeavingOutBeatsEdit":     {skipped, titled("y"), skipped, []Loss{{Side: CalendarSide, Fields: calendar.FieldSubject, Occurrence: third}}},
		"LeftOutInTheCalendar":    {base, skipped, skipped, nil},
		"EditOfWhatIsCutOff":      {shorter, titled("y"), shorter, []Loss{{Side: CalendarSide, Fields: calendar.FieldSubject, Occurrence: third}}},
		"CutOffInTheCalendar":     {titled("x"), shorter, shorter, []Loss{{Side: BookingSide, Fields: calendar.FieldSubject, Occurrence: third}}},
		"MadeSingleInTheCalendar": {base, single, single, nil},
		"MadeSingleInTheBooking":  {single, base, single, nil},
	} {
		in := Input{Base: &base, Booking: &tc.booking, Item: &tc.item}
		d := Plan(in)
		after := carry(in, d)
		if !slices.Equal(d.Lost, tc.lost) {
			t.Errorf("%s: lost %+v, want %+v", name, d.Lost, tc.lost)
		}
		if Diff(*after.Booking, tc.want) != 0 || Diff(*after.Item, tc.want) != 0 {
			t.Errorf("%s: booking %+v\nitem %+v\nwant %+v", name, *after.Booking, *after.Item, tc.want)
		}
	}
}

// TestUntouchedIsMerged: where nothing was changed the short way decides as merging does.
func TestUntouchedIsMerged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := genFields(t, "agreed")
		if rapid.Bool().Draw(t, "series") {
			f = genSeries(t, "agreed", f)
		}
		base := f
		base.Owed = rapid.Bool().Draw(t, "owed")
		in := Input{Base: &base, Booking: &f, Item: &f}
		if !untouched(in) {
			t.Fatalf("%+v is touched", in)
		}
		got, merged := Plan(in), merge(in)
		if !got.Idle() || !merged.Idle() || len(got.Lost)+len(merged.Lost) != 0 || !reflect.DeepEqual(got.Base, merged.Base) {
			t.Fatalf("decided %+v, merging %+v", got, merged)
		}
	})
}

// A series gets another room in the calendar, which one of its occurrences is not to have: that one keeps the place it has.
func TestAnOccurrenceThatIsPlacedKeepsItsRoom(t *testing.T) {
	agreed := base()
	agreed.Recurrence, agreed.Resources, agreed.Location = "FREQ=DAILY;COUNT=3", []string{"a@x"}, "A"
	agreed = Canonical(agreed)
	item := agreed
	item.Resources, item.Location = []string{"a@x", "b@x"}, "A, B"
	at := agreed.Start.AddDate(0, 0, 1)
	item.Exceptions = []Exception{item.Except(at, agreed.plain(at), calendar.AllFields)}
	item = Canonical(item)
	d := Plan(Input{Base: &agreed, Booking: &agreed, Item: &item, Placed: []time.Time{at}})
	if d.ItemFields != 0 || len(d.Lost) != 0 || Diff(d.Booking, item) != 0 {
		t.Errorf("item %v, lost %+v, booking %+v", d.ItemFields, d.Lost, d.Booking)
	}
	booked := agreed // where the booking has another place by now, that holds for the occurrence as well
	booked.Resources, booked.Location = []string{"c@x"}, "C"
	if d := Plan(Input{Base: &agreed, Booking: &booked, Item: &item, Placed: []time.Time{at}}); d.BookingFields != 0 || len(d.Item.Exceptions) != 0 {
		t.Errorf("booking %v, item %+v", d.BookingFields, d.Item)
	}
}
