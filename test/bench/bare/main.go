// Command bare is a go-plugin plugin without anything of ours around it: the same messages as package echo answers, from
// a service registered directly.
package main

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"

	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

type server struct {
	roomwirev1.UnimplementedBackendServer
	reply *roomwirev1.ReceiveResponse
	items *roomwirev1.FetchResponse
}

// Receive implements the service.
func (s server) Receive(context.Context, *roomwirev1.ReceiveRequest) (*roomwirev1.ReceiveResponse, error) {
	return s.reply, nil
}

// Fetch implements the service.
func (s server) Fetch(context.Context, *roomwirev1.FetchRequest) (*roomwirev1.FetchResponse, error) {
	return s.items, nil
}

type set struct {
	plugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements plugin.GRPCPlugin.
func (set) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	roomwirev1.RegisterBackendServer(s, server{reply: payload.ReceiveResponse(), items: payload.FetchResponse()})
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (set) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is the plugin's end")
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: payload.Bare, Plugins: plugin.PluginSet{payload.Name: set{}}, GRPCServer: plugin.DefaultGRPCServer,
		Logger: hclog.NewNullLogger(),
	})
}
