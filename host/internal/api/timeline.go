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

// ListDifferences implements rest.StrictServerInterface.
func (h *handler) ListDifferences(ctx context.Context, in rest.ListDifferencesRequestObject) (rest.ListDifferencesResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	rows, err := h.Reads.Differences(ctx, tenant(ctx), store.DifferenceFilter{
		Person: or(in.Params.Person, ""), Booking: or(in.Params.Booking, ""),
		IncludeClosed: or(in.Params.All, false), Before: or(in.Params.Before, 0), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	page := rest.DifferencePage{Items: make([]rest.Difference, 0, len(rows))}
	for _, d := range rows {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, rest.Difference{
			ID: d.ID, At: d.At.UTC(), Person: d.Person, Booking: given(d.Booking), Kind: d.Kind, Detail: d.Detail, Open: d.Open,
		})
	}
	return rest.ListDifferences200JSONResponse(page), nil
}

// ResolveDifference implements rest.StrictServerInterface.
func (h *handler) ResolveDifference(ctx context.Context, in rest.ResolveDifferenceRequestObject) (rest.ResolveDifferenceResponseObject, error) {
	if h.Resolver == nil {
		return nil, absent("deciding on differences")
	}
	if err := h.Resolver.Resolve(ctx, tenant(ctx), in.Number, string(in.Body.Use), or(in.Body.Mail, false)); err != nil {
		return nil, err
	}
	return rest.ResolveDifference202Response{}, nil
}
