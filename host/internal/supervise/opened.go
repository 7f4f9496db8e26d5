package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An opened is an instance of a plugin, opened anew in each of the plugin's processes by the first call that needs it.
// The others wait for that call, as long as their own contexts let them.
type opened[T io.Closer] struct {
	lock  chan struct{} // of capacity 1; a mutex that can be given up
	in    process       // the process that value belongs to; nil while there is none
	value T
	over  bool // it was released, and is not opened again
}

// errClosed is what calls of a closed handle get: whoever asks for the sync mode anew gets the handle that replaced it.
var errClosed = fmt.Errorf("the sync mode was configured anew or removed: %w", fault.Unavailable)

func newOpened[T io.Closer]() *opened[T] { return &opened[T]{lock: make(chan struct{}, 1)} }

// acquire takes the lock, or gives up with ctx.
func (o *opened[T]) acquire(ctx context.Context) error {
	select {
	case o.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the plugin is still being opened: %w", ctx.Err())
	}
}

func (o *opened[T]) unlock() { <-o.lock }

// errMoved is what who waited for an opening gets when calls go to another process by now.
var errMoved = fmt.Errorf("the plugin's process was replaced: %w", fault.Unavailable)

// get returns the instance in process p, unless moved says that calls go elsewhere by now: then errMoved.
func (o *opened[T]) get(ctx context.Context, p process, moved func(process) bool, open func(*launch.Process) (T, error)) (T, error) {
	var none T
	if err := o.acquire(ctx); err != nil {
		return none, err
	}
	defer o.unlock()
	if o.over {
		return none, errClosed
	}
	if o.in == p {
		return o.value, nil
	}
	if moved(p) {
		return none, errMoved
	}
	value, err := openIn(p, open)
	if err != nil {
		return none, err
	}
	o.in, o.value = p, value
	return value, nil
}

// inRunning returns the instance in the process that runs, which may be replaced meanwhile.
func inRunning[T io.Closer](ctx context.Context, k *keeper, o *opened[T], open func(*launch.Process) (T, error)) (T, process, error) {
	for {
		p, err := k.get(ctx)
		if err != nil {
			var none T
			return none, nil, err
		}
		value, err := o.get(ctx, p, k.moved, open)
		if errors.Is(err, errMoved) || errors.Is(err, launch.ErrStopping) && k.moved(p) {
			continue
		}
		return value, p, err
	}
}

func openIn[T any](p process, open func(*launch.Process) (T, error)) (T, error) {
	lp, ok := p.(*launch.Process)
	if !ok {
		var none T
		return none, fmt.Errorf("a plugin that is no process cannot be opened: %w", fault.Internal)
	}
	return open(lp)
}

// A move is an instance that is ready in another process, and not used there yet.
type move struct {
	// lock keeps calls from opening the instance anywhere; unlock lets them.
	lock   func(context.Context) error
	unlock func()
	// switchOver has the instance used in the other process from now on; within lock.
	switchOver func()
	drop       func() error // closes the instance, which is not used after all
}

// ready opens in process p the instance that is in use in the process old, beside it. It reports whether there is one:
// what is not open in old is opened in p by the first call that needs it.
func (o *opened[T]) ready(ctx context.Context, old, p process, open func(*launch.Process) (T, error)) (m move, used bool, err error) {
	if err := o.acquire(ctx); err != nil {
		return m, true, err
	}
	used = !o.over && o.in != nil && o.in == old
	o.unlock()
	if !used {
		return m, false, nil
	}
	value, err := openIn(p, open)
	if err != nil {
		return m, true, err
	}
	return move{
		lock: o.acquire, unlock: o.unlock,
		switchOver: func() {
			if o.over { // it was closed meanwhile
				go func() { _ = value.Close() }()
				return
			}
			o.in, o.value = p, value
		},
		drop: value.Close,
	}, true, nil
}

// release forgets the instance for good and returns it, if there is one in a running process.
func (o *opened[T]) release() (value T, is bool) {
	o.lock <- struct{}{}
	defer o.unlock()
	o.over = true
	return o.take()
}

// forget has the next call open the instance anew, with what may have changed around it, and closes the one before when
// its calls are over.
func (o *opened[T]) forget(ctx context.Context) error {
	if err := o.acquire(ctx); err != nil {
		return err
	}
	value, is := o.take()
	o.unlock()
	if !is {
		return nil
	}
	if err := value.Close(); err != nil && !errors.Is(err, fault.Unavailable) {
		return err
	}
	return nil
}

// take returns the instance, if it is in a running process, and leaves none. The lock is held.
func (o *opened[T]) take() (value T, is bool) {
	if o.in == nil {
		return value, false
	}
	select {
	case <-o.in.Exited():
	default:
		value, is = o.value, true
	}
	var none T
	o.in, o.value = nil, none
	return value, is
}
