package wire

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A Gate counts the calls into a plugin, so that it can be stopped when the last has ended. The zero value is open.
type Gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{}
	// closing is made when somebody wants to know of Close.
	closing chan struct{}
}

// ErrStopping is what calls get that come too late: nothing of them has been sent.
var ErrStopping error = &fault.Error{Kind: fault.Unavailable, Message: "the plugin is being stopped"}

// Enter admits a call; the function it returns ends it and may be called more than once. After Close it reports
// ErrStopping.
func (g *Gate) Enter() (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrStopping
	}
	g.inside++
	return sync.OnceFunc(g.leave), nil
}

// Closing returns a channel that is closed by Close: calls that last long end then of themselves.
func (g *Gate) Closing() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing == nil {
		g.closing = make(chan struct{})
		if g.closed {
			close(g.closing)
		}
	}
	return g.closing
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.announce()
}

func (g *Gate) announce() {
	if g.closed && g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Close admits no more calls and waits until those inside have ended, or ctx has.
func (g *Gate) Close(ctx context.Context) error {
	g.mu.Lock()
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	if !g.closed && g.closing != nil {
		close(g.closing)
	}
	g.closed = true
	g.announce()
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstSend judges the error of a stream's first Send: of io.EOF, Recv knows the reason.
func firstSend(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// call makes one unary call of a backend's instance through its gate.
func call[Q, R any](ctx context.Context, b *BackendClient, rpc func(context.Context, Q, ...grpc.CallOption) (R, error),
	req Q,
) (R, error) {
	leave, err := b.gate.Enter()
	if err != nil {
		var none R
		return none, err
	}
	defer leave()
	return rpc(ctx, req)
}
