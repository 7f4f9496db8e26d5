package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// longSeries is one of 520 occurrences, 50 of which are exceptions: moved, with another title, in another place, left out.
func longSeries(zone string) Fields {
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	f := Canonical(Fields{
		Subject: "Planning", Body: "What is to be done.", Location: "Room 5", Start: start, End: start.Add(time.Hour), Zone: zone,
		Attendees: []Person{{Email: "bob@example.com"}, {Email: "carol@example.com"}}, Resources: []string{"room-5@example.com"},
		Recurrence: "FREQ=WEEKLY;COUNT=520",
	})
	for n := range 50 {
		x := f.withException(10*n+3, func(o *Fields) {
			switch n % 3 {
			case 0:
				o.Start, o.End = o.Start.Add(2*time.Hour), o.End.Add(2*time.Hour)
			case 1:
				o.Subject = fmt.Sprintf("Planning, part %d", n)
			default:
				o.Location = "Room 7"
			}
		})
		if n%10 == 9 {
			x = Exception{Occurrence: x.Occurrence, Skipped: true}
		}
		f.Exceptions = append(f.Exceptions, x)
	}
	return Canonical(f)
}

// withException returns the exception that the nth occurrence is after an edit.
func (f Fields) withException(n int, edit func(o *Fields)) Exception {
	start := f.start()
	at := start.On(start.Day(f.Start).AddDate(0, 0, 7*n))
	is := f.plain(at)
	edit(&is)
	return f.Except(at, is, own)
}

// edited returns f with the nth occurrence of its series, or else the whole, called otherwise.
func (f Fields) edited(n int, subject string) Fields {
	if f.Recurrence == "" {
		f.Subject = subject
		return f
	}
	x := f.withException(n, func(o *Fields) { o.Subject = subject })
	d := f.byDay()
	d[f.start().Day(x.Occurrence)] = x
	return f.excepted(d)
}

// BenchmarkPlan is one decision.
func BenchmarkPlan(b *testing.B) {
	single := longSeries("Europe/Berlin")
	single.Recurrence, single.Exceptions = "", nil
	for _, of := range []struct {
		name string
		base Fields
	}{{"Single", single}, {"SeriesOf520With50Exceptions", longSeries("Europe/Berlin")}} {
		base, room := of.base, of.base
		room.Location = "Room 9"
		here, there := base.edited(1, "Edited here"), base.edited(2, "Edited there")
		alone := room // the booking's other room and the calendar's other title do not meet
		if base.Recurrence != "" {
			alone = here
		}
		for _, c := range []struct {
			name string
			in   Input
			want calendar.Fields // written to either side
		}{
			{"NothingChanged", Input{Base: &base, Booking: &base, Item: &base}, 0},
			{"BookingChanged", Input{Base: &base, Booking: &here, Item: &base}, calendar.FieldSubject | calendar.FieldRecurrence},
			{"BothChanged", Input{Base: &base, Booking: &alone, Item: &there}, calendar.FieldSubject | calendar.FieldLocation | calendar.FieldRecurrence},
		} {
			b.Run(of.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				var d Decision
				for b.Loop() {
					d = Plan(c.in)
				}
				if got := d.ItemFields | d.BookingFields; got&^c.want != 0 || (got == 0) != (c.want == 0) || len(d.Lost) != 0 {
					b.Fatalf("decided %+v", d)
				}
			})
		}
	}
}

// BenchmarkCanonical brings what was read into the form that decisions need.
func BenchmarkCanonical(b *testing.B) {
	series := longSeries("Europe/Berlin")
	single := series
	single.Recurrence, single.Exceptions = "", nil
	for name, f := range map[string]Fields{"Single": single, "SeriesOf520With50Exceptions": series} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Canonical(f); len(got.Exceptions) != len(f.Exceptions) {
					b.Fatalf("%d exceptions, want %d", len(got.Exceptions), len(f.Exceptions))
				}
			}
		})
	}
}
