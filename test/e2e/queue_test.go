package e2e

import (
	"fmt"
	"testing"
)

// TestHostKilledWithWorkQueued kills the host again and again while bookings of all people wait to be written.
func TestHostKilledWithWorkQueued(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	const each = 6
	for n := range each {
		for _, p := range people {
			b := meeting(fmt.Sprintf("%s-%d", p, n), p, day(n, 9))
			b.Resources = []string{desk(n)}
			if p == "bob" {
				b.Attendees = []attendee{{Email: address("alice")}}
			}
			b.Start, b.End = hour(n, p)
			s.put(b)
			if n%2 == 1 && p == "carol" {
				arrived, release := s.sim.Faults().PauseAfter("CreateItem")
				select {
				case <-arrived: // applied, and the host will not hear of it
				case <-s.Context().Done():
				}
				s.kill()
				release()
				s.serve()
			}
		}
	}
	s.settle()
	for n := range each {
		for _, p := range people {
			id := fmt.Sprintf("%s-%d", p, n)
			s.only(p, hush+" "+id)
			s.wantHistory(id, "1 created by api")
			s.wantMails(hush+" "+id, map[string]int{"request": 1})
		}
	}
}

// hour gives each person an hour of their own on the nth day.
func hour(n int, person string) (start, end string) {
	b := meeting("", person, day(n, 8+2*int(person[0]-'a')))
	return b.Start, b.End
}
