package wire

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// ServerOptions are those of every server: the size of messages, errors as package fault, and panics as fault.Internal
// with the stack in log.
func ServerOptions(log hclog.Logger) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.ChainUnaryInterceptor(serverUnary(log)),
		grpc.ChainStreamInterceptor(serverStream(log)),
	}
}

func serverUnary(log hclog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, panicked(log, info.FullMethod, p)
			}
			err = errorToStatus(ctx, err)
		}()
		return h(ctx, req)
	}
}

func serverStream(log hclog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = panicked(log, info.FullMethod, p)
			}
			err = errorToStatus(s.Context(), err)
		}()
		return h(srv, s)
	}
}

// panicked keeps the panic's value out of the error: it may hold anything, and the log is the place for it.
func panicked(log hclog.Logger, method string, value any) error {
	log.Error("panic while serving a call", "method", method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	return internal("the plugin has a defect: " + method + " panicked; its log has the stack")
}

func clientUnary(hide *Secrets) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		err := errorFromStatus(ctx, call(ctx, method, req, reply, cc, opts...))
		hide.hideFaults(reply)
		return hide.hideError(err)
	}
}

func clientStream(hide *Secrets) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer,
		opts ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		s, err := open(ctx, desc, cc, method, opts...)
		if err != nil {
			return nil, hide.hideError(errorFromStatus(ctx, err))
		}
		return &faultStream{ClientStream: s, ctx: ctx, hide: hide}, nil
	}
}

// A faultStream translates what a stream ends with. It keeps the context because "Canceled" can only be judged with it.
type faultStream struct {
	grpc.ClientStream
	ctx  context.Context
	hide *Secrets
}

// RecvMsg implements grpc.ClientStream.
func (s *faultStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.hide.hideFaults(m)
	return s.hide.hideError(errorFromStatus(s.ctx, err))
}

// SendMsg implements grpc.ClientStream.
func (s *faultStream) SendMsg(m any) error {
	return s.hide.hideError(errorFromStatus(s.ctx, s.ClientStream.SendMsg(m)))
}
