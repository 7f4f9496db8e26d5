package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// ListMoves implements rest.StrictServerInterface.
func (h *handler) ListMoves(ctx context.Context, in rest.ListMovesRequestObject) (rest.ListMovesResponseObject, error) {
	limit := or(in.Params.Limit, 100)
	moves, err := h.Reads.Moves(ctx, tenant(ctx), store.MoveFilter{
		State: store.MoveState(or(in.Params.State, "")), After: or(in.Params.After, ""), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	page := rest.MovePage{Items: make([]rest.Move, 0, len(moves)), Counts: map[string]int64{}}
	for _, m := range moves {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].Person
			break
		}
		out, err := moveOut(m)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, out)
	}
	counts, err := h.Reads.CountMoves(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		if c.Tenant == tenant(ctx) {
			page.Counts[string(c.State)] += c.Persons
		}
	}
	return rest.ListMoves200JSONResponse(page), nil
}

// GetMove implements rest.StrictServerInterface.
func (h *handler) GetMove(ctx context.Context, in rest.GetMoveRequestObject) (rest.GetMoveResponseObject, error) {
	m, found, err := h.Reads.Move(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("person %q was never to be moved", in.ID)
	}
	out, err := moveOut(m)
	return rest.GetMove200JSONResponse(out), err
}

// RequestMoves implements rest.StrictServerInterface.
func (h *handler) RequestMoves(ctx context.Context, in rest.RequestMovesRequestObject) (rest.RequestMovesResponseObject, error) {
	if h.Moves == nil {
		return nil, absent("a move")
	}
	follow, persons, allOf := or(in.Body.Follow, false), or(in.Body.Persons, nil), or(in.Body.AllOf, "")
	ways := 0
	for _, given := range []bool{follow, len(persons) > 0, allOf != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, invalid(booking.Violation{Field: "persons", Reason: "or all_of, or follow: exactly one of them says whom to move"})
	}
	asked := rest.MovesAsked{Asked: []string{}, Refused: []rest.MoveRefused{}}
	if follow {
		who, err := h.Moves.FollowMoves(ctx, tenant(ctx), or(in.Body.DryRun, false))
		asked.Asked = append(asked.Asked, who...)
		return rest.RequestMoves202JSONResponse(asked), err
	}
	if or(in.Body.To, "") == "" {
		return nil, invalid(booking.Violation{Field: "to", Reason: "is missing: name the sync mode to move to"})
	}
	var rows []store.PersonRow
	var err error
	if allOf != "" {
		rows, err = h.everybody(ctx, allOf)
	} else {
		rows, asked.Refused, err = h.named(ctx, persons)
	}
	if err != nil {
		return nil, err
	}
	var moves []store.Move
	for _, row := range rows {
		m, why := h.moveOf(row.Person, in.Body)
		if why != nil {
			return nil, invalid(*why)
		}
		moves = append(moves, m)
	}
	refused, err := h.Moves.RequestMoves(ctx, moves)
	if err != nil {
		return nil, err
	}
	for i, m := range moves {
		if why := refused[i]; why != "" {
			asked.Refused = append(asked.Refused, rest.MoveRefused{Person: m.Person, Reason: why})
		} else {
			asked.Asked = append(asked.Asked, m.Person)
		}
	}
	return rest.RequestMoves202JSONResponse(asked), nil
}

// everybody returns the persons with a sync mode whose sync is on.
func (h *handler) everybody(ctx context.Context, mode string) ([]store.PersonRow, error) {
	like := directory.Person{SyncMode: mode}.Normalize(h.Modes()) // its name as the configuration spells it
	var all []store.PersonRow
	for f := (store.PersonFilter{Mode: like.SyncMode, Kind: string(directory.KindPerson)}); ; {
		rows, err := h.Reads.Persons(ctx, tenant(ctx), f)
		if err != nil || len(rows) == 0 {
			return all, err
		}
		f.After = rows[len(rows)-1].ID
		for _, row := range rows {
			if !row.SyncDisabled {
				all = append(all, row)
			}
		}
	}
}

// named returns the persons with the given ids, and those that there are not.
func (h *handler) named(ctx context.Context, ids []string) (rows []store.PersonRow, unknown []rest.MoveRefused, err error) {
	seen := map[string]bool{}
	unknown = []rest.MoveRefused{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		row, found, err := h.Reads.Person(ctx, tenant(ctx), id)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			unknown = append(unknown, rest.MoveRefused{Person: id, Reason: "there is no such person"})
			continue
		}
		rows = append(rows, row)
	}
	return rows, unknown, nil
}

// moveOf is the move of one person, or what is wrong with the mode and URL that it is to have.
func (h *handler) moveOf(p directory.Person, in *rest.MoveInput) (store.Move, *booking.Violation) {
	modes := h.Modes()
	p.SyncMode, p.SyncURL = or(in.To, ""), or(in.URL, "")
	p = p.Normalize(modes)
	for _, f := range p.Check(modes) {
		switch f.Field {
		case "sync_mode":
			return store.Move{}, &booking.Violation{Field: "to", Reason: reason(f)}
		case "sync_url":
			return store.Move{}, &booking.Violation{Field: "url", Reason: reason(f)}
		}
	}
	return store.Move{
		Tenant: p.Tenant, Person: p.ID, To: p.SyncMode, URL: p.SyncURL, DryRun: or(in.DryRun, false), Lenient: or(in.Force, false),
	}, nil
}

// CancelMove implements rest.StrictServerInterface.
func (h *handler) CancelMove(ctx context.Context, in rest.CancelMoveRequestObject) (rest.CancelMoveResponseObject, error) {
	if h.Moves == nil {
		return nil, absent("a move")
	}
	if err := h.Moves.CancelMove(ctx, tenant(ctx), in.ID); err != nil {
		if errors.Is(err, booking.ErrNotFound) {
			return nil, notFound("there is no move of person %q that is still to be made", in.ID)
		}
		return nil, err
	}
	return rest.CancelMove204Response{}, nil
}

// DecideMove implements rest.StrictServerInterface.
func (h *handler) DecideMove(ctx context.Context, in rest.DecideMoveRequestObject) (rest.DecideMoveResponseObject, error) {
	if h.Moves == nil {
		return nil, absent("a move")
	}
	n, err := h.Moves.DecideMove(ctx, tenant(ctx), in.ID, string(in.Body.Decision), or(in.Body.Bookings, nil))
	if err != nil {
		return nil, err
	}
	return rest.DecideMove200JSONResponse{Decided: n}, nil
}

func moveOut(m store.Move) (rest.Move, error) {
	out := rest.Move{
		Person: m.Person, From: m.From, To: m.To, URL: given(m.URL), DryRun: m.DryRun, Force: m.Lenient,
		State: rest.MoveState(m.State), Reason: given(m.Reason), Remedy: given(m.Remedy), NextTry: moment(m.NextAt),
		Requested: m.Requested.UTC(), Started: moment(m.Started), Finished: moment(m.Finished),
	}
	if len(m.Report) == 0 {
		return out, nil
	}
	// The report is stored in the form in which it is shown.
	var report rest.MoveReport
	if err := json.Unmarshal(m.Report, &report); err != nil {
		return out, fmt.Errorf("move of person %q: its stored report: %w", m.Person, err)
	}
	out.Report = &report
	return out, nil
}
