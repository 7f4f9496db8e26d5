package supervise

import (
	"context"
	"fmt"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An opened is an instance of a plugin, opened anew in each of the plugin's processes by the first call that needs it.
// The others wait for that call, as long as their own contexts let them.
type opened[T any] struct {
	lock  chan struct{} // of capacity 1; a mutex that can be given up
	in    process       // the process that value belongs to; nil while there is none
	value T
	over  bool // it was released, and is not opened again
}

// errClosed is what calls of a closed handle get: whoever asks for the sync mode anew gets the handle that replaced it.
var errClosed = fmt.Errorf("the sync mode was configured anew or removed: %w", fault.Unavailable)

func newOpened[T any]() *opened[T] { return &opened[T]{lock: make(chan struct{}, 1)} }

// get returns the instance in process p.
func (o *opened[T]) get(ctx context.Context, p process, open func(*launch.Process) (T, error)) (T, error) {
	var none T
	select {
	case o.lock <- struct{}{}:
		defer func() { <-o.lock }()
	case <-ctx.Done():
		return none, fmt.Errorf("the plugin is still being opened: %w", ctx.Err())
	}
	if o.over {
		return none, errClosed
	}
	if o.in == p {
		return o.value, nil
	}
	lp, ok := p.(*launch.Process)
	if !ok {
		return none, fmt.Errorf("a plugin that is no process cannot be opened: %w", fault.Internal)
	}
	value, err := open(lp)
	if err != nil {
		return none, err
	}
	o.in, o.value = p, value
	return value, nil
}
