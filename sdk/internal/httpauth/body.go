package httpauth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	// maxBuffered bounds a request body that cannot be read twice and must therefore be kept.
	maxBuffered = 32 << 20
	// maxDrained bounds what is read of an answer that nobody wants, to keep its connection.
	maxDrained = 1 << 20
)

// A body is a request's body that can be sent more than once.
type body struct {
	get    func() (io.ReadCloser, error) // nil: there is none
	length int64
}

// newBody takes over r's body and closes it.
func newBody(r *http.Request) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{}, nil
	}
	defer r.Body.Close()
	if r.GetBody != nil {
		return &body{get: r.GetBody, length: r.ContentLength}, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBuffered+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBuffered {
		return nil, fmt.Errorf("a request body of more than %d MiB must provide GetBody: %w", maxBuffered>>20, fault.Invalid)
	}
	return &body{
		get:    func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
		length: int64(len(raw)),
	}, nil
}

// request returns a copy of r with the body from its beginning and the Authorization header given; empty means none.
func (b *body) request(r *http.Request, authorization string) *http.Request {
	out := withAuthorization(r.Clone(r.Context()), authorization)
	out.Body, out.GetBody, out.ContentLength = http.NoBody, nil, 0
	if b.get != nil {
		out.GetBody, out.ContentLength = b.get, b.length
		body, err := b.get()
		if err != nil {
			body = failing{err}
		}
		out.Body = body
	}
	return out
}

// emptyRequest returns a request to the same place as r, without its body.
func emptyRequest(ctx context.Context, r *http.Request, authorization string) *http.Request {
	out := withAuthorization(r.Clone(ctx), authorization)
	out.Body, out.GetBody, out.ContentLength = http.NoBody, nil, 0
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		out.Method = http.MethodPost
	}
	for _, h := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Expect"} {
		out.Header.Del(h)
	}
	// Not sent; it tells net/http that this may be sent once more when an idle connection turns out to be dead.
	out.Header["Idempotency-Key"] = []string{}
	return out
}

func withAuthorization(r *http.Request, value string) *http.Request {
	r.Header.Del("Authorization")
	if value != "" {
		r.Header.Set("Authorization", value)
	}
	return r
}

// drain reads an unwanted answer to its end, so that its connection stays usable: a login may depend on it.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrained)
	_ = resp.Body.Close()
}

// failing is a body that could not be opened.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Close implements io.Closer.
func (f failing) Close() error { return nil }

// A watched body tells when it is done with.
type watched struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (w *watched) Close() error {
	err := w.ReadCloser.Close()
	w.done()
	return err
}
