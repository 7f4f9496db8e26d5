package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// maxBatch is how many requests Graph takes in one batch.
const maxBatch = 20

// patience is the longest Retry-After of single requests within a batch that is waited for here; after a longer one it is
// the host that comes again.
const patience = 5 * time.Second

// A part is one request of a batch, and its answer.
type part struct {
	request
	answer answer
	err    error // of the part alone, when it has no answer
}

// result reads a part's answer into out.
func (p *part) result(out any) error {
	if p.err != nil {
		return p.err
	}
	return p.decode(p.answer, out)
}

// inOrder makes requests of one mailbox in one batch, each when the one before has succeeded, and sets their answers. What comes after
// one that failed was not done: notDone tells.
func (c *client) inOrder(ctx context.Context, m calendar.Mailbox, parts []*part) error {
	leave, err := c.lanes.enter(ctx, m, 1)
	if err != nil {
		return parts[0].wrap(err)
	}
	defer leave()
	return c.once(ctx, m, parts, true)
}

// notDone reports whether a part was left out because one before it failed.
func (p *part) notDone() bool { return p.err == nil && p.answer.status == http.StatusFailedDependency }

// gather makes requests of one mailbox in batches and sets their answers. Its error is that of a whole batch; what went
// wrong with one of its requests is that part's.
func (c *client) gather(ctx context.Context, m calendar.Mailbox, parts []*part) error {
	for some := range slices.Chunk(parts, maxBatch) {
		leave, err := c.lanes.enter(ctx, m, perMailbox)
		if err != nil {
			return some[0].wrap(err)
		}
		err = c.batch(ctx, m, some)
		leave()
		if err != nil {
			return err
		}
	}
	return nil
}

// batch makes one batch, and once more what the server asked to wait a moment for. m is whose Graph it is; the caller has
// entered the lanes of all mailboxes.
func (c *client) batch(ctx context.Context, m calendar.Mailbox, parts []*part) error {
	if err := c.once(ctx, m, parts, false); err != nil {
		return err
	}
	var again []*part
	var wait time.Duration
	for _, p := range parts {
		err := p.result(nil)
		after := fault.After(err)
		if fault.Of(err) != fault.Throttled || after <= 0 || after > patience {
			continue
		}
		again, wait = append(again, p), max(wait, after)
	}
	if len(again) == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.once(ctx, m, again, false)
	case <-ctx.Done():
		return again[0].wrap(ctx.Err())
	}
}

func (c *client) once(ctx context.Context, m calendar.Mailbox, parts []*part, serial bool) error {
	var sent struct {
		Requests []batchRequest `json:"requests"`
	}
	for i, p := range parts {
		prefer := cmp.Or(p.prefer, preferIDs)
		one := batchRequest{
			ID: strconv.Itoa(i + 1), Method: p.method, URL: p.target, Headers: map[string]string{"Prefer": prefer, "Accept": "application/json"},
		}
		if p.body != nil {
			one.Body, one.Headers["Content-Type"] = p.body, "application/json"
		}
		if serial && i > 0 {
			one.DependsOn = []string{strconv.Itoa(i)}
		}
		sent.Requests = append(sent.Requests, one)
		p.answer, p.err = answer{}, p.wrap(fmt.Errorf("a batch was answered without this part: %w", fault.Unavailable))
	}
	r := request{mailbox: m, doing: parts[0].doing, method: http.MethodPost, target: "/$batch", body: sent, ok: http.StatusOK}
	var got struct {
		Responses []batchResponse `json:"responses"`
	}
	if _, err := c.send(ctx, r, &got); err != nil {
		return err
	}
	for _, one := range got.Responses {
		i, err := strconv.Atoi(one.ID)
		if err != nil || i < 1 || i > len(parts) {
			return r.wrap(errors.Join(fmt.Errorf("a batch was answered with a part %q that was not asked for", clippedTo(one.ID, 20)), fault.Unavailable))
		}
		h := http.Header{}
		for name, value := range one.Headers {
			h.Set(name, value)
		}
		parts[i-1].answer, parts[i-1].err = answer{status: one.Status, header: h, body: one.Body}, nil
	}
	return nil
}

// clippedTo shortens a text of the server's.
func clippedTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
