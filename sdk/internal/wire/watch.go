package wire

import (
	"context"
	"errors"
	"fmt"
	"io"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// This file holds both ends of Listen and Watch. A Watch lasts for minutes, so unlike all other calls it is not waited
// for: where its instance or its process is about to end, it ends before, as if the server had ended the connection.

// Listen implements the service.
func (s *BackendServer) Listen(ctx context.Context, req *roomwirev1.ListenRequest) (*roomwirev1.ListenResponse, error) {
	w, release, err := ability[backend.Watcher](s, req.GetId(), "streaming or pull notifications")
	if err != nil {
		return nil, err
	}
	defer release()
	r := listenFromProto(req)
	sub, err := w.Listen(backend.WithMailbox(ctx, r.Mailbox.Address), r)
	return &roomwirev1.ListenResponse{Subscription: subscriptionToProto(sub)}, err
}

// Watch implements the service.
func (s *BackendServer) Watch(req *roomwirev1.WatchRequest, stream roomwirev1.Backend_WatchServer) error {
	b, gone, release, err := s.table.watch(req.GetId())
	if err != nil {
		return err
	}
	defer release()
	w, ok := b.Backend.(backend.Watcher)
	if !ok {
		return fmt.Errorf("this backend has no streaming or pull notifications: %w", fault.Unsupported)
	}
	r := watchFromProto(req)
	ctx, cancel := until(stream.Context(), gone)
	defer cancel()
	if len(r.Watched) > 0 {
		ctx = backend.WithMailbox(ctx, r.Watched[0].Mailbox.Address)
	}
	err = w.Watch(ctx, r, func(hints []backend.Hint) error {
		return stream.Send(&roomwirev1.WatchResponse{Hints: each(hints, hintToProto)})
	})
	return endedBy(gone, err)
}

// Listen implements backend.Watcher.
func (b *BackendClient) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	resp, err := call(ctx, b, b.rpc.Listen, listenToProto(b.id, req))
	return subscriptionFromProto(resp.GetSubscription()), err
}

// Watch implements backend.Watcher.
func (b *BackendClient) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	leave, err := b.gate.Enter()
	if err != nil {
		return err
	}
	defer leave()
	closing := b.gate.Closing()
	streamCtx, cancel := until(ctx, closing)
	defer cancel() // ends the call in the plugin, wherever it is
	stream, err := b.rpc.Watch(streamCtx, watchToProto(b.id, req))
	for err == nil {
		var resp *roomwirev1.WatchResponse
		if resp, err = stream.Recv(); err == nil {
			if failed := emit(each(resp.GetHints(), hintFromProto)); failed != nil {
				return failed
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	return endedBy(closing, err)
}

// until returns a context that ends with ctx, and when end is closed.
func until(ctx context.Context, end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-end:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// endedBy returns no error for a call that was ended because end is closed.
func endedBy(end <-chan struct{}, err error) error {
	select {
	case <-end:
		if errors.Is(err, context.Canceled) {
			return nil
		}
	default:
	}
	return err
}
