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
	rows, err := h.Reads.Activities(ctx, tenant(ctx), in.ID, or(in.Params.Booking, ""), or(in.Params.Limit, 100))
	if err != nil {
		return nil, err
	}
	items := make([]rest.Activity, len(rows))
	for i, a := range rows {
		items[i] = rest.Activity{At: a.At.UTC(), What: a.What, Why: given(a.Why), Booking: given(a.Booking)}
	}
	return rest.ListActivity200JSONResponse{Items: items}, nil
}

// ListDifferences implements rest.StrictServerInterface.
func (h *handler) ListDifferences(ctx context.Context, in rest.ListDifferencesRequestObject) (rest.ListDifferencesResponseObject, error) {
	rows, err := h.Reads.Differences(ctx, tenant(ctx), store.DifferenceFilter{
		Person: or(in.Params.Person, ""), Booking: or(in.Params.Booking, ""),
		IncludeClosed: or(in.Params.All, false), Limit: or(in.Params.Limit, 100),
	})
	if err != nil {
		return nil, err
	}
	items := make([]rest.Difference, len(rows))
	for i, d := range rows {
		items[i] = rest.Difference{
			ID: d.ID, At: d.At.UTC(), Person: d.Person, Booking: given(d.Booking), Kind: d.Kind, Detail: d.Detail, Open: d.Open,
		}
	}
	return rest.ListDifferences200JSONResponse{Items: items}, nil
}
