package wire

import (
	"context"
	"errors"
	"io"

	"github.com/roomwire/roomwire/sdk/auth"
)

// serveLegs carries out one exchange on the answering end of a stream. Its state is on this stack and ends with it.
func serveLegs(ctx context.Context, a auth.Authenticator, target auth.Target, s answerStream) error {
	exchange, err := a.Begin(ctx, target)
	if err != nil {
		return err
	}
	for challenge := s.first; ; {
		header, err := exchange(ctx, challenge)
		if err != nil {
			return err
		}
		if err := s.send(header); err != nil || !header.More {
			return err
		}
		if challenge, err = s.recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// An answerStream is the answering end, for either of the two services that have one.
type answerStream struct {
	first []string // the challenge of the first leg
	recv  func() ([]string, error)
	send  func(auth.Header) error
}

// An askStream is the asking end; the stream's first request is sent by the function that opens it.
type askStream struct {
	send func(challenge []string) error
	recv func() (auth.Header, error)
}

// askLegs returns an exchange whose legs travel over a stream, opened with the first leg. The stream ends after a header
// without More, with an error, and with ctx.
func askLegs(ctx context.Context, open func(ctx context.Context, challenge []string) (askStream, error)) auth.Exchange {
	ctx, cancel := context.WithCancel(ctx)
	var stream *askStream
	over := false
	leg := func(challenge []string) (auth.Header, error) {
		if stream == nil {
			s, err := open(ctx, challenge)
			if err != nil {
				return auth.Header{}, err
			}
			stream = &s
		} else if err := stream.send(challenge); err != nil && !errors.Is(err, io.EOF) {
			return auth.Header{}, err // of io.EOF, recv knows the reason
		}
		h, err := stream.recv()
		if errors.Is(err, io.EOF) {
			err = internal("the auth plugin ended a login in the middle")
		}
		return h, err
	}
	return func(legCtx context.Context, challenge []string) (auth.Header, error) {
		if over {
			return auth.Header{}, internal("a login was continued after its end")
		}
		stop := context.AfterFunc(legCtx, cancel)
		defer stop()
		h, err := leg(challenge)
		if err != nil || !h.More {
			over = true
			cancel()
		}
		if err != nil && legCtx.Err() != nil {
			err = legCtx.Err()
		}
		return h, err
	}
}
