package wire

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
)

// An AuthServer serves an auth plugin's instances.
type AuthServer struct {
	roomwirev1.UnimplementedAuthServer
	// OpenInstance makes an instance from its settings, a JSON object.
	OpenInstance func(ctx context.Context, settings []byte) (auth.Authenticator, error)

	table table[auth.Authenticator]
}

// Register serves s on g.
func (s *AuthServer) Register(g *grpc.Server) { roomwirev1.RegisterAuthServer(g, s) }

// Open implements the service.
func (s *AuthServer) Open(ctx context.Context, req *roomwirev1.AuthOpenRequest) (*roomwirev1.AuthOpenResponse, error) {
	a, err := s.OpenInstance(ctx, req.GetSettings())
	if err != nil {
		return nil, err
	}
	s.table.put(req.GetId(), a)
	resp := &roomwirev1.AuthOpenResponse{}
	if e, ok := a.(auth.Expirer); ok {
		for _, x := range e.Expires() {
			resp.Expiries = append(resp.Expiries, &roomwirev1.CredentialExpiry{What: utf(x.What), At: timeToProto(x.At)})
		}
	}
	return resp, nil
}

// Close implements the service.
func (s *AuthServer) Close(_ context.Context, req *roomwirev1.AuthCloseRequest) (*roomwirev1.AuthCloseResponse, error) {
	s.table.remove(req.GetId())
	return &roomwirev1.AuthCloseResponse{}, nil
}

// Exchange implements the service.
func (s *AuthServer) Exchange(stream roomwirev1.Auth_ExchangeServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	a, release, err := s.table.get(first.GetBegin().GetId())
	if err != nil {
		return err
	}
	defer release()
	return serveLegs(stream.Context(), a, targetFromProto(first.GetBegin().GetTarget()), answerStream{
		first: first.GetChallenge(),
		recv: func() ([]string, error) {
			req, err := stream.Recv()
			return req.GetChallenge(), err
		},
		send: func(h auth.Header) error {
			return stream.Send(&roomwirev1.AuthExchangeResponse{Header: headerToProto(h)})
		},
	})
}

// An AuthClient is one instance in an auth plugin's process.
type AuthClient struct {
	id      string
	rpc     roomwirev1.AuthClient
	gate    *Gate
	expires []auth.Expiry
}

// Expires implements auth.Expirer; it is empty for a plugin that does not.
func (a *AuthClient) Expires() []auth.Expiry { return slices.Clone(a.expires) }

// OpenAuth opens an instance under an id that is new to the process.
func (c *Conn) OpenAuth(ctx context.Context, gate *Gate, id string, settings []byte) (*AuthClient, error) {
	leave, err := gate.Enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	a := &AuthClient{id: id, rpc: roomwirev1.NewAuthClient(c.conn), gate: gate}
	resp, err := a.rpc.Open(ctx, &roomwirev1.AuthOpenRequest{Id: id, Settings: settings})
	if err != nil {
		return nil, err
	}
	for _, x := range resp.GetExpiries() {
		a.expires = append(a.expires, auth.Expiry{What: x.GetWhat(), At: timeFromProto(x.GetAt())})
	}
	return a, nil
}

// Close ends the instance in the plugin.
func (a *AuthClient) Close(ctx context.Context) error {
	_, err := a.rpc.Close(ctx, &roomwirev1.AuthCloseRequest{Id: a.id})
	return err
}

// Begin implements auth.Authenticator.
func (a *AuthClient) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	return askLegs(ctx, func(ctx context.Context, challenge []string) (askStream, error) {
		leave, err := a.gate.Enter()
		if err != nil {
			return askStream{}, err
		}
		context.AfterFunc(ctx, leave)
		stream, err := a.rpc.Exchange(ctx)
		if err != nil {
			return askStream{}, err
		}
		send := func(begin *roomwirev1.AuthBegin, challenge []string) error {
			return stream.Send(&roomwirev1.AuthExchangeRequest{Begin: begin, Challenge: each(challenge, utf)})
		}
		return askStream{
			send: func(challenge []string) error { return send(nil, challenge) },
			recv: func() (auth.Header, error) {
				resp, err := stream.Recv()
				return headerFromProto(resp.GetHeader()), err
			},
		}, firstSend(send(&roomwirev1.AuthBegin{Id: a.id, Target: targetToProto(target)}, challenge))
	}), nil
}
