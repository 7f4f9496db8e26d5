package plan

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// begunSeries is a series with guests, of which the second occurrence is left out, the third retitled and the fourth has guests of its own.
func begunSeries() Fields {
	start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	f := Canonical(Fields{
		Subject: "Planning", Start: start, End: start.Add(time.Hour), Recurrence: "FREQ=DAILY;COUNT=5", Attendees: []Person{{Email: "bob@example.com"}},
		Resources: []string{"room-a@example.com"},
	})
	at := func(n int) time.Time { return start.AddDate(0, 0, n) }
	titled, others := f.plain(at(2)), f.plain(at(3))
	titled.Subject, others.Attendees = "Finale", []Person{{Email: "guest@example.org"}}
	f.Exceptions = []Exception{
		{Occurrence: at(1), Skipped: true}, f.Except(at(2), titled, calendar.AllFields), f.Except(at(3), others, calendar.AllFields),
	}
	return Canonical(f)
}

// step is what there is of it after some steps: the exceptions, with the guests of the series where that is possible, its guests, theirs.
func step(n int, silent bool) Fields {
	f := begunSeries()
	days := f.byDay()
	for day, x := range days {
		if n < 2 && x.Own.Any(guests) {
			days[day] = mixed(x, Exception{}, guests)
		}
	}
	whole := f
	if f = f.excepted(days); n > 0 {
		return f
	}
	f.Attendees, f.Resources = nil, nil
	days = f.byDay()
	for day, x := range days {
		if silent && !x.Skipped {
			is := whole.Occurrence(Exception{Occurrence: x.Occurrence})
			days[day] = mixed(x, Exception{Own: guests, Is: &is}, guests)
		}
	}
	return f.excepted(days)
}

func TestASeriesThatWasBegunIsGoneOnWith(t *testing.T) {
	t.Parallel()
	sent := begunSeries()
	for _, silent := range []bool{false, true} {
		for n := range 3 {
			item := step(n, silent)
			base := Begun(sent, item, n == 0)
			booking := sent
			d := Plan(Input{Base: &base, Booking: &booking, Item: &item, Sent: &sent})
			if d.BookingFields != 0 || len(d.Lost) != 0 || d.CancelBooking {
				t.Errorf("silent %t, step %d: the booking is to change in %v, lost are %+v", silent, n, d.BookingFields, d.Lost)
			}
			if wanted := n < 2; wanted != (d.ItemFields != 0) || n == 0 && !d.ItemFields.Has(guests) {
				t.Errorf("silent %t, step %d: the item is to change in %v", silent, n, d.ItemFields)
			}
			if d.ItemFields != 0 && Diff(d.Item, booking) != 0 {
				t.Errorf("silent %t, step %d: the item becomes %+v", silent, n, d.Item)
			}
			told := News(Input{Base: &base, Booking: &booking, Item: &item, Sent: &sent}, d)
			if n < 2 && !told.Any(guests) {
				t.Errorf("silent %t, step %d: told is %v", silent, n, told)
			}
		}
	}
}

// An item that was sent has its guests; if it has none, somebody took them off.
func TestGuestsThatSomebodyTookOffAreNoHalfWork(t *testing.T) {
	t.Parallel()
	sent := begunSeries()
	item := sent
	item.Attendees = nil
	base := Begun(sent, item, false)
	if d := Plan(Input{Base: &base, Booking: &sent, Item: &item, Sent: &sent}); !d.BookingFields.Has(calendar.FieldAttendees) || d.ItemFields.Any(guests) {
		t.Errorf("%+v", d)
	}
}

// A write of a series that touches neither its rule nor its exceptions is no write that was cut off between them: who makes it a single item
// meanwhile has edited it.
func TestAnEditOfTheRuleBesideAWriteThatHasNone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	says := func(subject, rule string) *Fields {
		f := Canonical(Fields{Subject: subject, Start: at, End: at.Add(time.Hour), Recurrence: rule, Zone: "UTC"})
		return &f
	}
	const rule = "FREQ=DAILY;COUNT=5"
	sent := says("new", rule)
	sent.Once = true
	in := Input{Base: says("old", rule), Booking: says("new", rule), Item: says("old", ""), Sent: sent}
	in.Base = Learned(in)
	if d := Plan(in); d.BookingFields != calendar.FieldRecurrence || d.ItemFields != calendar.FieldSubject || len(d.Lost) != 0 {
		t.Errorf("item %v booking %v lost %v, want the edit taken over", d.ItemFields, d.BookingFields, d.Lost)
	}
}
