package demo

import (
	"context"
	"errors"
	"time"
)

// glance is how often a condition is looked at that nobody announces.
const glance = 5 * time.Millisecond

// until waits until look has no complaint. When ctx ends first it returns the last complaint, or ctx's cause if it was
// stopped rather than too late.
func until(ctx context.Context, look func() error) error {
	t := time.NewTicker(glance)
	defer t.Stop()
	var complaint error
	for {
		err := look()
		if err == nil {
			return nil
		}
		if complaint == nil || ctx.Err() == nil {
			complaint = err // what is seen after the end is the end, not the fault
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return complaint
		}
	}
}
