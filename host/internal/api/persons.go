package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/sunset"
)

// ListPersons implements rest.StrictServerInterface.
func (h *handler) ListPersons(ctx context.Context, in rest.ListPersonsRequestObject) (rest.ListPersonsResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	asked := directory.Person{SyncMode: or(in.Params.Mode, "")}.Normalize(h.Modes()) // its name as the configuration spells it
	rows, err := h.Reads.Persons(ctx, tenant(ctx), store.PersonFilter{
		After: or(in.Params.After, ""), Limit: limit + 1,
		Status: store.Status(or(in.Params.Status, "")), Kind: string(or(in.Params.Kind, "")),
		Mode: asked.SyncMode, Way: string(or(in.Params.Way, "")), Prefix: or(in.Params.Q, ""),
		UpdatedSince: or(in.Params.UpdatedSince, time.Time{}),
	})
	if err != nil {
		return nil, err
	}
	page := rest.PersonPage{Items: make([]rest.Person, 0, len(rows))}
	for _, row := range rows {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].ID
			break
		}
		page.Items = append(page.Items, h.personOut(row))
	}
	return rest.ListPersons200JSONResponse(page), nil
}

// GetPerson implements rest.StrictServerInterface.
func (h *handler) GetPerson(ctx context.Context, in rest.GetPersonRequestObject) (rest.GetPersonResponseObject, error) {
	out, err := h.person(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return rest.GetPerson200JSONResponse(out), nil
}

// PutPerson implements rest.StrictServerInterface.
func (h *handler) PutPerson(ctx context.Context, in rest.PutPersonRequestObject) (rest.PutPersonResponseObject, error) {
	var v []booking.Violation
	if in.Body.ID != nil && *in.Body.ID != in.ID {
		v = append(v, booking.Violation{Field: "id", Reason: "is not the one in the path: leave it out"})
	}
	modes := h.Modes()
	p := personIn(tenant(ctx), in.ID, in.Body).Normalize(modes)
	if p.ID != in.ID {
		v = append(v, booking.Violation{Field: "id", Reason: "begins or ends with spaces"})
	}
	for _, f := range p.Check(modes) {
		v = append(v, booking.Violation{Field: f.Field, Reason: reason(f)})
	}
	if len(v) > 0 {
		return nil, invalid(v...)
	}
	created, err := h.Persons.Put(ctx, p)
	if err != nil {
		return nil, err
	}
	out, err := h.person(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if !created {
		return rest.PutPerson200JSONResponse(out), nil
	}
	location := fmt.Sprintf("/%s/api/v1/persons/%s", url.PathEscape(p.Tenant), url.PathEscape(p.ID))
	return rest.PutPerson201JSONResponse{Body: out, Headers: rest.PutPerson201ResponseHeaders{Location: &location}}, nil
}

// DeletePerson implements rest.StrictServerInterface.
func (h *handler) DeletePerson(ctx context.Context, in rest.DeletePersonRequestObject) (rest.DeletePersonResponseObject, error) {
	if err := h.Persons.Delete(ctx, tenant(ctx), in.ID); err != nil {
		return nil, err
	}
	return rest.DeletePerson204Response{}, nil
}

// SyncPerson implements rest.StrictServerInterface.
func (h *handler) SyncPerson(ctx context.Context, in rest.SyncPersonRequestObject) (rest.SyncPersonResponseObject, error) {
	full := in.Body != nil && or(in.Body.Full, false)
	if err := h.Persons.Sync(ctx, tenant(ctx), in.ID, full); err != nil {
		return nil, err
	}
	return rest.SyncPerson202Response{}, nil
}

// SetShadow implements rest.StrictServerInterface.
func (h *handler) SetShadow(ctx context.Context, in rest.SetShadowRequestObject) (rest.SetShadowResponseObject, error) {
	if err := h.Persons.SetShadow(ctx, tenant(ctx), in.ID, in.Body.On); err != nil {
		return nil, err
	}
	return rest.SetShadow204Response{}, nil
}

// GetShadow implements rest.StrictServerInterface.
func (h *handler) GetShadow(ctx context.Context, in rest.GetShadowRequestObject) (rest.GetShadowResponseObject, error) {
	row, known, err := h.Reads.Person(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	report, found, err := h.Reads.ShadowReport(ctx, tenant(ctx), in.ID)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, notFound("there is no person %q", in.ID)
	case !row.Shadow:
		return nil, notFound("person %q is not in shadow mode: PUT …/persons/{id}/shadow, or roomwire person set ID --shadow", in.ID)
	case !found:
		return nil, notFound("the calendar of %q was not read since shadow mode was switched on; roomwire person show says how its sync is", in.ID)
	}
	var out rest.ShadowReport
	if err := json.Unmarshal(report.Data, &out); err != nil {
		return nil, fmt.Errorf("shadow report of %q: %w", in.ID, err)
	}
	return rest.GetShadow200JSONResponse(out), nil
}

// ApproveDeletions implements rest.StrictServerInterface.
func (h *handler) ApproveDeletions(ctx context.Context, in rest.ApproveDeletionsRequestObject) (rest.ApproveDeletionsResponseObject, error) {
	if err := h.Persons.ApproveDeletions(ctx, tenant(ctx), in.ID); err != nil {
		return nil, err
	}
	return rest.ApproveDeletions202Response{}, nil
}

// RestoreDeletions implements rest.StrictServerInterface.
func (h *handler) RestoreDeletions(ctx context.Context, in rest.RestoreDeletionsRequestObject) (rest.RestoreDeletionsResponseObject, error) {
	if err := h.Persons.RestoreDeletions(ctx, tenant(ctx), in.ID); err != nil {
		return nil, err
	}
	return rest.RestoreDeletions202Response{}, nil
}

// person reads a person and how their sync is.
func (h *handler) person(ctx context.Context, id string) (rest.Person, error) {
	t := tenant(ctx)
	row, found, err := h.Reads.Person(ctx, t, id)
	if err != nil {
		return rest.Person{}, err
	}
	if !found {
		return rest.Person{}, notFound("there is no person %q", id)
	}
	out := h.personOut(row)
	m, found, err := h.Reads.Mailbox(ctx, t, id)
	if err != nil || !found {
		return out, err
	}
	const countTo = 1000
	// Writes that wait for a later moment are open, too.
	intents, err := h.Reads.Intents(ctx, t, id, h.Now().AddDate(10, 0, 0), countTo)
	if err != nil {
		return rest.Person{}, err
	}
	pending, writes := m.Wanted > m.Done, len(intents)
	s := &out.Sync
	s.Way, s.WayReason, s.TryWay = given(rest.Way(m.Way)), given(m.WayReason), given(rest.Way(m.TryWay))
	s.ClimbAt, s.Notices, s.LastNotice = moment(m.ClimbAt), &m.Notices, moment(m.LastNotice)
	s.LastPull, s.LastPush, s.LastHeard = moment(m.LastPull), moment(m.LastPush), moment(m.LastHeard)
	s.Pending, s.OpenWrites = &pending, &writes
	if m.SubscriptionID != "" {
		s.Subscribed = moment(m.SubscribedAt)
	}
	if m.HeldDeletions > 0 {
		s.HeldDeletions, s.DeletionsApproved = &m.HeldDeletions, &m.DeletionsApproved
	}
	return out, nil
}

func personIn(tenant, id string, in *rest.PersonInput) directory.Person {
	return directory.Person{
		Tenant: tenant, ID: id, Email: in.Email, DisplayName: or(in.DisplayName, ""),
		Kind: directory.Kind(or(in.Kind, "")), SyncMode: or(in.SyncMode, ""), SyncURL: or(in.SyncURL, ""),
		SyncDisabled: or(in.SyncDisabled, false), MailOnError: or(in.MailOnError, true),
		ConflictBehaviour: directory.ConflictBehaviour(or(in.ConflictBehaviour, "")),
		SyncOnRequest:     !or(in.OwnBookings, true), SyncMaster: or(in.SyncMaster, false),
	}
}

func (h *handler) personOut(row store.PersonRow) rest.Person {
	p, s := row.Person, row.State
	status := rest.Status(s.Status)
	if status == "" {
		status = rest.StatusNew
	}
	return rest.Person{
		ID: p.ID, Email: p.Email, DisplayName: p.DisplayName, Kind: rest.Kind(p.Kind),
		SyncMode: p.SyncMode, SyncURL: p.SyncURL, SyncDisabled: p.SyncDisabled,
		ConflictBehaviour: rest.ConflictBehaviour(p.ConflictBehaviour), MailOnError: p.MailOnError,
		OwnBookings: !p.SyncOnRequest, Shadow: p.Shadow, SyncMaster: p.SyncMaster,
		Sync: rest.SyncState{
			Status: status, Kind: given(s.Kind), Reason: given(s.Reason), Remedy: given(s.Remedy),
			Since: moment(s.Since), Until: moment(s.Until), Ahead: given(h.ahead(p)),
		},
		Created: row.Created.UTC(), Updated: row.Updated.UTC(),
	}
}

// ahead says what will need attention: that what the person's sync mode uses ends.
func (h *handler) ahead(p directory.Person) string {
	if p.SyncDisabled {
		return ""
	}
	end, ends := sunset.Named(p.SyncMode, h.Modes())
	switch {
	case !ends:
		return ""
	case p.Kind == directory.KindResource:
		return end.RoomNotice(p.ID, h.Now())
	}
	return end.Notice(p.ID, h.Now())
}

// reason says what is wrong with a field whose name stands elsewhere.
func reason(f directory.Fault) string { return strings.TrimPrefix(f.Error(), f.Field+": ") }
