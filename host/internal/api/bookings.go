package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// ListBookings implements rest.StrictServerInterface.
func (h *handler) ListBookings(ctx context.Context, in rest.ListBookingsRequestObject) (rest.ListBookingsResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	f := store.BookingFilter{
		After: or(in.Params.After, ""), Limit: limit + 1, Person: or(in.Params.Person, ""),
		Resource: or(in.Params.Resource, ""),
		Problem:  or(in.Params.Problem, false), IncludeCancelled: or(in.Params.IncludeCancelled, false),
		NeverFound: or(in.Params.NeverFound, false), Series: or(in.Params.Series, false),
	}
	if in.Params.From != nil {
		f.From = *in.Params.From
	}
	if in.Params.To != nil {
		f.To = *in.Params.To
	}
	list, err := h.Reads.Bookings(ctx, tenant(ctx), f)
	if err != nil {
		return nil, err
	}
	page := rest.BookingPage{Items: make([]rest.Booking, 0, len(list))}
	for _, b := range list {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, bookingOut(b))
	}
	return rest.ListBookings200JSONResponse(page), nil
}

// GetBooking implements rest.StrictServerInterface.
func (h *handler) GetBooking(ctx context.Context, in rest.GetBookingRequestObject) (rest.GetBookingResponseObject, error) {
	b, found, err := h.Reads.Booking(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("there is no booking %q", in.ID)
	}
	tag := etag(b)
	if m := in.Params.IfNoneMatch; m != nil && (strings.TrimSpace(*m) == "*" || slices.Contains(tags(*m, true), tag)) {
		return rest.GetBooking304Response{Headers: rest.GetBooking304ResponseHeaders{ETag: &tag}}, nil
	}
	return rest.GetBooking200JSONResponse{Body: bookingOut(b), Headers: rest.GetBooking200ResponseHeaders{ETag: &tag}}, nil
}

// PutBooking implements rest.StrictServerInterface.
func (h *handler) PutBooking(ctx context.Context, in rest.PutBookingRequestObject) (rest.PutBookingResponseObject, error) {
	match, err := h.match(ctx, in.ID, in.Params.IfMatch, in.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	b, v := bookingIn(tenant(ctx), in.ID, in.Body)
	if len(v) > 0 {
		return nil, invalid(withRules(b, v)...)
	}
	if err := h.external(ctx, b); err != nil {
		return nil, err
	}
	done, err := h.Bookings.Put(ctx, b, match, booking.OnConflict(or(in.Params.Conflicts, rest.PutBookingParamsConflictsRefuse)))
	if err != nil {
		return nil, err
	}
	saved := done.Booking
	tag := etag(saved)
	if !done.Created {
		return rest.PutBooking200JSONResponse{Body: savedOut(&done), Headers: rest.PutBooking200ResponseHeaders{ETag: &tag}}, nil
	}
	location := fmt.Sprintf("/%s/api/v1/bookings/%s", url.PathEscape(saved.Tenant), url.PathEscape(saved.ID))
	return rest.PutBooking201JSONResponse{
		Body: savedOut(&done), Headers: rest.PutBooking201ResponseHeaders{ETag: &tag, Location: &location},
	}, nil
}

// external sees that an organizer from outside of the directory is one that the booking has already.
func (h *handler) external(ctx context.Context, b *booking.Booking) error {
	if b.External == nil {
		return nil
	}
	old, found, err := h.Reads.Booking(ctx, b.Tenant, b.ID)
	if err != nil {
		return err
	}
	if !found || old.External == nil {
		return invalid(booking.Violation{Field: "external_organizer", Reason: "is for bookings that came from the calendar of a room: give the id of a person as organizer"})
	}
	return nil
}

// CancelBooking implements rest.StrictServerInterface.
func (h *handler) CancelBooking(ctx context.Context, in rest.CancelBookingRequestObject) (rest.CancelBookingResponseObject, error) {
	match, err := h.match(ctx, in.ID, in.Params.IfMatch, nil)
	if err != nil {
		return nil, err
	}
	b, err := h.Bookings.Cancel(ctx, tenant(ctx), in.ID, match)
	if err != nil {
		return nil, err
	}
	tag := etag(b)
	return rest.CancelBooking200JSONResponse{Body: bookingOut(b), Headers: rest.CancelBooking200ResponseHeaders{ETag: &tag}}, nil
}

// withRules adds to the violations of the form those of the rules, so that a caller learns everything at once.
func withRules(b *booking.Booking, v []booking.Violation) []booking.Violation {
	b = b.Clone()
	b.Normalize()
	for _, r := range booking.Validate(b) {
		if !slices.ContainsFunc(v, func(x booking.Violation) bool { return x.Field == r.Field || r.Field == "end" || r.Field == "start" }) {
			v = append(v, r)
		}
	}
	return v
}

func etag(b *booking.Booking) string { return `"` + strconv.FormatInt(b.Version, 10) + `"` }

// match reads the preconditions of a change (RFC 9110, 13.1).
func (h *handler) match(ctx context.Context, id string, ifMatch, ifNoneMatch *string) (booking.Match, error) {
	if ifNoneMatch != nil {
		if strings.TrimSpace(*ifNoneMatch) != "*" {
			return booking.Match{}, malformed("If-None-Match may only be * here: create, never replace")
		}
		if ifMatch != nil {
			return booking.Match{}, malformed("If-Match and If-None-Match contradict each other: send one")
		}
		return booking.Match{Absent: true}, nil
	}
	if ifMatch == nil {
		return booking.Match{}, nil
	}
	wanted := tags(*ifMatch, false)
	if len(wanted) == 1 && wanted[0] != "*" {
		if version, err := strconv.ParseInt(strings.Trim(wanted[0], `"`), 10, 64); err == nil && version > 0 {
			return booking.Match{Set: true, Version: version}, nil
		}
	}
	// Of several tags the current one counts if it is among them; the change then insists on it.
	b, found, err := h.Reads.Booking(ctx, tenant(ctx), id)
	if err != nil {
		return booking.Match{}, err
	}
	current := int64(0)
	if found {
		current = b.Version
		if slices.Contains(wanted, "*") || slices.Contains(wanted, etag(b)) {
			return booking.Match{Set: true, Version: current}, nil
		}
	}
	return booking.Match{}, problem{
		kind: "version", status: http.StatusPreconditionFailed, current: &current,
		detail: (&booking.VersionError{Booking: id, Current: current}).Error(),
	}
}

// tags splits a list of entity tags. Weak ones are never equal in a strong comparison and are left out of it.
func tags(list string, weak bool) []string {
	var all []string
	for t := range strings.SplitSeq(list, ",") {
		t = strings.TrimSpace(t)
		if rest, isWeak := strings.CutPrefix(t, "W/"); isWeak {
			if !weak {
				continue
			}
			t = rest
		}
		all = append(all, t)
	}
	return all
}
