// Package client is the REST API's client: generated from its description, with what a command needs besides.
//
//	c, err := client.Local(dataDir)
//	…
//	r, err := c.GetPersonWithResponse(ctx, "Default", "alice")
//	if err := client.Check(r, err); err != nil {
//		return err
//	}
//	fmt.Println(r.JSON200.Sync.Status)
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/roomwire/roomwire/host/internal/apikey"
)

// Open returns a client of the host at base, e.g. http://127.0.0.1:8081, which shows key with every request. Options say
// how the host is reached, where the standard client will not do.
func Open(base, key string, options ...ClientOption) (*ClientWithResponses, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the host's address must be a URL such as http://127.0.0.1:8081")
	}
	c, err := NewClientWithResponses(base, append(options, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))...)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", u.Host, err)
	}
	return c, nil
}

// Local returns a client of the host that runs on this machine with the given data folder. It may do everything in
// every tenant.
func Local(dataDir string) (*ClientWithResponses, error) {
	f, err := apikey.Read(dataDir)
	if err != nil {
		return nil, err
	}
	return Open(f.URL, f.Key)
}

// Response is what every generated response can tell of itself.
type Response interface {
	StatusCode() int
	Status() string
	ContentType() string
	GetBody() []byte
}

// Check returns nil if a call went well; else an error for people, which is an *Error if the host answered.
func Check(r Response, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the host does not answer; is roomwire serve running? %w", err)
	case err != nil:
		return fmt.Errorf("asking the host: %w", err)
	case r.StatusCode() >= 200 && r.StatusCode() < 300, r.StatusCode() == http.StatusNotModified:
		return nil
	}
	e := &Error{Problem: Problem{Status: r.StatusCode(), Title: r.Status(), Detail: "the host answered " + r.Status()}}
	if media, _, err := mime.ParseMediaType(r.ContentType()); err == nil && media == "application/problem+json" {
		var p Problem
		if json.Unmarshal(r.GetBody(), &p) == nil && p.Detail != "" {
			e.Problem = p
		}
	}
	return e
}

// Error is the host's refusal.
type Error struct{ Problem Problem }

// Error implements error. It has one line per violation.
func (e *Error) Error() string {
	if v := e.Problem.Violations; v != nil && len(*v) > 0 && !errors.Is(e, emailTaken) {
		lines := make([]string, len(*v))
		for i, one := range *v {
			lines[i] = one.Field + ": " + one.Reason
		}
		return strings.Join(lines, "\n")
	}
	if id := e.Problem.RequestID; id != nil && e.Problem.Status >= http.StatusInternalServerError {
		return e.Problem.Detail + " (request_id " + *id + ")"
	}
	return e.Problem.Detail
}

// Is reports whether the problem is of the given kind, e.g. errors.Is(err, client.NotFound).
func (e *Error) Is(target error) bool {
	k, ok := target.(ProblemKind)
	return ok && e.Problem.Type == "urn:roomwire:problem:"+string(k)
}

// ProblemKind is the last part of a problem's type. Test for one with errors.Is.
type ProblemKind string

// Error implements error.
func (k ProblemKind) Error() string { return string(k) }

// The kinds that commands tell apart.
const (
	NotFound    ProblemKind = "not-found"
	Overlap     ProblemKind = "overlap"
	Version     ProblemKind = "version"
	Invalid     ProblemKind = "invalid"
	Unavailable ProblemKind = "unavailable"
	Removals    ProblemKind = "removals"

	emailTaken ProblemKind = "email-taken" // its detail says by whom, its violation does not
)
