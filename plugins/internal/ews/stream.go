package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	// maxSilence is how long a server may say nothing on a stream: they say that they live every half minute or so.
	maxSilence = 2 * time.Minute
	// streamGrace is how much longer than agreed a server may take to end a stream.
	streamGrace = time.Minute
)

// These end a stream from our side.
var (
	errSilent = errors.New("the server fell silent")
	errOver   = errors.New("the time is over")
)

// A StreamRequest asks to be told what happens to streaming subscriptions.
type StreamRequest struct {
	IDs      []string // of one group
	Minutes  int      // how long to listen, 1 to 30
	Affinity Affinity // of the group
	// Silence is how long the server may say nothing; zero: two minutes.
	Silence time.Duration
}

// GetStreamingEvents listens until the time is over or the server ends the connection; it returns nil then. m is whom the
// connection is charged to. tell is called with what each message says; no notification at all is a sign of life. Of
// subscriptions that the server does not serve, it is told that they are Lost, and the stream ends: the others are
// served when it is opened again without them. A server that says nothing for two minutes (or Silence) is
// fault.Unavailable.
func (c *Client) GetStreamingEvents(
	ctx context.Context, m calendar.Mailbox, r StreamRequest, tell func([]Notification) error,
) error {
	if r.Silence <= 0 {
		r.Silence = maxSilence
	}
	r.Minutes = min(max(r.Minutes, 1), 30)
	began := time.Now()
	at := c.site(m, request{doing: "listening to the calendar"})
	err := c.stream(ctx, m, r, &at, tell)
	c.log(m, "GetStreamingEvents", time.Since(began), codeOrKind(err), at.id)
	if fault.Of(err) == fault.SubscriptionLost { // of which, the server did not say
		return tell(lost(r.IDs, codeOf(err)))
	}
	return err
}

func (c *Client) stream(
	outer context.Context, m calendar.Mailbox, r StreamRequest, at *site, tell func([]Notification) error,
) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	over := time.AfterFunc(time.Duration(r.Minutes)*time.Minute+streamGrace, func() { cancel(errOver) })
	defer over.Stop()
	silent := time.AfterFunc(r.Silence, func() { cancel(errSilent) })
	defer silent.Stop()
	// failed says what an error of the connection means.
	failed := func(err error) error {
		switch cause := context.Cause(ctx); {
		case outer.Err() != nil:
		case errors.Is(cause, errOver):
			return nil
		case errors.Is(cause, errSilent):
			return at.wrap(&fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf(
				"the server said nothing for %s: the connection is taken for dead", r.Silence)})
		}
		return err
	}

	resp, err := c.open(ctx, m, streamRequest(r), at)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all := newEnvelopes(resp.Body)
	for first := true; ; first = false {
		doc, err := all.next()
		switch {
		case errors.Is(err, io.EOF) && !first:
			return nil
		case errors.Is(err, io.EOF):
			return at.unreadable(errors.New("it is empty"))
		case err != nil:
			return failed(at.transport(outer, err))
		}
		silent.Stop() // whoever is told may take his time
		more, err := at.streamed(doc, tell)
		if err != nil || !more {
			return err
		}
		silent.Reset(r.Silence)
	}
}

func streamRequest(r StreamRequest) request {
	return request{op: "GetStreamingEvents", doing: "listening to the calendar", affinity: &r.Affinity, body: func(w *writer) {
		w.inside("m:GetStreamingEvents", func() {
			w.inside("m:SubscriptionIds", func() {
				for _, id := range r.IDs {
					w.text("t:SubscriptionId", id)
				}
			})
			w.text("m:ConnectionTimeout", strconv.Itoa(r.Minutes))
		})
	}}
}

// A streamed message is what one envelope of a stream says.
type streamed struct {
	notifications []Notification
	failed        []string // ids of subscriptions
	closed        bool
}

func decodeStreamed(s *xmlscan.Scanner, child string, into *streamed) {
	switch child {
	case "Notifications":
		for range s.Children() {
			var n Notification
			decodeEvents(s, &n)
			into.notifications = append(into.notifications, n)
		}
	case "ErrorSubscriptionIds":
		for range s.Children() {
			into.failed = append(into.failed, strings.TrimSpace(s.Text()))
		}
	case "ConnectionStatus":
		into.closed = strings.TrimSpace(s.Text()) == "Closed"
	}
}

// streamed reads one envelope and tells of it; it reports whether the stream goes on.
func (at *site) streamed(doc []byte, tell func([]Notification) error) (bool, error) {
	a, err := decode(doc, "GetStreamingEventsResponse", decodeStreamed)
	switch {
	case err != nil:
		return false, at.unreadable(err)
	case a.fault.code != "":
		return false, at.fault(a.fault)
	case len(a.replies) == 0:
		return false, at.unreadable(errors.New("no GetStreamingEventsResponse in it"))
	}
	var said []Notification
	goOn := true
	for _, r := range a.replies {
		said = append(said, r.value.notifications...)
		goOn = goOn && !r.value.closed
		if failed := at.reply(r.status); failed != nil {
			goOn = false
			if len(r.value.failed) > 0 && fault.Of(failed) != fault.Throttled {
				said = append(said, lost(r.value.failed, r.status.effective())...)
			} else {
				err = failed
			}
		}
	}
	if len(said) > 0 || goOn { // the last word of a stream is no sign of life
		if err := tell(said); err != nil {
			return false, err
		}
	}
	return goOn, err
}

func lost(ids []string, code string) []Notification {
	all := make([]Notification, len(ids))
	for i, id := range ids {
		all[i] = Notification{Subscription: id, Lost: true, Code: code}
	}
	return all
}
