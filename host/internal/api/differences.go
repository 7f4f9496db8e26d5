package api

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

// ListDifferences implements rest.StrictServerInterface.
func (h *handler) ListDifferences(ctx context.Context, in rest.ListDifferencesRequestObject) (rest.ListDifferencesResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	rows, err := h.Reads.Differences(ctx, tenant(ctx), store.DifferenceFilter{
		Person: or(in.Params.Person, ""), Booking: or(in.Params.Booking, ""), Kind: or(in.Params.Kind, ""),
		Status: store.DifferenceStatus(or(in.Params.Status, "")), Recommend: store.Side(or(in.Params.Recommendation, "")),
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
		page.Items = append(page.Items, differenceToREST(d))
	}
	return rest.ListDifferences200JSONResponse(page), nil
}

// GetDifference implements rest.StrictServerInterface.
func (h *handler) GetDifference(ctx context.Context, in rest.GetDifferenceRequestObject) (rest.GetDifferenceResponseObject, error) {
	d, found, err := h.Reads.Difference(ctx, tenant(ctx), in.Number)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no difference %d", in.Number)
	}
	return rest.GetDifference200JSONResponse(differenceToREST(d)), nil
}

func differenceToREST(d store.Difference) rest.Difference {
	out := rest.Difference{
		ID: d.ID, At: d.At.UTC(), Person: d.Person, Booking: given(d.Booking), Kind: d.Kind, Detail: d.Detail, Open: d.Open,
		Status: rest.DifferenceStatus(d.Status), Why: given(d.Why), Ended: moment(d.Ended),
	}
	if d.Newer != "" {
		newer := rest.DifferenceNewer(d.Newer)
		out.Newer = &newer
	}
	if d.Recommend != "" {
		recommended := rest.Recommendation(d.Recommend)
		out.Recommendation = &recommended
	}
	if d.Settles {
		out.Settles = &d.Settles
	}
	return out
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

// ResolveDifferences implements rest.StrictServerInterface.
func (h *handler) ResolveDifferences(ctx context.Context, in rest.ResolveDifferencesRequestObject) (rest.ResolveDifferencesResponseObject, error) {
	if h.Reviewer == nil {
		return nil, absent("deciding on differences")
	}
	how := Resolution{Use: string(in.Body.Use), Mail: or(in.Body.Mail, false), Preview: or(in.Body.Preview, false)}
	done, err := h.Reviewer.ResolveAll(ctx, tenant(ctx), in.Body.Numbers, how)
	if err != nil {
		return nil, err
	}
	out := rest.ResolvedMany{Items: make([]rest.Resolved, 0, len(done))}
	for _, d := range done {
		mails := d.Mails
		if mails == nil {
			mails = []string{}
		}
		out.Items = append(out.Items, rest.Resolved{
			ID: d.ID, Person: given(d.Person), Booking: given(d.Booking), Kind: given(d.Kind), Use: d.Use, Does: given(d.Does),
			Fields: given(d.Fields), Mails: mails, Refused: given(d.Refused),
		})
	}
	return rest.ResolveDifferences200JSONResponse(out), nil
}
