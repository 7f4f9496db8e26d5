package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/freebusy"
	"github.com/roomwire/roomwire/sdk/fault"
)

type asked func(q freebusy.Query) ([]freebusy.Answer, error)

func (f asked) Ask(_ context.Context, _ string, q freebusy.Query) ([]freebusy.Answer, error) {
	return f(q)
}

func TestFreeBusyTellsOfEach(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var got freebusy.Query
	g.FreeBusy = asked(func(q freebusy.Query) ([]freebusy.Answer, error) {
		got = q
		if len(q.Persons) == 0 {
			return nil, &booking.InvalidError{Violations: []booking.Violation{{Field: "persons", Reason: "names nobody"}}}
		}
		return []freebusy.Answer{
			{Person: "ada", Email: "ada@example.com", Busy: []freebusy.Time{{Start: noon, End: noon.Add(time.Hour), Busy: booking.WorkingElsewhere, Subject: "Lunch", Booking: "b1"}}},
			{Resource: "desk"},
			{Asked: "x@example.com", Email: "x@example.com", Err: fmt.Errorf("no such mailbox: %w", fault.MailboxNotFound)},
		}, nil
	})
	h := New(g.Options)
	get := func(query string) answer {
		t.Helper()
		return g.call(t, h, "GET", "/Default/api/v1/freebusy?"+query, "", "Authorization", "Bearer "+g.admin)
	}
	r := get("persons=ada,bob&resources=desk&addresses=x@example.com&from=2026-11-22T13:00:00%2B01:00&to=2026-11-23T12:00:00Z")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.text)
	}
	if !slices.Equal(got.Persons, []string{"ada", "bob"}) || !slices.Equal(got.Resources, []string{"desk"}) ||
		!slices.Equal(got.Addresses, []string{"x@example.com"}) || !got.From.Equal(noon) || !got.To.Equal(noon.AddDate(0, 0, 1)) {
		t.Errorf("asked %+v", got)
	}
	out := decode[rest.FreeBusy](t, r.text)
	if len(out.Items) != 3 {
		t.Fatalf("%s", r.text)
	}
	ada, desk, x := out.Items[0], out.Items[1], out.Items[2]
	if *ada.Person != "ada" || len(ada.Busy) != 1 || ada.Busy[0].Busy != "working-elsewhere" || *ada.Busy[0].Subject != "Lunch" || *ada.Busy[0].Booking != "b1" || ada.Error != nil {
		t.Errorf("ada: %s", r.text)
	}
	if *desk.Resource != "desk" || desk.Busy == nil || desk.Email != nil {
		t.Errorf("desk: %s", r.text)
	}
	if *x.Address != "x@example.com" || x.Error == nil || x.Error.Kind != "mailbox not found" {
		t.Errorf("x: %s", r.text)
	}
	if r := get("from=2026-11-22T13:00:00Z&to=2026-11-23T12:00:00Z"); r.StatusCode != http.StatusUnprocessableEntity || r.fields() != "persons" {
		t.Errorf("nobody: %d %s", r.StatusCode, r.text)
	}
	if r := get("persons=ada&from=yesterday&to=2026-11-23T12:00:00Z"); r.StatusCode != http.StatusBadRequest && r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no moment: %d %s", r.StatusCode, r.text)
	}
	g.FreeBusy = nil
	h = New(g.Options)
	if r := get("persons=ada&from=2026-11-22T13:00:00Z&to=2026-11-23T12:00:00Z"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a host: %d %s", r.StatusCode, r.text)
	}
}
