package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// weeks is how often the series of the demonstration takes place.
const weeks = 4

// weekly makes a series of a meeting as the booking system does.
func weekly(m meeting, exceptions ...client.Exception) func(*client.BookingInput) {
	return func(in *client.BookingInput) {
		rule := fmt.Sprintf("FREQ=WEEKLY;COUNT=%d;BYDAY=%s", weeks, strings.ToUpper(m.when.start.Weekday().String()[:2]))
		in.Recurrence = &rule
		if len(exceptions) > 0 {
			in.Exceptions = &exceptions
		}
	}
}

// later is the span n weeks after the series' first occurrence, by the clock.
func (s span) later(n int) span {
	return span{s.start.AddDate(0, 0, 7*n), s.end.AddDate(0, 0, 7*n), s.allDay}
}

// series books a weekly meeting; then its second occurrence is retitled in the web app and its third moved in Outlook, at once.
func (s *scene) series(ctx context.Context, m *meeting, moved span) error {
	s.story(fmt.Sprintf("%s books %s four weeks running. Then the web app gives the second occurrence another title, and at the", m.organizer.name, m.place.name))
	s.story("same moment the third is moved in Outlook. It is one booking and one item; both changes stay.")
	if _, err := s.put(ctx, *m, weekly(*m)); err != nil {
		return err
	}
	if err := s.sawItem(ctx, *m); err != nil {
		return err
	}
	if err := s.heard(ctx, m, client.ChangeKindCreated, client.ChangeSourceAPI); err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	if err := same("who is mailed", m.mail("invitation"), s.newMails()); err != nil {
		return err
	}

	s.start()
	item, _ := s.item(m.organizer, m.id)
	title, second := m.title+" with cake", m.when.later(1).start.Format(time.RFC3339)
	if _, err := s.put(ctx, *m, weekly(*m, client.Exception{Occurrence: &second, Title: &title})); err != nil {
		return err
	}
	err := s.sim.Outlook(m.organizer.email).UpdateOccurrence(item.ID, m.when.later(2).start, func(a *exchangesim.Appointment) {
		a.Start, a.End = moved.start, moved.end
	})
	if err != nil {
		return fmt.Errorf("act as Outlook: %w", err)
	}
	list := []string{occurrence(m.title, m.when), occurrence(title, m.when.later(1)), occurrence(m.title, moved), occurrence(m.title, m.when.later(3))}
	want := strings.Join(list, ", ")
	for _, side := range []struct {
		name string
		says func(context.Context, meeting) (string, error)
	}{{"the calendar of " + m.organizer.name, s.inCalendar}, {"the booking", s.inBooking}} {
		err := until(ctx, func() error {
			got, err := side.says(ctx, *m)
			if err != nil {
				return err
			}
			return same(side.name, want, got)
		})
		if err != nil {
			return err
		}
	}
	s.stop()
	for _, source := range []client.ChangeSource{client.ChangeSourceAPI, client.ChangeSourceCalendar} {
		if err := s.heard(ctx, m, client.ChangeKindUpdated, source); err != nil {
			return err
		}
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	if err := s.silence(ctx, m.id); err != nil {
		return err
	}
	if err := same("items of the series", "1", fmt.Sprint(s.items(m.organizer, m.id))); err != nil {
		return err
	}
	outlook := m.mail("update")
	if err := same("who is mailed", outlook, s.newMails()); err != nil {
		return err
	}
	label := "both say"
	for _, o := range list {
		s.side(label, o)
		label = ""
	}
	s.side("mailed", outlook+", by Outlook itself, of the third; by Roomwire nobody")
	return nil
}

func occurrence(title string, when span) string { return fmt.Sprintf("%q %s", title, when) }

// inCalendar lists the occurrences of a meeting's item.
func (s *scene) inCalendar(_ context.Context, m meeting) (string, error) {
	item, _ := s.item(m.organizer, m.id)
	list, err := s.sim.Outlook(m.organizer.email).Occurrences(item.ID, m.when.start, m.when.later(weeks).start)
	if err != nil {
		return "", fmt.Errorf("look into the calendar of %s: %w", m.organizer.name, err)
	}
	said := make([]string, len(list))
	for i, o := range list {
		said[i] = occurrence(o.Subject, span{o.Start, o.End, o.AllDay})
	}
	return strings.Join(said, ", "), nil
}

// inBooking lists the occurrences of a weekly booking.
func (s *scene) inBooking(ctx context.Context, m meeting) (string, error) {
	b, err := s.booking(ctx, m.id)
	if err != nil {
		return "", err
	}
	var exceptions []client.Exception
	if b.Exceptions != nil {
		exceptions = *b.Exceptions
	}
	var said []string
	for i := range weeks {
		title, when, takesPlace := b.Title, m.when.later(i), true
		for _, x := range exceptions {
			at, err := time.Parse(time.RFC3339, *x.Occurrence)
			if err != nil {
				return "", fmt.Errorf("the exceptions of the booking %s: %w", m.id, err)
			}
			if !at.Equal(when.start) {
				continue
			}
			takesPlace = x.Skipped == nil || !*x.Skipped
			if x.Title != nil {
				title = *x.Title
			}
			if x.Start != nil && x.End != nil {
				start, err1 := time.Parse(time.RFC3339, *x.Start)
				end, err2 := time.Parse(time.RFC3339, *x.End)
				if err1 != nil || err2 != nil {
					return "", fmt.Errorf("the times of an exception of the booking %s: %s, %s", m.id, *x.Start, *x.End)
				}
				when = span{start, end, false}
			}
		}
		if takesPlace {
			said = append(said, occurrence(title, when))
		}
	}
	return strings.Join(said, ", "), nil
}
