package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
)

const jsonLines = "application/x-ndjson"

// ImportPersons implements rest.StrictServerInterface.
func (h *handler) ImportPersons(ctx context.Context, in rest.ImportPersonsRequestObject) (rest.ImportPersonsResponseObject, error) {
	p := in.Params
	o := ImportOptions{
		AllOrNothing: or(p.AllOrNothing, false), DryRun: or(p.DryRun, false), RemoveMissing: or(p.RemoveMissing, false),
		Force: or(p.Force, false), Shadow: or(p.Shadow, false),
	}
	o.AllOrNothing = o.AllOrNothing || o.RemoveMissing
	rows, faults := directory.ParseCSV(in.Body, directory.Import{Tenant: tenant(ctx), Modes: h.Modes()})
	if len(rows) == 0 || o.AllOrNothing && !o.DryRun {
		if v := violationsOf(faults); len(v) > 0 {
			return nil, invalid(v...)
		}
	}
	job := &importing{h: h, ctx: ctx, rows: rows, faults: faults, options: o}
	if accepts(ctx, jsonLines) {
		return job, nil
	}
	report, err := job.do()
	return rest.ImportPersons200JSONResponse(report), err
}

// importing is an import to be done. As an answer it tells how far it is.
type importing struct {
	h       *handler
	ctx     context.Context // of the request whose answer this is
	rows    []directory.Row
	faults  []directory.LineError
	options ImportOptions
}

func (j *importing) do() (rest.ImportReport, error) {
	people := make([]directory.Person, len(j.rows))
	for i, row := range j.rows {
		people[i] = row.Person
	}
	done, err := j.h.Persons.Import(j.ctx, tenant(j.ctx), people, j.options)
	if err == nil && len(done.Rows) != len(j.rows) {
		err = errors.New("an import did not report on every row")
	}
	if err != nil {
		return rest.ImportReport{}, err
	}
	if done.TooMany && !j.options.DryRun {
		return rest.ImportReport{}, problem{
			kind: "removals", status: http.StatusConflict,
			detail: tooMany(done) + "; nothing was changed. If that is meant, say so with force",
		}
	}
	if v := j.refused(done.Rows); j.options.AllOrNothing && !j.options.DryRun && len(v) > 0 {
		return rest.ImportReport{}, invalid(v...)
	}
	return j.report(done), nil
}

func tooMany(done Import) string {
	return fmt.Sprintf("the file leaves out %d of %d persons", len(done.Removed), done.Persons)
}

// refused names the rows that could not be taken.
func (j *importing) refused(results []Imported) []booking.Violation {
	var v []booking.Violation
	for i, row := range j.rows {
		if results[i].Err != nil {
			v = append(v, booking.Violation{Field: fmt.Sprintf("line %d", row.Line), Reason: problemOf(results[i].Err).detail})
		}
	}
	return v
}

// VisitImportPersonsResponse implements rest.ImportPersonsResponseObject.
func (j *importing) VisitImportPersonsResponse(w http.ResponseWriter) error {
	out := goLive(w, jsonLines)
	w.WriteHeader(http.StatusOK)
	of, told := len(j.rows), -1
	tell := func(done int) {
		if done > told { // work that is begun anew is not shown going backwards
			told = done
			_ = out.send(fmt.Appendf(nil, "{\"done\":%d,\"of\":%d}\n", done, of)) // if the caller is gone the request's context ends the import
		}
	}
	tell(0)
	j.options.Progress = tell
	report, err := j.do()
	var line any = report
	if err != nil {
		p := problemOf(err)
		line = j.h.problemOut(j.ctx, p)
		if p.status >= http.StatusInternalServerError {
			spoil(w)
		}
	}
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("the report of an import as JSON: %w", err)
	}
	_ = out.send(append(data, '\n')) // the caller is gone if this fails
	return nil
}

// violationsOf names what kept lines of a file from being taken; warnings alone do not.
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

func (j *importing) report(done Import) rest.ImportReport {
	r := rest.ImportReport{Applied: done.Applied, Removed: len(done.Removed), Lines: []rest.ImportLine{}}
	failed := map[int]bool{}
	for _, f := range j.faults {
		line := rest.ImportLine{Line: f.Line, Field: given(f.Field), Result: rest.ImportLineResultWarning, Reason: given(reason(f.Fault))}
		if !f.Warning {
			line.Result = rest.ImportLineResultFailed
			failed[f.Line] = true
		}
		r.Lines = append(r.Lines, line)
	}
	for i, row := range j.rows {
		line := rest.ImportLine{Line: row.Line, ID: &j.rows[i].Person.ID}
		if kept := done.Rows[i].Kept; kept != "" {
			field := "sync_mode"
			r.Lines = append(r.Lines, rest.ImportLine{Line: row.Line, ID: line.ID, Field: &field, Result: rest.ImportLineResultWarning, Reason: &kept})
		}
		switch res := done.Rows[i]; {
		case res.Err != nil:
			p := problemOf(res.Err)
			if p.status == http.StatusInternalServerError {
				j.h.Log.Error("a line of an import failed", "request_id", requestID(j.ctx), "line", row.Line, "error", res.Err)
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
	if done.TooMany {
		text := tooMany(done) + "; they would be removed with force only"
		r.Lines = append(r.Lines, rest.ImportLine{Result: rest.ImportLineResultWarning, Reason: &text})
	}
	for _, id := range done.Removed {
		r.Lines = append(r.Lines, rest.ImportLine{ID: &id, Result: rest.ImportLineResultRemoved})
	}
	r.Failed = len(failed)
	return r
}
