// Package dav speaks as much WebDAV and CalDAV as a backend needs: PROPFIND, REPORT, and conditional PUT, GET and DELETE.
//
// Every error has a kind of package fault, and its Code names the precondition that the server says is not met, such as
// valid-sync-token. Answers are bounded.
package dav

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	maxRedirects = 5
	maxError     = 64 << 10 // of an error's body
)

// A Client makes requests. It is safe for concurrent use.
type Client struct {
	http      http.Client
	userAgent string
	maxAnswer int64
}

// New returns a client that asks as userAgent and reads answers of maxAnswer bytes at most.
func New(c *http.Client, userAgent string, maxAnswer int64) *Client {
	d := &Client{http: *c, userAgent: userAgent, maxAnswer: maxAnswer}
	// net/http repeats a redirected request as GET; what is asked here is repeated as it was, or not at all.
	d.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return d
}

// A request is one to be made, as often as redirects within the server want it.
type request struct {
	method string
	url    *url.URL
	header map[string]string
	body   []byte
}

// An answer is one that was understood, with its whole body.
type answer struct {
	url    *url.URL // where it came from in the end
	header http.Header
	body   []byte
}

func (c *Client) do(ctx context.Context, r request) (answer, error) {
	at := r.url
	for range maxRedirects {
		a, next, err := c.once(ctx, r, at)
		if err != nil || next == nil {
			return a, err
		}
		if next.Scheme != at.Scheme || !strings.EqualFold(next.Host, at.Host) {
			return answer{}, fmt.Errorf("%s of %s leads to another server, %s://%s: write that server's address into the person's URL: %w",
				r.method, at.Path, next.Scheme, next.Host, fault.MailboxMoved)
		}
		at = next
	}
	return answer{}, fmt.Errorf("%s of %s is redirected again and again: %w", r.method, r.url.Path, fault.Unavailable)
}

// once makes the request at a place; next is where the server sends it.
func (c *Client) once(ctx context.Context, r request, at *url.URL) (a answer, next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, at.String(), bytes.NewReader(r.body))
	if err != nil {
		return a, nil, fmt.Errorf("%s of %s: %w: %w", r.method, at.Path, err, fault.Invalid)
	}
	req.Header.Set("User-Agent", c.userAgent)
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return a, nil, fmt.Errorf("%s of %s: %w", r.method, at.Path, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if next, err := resp.Location(); err == nil {
			return a, next, nil
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		return a, nil, refusal(r.method, at, resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	if err != nil {
		return a, nil, fmt.Errorf("%s of %s: the answer broke off: %w: %w", r.method, at.Path, err, fault.Unavailable)
	}
	if int64(len(body)) > c.maxAnswer {
		return a, nil, fmt.Errorf("%s of %s: the answer is longer than %d bytes (setting max_answer): %w", r.method, at.Path, c.maxAnswer, fault.Unavailable)
	}
	return answer{url: at, header: resp.Header, body: body}, nil, nil
}

// refusal gives what the server refused its kind: by the precondition that it names, else by the status.
func refusal(method string, at *url.URL, resp *http.Response) error {
	e := &fault.Error{Kind: fault.Unavailable}
	_ = errors.As(fault.FromResponse(resp), &e) // its Retry-After, and the kinds that mean the same everywhere
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e.Code = precondition(body)
	switch c := resp.StatusCode; {
	case e.Code == "valid-sync-token":
		e.Kind = fault.StateExpired
	case e.Code == UIDConflict:
		e.Kind = fault.Conflict
	case slices.Contains(aboutData, e.Code):
		e.Kind = fault.Invalid
	case slices.Contains(aboutAbility, e.Code),
		c == http.StatusMethodNotAllowed, c == http.StatusNotImplemented, c == http.StatusUnsupportedMediaType:
		e.Kind = fault.Unsupported
	case c == http.StatusConflict: // no parent (RFC 4918 9.7.1), or something that passes
		e.Kind = fault.Unavailable
	case c == http.StatusRequestEntityTooLarge:
		e.Kind = fault.Invalid
	case c == http.StatusInsufficientStorage:
		e.Kind, e.Code = fault.Unavailable, InsufficientStorage
	}
	e.Message = fmt.Sprintf("%s of %s: the server answered HTTP %s", method, at.Path, resp.Status)
	if e.Code == InsufficientStorage {
		e.Message += "; the answer is too large for it, or the calendar's space is used up"
	}
	return e
}

// What preconditions of RFC 4791 speak of.
var (
	aboutData = []string{
		"valid-calendar-data", "valid-calendar-object-resource", "supported-calendar-data", "supported-calendar-component",
		"max-resource-size", "min-date-time", "max-date-time", "max-instances", "max-attendees-per-instance",
	}
	aboutAbility = []string{"supported-report", "supported-filter", "supported-collation"}
)

// Codes that callers ask for.
const (
	InsufficientStorage = "insufficient-storage" // it is too much for the server
	UIDConflict         = "no-uid-conflict"
)

// Code returns the precondition that an error of a Client names.
func Code(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Code
	}
	return ""
}

// precondition returns which one a DAV:error names, and nothing if the body is none; servers put elements of their own
// beside it.
func precondition(body []byte) string {
	var e struct {
		XMLName xml.Name `xml:"DAV: error"`
		Is      []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if xml.Unmarshal(body, &e) != nil {
		return ""
	}
	for _, one := range e.Is {
		if one.XMLName.Space == nsDAV || one.XMLName.Space == nsCalDAV {
			return one.XMLName.Local
		}
	}
	return ""
}

// Propfind asks for properties of a resource (depth "0") or of those in it, too ("1").
func (c *Client) Propfind(ctx context.Context, u *url.URL, depth string, props ...Name) (Multistatus, error) {
	return c.query(ctx, "PROPFIND", u, depth, propfind(props))
}

// Report asks a question.
func (c *Client) Report(ctx context.Context, u *url.URL, depth string, body []byte) (Multistatus, error) {
	return c.query(ctx, "REPORT", u, depth, body)
}

func (c *Client) query(ctx context.Context, method string, u *url.URL, depth string, body []byte) (Multistatus, error) {
	a, err := c.do(ctx, request{method, u, map[string]string{"Content-Type": "application/xml; charset=utf-8", "Depth": depth}, body})
	if err != nil {
		return Multistatus{}, err
	}
	ms, err := Parse(a.body)
	if err != nil {
		return ms, fmt.Errorf("%s of %s: %w", method, u.Path, err)
	}
	ms.URL, ms.Header = a.url, a.header
	return ms, nil
}

// A Condition says when a resource may be written.
type Condition struct {
	Header, Value string
}

// NewResource is the condition that there is no such resource.
func NewResource() Condition { return Condition{"If-None-Match", "*"} }

// Same is the condition that the resource is as it was with this ETag.
func Same(etag string) Condition { return Condition{"If-Match", etag} }

// Put writes a calendar object. fault.Conflict with the Code UIDConflict when another one of the calendar has its UID, and
// with another one or none when the condition is not met.
func (c *Client) Put(ctx context.Context, u *url.URL, when Condition, text []byte) error {
	_, err := c.do(ctx, request{http.MethodPut, u, map[string]string{
		"Content-Type": "text/calendar; charset=utf-8", when.Header: when.Value,
	}, text})
	return err
}

// Get reads a calendar object and its ETag, which may be one for this way of transfer only.
func (c *Client) Get(ctx context.Context, u *url.URL) (text, etag string, err error) {
	a, err := c.do(ctx, request{http.MethodGet, u, map[string]string{"Accept": "text/calendar"}, nil})
	return string(a.body), a.header.Get("ETag"), err
}

// Delete removes a resource.
func (c *Client) Delete(ctx context.Context, u *url.URL) error {
	_, err := c.do(ctx, request{http.MethodDelete, u, nil, nil})
	return err
}

// Features returns what the resource can do, as its DAV header says, in lower case.
func (c *Client) Features(ctx context.Context, u *url.URL) ([]string, error) {
	a, err := c.do(ctx, request{http.MethodOptions, u, nil, nil})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, line := range a.header.Values("DAV") {
		for f := range strings.SplitSeq(line, ",") {
			out = append(out, strings.ToLower(strings.TrimSpace(f)))
		}
	}
	return out, nil
}
