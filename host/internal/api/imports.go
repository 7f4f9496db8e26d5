package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
)

// ImportPersons implements rest.StrictServerInterface.
func (h *handler) ImportPersons(ctx context.Context, in rest.ImportPersonsRequestObject) (rest.ImportPersonsResponseObject, error) {
	rows, faults := directory.ParseCSV(in.Body, directory.Import{Tenant: tenant(ctx), Modes: h.Modes()})
	if len(rows) == 0 {
		if v := violationsOf(faults); len(v) > 0 {
			return nil, invalid(v...)
		}
	}
	people := make([]directory.Person, len(rows))
	for i, row := range rows {
		people[i] = row.Person
	}
	results, err := h.Persons.Import(ctx, tenant(ctx), people)
	if err == nil && len(results) != len(rows) {
		err = errors.New("an import did not report on every row")
	}
	if err != nil {
		return nil, err
	}
	return rest.ImportPersons200JSONResponse(h.report(ctx, rows, results, faults)), nil
}

// violationsOf names what kept every line of a file from being taken; warnings alone do not.
func violationsOf(faults []directory.LineError) []booking.Violation {
	var v []booking.Violation
	for _, f := range faults {
		if f.Warning {
			continue
		}
		field := "file"
		if f.Line > 0 {
			field = fmt.Sprintf("line %d", f.Line)
		}
		if f.Field != "" {
			field += ", " + f.Field
		}
		v = append(v, booking.Violation{Field: field, Reason: reason(f.Fault)})
	}
	return v
}

func (h *handler) report(ctx context.Context, rows []directory.Row, results []Imported, faults []directory.LineError) rest.ImportReport {
	r := rest.ImportReport{Lines: []rest.ImportLine{}}
	failed := map[int]bool{}
	for _, f := range faults {
		line := rest.ImportLine{Line: f.Line, Field: given(f.Field), Result: rest.ImportLineResultWarning, Reason: given(reason(f.Fault))}
		if !f.Warning {
			line.Result = rest.ImportLineResultFailed
			failed[f.Line] = true
		}
		r.Lines = append(r.Lines, line)
	}
	for i, row := range rows {
		line := rest.ImportLine{Line: row.Line, ID: &rows[i].Person.ID}
		switch res := results[i]; {
		case res.Err != nil:
			p := problemOf(res.Err)
			if p.status == http.StatusInternalServerError {
				h.Log.Error("a line of an import failed", "request_id", requestID(ctx), "line", row.Line, "error", res.Err)
			}
			line.Result, line.Reason = rest.ImportLineResultFailed, &p.detail
			failed[row.Line] = true
		case res.Created:
			line.Result = rest.ImportLineResultCreated
			r.Created++
		case res.Changed:
			line.Result = rest.ImportLineResultUpdated
			r.Updated++
		default:
			r.Unchanged++
			continue
		}
		r.Lines = append(r.Lines, line)
	}
	slices.SortStableFunc(r.Lines, func(a, b rest.ImportLine) int { return cmp.Compare(a.Line, b.Line) })
	r.Failed = len(failed)
	return r
}
