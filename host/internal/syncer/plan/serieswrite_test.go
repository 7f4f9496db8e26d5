package plan

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// TestOnlyARuleWrittenAnewCostsExceptions: what a series lacks after a write that may have been cut off is our own doing only where the write
// takes that away, and has got as far.
func TestOnlyARuleWrittenAnewCostsExceptions(t *testing.T) {
	t.Parallel()
	base := Canonical(*with(func(f *Fields) { f.Recurrence = "FREQ=DAILY;COUNT=5" }))
	moved := base.plain(base.Start.AddDate(0, 0, 2))
	moved.Start, moved.End = moved.Start.Add(5*time.Hour), moved.End.Add(5*time.Hour)
	base.Exceptions = []Exception{base.Except(base.Start.AddDate(0, 0, 2), moved, calendar.AllFields)}
	base = Canonical(base)
	titled, later, back := base, base, base
	titled.Subject = "another"
	later.Start, later.End = base.Start.Add(time.Hour), base.End.Add(time.Hour)
	later = later.excepted(base.byDay())
	out := base
	out.Exceptions = append([]Exception{{Occurrence: base.Start.AddDate(0, 0, 1), Skipped: true}}, base.Exceptions...)
	bare := func(f Fields) Fields { f.Exceptions = nil; return f }
	single := func(f Fields) Fields { f.Recurrence, f.Exceptions = "", nil; return f }
	for name, tc := range map[string]struct {
		base, booking, item Fields
		ruled, whole        bool
		edited              bool
	}{
		"MovedBackBesideATitle":        {base, titled, bare(base), true, true, true},
		"MovedBackAfterTheTitle":       {base, titled, bare(titled), true, true, true},
		"MadeSingleBesideATitle":       {base, titled, single(base), true, true, true},
		"MovedBackBeforeItsTime":       {base, later, bare(base), false, true, true},
		"MadeSingleBeforeItsTime":      {base, later, single(base), false, true, true},
		"LostWithItsTime":              {base, later, bare(later), false, true, false},
		"RuleTakenAwayToBringBack":     {out, back, single(base), true, false, false},
		"RuleWrittenAnewToBringBack":   {out, back, bare(base), true, false, false},
		"RuleTakenAwayNobodyKnowsWhen": {base, titled, single(base), false, false, false},
	} {
		sent := tc.booking
		sent.Ruled, sent.Whole = tc.ruled, tc.whole
		in := Input{Base: &tc.base, Booking: &tc.booking, Item: &tc.item, Sent: &sent}
		for range 2 { // it is told again before the next write
			in.Base = Learned(in)
			d := Plan(in)
			if edited := d.BookingFields != 0 || len(d.Lost) > 0; edited != tc.edited {
				t.Errorf("%s: booking %v, lost %+v, item %v", name, d.BookingFields, d.Lost, d.ItemFields)
			}
			in.Base = Agreed(in, d.ItemFields|d.BookingFields)
		}
	}
}
