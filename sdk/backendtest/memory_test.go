package backendtest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A world is a server in memory that keeps the contract, but for one defect if it has any.
type world struct {
	defect string

	mu     sync.Mutex
	boxes  map[string]*box
	number int
	before string          // the subject of the last create
	gone   map[string]bool // keys that were deleted
	subs   map[string]*listener
	twice  map[string]chan struct{} // creates under way, by key
	grown  chan struct{}            // closed and replaced at each change
}

// A box is one calendar.
type box struct {
	items   map[calendar.Ref]calendar.Item
	history []calendar.Ref // what changed, in order
}

// A listener is a subscription.
type listener struct {
	address, url string
	seen         int // how much of the history was told
}

func newWorld(defect string) *world {
	return &world{
		defect: defect, boxes: map[string]*box{"one@example.com": newBox(), "two@example.com": newBox()},
		subs: map[string]*listener{}, gone: map[string]bool{}, twice: map[string]chan struct{}{}, grown: make(chan struct{}),
	}
}

// newBox returns a calendar with one item that is its owner's affair.
func newBox() *box {
	start := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	own := calendar.Item{Ref: "own", Revision: "own.1", Event: calendar.Event{Subject: "Dentist", Start: start, End: start.Add(time.Hour)}}
	return &box{items: map[calendar.Ref]calendar.Item{own.Ref: own}, history: []calendar.Ref{own.Ref}}
}

// has reports whether the world has a defect.
func (w *world) has(defect string) bool { return w.defect == defect }

// memory is an instance: a backend with every ability.
type memory struct {
	*world
	away   bool            // it reaches no server
	cached map[string]bool // what this instance gave or made, for the defects of those who remember
}

func (w *world) open(context.Context) (backend.Backend, error) { return w.instance(false), nil }

func (w *world) cutOff(context.Context) (backend.Backend, error) {
	if w.has("Open reaches the network") {
		return nil, fmt.Errorf("the server is away: %w", fault.Unavailable)
	}
	return w.instance(true), nil
}

func (w *world) instance(away bool) backend.Backend {
	b := &memory{world: w, away: away, cached: map[string]bool{}}
	switch {
	case w.has("no Watcher, sometimes") && away, w.has("no Watcher, sometimes") && w.next()%2 == 0:
		return struct {
			backend.Backend
			backend.Finder
			backend.Pusher
		}{b, b, b}
	case w.has("omits the time"):
		return partial{b, calendar.FieldTime}
	}
	return b
}

type partial struct {
	*memory
	omits calendar.Fields
}

// Omits implements backend.Partial.
func (p partial) Omits() calendar.Fields { return p.omits }

func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number++
	return w.number
}

// Close implements io.Closer.
func (b *memory) Close() error {
	if b.has("Close ends all") {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.boxes = map[string]*box{}
	}
	return nil
}

// reach gets the mailbox; one with a URL is asked for there first.
func (b *memory) reach(ctx context.Context, m backend.Mailbox) (*box, error) {
	if err := ctx.Err(); err != nil && !b.has("ignores cancellation") {
		return nil, err
	}
	if b.away {
		return nil, b.trouble(fmt.Errorf("no network: %w", fault.Unavailable))
	}
	if m.URL != "" {
		if err := b.ask(ctx, m.URL); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.boxes[m.Address]
	if x == nil {
		if b.has("absent is unavailable") {
			return nil, fmt.Errorf("no mailbox %s: %w", m.Address, fault.Unavailable)
		}
		return nil, fmt.Errorf("no mailbox %s: %w", m.Address, fault.MailboxNotFound)
	}
	return x, nil
}

// trouble is how the backend reports that it could not reach the server.
func (b *memory) trouble(err error) error {
	if b.has("trouble is NotFound") {
		return fmt.Errorf("not there: %w", fault.NotFound)
	}
	return err
}

// ask goes to the URL of a mailbox, where the text "calendar" must be.
func (b *memory) ask(ctx context.Context, url string) error {
	if b.has("ignores cancellation") {
		ctx = context.Background()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return b.trouble(err)
	}
	defer resp.Body.Close()
	err = fault.FromResponse(resp)
	switch {
	case b.has("500 is NotFound") && resp.StatusCode >= 500:
		return fmt.Errorf("the server does not have it: %w", fault.NotFound)
	case b.has("everything is Unavailable") && err != nil:
		return fmt.Errorf("%s: %w", resp.Status, fault.Unavailable)
	case b.has("forgets how long to wait") && err != nil:
		return fault.Of(err)
	case err != nil:
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && string(body) != "calendar" && !b.has("takes anything for an answer") {
		err = fmt.Errorf("this is no answer: %w", fault.Unavailable)
	}
	return err
}

// Probe implements backend.Backend.
func (b *memory) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	x, err := b.reach(ctx, m)
	if err == nil && b.has("Probe fails where all is well") && b.next() > 2 {
		err = fmt.Errorf("no: %w", fault.Forbidden)
	}
	if err == nil && b.has("Probe changes something") {
		b.mu.Lock()
		for ref, item := range x.items {
			item.Event.Location = "probed"
			x.items[ref] = item
		}
		b.mu.Unlock()
	}
	return backend.Status{Server: "memory"}, err
}

const pageSize = 10

// Pull implements backend.Backend: a cursor is a place in the history, with the mailbox before it.
func (b *memory) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	x, err := b.reach(ctx, req.Mailbox)
	switch {
	case fault.Of(err) == fault.Unavailable && b.has("trouble is an empty calendar"):
		return emit(backend.Page{Full: true, Last: true, Next: "one@example.com|0"})
	case err != nil:
		return err
	case b.has("nothing is expired"):
		return fmt.Errorf("begin anew: %w", fault.StateExpired)
	}
	at, full := 0, req.Since == ""
	if !full {
		owner, place, _ := strings.Cut(string(req.Since), "|")
		place, whole := strings.CutSuffix(place, "|all")
		if req.Everything && !whole && !b.has("any cursor does for everything") {
			return fmt.Errorf("the cursor is of another kind: %w", fault.StateExpired)
		}
		n, err := strconv.Atoi(place)
		b.mu.Lock()
		known := n <= len(x.history)
		if b.has("a cursor leads to its own mailbox") && b.boxes[owner] != nil {
			x, known = b.boxes[owner], true
		}
		b.mu.Unlock()
		switch {
		case b.has("garbage is silence") && err != nil:
			return emit(backend.Page{Next: req.Since, Last: true})
		case err != nil || !known || owner != req.Mailbox.Address && !b.has("a cursor leads to its own mailbox"):
			return fmt.Errorf("the cursor is of no use: %w", fault.StateExpired)
		}
		at = n
	}
	return b.pages(ctx, req, x, at, emit)
}

// pages emits the history from a place on.
func (b *memory) pages(ctx context.Context, req backend.PullRequest, x *box, at int, emit func(backend.Page) error) error {
	full := req.Since == ""
	b.mu.Lock()
	history := slices.Clone(x.history)
	b.mu.Unlock()
	if b.has("an old cursor tells only the last change") && !full && len(history) > at+1 {
		at = len(history) - 1
	}
	if b.has("cursors die with the instance") && !full && !b.given(req.Since) {
		at = len(history)
	}
	switch {
	case b.has("tells everything only once") && full && b.given("all"):
		at = len(history)
	case b.has("tells what is old again") && !full:
		at = 0
	}
	for first := true; ; first = false {
		part := history[at:min(at+pageSize, len(history))]
		at += len(part)
		page := backend.Page{
			Changes: b.changes(x, part, req), Full: full && (first || !b.has("Full is on the first page only")) || b.has("Full is on every pull"),
			Last: at == len(history), Next: calendar.Cursor(fmt.Sprintf("%s|%d", req.Mailbox.Address, at)),
		}
		if req.Everything {
			page.Next += "|all"
		}
		b.mu.Lock()
		b.cached[string(page.Next)], b.cached["all"] = true, b.cached["all"] || len(page.Changes) > 1
		b.mu.Unlock()
		if b.has("Next skips a page") && !page.Last {
			page.Next = calendar.Cursor(fmt.Sprintf("%s|%d", req.Mailbox.Address, min(at+pageSize, len(history))))
		}
		if page.Last && b.has("no Last") {
			page.Last = false
		}
		err := emit(page)
		switch {
		case err != nil && b.has("goes on after emit failed"), ctx.Err() != nil && b.has("goes on after its context ended"):
		case err != nil && b.has("swallows the error of emit"):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if at == len(history) {
			if b.has("a page follows the last") {
				return emit(backend.Page{Full: full, Last: true, Next: page.Next})
			}
			return nil
		}
	}
}

func (b *memory) given(c calendar.Cursor) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cached[string(c)]
}

// changes turns a part of the history into changes.
func (b *memory) changes(x *box, part []calendar.Ref, req backend.PullRequest) []calendar.Change {
	full := req.Since == ""
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []calendar.Change
	for i, ref := range part {
		item, there := x.items[ref]
		switch {
		case !there && (full || b.has("no word of what is deleted")):
			continue
		case !there && b.has("what is deleted is merely mentioned"):
			out = append(out, calendar.Change{Ref: ref})
			continue
		case b.has("a full pull leaves one out") && full && i == len(part)-1:
			continue
		case b.has("tells of no create") && !full && item.Revision != "" && strings.HasSuffix(item.Revision, ".1"):
			continue
		case b.has("tells of no update") && !full && !strings.HasSuffix(item.Revision, ".1") && there:
			continue
		}
		ch := calendar.Change{Ref: ref, Deleted: !there}
		if there && (item.Key != "" || item.ForeignKey != "" || b.has("reads what is people's own") ||
			req.Everything && !b.has("everything is what bears a marker")) {
			item.Event = b.shown(item.Event)
			if b.has("Pull reads otherwise") {
				item.Event.Location = "somewhere"
			}
			ch.Item = &item
		}
		if b.has("what is deleted is still there") && !there {
			ch = calendar.Change{Ref: ref, Item: &calendar.Item{Ref: ref, Key: "old"}}
		}
		out = append(out, ch)
	}
	return out
}

// Fetch implements backend.Backend.
func (b *memory) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	x, err := b.reach(ctx, m)
	if fault.Of(err) == fault.Unavailable && b.has("trouble is no item") {
		out := make([]backend.Fetched, len(refs))
		for i := range out {
			out[i].Err = fmt.Errorf("no item: %w", fault.NotFound)
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 && b.has("nothing is an error") {
		return nil, fmt.Errorf("nothing was asked for: %w", fault.Invalid)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []backend.Fetched
	for _, ref := range refs {
		item, there := x.items[ref]
		item.Event = b.shown(item.Event)
		f := backend.Fetched{Item: item}
		switch {
		case there:
		case b.has("Fetch leaves out what is gone"):
			continue
		case b.has("one that is gone fails the Fetch"):
			return nil, fmt.Errorf("item %q: %w", ref, fault.NotFound)
		case b.has("gone is unavailable"):
			f.Err = fmt.Errorf("item %q: %w", ref, fault.Unavailable)
		default:
			f.Err = fmt.Errorf("item %q: %w", ref, fault.NotFound)
		}
		out = append(out, f)
	}
	if b.has("Fetch sorts") {
		slices.SortFunc(out, func(a, b backend.Fetched) int { return cmp.Compare(a.Item.Ref, b.Item.Ref) })
	}
	return out, nil
}

// shown is an event as it is told.
func (b *memory) shown(e calendar.Event) calendar.Event {
	if read := readings[b.defect]; read != nil {
		read(&e)
	}
	return e
}
