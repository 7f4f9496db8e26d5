// Package ews speaks Exchange Web Services: a client for the dozen operations that calendar synchronization needs, by
// hand rather than generated, strict in what it sends (every request is valid by Microsoft's schema) and liberal in what
// it reads (any prefix, any order, illegal characters, missing parts).
//
// A call's error carries a kind of package fault; codes.go holds the table. A Client keeps no state but its connections, and
// in Exchange Online who was let in.
//
//	c := &ews.Client{HTTP: authorized, UserAgent: "Roomwire/1.0", ActAs: true}
//	page, err := c.SyncFolderItems(ctx, mailbox, ews.SyncRequest{State: cursor, Max: 256})
package ews

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Version is the schema version that requests are written in: the earliest that has all we use, understood by every
// server from Exchange 2013 SP1 to Exchange Online.
const Version = "Exchange2013_SP1"

// MaxAnswer is the size of the longest answer that is read; a longer one is an error.
const MaxAnswer = 64 << 20

// The XML namespaces of EWS.
const (
	nsSOAP     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsTypes    = "http://schemas.microsoft.com/exchange/services/2006/types"
	nsMessages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	nsErrors   = "http://schemas.microsoft.com/exchange/services/2006/errors"
)

// A Client calls EWS servers with one identity. It is safe for concurrent use.
type Client struct {
	HTTP *http.Client // authorizes every request
	// UserAgent is fixed per product, as administrators filter on it, e.g. "Roomwire/1.0".
	UserAgent string
	// ActAs makes calls act as the mailbox (impersonation). Otherwise they name the mailbox whose calendar is meant, and
	// the identity needs a permission on that folder.
	ActAs bool
	// Online is set for Exchange Online.
	Online *Online
	// Log gets one line per call at level debug, without contents; nil: none.
	Log hclog.Logger
}

// A request is one operation to be sent.
type request struct {
	op       string // the operation, e.g. "GetItem"
	doing    string // what it does, for messages, e.g. "reading the calendar"
	body     func(w *writer)
	affinity *Affinity // of what concerns subscriptions: where it goes, and was answered; nil for all else
}

// send posts r for the mailbox and decodes its answer.
func send[T any](ctx context.Context, c *Client, m calendar.Mailbox, r request, payload payload[T]) (answer[T], error) {
	began := time.Now()
	a, err := exchange(ctx, c, m, r, payload)
	c.log(m, r.op, time.Since(began), outcome(a, err), a.at.id)
	return a, err
}

func exchange[T any](ctx context.Context, c *Client, m calendar.Mailbox, r request, payload payload[T]) (answer[T], error) {
	at := c.site(m, r)
	doc, err := c.post(ctx, m, r, &at)
	if err != nil {
		return answer[T]{at: at}, err
	}
	a, err := decode(doc, r.op+"Response", payload)
	a.at = at
	if err != nil {
		return a, at.unreadable(err)
	}
	if a.fault.code != "" {
		return a, at.fault(a.fault)
	}
	if len(a.replies) == 0 {
		return a, at.unreadable(fmt.Errorf("no %sResponse in it", r.op))
	}
	return a, nil
}

func (c *Client) site(m calendar.Mailbox, r request) site {
	return site{doing: r.doing, mailbox: m.Address, delegate: !c.ActAs, online: c.Online}
}

// only returns the reply to an operation that has a single one.
func only[T any](a answer[T], err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if err := a.at.reply(a.replies[0].status); err != nil {
		return none, err
	}
	return a.replies[0].value, nil
}

// post sends r and returns the body of a successful answer, or of one that holds a SOAP fault.
func (c *Client) post(ctx context.Context, m calendar.Mailbox, r request, at *site) ([]byte, error) {
	resp, err := c.open(ctx, m, r, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBounded(resp.Body, resp.ContentLength)
	if err != nil {
		return nil, at.transport(ctx, err)
	}
	return body, nil
}

// open sends r and returns a successful answer, whose body is still to be read and closed.
func (c *Client) open(ctx context.Context, m calendar.Mailbox, r request, at *site) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(c.envelope(m, r)))
	if err == nil && (req.URL.Host == "" || (req.URL.Scheme != "https" && req.URL.Scheme != "http")) {
		err = fmt.Errorf("%q is not like https://mail.example.com/EWS/Exchange.asmx", m.URL)
	}
	if err != nil {
		return nil, at.badURL(err)
	}
	id := requestID()
	for name, value := range map[string]string{
		"Content-Type":             "text/xml; charset=utf-8",
		"Accept":                   "text/xml",
		"User-Agent":               c.UserAgent,
		"X-AnchorMailbox":          m.Address,
		"client-request-id":        id,
		"return-client-request-id": "true",
	} {
		req.Header.Set(name, value)
	}
	if r.affinity != nil {
		r.affinity.ask(req.Header)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, at.transport(ctx, err)
	}
	at.id = resp.Header.Get("request-id")
	if at.id == "" {
		at.id = id
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer func() { _ = resp.Body.Close() }()
		body, _ := readBounded(resp.Body, resp.ContentLength)
		return nil, at.status(resp, body)
	}
	c.Online.admit(m.Address)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		_ = resp.Body.Close()
		return nil, at.unreadable(errors.New("it is a web page; is this the URL of Exchange Web Services?"))
	}
	if r.affinity != nil {
		r.affinity.learn(resp)
	}
	return resp, nil
}

// readBounded reads at most MaxAnswer bytes.
func readBounded(r io.Reader, length int64) ([]byte, error) {
	var buf bytes.Buffer
	if length > 0 && length <= MaxAnswer {
		buf.Grow(int(length) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r, MaxAnswer+1))
	if err == nil && n > MaxAnswer {
		err = fmt.Errorf("the answer is longer than %d MiB", MaxAnswer>>20)
	}
	return buf.Bytes(), err
}

// requestID returns a random UUID.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func scan(doc []byte) *xmlscan.Scanner {
	return xmlscan.New(doc, nsSOAP, nsTypes, nsMessages, nsErrors)
}
