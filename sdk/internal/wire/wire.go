// Package wire is the one place that knows how the host and a plugin talk: it maps the contract packages to protobuf
// and back, errors included, and holds both ends of every service. Packages serve and launch build on it; nobody else
// sees gRPC.
package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// MaxMessage is the largest message that either end accepts: what the largest series that can be booked needs, a thousand exceptions of which
// each has a text of its own as long as may be.
const MaxMessage = 64 << 20

// PluginName is the only name in a plugin set: a process serves one plugin.
const PluginName = "roomwire"

// These names travel in the environment of a plugin process; nothing else of ours does.
const (
	cookieKey   = "ROOMWIRE_PLUGIN"
	cookieValue = "3f0a6dc1b2f44a7e9d6d1e0c8a5b7f92"
	// LogLevelVariable tells the plugin which log lines the host wants.
	LogLevelVariable = "ROOMWIRE_PLUGIN_LOG"
)

// Handshake is what tells a plugin that it was started by a host, not by hand. It is no security measure.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{MagicCookieKey: cookieKey, MagicCookieValue: cookieValue}
}

// StartedByHost reports whether the environment, as read by getenv, is one that a host made.
func StartedByHost(getenv func(string) string) bool { return getenv(cookieKey) == cookieValue }

// Versions returns p as every major version of the wire that this build speaks.
func Versions(p plugin.Plugin) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {PluginName: p}}
}

// ServerPlugin registers the services of a plugin process.
type ServerPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	Register func(*plugin.GRPCBroker, *grpc.Server) error
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *ServerPlugin) GRPCServer(b *plugin.GRPCBroker, s *grpc.Server) error {
	return p.Register(b, s)
}

// GRPCClient implements plugin.GRPCPlugin; a plugin process never calls it.
func (p *ServerPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errNotHere
}

// ClientPlugin dispenses the connection to a plugin process.
type ClientPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

// A Conn is the host's connection to a plugin process.
type Conn struct {
	Exited context.Context // ends when the process has ended
	Broker *plugin.GRPCBroker
	conn   grpc.ClientConnInterface
}

// GRPCServer implements plugin.GRPCPlugin; a host never calls it.
func (p *ClientPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return errNotHere }

// GRPCClient implements plugin.GRPCPlugin; it returns a *Conn.
func (p *ClientPlugin) GRPCClient(ctx context.Context, b *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &Conn{Exited: ctx, Broker: b, conn: c}, nil
}

// DialOptions are those of every connection: the size of messages, and errors as package fault, without what hide knows;
// it may be nil.
func DialOptions(hide *Secrets) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithChainUnaryInterceptor(clientUnary(hide)),
		grpc.WithChainStreamInterceptor(clientStream(hide)),
	}
}
