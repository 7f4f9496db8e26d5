package api

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

// ListActivity implements rest.StrictServerInterface.
func (h *handler) ListActivity(ctx context.Context, in rest.ListActivityRequestObject) (rest.ListActivityResponseObject, error) {
	if _, found, err := h.Reads.Person(ctx, tenant(ctx), in.ID); err != nil {
		return nil, err
	} else if !found {
		return nil, notFound("there is no person %q", in.ID)
	}
	limit := or(in.Params.Limit, 100)
	rows, err := h.Reads.Timeline(ctx, tenant(ctx), store.ActivityFilter{
		Person: in.ID, Booking: or(in.Params.Booking, ""), After: or(in.Params.After, 0), Before: or(in.Params.Before, 0),
		Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	page := rest.ActivityPage{Items: make([]rest.Activity, 0, len(rows))}
	for _, a := range rows {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, rest.Activity{
			ID: a.ID, At: a.At.UTC(), What: a.What, Why: given(a.Why), Booking: given(a.Booking),
		})
	}
	return rest.ListActivity200JSONResponse(page), nil
}
