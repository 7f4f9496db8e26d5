package syncer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A change that nobody is to be told of is written without mail though another, of which those invited hear, is on its way by then; all it
// costs is a write more. A calendar that mails whatever is written gets both at once.
func TestASilentChangeStaysSilentBesideOneThatIsTold(t *testing.T) {
	retitledAll := func(b *booking.Booking) { b.Title = "Budget" }
	moved := with(rehoused(3, 14))
	silent, all := calendar.MailNobody, calendar.MailAll
	for name, c := range map[string]struct {
		loud          bool
		first, second []func(*booking.Booking)
		want          []string
	}{
		"a title, an occurrence moved": {
			first: []func(*booking.Booking){retitledAll}, second: []func(*booking.Booking){retitledAll, moved},
			want: []string{fmt.Sprintf("%s to %d", calendar.FieldSubject, silent), fmt.Sprintf("%s to %d", calendar.FieldRecurrence, all)},
		},
		"an occurrence retitled, another moved": {
			first: []func(*booking.Booking){with(retitled(2, "Finale"))}, second: []func(*booking.Booking){with(retitled(2, "Finale")), moved},
			want: []string{fmt.Sprintf("%s to %d", calendar.FieldRecurrence, silent), fmt.Sprintf("%s to %d", calendar.FieldRecurrence, all)},
		},
		"one that is told alone": {
			second: []func(*booking.Booking){moved}, want: []string{fmt.Sprintf("%s to %d", calendar.FieldRecurrence, all)},
		},
		"one that is silent alone": {
			first: []func(*booking.Booking){retitledAll}, want: []string{fmt.Sprintf("%s to %d", calendar.FieldSubject, silent)},
		},
		"where nothing is silent": {
			loud: true, first: []func(*booking.Booking){retitledAll}, second: []func(*booking.Booking){retitledAll, moved},
			want: []string{fmt.Sprintf("%s to %d", calendar.FieldSubject|calendar.FieldRecurrence, all)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.server.loud = c.loud
				w.book("b1", ruled(fiveDays))
				w.pass("alice")
				before, calls := len(w.server.made), w.server.calls["apply"]
				w.server.before = func(call string) error {
					if call == "apply" {
						return fmt.Errorf("the server is away: %w", fault.Unavailable)
					}
					return nil
				}
				if c.first != nil {
					w.book("b1", append([]func(*booking.Booking){ruled(fiveDays)}, c.first...)...)
					w.pass("alice")
				}
				w.server.before = nil
				if c.second != nil {
					w.book("b1", append([]func(*booking.Booking){ruled(fiveDays)}, c.second...)...)
				}
				w.later(time.Hour)
				w.pass("alice")
				if got := w.server.made[before:]; !slices.Equal(got, c.want) {
					w.Errorf("written was %q, want %q", got, c.want)
				}
				if n := w.server.calls["apply"] - calls; n > 3 {
					w.Errorf("%d writes were tried", n)
				}
				b, item := w.booking("b1"), w.only(alice).Event
				if item.Subject != b.Title || len(item.Exceptions) != len(b.Exceptions) || w.differences(editLost) != 0 {
					w.Errorf("the booking is %+v, the item %+v", b, item)
				}
				w.pass("alice")
				if got := w.server.made[before:]; len(got) != len(c.want) {
					w.Errorf("more was written: %q", got)
				}
			})
		})
	}
}
