package wire

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A PluginServer describes the process and holds its lifeline.
type PluginServer struct {
	roomwirev1.UnimplementedPluginServer
	Description Description
	Broker      *plugin.GRPCBroker
	// Attached is called when the host has attached, Ended when its lifeline has ended: the process must exit then.
	Attached, Ended func()

	taken atomic.Bool
	relay relay
}

// Register serves s on g.
func (s *PluginServer) Register(g *grpc.Server) { roomwirev1.RegisterPluginServer(g, s) }

// Describe implements the service.
func (s *PluginServer) Describe(context.Context, *roomwirev1.DescribeRequest) (*roomwirev1.DescribeResponse, error) {
	return descriptionToProto(s.Description), nil
}

// Attach implements the service.
func (s *PluginServer) Attach(req *roomwirev1.AttachRequest, stream grpc.ServerStreamingServer[roomwirev1.AttachResponse]) error {
	if !s.taken.CompareAndSwap(false, true) {
		return internal("the plugin is attached already")
	}
	defer s.Ended()
	if id := req.GetHostBrokerId(); id != 0 {
		conn, err := s.Broker.DialWithOptions(id, DialOptions(nil)...)
		if err != nil {
			return &fault.Error{Kind: fault.Unavailable, Message: "connecting back to the host: " + err.Error()}
		}
		defer conn.Close()
		s.relay.attach(conn)
	}
	if err := stream.Send(&roomwirev1.AttachResponse{}); err != nil {
		return err
	}
	s.Attached()
	<-stream.Context().Done()
	return nil
}

// Describe asks the plugin what it is.
func (c *Conn) Describe(ctx context.Context) (Description, error) {
	resp, err := roomwirev1.NewPluginClient(c.conn).Describe(ctx, &roomwirev1.DescribeRequest{})
	return descriptionFromProto(resp), err
}

// Attach opens the lifeline, which lasts as long as life. When host is not nil it is served to the plugin; ctx bounds
// the opening alone.
func (c *Conn) Attach(ctx, life context.Context, host *HostServer, options []grpc.ServerOption) error {
	req := &roomwirev1.AttachRequest{}
	if host != nil {
		req.HostBrokerId = c.Broker.NextId()
		// The broker ends this goroutine when the connection to the plugin is closed.
		go c.Broker.AcceptAndServe(req.HostBrokerId, func(tls []grpc.ServerOption) *grpc.Server {
			g := grpc.NewServer(append(tls, options...)...)
			host.Register(g)
			return g
		})
	}
	life, cancel := context.WithCancel(life)
	stop := context.AfterFunc(ctx, cancel)
	stream, err := roomwirev1.NewPluginClient(c.conn).Attach(life, req)
	if err == nil {
		_, err = stream.Recv()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		cancel()
	}
	return err
}
