package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	eventStream = "text/event-stream"
	// heartbeat keeps proxies from thinking a quiet stream dead, and finds out that the reader is gone.
	heartbeat = 20 * time.Second
	// writeWithin is how long a reader of a stream may leave a write waiting.
	writeWithin = 30 * time.Second
	streamPage  = 200
)

// A live answer is written while the work goes on: it renews the deadlines that the server sets for a whole request.
type live struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func goLive(w http.ResponseWriter, media string) live {
	l := live{w: w, c: http.NewResponseController(w)}
	// The read deadline would end the request's context in the midst of a long answer.
	_ = l.c.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Accel-Buffering", "no") // nginx, which would hold small pieces back
	return l
}

func (l live) send(data []byte) error {
	// Not every writer has deadlines; then there are none to renew.
	_ = l.c.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := l.w.Write(data); err != nil {
		return fmt.Errorf("write to the caller: %w", err)
	}
	if err := l.c.Flush(); err != nil {
		return fmt.Errorf("write to the caller: %w", err)
	}
	return nil
}

// stream answers with server-sent events. What is wrong with the position is told before the stream begins.
func (h *handler) stream(ctx context.Context, after int64) (rest.ListChangesResponseObject, error) {
	leave, err := h.queueUp()
	if err != nil {
		return nil, err
	}
	// Watch before reading, so that what is committed between the two is not slept through.
	changed, cancel := h.Reads.WatchChanges(tenant(ctx))
	end := func() {
		cancel()
		leave()
	}
	first, _, err := h.readChanges(ctx, after, streamPage)
	if err != nil {
		end()
		return nil, err
	}
	return &events{h: h, ctx: ctx, after: after, first: first, changed: changed, end: end}, nil
}

// events is the answer that streams changes.
type events struct {
	h       *handler
	ctx     context.Context // of the request whose answer this is
	after   int64
	first   []store.ChangeRecord
	changed <-chan struct{}
	end     func()
}

// VisitListChangesResponse implements rest.ListChangesResponseObject.
func (e *events) VisitListChangesResponse(w http.ResponseWriter) error {
	defer e.end()
	out := goLive(w, eventStream)
	w.WriteHeader(http.StatusOK)
	if err := out.send([]byte(": changes\n\n")); err != nil {
		return nil //nolint:nilerr // the reader is gone; there is nobody to tell
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	again := time.NewTicker(e.h.FeedPoll)
	defer again.Stop()
	for records := e.first; ; {
		for _, c := range records {
			event, err := eventOf(c)
			if err == nil {
				err = out.send(event)
			}
			if err != nil {
				return e.over(err)
			}
			e.after = c.Seq
		}
		if len(records) < streamPage && !e.wait(out, beat.C, again.C) {
			return nil
		}
		var err error
		if records, _, err = e.h.readChanges(e.ctx, e.after, streamPage); err != nil {
			return e.over(err)
		}
	}
}

// wait returns true when it is time to look for changes, false when the stream is over.
func (e *events) wait(out live, beat, again <-chan time.Time) bool {
	for {
		select {
		case <-e.changed:
			return true
		case <-again:
			return true
		case <-beat:
			if out.send([]byte(": still here\n\n")) != nil {
				return false
			}
		case <-e.h.Closing:
			return false
		case <-e.ctx.Done():
			return false
		}
	}
}

// over ends a stream that cannot go on; the reader comes again and is told why then.
func (e *events) over(err error) error {
	if e.ctx.Err() == nil {
		e.h.Log.Warn("a stream of changes ended", "request_id", requestID(e.ctx), "error", err)
	}
	return nil
}

func eventOf(c store.ChangeRecord) ([]byte, error) {
	change, err := changeOut(c)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("change %d of the feed as JSON: %w", c.Seq, err)
	}
	return fmt.Appendf(nil, "id: %d\nevent: change\ndata: %s\n\n", c.Seq, data), nil
}

// writeJSON answers with what no generated type describes.
func writeJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
