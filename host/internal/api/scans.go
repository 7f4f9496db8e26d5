package api

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

// mostFailures is how many mailboxes a scan names that cannot be read.
const mostFailures = 200

// ListScans implements rest.StrictServerInterface.
func (h *handler) ListScans(ctx context.Context, in rest.ListScansRequestObject) (rest.ListScansResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	rows, err := h.Reads.Scans(ctx, tenant(ctx), or(in.Params.Before, 0), limit+1)
	if err != nil {
		return nil, err
	}
	page := rest.ScanPage{Items: make([]rest.Scan, 0, len(rows))}
	for _, s := range rows {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, scanToREST(s))
	}
	return rest.ListScans200JSONResponse(page), nil
}

// StartScan implements rest.StrictServerInterface.
func (h *handler) StartScan(ctx context.Context, in rest.StartScanRequestObject) (rest.StartScanResponseObject, error) {
	if h.Reviewer == nil {
		return nil, absent("scanning")
	}
	s := store.Scan{
		Tenant: tenant(ctx), Target: store.ScanTarget(in.Body.Target), Name: or(in.Body.Name, ""), Thorough: or(in.Body.Thorough, false),
	}
	if in.Body.From != nil {
		s.From = in.Body.From.UTC()
	}
	if in.Body.To != nil {
		s.To = in.Body.To.UTC()
	}
	s, err := h.Reviewer.StartScan(ctx, s)
	if err != nil {
		return nil, err
	}
	return rest.StartScan202JSONResponse(scanToREST(s)), nil
}

// GetScan implements rest.StrictServerInterface.
func (h *handler) GetScan(ctx context.Context, in rest.GetScanRequestObject) (rest.GetScanResponseObject, error) {
	s, found, err := h.Reads.Scan(ctx, tenant(ctx), in.Number)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no scan %d", in.Number)
	}
	failed, err := h.Reads.ScanParts(ctx, s.ID, store.ScanFailed, "", mostFailures)
	if err != nil {
		return nil, err
	}
	out := scanToREST(s)
	if len(failed) > 0 {
		list := make([]struct {
			Person  string `json:"person"`
			Problem string `json:"problem"`
		}, len(failed))
		for i, p := range failed {
			list[i].Person, list[i].Problem = p.Person, p.Problem
		}
		out.Failures = &list
	}
	return rest.GetScan200JSONResponse(out), nil
}

// CancelScan implements rest.StrictServerInterface.
func (h *handler) CancelScan(ctx context.Context, in rest.CancelScanRequestObject) (rest.CancelScanResponseObject, error) {
	if h.Reviewer == nil {
		return nil, absent("scanning")
	}
	s, err := h.Reviewer.CancelScan(ctx, tenant(ctx), in.Number)
	if err != nil {
		return nil, err
	}
	return rest.CancelScan200JSONResponse(scanToREST(s)), nil
}

func scanToREST(s store.Scan) rest.Scan {
	c := s.Counts
	out := rest.Scan{
		ID: s.ID, Target: rest.ScanTarget(s.Target), Name: given(s.Name), From: moment(s.From), To: moment(s.To), Started: s.Started.UTC(),
		Ended: moment(s.Ended), Mailboxes: c.Mailboxes, Waiting: c.Waiting, Failed: c.Failed, Unchanged: c.Unchanged,
		Compared: c.Compared, Differing: c.Differing, Settling: c.Settling,
	}
	if s.Thorough {
		out.Thorough = &s.Thorough
	}
	return out
}

// ListQuarantine implements rest.StrictServerInterface.
func (h *handler) ListQuarantine(ctx context.Context, in rest.ListQuarantineRequestObject) (rest.ListQuarantineResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	rows, err := h.Reads.Quarantines(ctx, tenant(ctx), store.QuarantineFilter{
		Person: or(in.Params.Person, ""), State: store.QuarantineState(or(in.Params.State, "")), Before: or(in.Params.Before, 0), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	page := rest.QuarantinePage{Items: make([]rest.Quarantine, 0, len(rows))}
	for _, q := range rows {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, unitToREST(q))
	}
	return rest.ListQuarantine200JSONResponse(page), nil
}

// GetQuarantine implements rest.StrictServerInterface.
func (h *handler) GetQuarantine(ctx context.Context, in rest.GetQuarantineRequestObject) (rest.GetQuarantineResponseObject, error) {
	q, found, err := h.Reads.Quarantine(ctx, tenant(ctx), in.Number)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no unit %d in quarantine", in.Number)
	}
	out, err := h.wholeUnit(q)
	if err != nil {
		return nil, err
	}
	return rest.GetQuarantine200JSONResponse(out), nil
}

// DecideQuarantine implements rest.StrictServerInterface.
func (h *handler) DecideQuarantine(ctx context.Context, in rest.DecideQuarantineRequestObject) (rest.DecideQuarantineResponseObject, error) {
	if h.Reviewer == nil {
		return nil, absent("deciding on the quarantine")
	}
	q, err := h.Reviewer.DecideQuarantine(ctx, tenant(ctx), in.Number, string(in.Body.Decision))
	if err != nil {
		return nil, err
	}
	out, err := h.wholeUnit(q)
	if err != nil {
		return nil, err
	}
	return rest.DecideQuarantine200JSONResponse(out), nil
}

func unitToREST(q store.Quarantine) rest.Quarantine {
	return rest.Quarantine{
		ID: q.ID, Person: q.Person, Kind: rest.QuarantineKind(q.Kind), State: rest.QuarantineState(q.State), Total: q.Total,
		Created: q.Created.UTC(), Decided: moment(q.Decided),
	}
}

// wholeUnit is a unit with what it holds.
func (h *handler) wholeUnit(q store.Quarantine) (rest.Quarantine, error) {
	out := unitToREST(q)
	if h.Reviewer == nil {
		return out, nil
	}
	items, err := h.Reviewer.Held(q)
	if err != nil {
		return out, err
	}
	list := make([]struct {
		Booking string  `json:"booking"`
		Does    string  `json:"does"`
		Problem *string `json:"problem,omitempty"`
	}, len(items))
	for i, it := range items {
		list[i].Booking, list[i].Does, list[i].Problem = it.Booking, it.Does, given(it.Problem)
	}
	out.Items = &list
	return out, nil
}
