package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// roomInvited has a room invited in Outlook to a meeting that nobody has booked.
func (s *scene) roomInvited(ctx context.Context, m meeting) error {
	s.story(fmt.Sprintf("%s invites %s in Outlook and books nothing. The room's own calendar is synced: the room's mailbox accepts,", m.organizer.name, m.place.name))
	s.story("and the meeting becomes a booking.")
	when, err := m.when.in(m.organizer.zone)
	if err != nil {
		return fmt.Errorf("the zone %s: %w", m.organizer.zone, err)
	}
	s.start()
	room := exchangesim.Attendee{Name: m.place.name, Address: m.place.email}
	_, err = s.sim.Outlook(m.organizer.email).Create(exchangesim.Appointment{
		Subject: m.title, Location: m.place.name, Start: when.start, End: when.end, Resources: []exchangesim.Attendee{room},
	})
	if err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	if m.id, err = s.madeInCalendar(ctx); err != nil {
		return err
	}
	var b *client.Booking
	err = until(ctx, func() error {
		if b, err = s.booking(ctx, m.id); err != nil {
			return err
		}
		answers := []string{}
		if b.ResourceStates != nil {
			for _, r := range *b.ResourceStates {
				answers = append(answers, r.Resource+" "+string(r.State))
			}
		}
		return same("the room's answer", "["+m.place.id+" accepted]", fmt.Sprint(answers))
	})
	if err != nil {
		return err
	}
	s.stop()
	if err := s.quiet(ctx); err != nil {
		return err
	}
	if err := same("whose booking it is", m.organizer.id+" "+m.String(), b.Organizer+" "+strings.TrimSuffix(told(b), standing(string(b.Status), b.Version))); err != nil {
		return err
	}
	outlook := m.mail("invitation")
	if err := same("who is mailed", outlook, s.newMails()); err != nil {
		return err
	}
	s.side("booking", told(b)+", "+m.place.name+" accepted")
	s.side("mailed", outlook+", by Outlook itself; by Roomwire nobody")
	return nil
}

// madeInCalendar waits for a booking that somebody made in a calendar and returns its id.
func (s *scene) madeInCalendar(ctx context.Context) (id string, err error) {
	err = until(ctx, func() error {
		r, err := s.rest.ListChangesWithResponse(ctx, tenant, &client.ListChangesParams{After: &s.seq})
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("read the change feed: %w", err)
		}
		for _, c := range r.JSON200.Changes {
			s.seq = c.Seq
			if c.Kind == client.ChangeKindCreated && c.Source == client.ChangeSourceCalendar {
				id = c.ID
				return nil
			}
		}
		return &unmet{"the booking system hears of it", "a booking made in a calendar, in the change feed", "none"}
	})
	return id, err
}

// decided has somebody copy the item of a meeting in Outlook, and an administrator decide what becomes of the copy.
func (s *scene) decided(ctx context.Context, m *meeting) error {
	s.story(fmt.Sprintf("%s copies the item of %q in Outlook, marks and all. A copy is no booking: Roomwire leaves it alone and", m.organizer.name, m.title))
	s.story("lists it. The administrator asks what the choice of the booking would do, and makes it.")
	original, _ := s.item(m.organizer, m.id)
	if _, err := s.sim.Outlook(m.organizer.email).Copy(original.ID); err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	var d client.Difference
	err := until(ctx, func() error {
		r, err := s.rest.ListDifferencesWithResponse(ctx, tenant, &client.ListDifferencesParams{Booking: &m.id})
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("list the differences: %w", err)
		}
		var kinds []string
		for _, d = range r.JSON200.Items {
			kinds = append(kinds, d.Kind)
		}
		return same("what is listed about the booking", "[copy left alone]", fmt.Sprint(kinds))
	})
	if err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	s.line("      $ roomwire diff")
	s.line(fmt.Sprintf("      %d  %s  %s  %s, recommended: %s", d.ID, d.Person, *d.Booking, d.Kind, *d.Recommendation))
	if err := s.decide(ctx, d, true); err != nil {
		return err
	}
	if err := same("items after the preview", "2", fmt.Sprint(s.items(m.organizer, m.id))); err != nil {
		return err
	}
	s.start()
	if err := s.decide(ctx, d, false); err != nil {
		return err
	}
	err = until(ctx, func() error {
		return same("items of the booking", "1", fmt.Sprint(s.items(m.organizer, m.id)))
	})
	if err != nil {
		return err
	}
	s.stop()
	if now, _ := s.item(m.organizer, m.id); now.ID != original.ID {
		return &unmet{"the item that is left", "the original", "the copy"}
	}
	if err := s.agree(ctx, *m, m.String()); err != nil {
		return err
	}
	return s.mailed("mailed", "nobody")
}

// decide chooses the booking about a difference, or with preview asks what that would do, and shows it.
func (s *scene) decide(ctx context.Context, d client.Difference, preview bool) error {
	command := "resolve"
	if preview {
		command = "preview"
	}
	in := client.ResolveManyInput{Numbers: []int64{d.ID}, Preview: &preview, Use: "booking"}
	r, err := s.rest.ResolveDifferencesWithResponse(ctx, tenant, nil, in)
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("decide on the difference %d: %w", d.ID, err)
	}
	done := r.JSON200.Items[0]
	if done.Refused != nil && *done.Refused != "" {
		return &unmet{"the decision on a copy", "possible", "refused: " + *done.Refused}
	}
	if err := same("who would be mailed", "[]", fmt.Sprint(done.Mails)); err != nil {
		return err
	}
	s.line(fmt.Sprintf("      $ roomwire diff %s %d --use booking", command, d.ID))
	s.line(fmt.Sprintf("      %d  %s; mails nobody", d.ID, *done.Does))
	return nil
}

// takenOver takes over the calendar of somebody whom another sync has served so far.
func (s *scene) takenOver(ctx context.Context, m *meeting) error {
	p := m.organizer
	s.story(fmt.Sprintf("%s's calendar has been kept by another sync. In shadow mode Roomwire reads it and says what it would do, and", p.name))
	s.story("writes nothing. Then the other sync is switched off, and the item that it made becomes the booking's.")
	a, err := m.appointment()
	if err != nil {
		return err
	}
	if _, err := s.sim.Outlook(p.email).Create(a); err != nil {
		return fmt.Errorf("act as the other sync: %w", err)
	}
	if err := same("who is mailed by the other sync", m.mail("invitation"), s.newMails()); err != nil {
		return err
	}
	off := true
	in := client.PersonInput{Email: p.email, DisplayName: &p.name, SyncMode: &p.mode, SyncDisabled: &off, SyncURL: s.exchange()}
	if err := s.putPerson(ctx, p, in); err != nil {
		return err
	}
	if err := s.shadow(ctx, p, true); err != nil {
		return err
	}
	off = false
	if err := s.putPerson(ctx, p, in); err != nil {
		return err
	}
	s.guests = append(s.guests, p)
	if _, err := s.put(ctx, *m, nil); err != nil {
		return err
	}
	if err := s.heard(ctx, m, client.ChangeKindCreated, client.ChangeSourceAPI); err != nil {
		return err
	}
	before, writes := s.sim.Outlook(p.email).Items(), s.writes()
	err = until(ctx, func() error {
		r, err := s.rest.GetShadowWithResponse(ctx, tenant, p.id)
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("ask what would be done: %w", err)
		}
		return same("what would be done", "map[adopt:1], found map[booking id:1]", fmt.Sprintf("%v, found %v", r.JSON200.Does, r.JSON200.Found))
	})
	if err != nil {
		return err
	}
	s.line("      $ roomwire person shadow " + p.id)
	s.line("      found: booking id 1; would do: adopt 1")
	s.start()
	s.line("      $ roomwire person set " + p.id + " --shadow=false")
	if err := s.shadow(ctx, p, false); err != nil {
		return err
	}
	err = until(ctx, func() error {
		r, err := s.rest.ExplainBookingWithResponse(ctx, tenant, m.id)
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("ask how the booking stands: %w", err)
		}
		state := "none"
		for _, l := range r.JSON200.Links {
			state = fmt.Sprint(l["state"])
		}
		return same("the booking's item", "live", state)
	})
	if err != nil {
		return err
	}
	s.stop()
	if err := s.agree(ctx, *m, m.String()); err != nil {
		return err
	}
	now := s.sim.Outlook(p.email).Items()
	if !slices.EqualFunc(before, now, func(a, b exchangesim.Appointment) bool { return a.ID == b.ID && a.ChangeKey == b.ChangeKey }) {
		return &unmet{"the calendar of " + p.name, "the very items of before", contents(now)}
	}
	if err := same("writes by the take-over", "0", fmt.Sprint(s.writes()-writes)); err != nil {
		return err
	}
	s.side("so", "no item was made, changed or deleted")
	return s.mailed("mailed", "nobody")
}

func (s *scene) putPerson(ctx context.Context, p player, in client.PersonInput) error {
	r, err := s.rest.PutPersonWithResponse(ctx, tenant, p.id, in)
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("save the person %s: %w", p.id, err)
	}
	return nil
}

func (s *scene) shadow(ctx context.Context, p player, on bool) error {
	r, err := s.rest.SetShadowWithResponse(ctx, tenant, p.id, client.ShadowInput{On: on})
	if err := client.Check(r, err); err != nil {
		return fmt.Errorf("set the shadow mode of %s: %w", p.id, err)
	}
	return nil
}

// exchange is the address of Exchange on-premises.
func (s *scene) exchange() *string {
	url := s.stage.https.URL + "/EWS/Exchange.asmx"
	return &url
}
