package wire

import (
	"context"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
)

// State implements the service.
func (s *BackendServer) State(ctx context.Context, req *roomwirev1.StateRequest) (*roomwirev1.StateResponse, error) {
	d, release, err := ability[backend.DriftChecker](s, req.GetId(), "cheap look whether anything has changed")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	state, err := d.State(backend.WithMailbox(ctx, m.Address), m, backend.Cursor(req.GetSince()))
	return &roomwirev1.StateResponse{State: utf(state)}, err
}

// State implements backend.DriftChecker.
func (b *BackendClient) State(ctx context.Context, m backend.Mailbox, since backend.Cursor) (string, error) {
	resp, err := call(ctx, b, b.rpc.State, &roomwirev1.StateRequest{Id: b.id, Mailbox: mailboxToProto(m), Since: []byte(since)})
	return resp.GetState(), err
}
