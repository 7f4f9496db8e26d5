package syncer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The directions of a Meter.
const (
	ToCalendar = "to_calendar"
	ToBooking  = "to_booking"
)

// A Meter is told what is measured. Its methods must not block. Nothing it is told names a person.
type Meter interface {
	// Reflected: a change of one side has reached the other.
	Reflected(direction, mode string, took time.Duration)
	// Failed: a pass failed; wait is how long the mailbox is left alone.
	Failed(mode string, kind fault.Kind, wait time.Duration)
	// Wrote: a calendar was written to; op is create, update or delete, outcome ok, repeated, conflict or failed.
	Wrote(mode, op, outcome string)
	// Passed: a pass over a mailbox ended.
	Passed(mode string, took time.Duration)
	// WayChanged: notices of a mailbox arrive in another way from now on.
	WayChanged(from, to string)
}

// noMeter measures nothing.
type noMeter struct{}

func (noMeter) Reflected(string, string, time.Duration)  {}
func (noMeter) Failed(string, fault.Kind, time.Duration) {}
func (noMeter) Wrote(string, string, string)             {}
func (noMeter) Passed(string, time.Duration)             {}
func (noMeter) WayChanged(string, string)                {}

// longAgo is how old a change may be and still say something of how fast changes are reflected: what is older was not
// waited for, such as an item found at the first read of a mailbox.
const longAgo = time.Hour

// reflected measures a change made at the given moment, if it is known and not long ago.
func (e *Engine) reflected(direction, mode string, made time.Time) {
	if made.IsZero() {
		return
	}
	if took := e.Now().Sub(made); took < longAgo {
		e.Meter.Reflected(direction, mode, max(0, took))
	}
}

// apply makes one mutation and counts it.
func (e *Engine) apply(ctx context.Context, p *pass, m calendar.Mutation) (backend.Result, error) {
	res, err := p.mode.Backend.Apply(ctx, m)
	outcome := "ok"
	switch {
	case errors.Is(err, fault.Conflict):
		outcome = "conflict"
	case err != nil:
		outcome = "failed"
	case res.Repeated:
		outcome = "repeated"
	}
	op := map[calendar.Op]string{calendar.Create: "create", calendar.Update: "update", calendar.Delete: "delete"}[m.Op]
	e.Meter.Wrote(p.mode.Name, op, outcome)
	return res, err
}

// A Paused is a server that everybody keeps away from for a while.
type Paused struct {
	Server string // MODE@HOST
	Until  time.Time
	Kind   fault.Kind
	Reason string
}

// Pauses lists the servers that are left alone now.
func (e *Engine) Pauses() []Paused {
	now := e.now()
	e.pauses.mu.Lock()
	defer e.pauses.mu.Unlock()
	var out []Paused
	for server, p := range e.pauses.by {
		if p.until.After(now) {
			out = append(out, Paused{Server: server, Until: p.until, Kind: fault.Of(p.err), Reason: sentence(p.err)})
		}
	}
	return out
}

// Unpause ends the pauses of a sync mode whose settings were changed: what was in the way may be mended. Items may bear
// other markers by these settings, so what is remembered of them does not hold any more.
func (e *Engine) Unpause(mode string) {
	e.strays.forget()
	e.pauses.mu.Lock()
	defer e.pauses.mu.Unlock()
	for server := range e.pauses.by {
		if name, _, _ := strings.Cut(server, "@"); strings.EqualFold(name, mode) {
			delete(e.pauses.by, server)
		}
	}
}
