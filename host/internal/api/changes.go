package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

// MaxWait is how long a reader may wait for changes.
const MaxWait = 60 * time.Second

// ListChanges implements rest.StrictServerInterface.
func (h *handler) ListChanges(ctx context.Context, in rest.ListChangesRequestObject) (rest.ListChangesResponseObject, error) {
	if accepts(ctx, eventStream) {
		return h.stream(ctx, or(in.Params.LastEventID, or(in.Params.After, 0)))
	}
	wait, err := waitIn(in.Params.Wait)
	if err != nil {
		return nil, err
	}
	after, limit := or(in.Params.After, 0), or(in.Params.Limit, 500)
	records, last, err := h.changes(ctx, after, limit, wait)
	if err != nil {
		return nil, err
	}
	page := rest.ChangePage{Changes: make([]rest.Change, len(records)), Next: after, Last: last}
	for i, c := range records {
		if page.Changes[i], err = changeOut(c); err != nil {
			return nil, err
		}
		page.Next = c.Seq
	}
	if len(records) == 0 {
		page.Next = last // differs from after only at the very beginning, when everything was pruned
	}
	return rest.ListChanges200JSONResponse(page), nil
}

// waitIn reads how long a caller wants to wait.
func waitIn(text *string) (time.Duration, error) {
	if text == nil {
		return 0, nil
	}
	wait, err := time.ParseDuration(*text)
	if err != nil || wait > MaxWait {
		return 0, malformed("wait must lie between 0s and %ds", int(MaxWait.Seconds()))
	}
	return wait, nil
}

// queueUp takes one of the places for those who wait.
func (h *handler) queueUp() (leave func(), err error) {
	select {
	case h.waiting <- struct{}{}:
		return func() { <-h.waiting }, nil
	default:
		return nil, problem{
			kind: "busy", status: http.StatusTooManyRequests,
			detail: "too many readers wait for something new; ask without wait, or later",
		}
	}
}

// changes reads the feed; if there is nothing new it waits for it, until the time is over, the host stops or the
// caller leaves.
func (h *handler) changes(ctx context.Context, after int64, limit int, wait time.Duration) ([]store.ChangeRecord, int64, error) {
	if wait == 0 {
		return h.readChanges(ctx, after, limit)
	}
	leave, err := h.queueUp()
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	// Watch before reading, so that what is committed between the two is not slept through.
	changed, cancel := h.Reads.WatchChanges(tenant(ctx))
	defer cancel()
	over := time.NewTimer(wait)
	defer over.Stop()
	again := time.NewTicker(h.FeedPoll)
	defer again.Stop()
	for {
		records, last, err := h.readChanges(ctx, after, limit)
		if err != nil || len(records) > 0 {
			return records, last, err
		}
		select {
		case <-changed:
		case <-again.C:
		case <-over.C:
			return nil, last, nil
		case <-h.Closing:
			return nil, last, nil
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

// readChanges reads a page and sees that nothing is missing before it.
func (h *handler) readChanges(ctx context.Context, after int64, limit int) ([]store.ChangeRecord, int64, error) {
	records, err := h.Reads.Changes(ctx, tenant(ctx), after, limit)
	if err != nil {
		return nil, 0, err
	}
	// Read last after the page: it may be newer than the page, never older.
	last, err := h.Reads.LastSeq(ctx, tenant(ctx))
	if err != nil {
		return nil, 0, err
	}
	if after > last {
		return nil, 0, feedPosition(last, "the feed ends at %d, before the given %d: the host's data is older than yours (was a backup restored?)", last, after)
	}
	if len(records) == 0 && after < last {
		// Either they were committed between the two reads, or they were pruned.
		if records, err = h.Reads.Changes(ctx, tenant(ctx), after, limit); err != nil {
			return nil, 0, err
		}
		if len(records) == 0 && after > 0 {
			return nil, 0, feedPosition(last, "the changes after %d are no longer kept", after)
		}
	}
	if len(records) > 0 && after > 0 && records[0].Seq != after+1 {
		return nil, 0, feedPosition(last, "the changes right after %d are no longer kept", after)
	}
	return records, last, nil
}

func feedPosition(last int64, format string, args ...any) problem {
	return problem{
		kind: "feed-position", status: http.StatusGone,
		detail: fmt.Sprintf(format, args...) + fmt.Sprintf("; read all bookings and then go on after %d", last),
	}
}

func changeOut(c store.ChangeRecord) (rest.Change, error) {
	out := rest.Change{
		Seq: c.Seq, Kind: rest.ChangeKind(c.Kind), Source: rest.ChangeSource(c.Source), ID: c.Booking, Version: c.Version,
		At: c.At.UTC(), Reason: given(strings.TrimSpace(c.Reason)),
	}
	out.Booking.Sync = true // what older releases wrote does not say so
	if err := json.Unmarshal(c.Data, &out.Booking); err != nil {
		return rest.Change{}, fmt.Errorf("change %d of the feed is damaged: %w", c.Seq, err)
	}
	return out, nil
}
