package backend

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// ReadOnly is embedded by a backend that cannot write or look up: Apply and Fetch answer fault.Unsupported.
type ReadOnly struct{}

// Apply implements Backend.
func (ReadOnly) Apply(context.Context, calendar.Mutation) (Result, error) {
	return Result{}, fmt.Errorf("this calendar cannot be written to: %w", fault.Unsupported)
}

// Fetch implements Backend.
func (ReadOnly) Fetch(context.Context, Mailbox, []Ref) ([]Fetched, error) {
	return nil, fmt.Errorf("this calendar cannot be read by reference: %w", fault.Unsupported)
}
