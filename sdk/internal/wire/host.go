package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A HostServer relays the logins of one backend process to the identities that its instances may use.
type HostServer struct {
	roomwirev1.UnimplementedHostServer
	// Secrets learns the headers that the process was given, so that its errors and its log cannot show them; may be nil.
	Secrets *Secrets

	mu       sync.Mutex
	backends map[string]map[string]HostIdentity // by instance id, then by name
}

// A HostIdentity is what stands behind an identity's name on the host's end.
type HostIdentity struct {
	Auth auth.Authenticator
	// Allow reports why the identity may not be used for an origin; nil allows every one.
	Allow func(origin string) error
}

// Register serves s on g.
func (s *HostServer) Register(g *grpc.Server) { roomwirev1.RegisterHostServer(g, s) }

// Permit lets the backend's instance use identities, by name.
func (s *HostServer) Permit(backendID string, identities map[string]HostIdentity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backends == nil {
		s.backends = map[string]map[string]HostIdentity{}
	}
	s.backends[backendID] = identities
}

// Forget takes back what Permit gave.
func (s *HostServer) Forget(backendID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.backends, backendID)
}

// Exchange implements the service.
func (s *HostServer) Exchange(stream roomwirev1.Host_ExchangeServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	target := targetFromProto(begin.GetTarget())
	a, err := s.resolve(begin.GetBackendId(), begin.GetIdentity(), target.Origin)
	if err != nil {
		return err
	}
	return serveLegs(stream.Context(), a, target, answerStream{
		first: first.GetChallenge(),
		recv: func() ([]string, error) {
			req, err := stream.Recv()
			return req.GetChallenge(), err
		},
		send: func(h auth.Header) error {
			s.Secrets.AddHeader(h)
			return stream.Send(&roomwirev1.HostExchangeResponse{Header: headerToProto(h)})
		},
	})
}

func (s *HostServer) resolve(backendID, name, origin string) (auth.Authenticator, error) {
	s.mu.Lock()
	id, ok := s.backends[backendID][name]
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("this backend has no identity called %q: %w", name, fault.Forbidden)
	}
	if id.Allow != nil {
		if err := id.Allow(origin); err != nil {
			return nil, err
		}
	}
	return id.Auth, nil
}

// A relay is the backend process's way to the host; it exists from Attach on.
type relay struct {
	rpc atomic.Pointer[roomwirev1.HostClient]
}

func (r *relay) attach(conn grpc.ClientConnInterface) {
	c := roomwirev1.NewHostClient(conn)
	r.rpc.Store(&c)
}

// identity returns the authenticator of one identity of a backend's instance.
func (r *relay) identity(backendID, name string) auth.Authenticator {
	return relayed{relay: r, backendID: backendID, name: name}
}

type relayed struct {
	relay           *relay
	backendID, name string
}

// Begin implements auth.Authenticator.
func (i relayed) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	rpc := i.relay.rpc.Load()
	if rpc == nil {
		return nil, &fault.Error{Kind: fault.Unavailable, Message: "the plugin is not attached to a host"}
	}
	return askLegs(ctx, func(ctx context.Context, challenge []string) (askStream, error) {
		stream, err := (*rpc).Exchange(ctx)
		if err != nil {
			return askStream{}, err
		}
		send := func(begin *roomwirev1.HostBegin, challenge []string) error {
			return stream.Send(&roomwirev1.HostExchangeRequest{Begin: begin, Challenge: each(challenge, utf)})
		}
		begin := &roomwirev1.HostBegin{BackendId: i.backendID, Identity: i.name, Target: targetToProto(target)}
		return askStream{
			send: func(challenge []string) error { return send(nil, challenge) },
			recv: func() (auth.Header, error) {
				resp, err := stream.Recv()
				return headerFromProto(resp.GetHeader()), err
			},
		}, firstSend(send(begin, challenge))
	}), nil
}
