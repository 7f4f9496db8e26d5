// Package exchange is a backend that reaches Exchange calendars over EWS: everything that the plugins for Exchange on
// premises and for Exchange Online have in common.
//
// It keeps no state. Items are found by the marker that they bear, so a write whose outcome was lost can be repeated.
package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// pageSize is how many changes one SyncFolderItems asks for; the schema allows 512.
const pageSize = 256

// maxPages bounds a pull: no calendar has a million items, so a server that goes on is going round in circles.
const maxPages = 4096

// A Backend serves the mailboxes of one sync mode. It implements backend.Backend, backend.Pusher, backend.Watcher and
// backend.Finder.
type Backend struct {
	ews     *ews.Client
	key     ews.Property
	foreign ews.Property
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Pusher  = (*Backend)(nil)
	_ backend.Watcher = (*Backend)(nil)
	_ backend.Finder  = (*Backend)(nil)
)

// A Place is where the mailboxes are.
type Place int

// The places.
const (
	OnPremises Place = iota // Exchange Server
	Online                  // Exchange Online
)

// New returns a backend that works with env's client and markers. version is the product's, for the User-Agent header by
// which administrators may let it in or keep it out.
func New(env backend.Env, version string, at Place) (*Backend, error) {
	client := &ews.Client{HTTP: env.HTTP, UserAgent: "Roomwire/" + version, ActAs: env.ActAs, Log: env.Log}
	if at == Online {
		if !env.ActAs {
			return nil, fmt.Errorf("without impersonation nobody reaches Exchange Online: applications act for the mailbox, and "+
				"cannot be anybody's delegate. Set use_impersonation = true in the sync_mode block, if ExchangeUseImpersonation=false is "+
				"meant for a server on premises: %w", fault.Invalid)
		}
		client.Online = ews.NewOnline()
	}
	b := &Backend{
		ews:     client,
		key:     ews.Property{Set: env.Markers.Key.Set, Name: env.Markers.Key.Name},
		foreign: ews.Property{Set: env.Markers.Foreign.Set, Name: env.Markers.Foreign.Name},
	}
	for _, p := range b.markers() {
		if err := p.Check(); err != nil {
			return nil, err
		}
	}
	if b.key.Is(b.foreign) {
		return nil, fmt.Errorf("both markers are property %q: %w", b.key.Name, fault.Invalid)
	}
	return b, nil
}

func (b *Backend) markers() []ews.Property { return []ews.Property{b.key, b.foreign} }

// Probe implements backend.Backend: it opens the calendar folder.
func (b *Backend) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	folder, err := b.ews.GetFolder(ctx, m)
	if err != nil {
		return backend.Status{}, err
	}
	return backend.Status{Server: folder.Version.String(), Delegate: !b.ews.ActAs}, nil
}

// Pull implements backend.Backend. Items that bear a marker are read in full; of the others nothing but the reference is.
func (b *Backend) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	state, full := string(req.Since), req.Since == ""
	if !plain(state) {
		return fmt.Errorf("the cursor of %s is no sync state of Exchange: %w", req.Mailbox.Address, fault.StateExpired)
	}
	for range maxPages {
		page, err := b.ews.SyncFolderItems(ctx, req.Mailbox, ews.SyncRequest{
			State: state, Max: pageSize, Properties: b.markers(),
		})
		if fault.Of(err) == fault.StateExpired && state == "" {
			// There is no state to begin anew from: saying so would have the host try without end.
			return fmt.Errorf("%s, though none was given: %w", err.Error(), fault.Unavailable)
		}
		if err != nil {
			return err
		}
		changes, err := b.changes(ctx, req.Mailbox, page.Changes)
		if err != nil {
			return err
		}
		err = emit(backend.Page{Changes: changes, Next: backend.Cursor(page.State), Full: full, Last: page.Last})
		if err != nil || page.Last {
			return err
		}
		state = page.State
	}
	return fmt.Errorf("the changes in the calendar of %s do not come to an end: %w", req.Mailbox.Address, fault.Unavailable)
}

// plain reports whether a sync state is text that XML carries as it is. What is left out on the way could leave an empty one,
// and everything would be told as new.
func plain(state string) bool {
	return !strings.ContainsFunc(state, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' || r > '~' })
}

// changes turns a page of the server's into ours. An item that cannot be read fails the page: it is never left out, and
// never taken for deleted unless the server says that it is not there.
func (b *Backend) changes(ctx context.Context, m backend.Mailbox, page []ews.SyncChange) ([]backend.Change, error) {
	last := make(map[string]int, len(page)) // an item may occur more than once; its last change holds
	for i, c := range page {
		last[c.Item.ID] = i
	}
	var ids []string
	var at []int // where in out the items go
	out := make([]backend.Change, 0, len(last))
	for i, c := range page {
		if last[c.Item.ID] != i || c.Item.ID == "" {
			continue
		}
		if !c.Deleted && (c.Item.Value(b.key) != "" || c.Item.Value(b.foreign) != "") {
			ids, at = append(ids, c.Item.ID), append(at, len(out))
		}
		out = append(out, backend.Change{Ref: backend.Ref(c.Item.ID), Deleted: c.Deleted})
	}
	if len(ids) == 0 {
		return out, nil
	}
	fetched, err := b.read(ctx, m, ids)
	if err != nil {
		return nil, err
	}
	for i, f := range fetched {
		change := &out[at[i]]
		switch {
		case fault.Of(f.Err) == fault.NotFound:
			change.Deleted = true
		case f.Err != nil:
			return nil, f.Err
		case f.Item.Key != "" || f.Item.ForeignKey != "": // it may have lost them meanwhile
			item := f.Item
			change.Item = &item
		}
	}
	return out, nil
}

// Fetch implements backend.Backend.
func (b *Backend) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = string(r)
	}
	return b.read(ctx, m, ids)
}

// read gets items by id, in order. Series without exceptions cost no request of their own.
func (b *Backend) read(ctx context.Context, m backend.Mailbox, ids []string) ([]backend.Fetched, error) {
	got, err := b.ews.GetItems(ctx, m, ids, b.markers())
	if err != nil {
		return nil, err
	}
	out := make([]backend.Fetched, len(got))
	for i := range got {
		if out[i].Err = got[i].Err; out[i].Err == nil {
			out[i].Item, out[i].Err = b.fromEWS(m, &got[i].Item)
		}
	}
	return out, b.readSeries(ctx, m, got, out)
}

// readOne gets one item by id.
func (b *Backend) readOne(ctx context.Context, m backend.Mailbox, id string) (backend.Item, error) {
	got, err := b.read(ctx, m, []string{id})
	if err != nil {
		return backend.Item{}, err
	}
	return got[0].Item, got[0].Err
}

// Find implements backend.Finder.
func (b *Backend) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if value == "" {
		return nil, fmt.Errorf("a search for an empty marker would find every calendar item: %w", fault.Invalid)
	}
	switch by {
	case backend.OurKey:
		return b.find(ctx, m, valued(b.key, value))
	case backend.ForeignKey:
		return b.find(ctx, m, valued(b.foreign, value))
	case backend.ByUID:
		return b.findUID(ctx, m, value)
	}
	return nil, fmt.Errorf("a search by mark %d: %w", by, fault.Unsupported)
}

// findUID returns the items whose UID is uid, in the order they were created.
func (b *Backend) findUID(ctx context.Context, m calendar.Mailbox, uid string) ([]backend.Item, error) {
	found, err := b.ews.FindByUID(ctx, m, uid)
	if err != nil {
		return nil, err
	}
	items, err := b.readFound(ctx, m, found)
	return slices.DeleteFunc(items, func(i backend.Item) bool { return !ews.SameUID(i.Event.UID, uid) }), err
}

// find returns the items that bear p, in the order they were created.
func (b *Backend) find(ctx context.Context, m calendar.Mailbox, p ews.Property) ([]backend.Item, error) {
	found, err := b.ews.FindItems(ctx, m, p)
	if err != nil {
		return nil, err
	}
	return b.readFound(ctx, m, found)
}

// readFound reads in full what was found, the oldest first; what is gone since is left out.
func (b *Backend) readFound(ctx context.Context, m calendar.Mailbox, found []ews.CalendarItem) ([]backend.Item, error) {
	if len(found) == 0 {
		return nil, nil
	}
	byAge(found)
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	fetched, err := b.read(ctx, m, ids)
	if err != nil {
		return nil, err
	}
	var out []backend.Item
	for _, f := range fetched {
		switch {
		case fault.Of(f.Err) == fault.NotFound: // gone since
		case f.Err != nil:
			return nil, f.Err
		default:
			out = append(out, f.Item)
		}
	}
	return out, nil
}
