package api

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/freebusy"
	"github.com/roomwire/roomwire/sdk/fault"
)

// GetFreeBusy implements rest.StrictServerInterface.
func (h *handler) GetFreeBusy(ctx context.Context, in rest.GetFreeBusyRequestObject) (rest.GetFreeBusyResponseObject, error) {
	if h.FreeBusy == nil {
		return nil, absent("free/busy")
	}
	p := in.Params
	answers, err := h.FreeBusy.Ask(ctx, tenant(ctx), freebusy.Query{
		Persons: or(p.Persons, nil), Resources: or(p.Resources, nil), Addresses: or(p.Addresses, nil), From: p.From.UTC(), To: p.To.UTC(),
	})
	if err != nil {
		return nil, err
	}
	out := rest.FreeBusy{From: p.From.UTC(), To: p.To.UTC(), Items: make([]rest.Availability, len(answers))}
	for i, a := range answers {
		item := rest.Availability{
			Person: given(a.Person), Resource: given(a.Resource), Address: given(a.Asked), Email: given(a.Email),
			Busy: make([]rest.BusyTime, len(a.Busy)),
		}
		for j, t := range a.Busy {
			item.Busy[j] = rest.BusyTime{
				Start: t.Start.UTC(), End: t.End.UTC(), Busy: rest.Busy(t.Busy), Private: t.Private,
				Subject: given(t.Subject), Location: given(t.Location), Booking: given(t.Booking),
			}
		}
		if a.Err != nil {
			item.Error = &rest.AvailabilityError{Kind: string(fault.Of(a.Err)), Reason: a.Err.Error()}
		}
		out.Items[i] = item
	}
	return rest.GetFreeBusy200JSONResponse(out), nil
}
