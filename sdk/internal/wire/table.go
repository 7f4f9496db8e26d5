package wire

import (
	"io"
	"sync"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A table keeps the instances of a plugin apart by id. An instance that is replaced or removed is closed, if it is an
// io.Closer, when the last call that uses it has ended.
type table[T any] struct {
	mu    sync.Mutex
	byID  map[string]*instance[T]
	onErr func(error)
}

type instance[T any] struct {
	value T
	users int
	gone  chan struct{} // closed when it is no longer in the table
}

// put stores value under id.
func (t *table[T]) put(id string, value T) {
	t.mu.Lock()
	old := t.byID[id]
	if t.byID == nil {
		t.byID = map[string]*instance[T]{}
	}
	t.byID[id] = &instance[T]{value: value, gone: make(chan struct{})}
	t.retire(old)
}

// remove takes the instance out; it reports nothing when there is none.
func (t *table[T]) remove(id string) {
	t.mu.Lock()
	old := t.byID[id]
	delete(t.byID, id)
	t.retire(old)
}

// retire is called with the lock held and releases it.
func (t *table[T]) retire(in *instance[T]) {
	if in == nil {
		t.mu.Unlock()
		return
	}
	close(in.gone)
	idle := in.users == 0
	t.mu.Unlock()
	if idle {
		t.close(in.value)
	}
}

// get returns the instance and a function that must be called when it is no longer used.
func (t *table[T]) get(id string) (T, func(), error) {
	value, _, release, err := t.watch(id)
	return value, release, err
}

// watch is get for a call that must not outlast the instance's place in the table: gone is closed when it loses it.
func (t *table[T]) watch(id string) (value T, gone <-chan struct{}, release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in, ok := t.byID[id]
	if !ok {
		var none T
		return none, nil, nil, &fault.Error{
			Kind: fault.Unavailable, Message: "the plugin has no instance " + text(id) + ": it must be opened again",
		}
	}
	in.users++
	return in.value, in.gone, sync.OnceFunc(func() { t.release(in) }), nil
}

func (t *table[T]) release(in *instance[T]) {
	t.mu.Lock()
	in.users--
	last := in.users == 0 && in.isGone()
	t.mu.Unlock()
	if last {
		t.close(in.value)
	}
}

func (in *instance[T]) isGone() bool {
	select {
	case <-in.gone:
		return true
	default:
		return false
	}
}

func (t *table[T]) close(value T) {
	if c, ok := any(value).(io.Closer); ok {
		if err := c.Close(); err != nil && t.onErr != nil {
			t.onErr(err)
		}
	}
}
