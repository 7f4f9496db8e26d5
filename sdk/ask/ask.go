// Package ask makes the requests of a backend whose server speaks JSON over HTTP, and gives what comes back its kind of
// package fault.
//
//	err := ask.JSON(ctx, env.HTTP, ask.Request{URL: m.URL + "/items/7", Out: &item, Words: words})
//
// Between a plugin and its server there may be proxies, which answer in the server's place: with a page to log in at, with
// nothing, with a 404 of their own. None of that is taken for the server's word.
package ask

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/roomwire/roomwire/sdk/fault"
)

// maxAnswer is how much of an answer is read: more than fits into a message to the host.
const maxAnswer = 32 << 20

// A Request is one request.
type Request struct {
	Method      string // empty: GET
	URL         string
	IfMatch     string // the revision that the request is about; empty: any
	IfNoneMatch string // "*": only if there is nothing at URL yet, else fault.Conflict
	In          any    // what is sent, as JSON; nil: nothing
	Out         any    // what the answer is read into, a pointer; nil: nothing of it is needed
	// Words are those by which the server itself says in the body what a refusal means, such as "no_such_calendar". The
	// first that is there gives the kind; without one the status does, as in fault.FromResponse. But where there are Words,
	// a 404 and a 410 without one are fault.Unavailable: somebody else's, or of something else than was asked for.
	Words map[string]fault.Kind
}

// JSON makes a request by c. A success that is no JSON, or none fit for Out, is fault.Unavailable, and so is one that ends
// too early: it says nothing of what was asked. Only where there is no Out may a body be missing, if the status says more
// than 200, such as 204. Nothing is asked twice.
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
	if err := fault.FromResponse(resp); err != nil {
		return r.refused(resp.StatusCode, body, err)
	}
	out := r.Out
	if out == nil {
		if len(body) == 0 && resp.StatusCode != http.StatusOK {
			return nil
		}
		out = new(json.RawMessage)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w: %w", err, fault.Unavailable)
	}
	return nil
}

// refused is what an answer means that is no success; failed is what its status means everywhere.
func (r Request) refused(status int, body []byte, failed error) error {
	if r.Words == nil || status >= http.StatusInternalServerError {
		return failed // a server in trouble knows nothing
	}
	if word := r.word(body); word != "" {
		var said fault.Error // with the rest of what the status says
		if e, ok := errors.AsType[*fault.Error](failed); ok {
			said = *e
		}
		said.Kind, said.Code = r.Words[word], word
		return &said
	}
	if status == http.StatusNotFound || status == http.StatusGone {
		return fmt.Errorf("%w, and not in the words of the calendar server: %w", fault.Unavailable, failed)
	}
	return failed
}

// word returns the first of Words that is a string in a body of JSON, or nothing.
func (r Request) word(body []byte) string {
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		if s, ok := token.(string); ok && r.Words[s] != "" {
			return s
		}
	}
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
	if r.IfNoneMatch != "" {
		req.Header.Set("If-None-Match", r.IfNoneMatch)
	}
	return req, nil
}
