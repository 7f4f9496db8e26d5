package api

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

// looping names what needs a running host.
const looping = "the Synchronisationstest"

// ListTests implements rest.StrictServerInterface.
func (h *handler) ListTests(ctx context.Context, in rest.ListTestsRequestObject) (rest.ListTestsResponseObject, error) {
	if h.Tests == nil {
		return nil, absent(looping)
	}
	if err := h.known(ctx, in.ID); err != nil {
		return nil, err
	}
	runs, err := h.Tests.Runs(ctx, tenant(ctx), in.ID, or(in.Params.Limit, 100))
	if err != nil {
		return nil, err
	}
	items := make([]rest.TestRun, len(runs))
	for i, run := range runs {
		items[i] = runOut(run)
	}
	return rest.ListTests200JSONResponse{Items: items}, nil
}

// StartTest implements rest.StrictServerInterface.
func (h *handler) StartTest(ctx context.Context, in rest.StartTestRequestObject) (rest.StartTestResponseObject, error) {
	if h.Tests == nil {
		return nil, absent(looping)
	}
	run, already, err := h.Tests.Start(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	at := fmt.Sprintf("/%s/api/v1/persons/%s/tests/%s", url.PathEscape(tenant(ctx)), url.PathEscape(run.Person), url.PathEscape(run.ID))
	if already {
		return rest.StartTest200JSONResponse{Body: runOut(run), Headers: rest.StartTest200ResponseHeaders{Location: &at}}, nil
	}
	return rest.StartTest202JSONResponse{Body: runOut(run), Headers: rest.StartTest202ResponseHeaders{Location: &at}}, nil
}

// GetTest implements rest.StrictServerInterface.
func (h *handler) GetTest(ctx context.Context, in rest.GetTestRequestObject) (rest.GetTestResponseObject, error) {
	if h.Tests == nil {
		return nil, absent(looping)
	}
	wait, err := waitIn(in.Params.Wait)
	if err != nil {
		return nil, err
	}
	// Watch before reading, so that what happens between the two is not slept through.
	changed, cancel := h.Tests.Changed(tenant(ctx), in.Run)
	defer cancel()
	run, err := h.run(ctx, in.ID, in.Run)
	if err != nil || wait == 0 || !run.Ended.IsZero() {
		return rest.GetTest200JSONResponse(runOut(run)), err
	}
	leave, err := h.queueUp()
	if err != nil {
		return nil, err
	}
	defer leave()
	over := time.NewTimer(wait)
	defer over.Stop()
	again := time.NewTicker(h.FeedPoll)
	defer again.Stop()
	for before := run; ; {
		select {
		case <-changed:
		case <-again.C:
		case <-over.C:
			return rest.GetTest200JSONResponse(runOut(run)), nil
		case <-h.Closing:
			return rest.GetTest200JSONResponse(runOut(run)), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if run, err = h.run(ctx, in.ID, in.Run); err != nil {
			return nil, err
		}
		if !reflect.DeepEqual(runOut(run), runOut(before)) {
			return rest.GetTest200JSONResponse(runOut(run)), nil
		}
	}
}

func (h *handler) run(ctx context.Context, person, id string) (TestRun, error) {
	run, found, err := h.Tests.Run(ctx, tenant(ctx), id)
	if err == nil && (!found || run.Person != person) {
		err = notFound("there is no test %q of person %q", id, person)
	}
	return run, err
}

// known returns a problem unless there is such a person.
func (h *handler) known(ctx context.Context, person string) error {
	_, found, err := h.Reads.Person(ctx, tenant(ctx), person)
	if err == nil && !found {
		return notFound("there is no person %q", person)
	}
	return err
}

func runOut(run TestRun) rest.TestRun {
	out := rest.TestRun{
		ID: run.ID, Person: run.Person, Outcome: rest.TestRunOutcome(run.Outcome), Way: given(run.Way),
		Started: run.Started.UTC(), Ended: moment(run.Ended), Steps: make([]rest.TestStep, len(run.Steps)),
	}
	for i, s := range run.Steps {
		step := rest.TestStep{
			Name: s.Name, State: rest.TestStepState(s.State), Began: moment(s.Began), TookMs: given(s.Took.Milliseconds()),
			Detail: given(s.Detail), Cause: given(s.Cause), Remedy: given(s.Remedy),
		}
		if len(s.Checks) > 0 {
			checks := make([]rest.TestCheck, len(s.Checks))
			for j, c := range s.Checks {
				checks[j] = rest.TestCheck{Name: c.Name, State: rest.TestCheckState(c.State), Detail: c.Detail}
			}
			step.Checks = &checks
		}
		out.Steps[i] = step
	}
	return out
}
