// Command backend-feed is an example of a backend plugin: a calendar published as a JSON file, which can be read and not
// written to. docs/plugins/tutorial.md tells of it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"
)

// Settings are those of one sync mode.
type Settings struct {
	MaxBytes int64 `json:"max_bytes" doc:"the largest feed that is read; default 8 MiB"`
}

type feed struct {
	backend.ReadOnly // answers Apply
	settings         Settings
	http             *http.Client // authorizes every request
}

// An entry is one event as the feed has it.
type entry struct {
	ID      string    `json:"id"`
	Booking string    `json:"booking"` // the booking that it belongs to; empty for a person's own
	Title   string    `json:"title"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
}

// Probe implements backend.Backend.
func (f feed) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	_, _, err := f.read(ctx, m, "")
	return backend.Status{Server: "JSON feed"}, err
}

// Pull implements backend.Backend. The cursor is the file's ETag: it tells that something changed, not what.
func (f feed) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	entries, tag, err := f.read(ctx, req.Mailbox, string(req.Since))
	switch {
	case err != nil:
		return err
	case req.Since != "" && tag == string(req.Since): // nothing is new
		return emit(backend.Page{Next: req.Since, Last: true})
	case req.Since != "": // something is; the host asks again, from nothing
		return fmt.Errorf("the feed has changed: %w", fault.StateExpired)
	}
	page := backend.Page{Next: backend.Cursor(tag), Full: true, Last: true}
	for _, e := range entries {
		change := backend.Change{Ref: backend.Ref(e.ID)}
		if e.Booking != "" { // what belongs to no booking is nobody's business: its reference is enough
			item := e.item()
			change.Item = &item
		}
		page.Changes = append(page.Changes, change)
	}
	return emit(page)
}

// Fetch implements backend.Backend.
func (f feed) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	entries, _, err := f.read(ctx, m, "")
	if err != nil {
		return nil, err // of the feed: it says nothing about a single item
	}
	items := map[backend.Ref]backend.Item{}
	for _, e := range entries {
		items[backend.Ref(e.ID)] = e.item()
	}
	out := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		item, found := items[ref]
		out[i].Item = item
		if !found {
			out[i].Err = fmt.Errorf("the feed has no entry %q: %w", ref, fault.NotFound)
		}
	}
	return out, nil
}

// Omits implements backend.Partial: an entry has a title and a time, and says nothing of all else.
func (feed) Omits() calendar.Fields {
	return calendar.AllFields &^ (calendar.FieldSubject | calendar.FieldTime)
}

// read gets the feed and its ETag. If it is still the one that the caller knows, there are no entries.
func (f feed) read(ctx context.Context, m backend.Mailbox, known string) ([]entry, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return nil, "", fmt.Errorf("the feed's URL: %w: %w", err, fault.Invalid)
	}
	if known != "" {
		req.Header.Set("If-None-Match", known)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("read the feed: %w", err) // of no kind of its own: the host takes it for Unavailable
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, known, nil
	}
	if resp.StatusCode == http.StatusNotFound {
		return nil, "", fmt.Errorf("there is no feed at %s: %w", m.URL, fault.MailboxNotFound)
	}
	if err := fault.FromResponse(resp); err != nil {
		return nil, "", err
	}
	var entries []entry
	if err := json.NewDecoder(io.LimitReader(resp.Body, f.settings.MaxBytes)).Decode(&entries); err != nil {
		return nil, "", fmt.Errorf("the feed is no list of events, or longer than %d bytes: %w: %w", f.settings.MaxBytes, err, fault.Unavailable)
	}
	return entries, resp.Header.Get("ETag"), nil
}

func (e entry) item() backend.Item {
	return backend.Item{
		Ref: backend.Ref(e.ID), ForeignKey: e.Booking,
		Event: calendar.Event{Subject: e.Title, Start: e.Start.UTC(), End: e.End.UTC(), Busy: calendar.Occupied},
	}
}

func open(_ context.Context, s Settings, env backend.Env) (backend.Backend, error) {
	if s.MaxBytes <= 0 {
		s.MaxBytes = 8 << 20
	}
	return feed{settings: s, http: env.HTTP}, nil
}

func main() {
	serve.Backend(backend.Plugin[Settings]{Name: "feed", Version: "0.1.0", Open: open})
}
