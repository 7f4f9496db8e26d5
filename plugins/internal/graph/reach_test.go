package graph

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// endless is a daily series without end.
func endless(t *testing.T, zone string) (calendar.Event, series.Series) {
	t.Helper()
	e := desk()
	e.Zone, e.Start = zone, soon(7, "09:00")
	e.End, e.Recurrence = e.Start.Add(time.Hour), "FREQ=DAILY"
	s, err := series.Of(e)
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

// later moves an occurrence by an hour.
func later(s series.Series, d time.Time) calendar.OccurrenceException {
	x := s.Plain(d)
	x.Start, x.End = x.Start.Add(time.Hour), x.End.Add(time.Hour)
	return calendar.OccurrenceException{Occurrence: s.On(d), Event: &x}
}

// What is different about an occurrence is written and read however far ahead it lies: what is not looked at would pass for taken
// back by somebody. Zones are such in which a day begins before and after the one of UTC.
func TestExceptionsAreReadHoweverFarAheadTheyLie(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", "Pacific/Auckland", "America/Los_Angeles"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			e, s := endless(t, zone)
			first := s.Day(e.Start)
			moved, out, retitled := first.AddDate(3, 0, 0), first.AddDate(4, 1, 0), first.AddDate(8, 0, 0)
			e.Exceptions = []calendar.OccurrenceException{later(s, moved), {Occurrence: s.On(out)}}
			item := w.create(t, "far", e)
			same := func(when string) {
				t.Helper()
				got, err := w.fetch(t, item.Ref)
				if err != nil || got.Omits.Has(calendar.FieldRecurrence) || series.Changing(got.Event, e, calendar.AllFields) != 0 {
					t.Errorf("%s: %v, %+v\nwant %+v", when, err, got.Event.Exceptions, e.Exceptions)
				}
			}
			same("made")
			changes, _ := w.pull(t, "")
			if c := latestOf(changes)[item.Ref]; c.Item == nil || series.Changing(c.Item.Event, e, calendar.AllFields) != 0 {
				t.Errorf("pulled %+v", c)
			}

			o := w.sim.Outlook("alice@example.com")
			id := o.Items()[0].ID
			if err := o.UpdateOccurrence(id, s.On(retitled), func(a *exchangesim.Appointment) { a.Subject = "Renamed" }); err != nil {
				t.Fatal(err)
			}
			if err := o.DeleteOccurrence(id, s.On(retitled.AddDate(0, 0, 1))); err != nil {
				t.Fatal(err)
			}
			renamed := s.Plain(retitled)
			renamed.Subject = "Renamed"
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(retitled), Event: &renamed},
				calendar.OccurrenceException{Occurrence: s.On(retitled.AddDate(0, 0, 1))})
			same("changed in Outlook")

			e.Exceptions = e.Exceptions[1:] // the one that was moved is as the others again
			again := later(s, retitled.AddDate(0, 1, 0))
			e.Exceptions = append(e.Exceptions, again, calendar.OccurrenceException{Occurrence: s.On(retitled.AddDate(1, 0, 0))})
			if _, err := w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Key: "far", Ref: item.Ref, Event: e, Fields: calendar.FieldRecurrence,
			}); err != nil {
				t.Fatal(err)
			}
			same("written")
		})
	}
}

// A series that ends in time costs no request for what is later.
func TestOnlySeriesThatGoOnAreAskedForWhatIsLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := endless(t, "Europe/Berlin")
	e.Recurrence = "FREQ=DAILY;COUNT=700"
	asked := func() int {
		w.line.mu.Lock()
		defer w.line.mu.Unlock()
		n := 0
		for _, r := range w.line.requests {
			if strings.Contains(r.URL.RawQuery, "cancelledOccurrences") {
				n++
			}
		}
		return n
	}
	item := w.create(t, "k1", e)
	if _, err := w.fetch(t, item.Ref); err != nil || asked() != 0 {
		t.Errorf("asked %d times, %v", asked(), err)
	}
	e.Recurrence = "FREQ=DAILY"
	item = w.create(t, "k2", e)
	before := asked()
	if _, err := w.fetch(t, item.Ref); err != nil || asked() != before+1 {
		t.Errorf("asked %d times, %v", asked()-before, err)
	}
}

// What cannot be read of a series is no series without exceptions.
func TestExceptionsThatAreNotToldAreNotTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, s := endless(t, "Europe/Berlin")
	e.Exceptions = []calendar.OccurrenceException{later(s, s.Day(e.Start).AddDate(3, 0, 0))}
	item := w.create(t, "k1", e)
	for name, body := range map[string]string{
		"no event":        `{"value":[]}`,
		"without a day":   `{"id":"x","cancelledOccurrences":["OID.x"]}`,
		"without a start": `{"id":"x","exceptionOccurrences":[{"id":"y"}]}`,
	} {
		w.line.twisted(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.RawQuery, "cancelledOccurrences") {
				return answered(r, http.StatusOK, body, "Content-Type", "application/json"), nil
			}
			return nil, nil
		})
		if got, err := w.Fetch(t.Context(), w.alice, []backend.Ref{item.Ref}); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	w.line.twisted(nil)
	if got, err := w.fetch(t, item.Ref); err != nil || !slices.EqualFunc(got.Event.Exceptions, e.Exceptions, func(a, b calendar.OccurrenceException) bool {
		return a.Occurrence.Equal(b.Occurrence)
	}) {
		t.Errorf("%+v, %v", got.Event.Exceptions, err)
	}
}
