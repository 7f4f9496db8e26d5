// Package ask makes the requests of a backend whose server speaks JSON over HTTP, and gives what comes back its kind of
// package fault.
//
//	err := ask.JSON(ctx, env.HTTP, ask.Request{URL: m.URL + "/items/7", Out: &item})
package ask

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/roomwire/roomwire/sdk/fault"
)

// maxAnswer is how much of an answer is read: more than fits into a message to the host.
const maxAnswer = 32 << 20

// A Request is one request.
type Request struct {
	Method  string // empty: GET
	URL     string
	IfMatch string // the revision that the request is about; empty: any
	In      any    // what is sent, as JSON; nil: nothing
	Out     any    // what the answer is read into, a pointer; nil: it is not looked at
	// Refused says what an answer that is no success means; where it is nil or returns nil, fault.FromResponse does.
	Refused func(status int, body []byte) error
}

// JSON makes a request by c. An answer that is no JSON fit for Out is fault.Unavailable, and so is one that ends too early:
// it says nothing of what was asked. Nothing is asked twice.
func JSON(ctx context.Context, c *http.Client, r Request) error {
	req, err := r.build(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err) // of the kind that Env.HTTP gave it
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the server's answer: %w", err)
	case len(body) > maxAnswer:
		return fmt.Errorf("the server's answer is longer than %d MiB: %w", maxAnswer>>20, fault.Unavailable)
	}
	if failed := fault.FromResponse(resp); failed != nil {
		if r.Refused != nil {
			if err := r.Refused(resp.StatusCode, body); err != nil {
				return err
			}
		}
		return failed
	}
	if r.Out == nil {
		return nil
	}
	if err := json.Unmarshal(body, r.Out); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w: %w", err, fault.Unavailable)
	}
	return nil
}

func (r Request) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if r.In != nil {
		in, err := json.Marshal(r.In)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w: %w", err, fault.Internal)
		}
		body = bytes.NewReader(in)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, fmt.Errorf("the server's URL: %w: %w", err, fault.Invalid)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.IfMatch != "" {
		req.Header.Set("If-Match", r.IfMatch)
	}
	return req, nil
}
