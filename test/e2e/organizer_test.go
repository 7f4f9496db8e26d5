package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestAnotherOrganizer gives bookings another organizer, and back. Where nobody is invited the item goes silently from one calendar to
// the other; else that is one cancellation by the one and one invitation by the other, to everybody.
func TestAnotherOrganizer(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]setup{"EWS": {}, "Graph": {cloud: overGraph}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, with)
			guests := []attendee{{Email: "zoe@partner.example", Role: "required"}, {Email: "adam@partner.example", Role: "optional"}}
			type told struct {
				booking
				Recurrence string `json:"recurrence,omitempty"`
			}
			alone, invited := told{booking: deskMeeting("alone", "alice", day(2, 9), desk(1))}, told{booking: deskMeeting("invited", "alice", day(3, 9), desk(2))}
			row := told{deskMeeting("row", "alice", day(4, 9), desk(3)), "FREQ=DAILY;COUNT=5"}
			invited.Attendees = guests
			by := func(person string) {
				t.Helper()
				for _, b := range []told{alone, invited, row} {
					b.Organizer = person
					s.do("PUT", "/bookings/"+b.ID, b, nil)
				}
				s.settle()
			}
			by("alice")
			former := "alice"
			for _, next := range []string{"bob", "alice"} {
				mails := len(s.sim.Mails())
				by(next)
				var got []string
				for _, m := range s.sim.Mails()[mails:] {
					to := slices.Sorted(slices.Values(m.To))
					got = append(got, fmt.Sprintf("%s of %s by %s to %s", m.Kind, m.Subject, m.From, to))
				}
				slices.Sort(got)
				want := []string{
					fmt.Sprintf("cancellation of %s invited by %s to [adam@partner.example zoe@partner.example]", hush, address(former)),
					fmt.Sprintf("request of %s invited by %s to [adam@partner.example zoe@partner.example]", hush, address(next)),
				}
				if !slices.Equal(got, want) {
					t.Errorf("to %s, mails:\n%q\nwant:\n%q", next, got, want)
				}
				for _, id := range []string{"alone", "invited", "row"} {
					s.none(former, hush+" "+id)
					it := s.only(next, hush+" "+id)
					if guests := len(it.Required) + len(it.Optional); guests != map[string]int{"invited": 2}[id] || (it.Recurrence != nil) != (id == "row") {
						t.Errorf("%s has %+v", next, it)
					}
				}
				former = next
			}
			for _, id := range []string{"alone", "invited", "row"} {
				s.wantHistory(id, "1 created by api", "2 updated by api", "3 updated by api")
			}
			if out := s.must("diff"); strings.Contains(out, "\n1 ") {
				t.Errorf("diff says: %s", out)
			}
		})
	}
}
