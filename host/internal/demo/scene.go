package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// scene is what the steps act on: the booking system on one side, people's Outlook on the other.
type scene struct {
	*paper
	rest   *client.ClientWithResponses
	sim    *exchangesim.Server
	stage  *stage
	agenda agenda

	guests []player // who came later

	seq     int64 // of the last change in the feed that was read
	mails   int   // how many mails were seen
	started time.Time
	elapsed time.Duration
}

func newScene(st *stage, p *paper) (*scene, error) {
	a, err := newAgenda(time.Now())
	if err != nil {
		return nil, fmt.Errorf("the zone %s: %w", home, err)
	}
	return &scene{paper: p, rest: st.rest, sim: st.sim, stage: st, agenda: a}, nil
}

// begin makes the scene ready for a step.
func (s *scene) begin() { s.elapsed = 0 }

// took is how long the step took from what was done until the other side showed it.
func (s *scene) took() time.Duration { return s.elapsed }

// start starts the clock; stop stops it.
func (s *scene) start() { s.started = time.Now() }
func (s *scene) stop()  { s.elapsed = time.Since(s.started) }

// counts says what went over the wire.
func (s *scene) counts() string {
	return fmt.Sprintf("Exchange answered %d requests.", s.sim.Count(""))
}

// same is nil if got is what was wanted.
func same(what, want, got string) error {
	if want == got {
		return nil
	}
	return &unmet{what, want, got}
}

// quiet waits until both sides have nothing more to say: every notification is delivered, and no mailbox has a reason
// to be looked at. What did not happen by then will not happen.
func (s *scene) quiet(ctx context.Context) error {
	before := -1
	return until(ctx, func() error {
		if err := s.sim.WaitIdle(ctx); err != nil {
			return &unmet{"Exchange delivers its notifications", "none on their way", err.Error()}
		}
		for _, p := range append(synced(), s.guests...) {
			person, err := s.person(ctx, p)
			if err != nil {
				return err
			}
			if person.Sync.Pending == nil || *person.Sync.Pending {
				before = -1
				return &unmet{p.name + "'s mailbox comes to rest", "nothing to do", "something to do" + trouble(person)}
			}
		}
		// Two looks without a request in between: nothing was under way that could have caused more.
		if now := s.sim.Count(""); now != before {
			before = now
			return &unmet{"both sides come to rest", "no more requests", fmt.Sprintf("%d requests so far", now)}
		}
		return nil
	})
}

// person reads a person over REST.
func (s *scene) person(ctx context.Context, p player) (*client.Person, error) {
	r, err := s.rest.GetPersonWithResponse(ctx, tenant, p.id)
	if err := client.Check(r, err); err != nil {
		return nil, fmt.Errorf("ask for the person %s: %w", p.id, err)
	}
	return r.JSON200, nil
}

// trouble says what the person's sync complains of, if anything.
func trouble(p *client.Person) string {
	text := ""
	for _, part := range []*string{p.Sync.Reason, p.Sync.Remedy} {
		if part != nil && *part != "" {
			text += "; " + *part
		}
	}
	return text
}

// booking reads a booking over REST.
func (s *scene) booking(ctx context.Context, id string) (*client.Booking, error) {
	r, err := s.rest.GetBookingWithResponse(ctx, tenant, id, &client.GetBookingParams{})
	if err := client.Check(r, err); err != nil {
		return nil, fmt.Errorf("ask for the booking %s: %w", id, err)
	}
	return r.JSON200, nil
}

// change waits for the next entry of the change feed that concerns the booking.
func (s *scene) change(ctx context.Context, id string) (client.Change, error) {
	const patience = "10s"
	for {
		wait := patience
		r, err := s.rest.ListChangesWithResponse(ctx, tenant, &client.ListChangesParams{After: &s.seq, Wait: &wait})
		if errors.Is(err, context.DeadlineExceeded) {
			return client.Change{}, &unmet{"the booking system hears of it", "a change of booking " + id + " in the change feed", "none"}
		}
		if err := client.Check(r, err); err != nil {
			return client.Change{}, fmt.Errorf("read the change feed: %w", err)
		}
		for _, c := range r.JSON200.Changes {
			s.seq = c.Seq
			if c.ID == id {
				return c, nil
			}
		}
	}
}

// silence checks that the change feed has nothing more about the booking: an echo changed nothing.
func (s *scene) silence(ctx context.Context, id string) error {
	r, err := s.rest.ListChangesWithResponse(ctx, tenant, &client.ListChangesParams{After: &s.seq})
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("read the change feed: %w", err)
	}
	for _, c := range r.JSON200.Changes {
		s.seq = c.Seq
		if c.ID == id {
			return &unmet{"the echo changes nothing", "no further change of booking " + id,
				fmt.Sprintf("version %d, %s by %s", c.Version, c.Kind, c.Source)}
		}
	}
	return nil
}

// newMails says who was mailed since it was last asked.
func (s *scene) newMails() string {
	all := s.sim.Mails()
	fresh := all[s.mails:]
	s.mails = len(all)
	if len(fresh) == 0 {
		return "nobody"
	}
	words := map[string]string{"request": "invitation", "update": "update", "cancellation": "cancellation"}
	parts := make([]string, len(fresh))
	for i, m := range fresh {
		names := make([]string, len(m.To))
		for j, to := range m.To {
			names[j] = nameOf(to)
		}
		slices.Sort(names)
		parts[i] = words[m.Kind] + " to " + strings.Join(names, " and ")
	}
	return strings.Join(parts, ", ")
}

// item finds the appointment of a booking in a calendar, by the property that ROOMS marks its items with.
func (s *scene) item(who player, id string) (exchangesim.Appointment, bool) {
	return s.sim.Outlook(who.email).Find(func(a exchangesim.Appointment) bool { return a.Properties[appointmentOid] == id })
}

// items counts the appointments of a booking in a calendar.
func (s *scene) items(who player, id string) int {
	n := 0
	for _, a := range s.sim.Outlook(who.email).Items() {
		if a.Properties[appointmentOid] == id {
			n++
		}
	}
	return n
}

var appointmentOid = exchangesim.PropertyKey("PublicStrings", "AppointmentOid")
