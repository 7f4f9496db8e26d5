package graph

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// maxAnswer is the size of the longest answer that is read; a longer one is an error.
const maxAnswer = 64 << 20

// What every request prefers. Ids are to be immutable, which Graph has to be told with each request; times come in UTC and
// texts as plain text.
const (
	preferIDs   = `IdType="ImmutableId"`
	preferItems = preferIDs + `, outlook.timezone="UTC", outlook.body-content-type="text"`
	preferHTML  = preferIDs + `, outlook.timezone="UTC", outlook.body-content-type="html"`
)

// A client makes requests. It is safe for concurrent use and keeps no state but the count of requests under way.
type client struct {
	http      *http.Client // authorizes every request
	userAgent string
	log       hclog.Logger
	lanes     *lanes
}

// A request is one call of Graph.
type request struct {
	mailbox calendar.Mailbox
	doing   string // what it does, for messages, e.g. "reading the calendar"
	method  string
	target  string // path and query below Mailbox.URL, e.g. /users/a@example.com/calendar
	link    string // instead of target: a link that the server gave, as pathOf kept it
	prefer  string // preferIDs is for requests that answer with no item
	match   string // If-Match
	body    any
	ok      int      // the status of success
	item    bool     // it is about one item: that the server finds none may be said of that
	hide    []string // what no error repeats of the server's words
	weight  int64    // how many of the mailbox's lanes it takes; 0: one
	rights  string   // what the application needs, where that is not the calendars' permission
}

// do makes a request and reads the answer into out, which may be nil. The header is the answer's.
func (c *client) do(ctx context.Context, r request, out any) (http.Header, error) {
	leave, err := c.lanes.enter(ctx, r.mailbox, max(r.weight, 1))
	if err != nil {
		return nil, r.wrap(err)
	}
	defer leave()
	return c.send(ctx, r, out)
}

// send is do for a caller that has entered the lanes.
func (c *client) send(ctx context.Context, r request, out any) (http.Header, error) {
	began := time.Now()
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, r.unsent(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, r.wrap(err)
	}
	if len(data) > maxAnswer {
		return nil, r.wrap(fmt.Errorf("the answer is longer than %d MiB: %w", maxAnswer>>20, fault.Unavailable))
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: data}
	c.tell(r, a, time.Since(began))
	return resp.Header, r.decode(a, out)
}

// build makes the HTTP request.
func (c *client) build(ctx context.Context, r request) (*http.Request, error) {
	at, err := r.url()
	if err != nil {
		return nil, r.wrap(err)
	}
	var content io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, r.wrap(fmt.Errorf("%w: %w", err, fault.Internal))
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, content)
	if err != nil {
		// Without err, which repeats the URL.
		return nil, r.wrap(fmt.Errorf("the URL cannot be asked: %w", fault.Invalid))
	}
	h := req.Header
	h.Set("Accept", "application/json")
	h.Set("User-Agent", c.userAgent)
	h.Set("client-request-id", requestID())
	h.Set("return-client-request-id", "true")
	h.Set("Prefer", r.prefer)
	if r.prefer == "" {
		h.Set("Prefer", preferIDs)
	}
	if r.body != nil {
		h.Set("Content-Type", "application/json")
	}
	if r.match != "" {
		h.Set("If-Match", r.match)
	}
	return req, nil
}

// url returns where the request goes: to the mailbox's Graph, and nowhere else.
func (r request) url() (string, error) {
	if r.link != "" {
		return resolve(r.mailbox.URL, r.link)
	}
	root, err := rootOf(r.mailbox.URL)
	return root + r.target, err
}

// rootOf returns the address of Graph, with its version and without a slash at the end.
func rootOf(raw string) (string, error) {
	if origin := originOf(raw); origin == "" {
		return "", fmt.Errorf("the sync mode's url must be that of Graph, such as https://graph.microsoft.com/v1.0: %w", fault.Invalid)
	}
	return strings.TrimRight(raw, "/"), nil
}

// An answer is what came back, alone or within a batch.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// decode reads an answer of success into out, and makes an error of any other. Success is what the operation answers with
// and nothing else: a page that some proxy put in its place is none.
func (r request) decode(a answer, out any) error {
	if a.status != r.ok {
		return r.failed(a)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return r.wrap(fmt.Errorf("the answer cannot be read: %w: %w", unread(err), fault.Unavailable))
	}
	return nil
}

// unread leaves out of a JSON error what it may repeat of the contents.
func unread(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s", e.Field, e.Value)
	}
	return errors.New("it is no JSON of the expected form")
}

// wrap says what failed, and for whom.
func (r request) wrap(err error) error {
	return fmt.Errorf("%s of %s: %w", r.doing, r.mailbox.Address, err)
}

// unsent is wrap for an error of the HTTP client, without the URL that it repeats: that holds delta tokens and references.
func (r request) unsent(err error) error {
	e, ok := errors.AsType[*url.Error](err)
	if !ok {
		return r.wrap(err)
	}
	if _, ours := errors.AsType[*fault.Error](e.Err); ours {
		return r.wrap(e.Err) // of the login, which is told by its own server's name
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](e.Err); untrusted {
		return r.wrap(fmt.Errorf("the certificate of %s is not trusted; if it is right, name its issuer in ca_file: %w", originOf(r.mailbox.URL), e.Err))
	}
	return r.wrap(fmt.Errorf("talking to %s: %w", originOf(r.mailbox.URL), e.Err))
}

// tell logs a call, with the id under which the server's own log has it.
func (c *client) tell(r request, a answer, took time.Duration) {
	if c.log == nil || !c.log.IsDebug() {
		return
	}
	c.log.Debug("Graph call", "doing", r.doing, "method", r.method, "mailbox", r.mailbox.Address, "status", strconv.Itoa(a.status),
		"took", took.String(), "request-id", a.header.Get("request-id"))
}

// requestID returns a new GUID, for the server's log.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// user returns the path of the mailbox's user.
func user(m calendar.Mailbox) string { return "/users/" + url.PathEscape(m.Address) }

// eventPath returns the path of an event.
func eventPath(m calendar.Mailbox, id string) string {
	return user(m) + "/events/" + url.PathEscape(id)
}

// query writes parameters as OData has them: names as they are, spaces as %20.
func query(pairs ...string) string {
	var sb strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		sb.WriteString([]string{"&", "?"}[b2i(i == 0)])
		sb.WriteString(pairs[i] + "=" + strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "+", "%20"))
	}
	return sb.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoted writes a string literal of OData.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
