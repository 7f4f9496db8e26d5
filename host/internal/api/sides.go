package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
)

// ExplainBooking implements rest.StrictServerInterface.
func (h *handler) ExplainBooking(ctx context.Context, in rest.ExplainBookingRequestObject) (rest.ExplainBookingResponseObject, error) {
	if h.Explainer == nil {
		return nil, absent("reading the calendar")
	}
	v, err := h.Explainer.Explain(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return explanation{v}, nil
}

// explanation answers with whatever the engine has to tell.
type explanation struct{ v any }

// VisitExplainBookingResponse implements rest.ExplainBookingResponseObject.
func (e explanation) VisitExplainBookingResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	return writeJSON(w, e.v)
}

// RejectChange implements rest.StrictServerInterface.
func (h *handler) RejectChange(ctx context.Context, in rest.RejectChangeRequestObject) (rest.RejectChangeResponseObject, error) {
	if h.Rejecter == nil {
		return nil, absent("refusing a change")
	}
	reason := strings.TrimSpace(in.Body.Reason)
	switch {
	case reason == "":
		return nil, invalid(booking.Violation{Field: "reason", Reason: "is empty: say why, for people"})
	case unkeepable(reason):
		return nil, invalid(booking.Violation{Field: "reason", Reason: "holds a control character"})
	}
	outcome, err := h.Rejecter.Reject(ctx, tenant(ctx), in.Seq, reason)
	if err != nil {
		return nil, err
	}
	return rest.RejectChange200JSONResponse{Outcome: outcome}, nil
}
