package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
	"github.com/roomwire/roomwire/examples/backend-caldav/internal/ics"
)

// A search is for one marker.
type search struct {
	by    backend.Marker
	value string
}

// Find implements backend.Finder.
func (b *caldav) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if value == "" {
		return nil, fmt.Errorf("a search for an empty marker would find every event: %w", fault.Invalid)
	}
	if by != backend.OurKey && by != backend.ForeignKey {
		return nil, fmt.Errorf("a search by anything but the two markers: %w", fault.Unsupported)
	}
	at, err := b.place(ctx, m)
	if err != nil {
		return nil, err
	}
	return b.find(ctx, at, m, search{by, value})
}

// find returns the events that bear a marker, the oldest first. Servers are asked for what contains the value; that it is the
// value is seen here.
func (b *caldav) find(ctx context.Context, at *url.URL, m backend.Mailbox, s search) ([]backend.Item, error) {
	property := b.ics.Foreign
	if s.by == backend.OurKey {
		property = b.ics.Key
	}
	found, err := b.having(ctx, at, property, s.value)
	if err == nil && s.by == backend.OurKey {
		var more map[backend.Ref]object // those whose marker a program dropped, but not their UID
		more, err = b.having(ctx, at, "UID", ics.UID(s.value))
		for ref, o := range more {
			found[ref] = o
		}
	}
	switch {
	case fault.Of(err) == fault.Unsupported:
		found, err = b.everythingMarked(ctx, at, s)
	case err != nil && fault.Of(err) == fault.Invalid: // some servers call a question that they do not know a bad one
		found, err = b.everythingMarked(ctx, at, s)
	}
	if err != nil {
		return nil, err
	}
	var out []backend.Item
	created := map[backend.Ref]string{}
	for _, o := range found {
		if !s.matches(b.ics.Marks(o.text)) {
			continue
		}
		item, err := b.item(m, o)
		if err != nil {
			return nil, err
		}
		created[item.Ref] = ics.Created(o.text)
		out = append(out, item)
	}
	slices.SortFunc(out, func(x, y backend.Item) int {
		return cmp.Or(strings.Compare(created[x.Ref], created[y.Ref]), strings.Compare(string(x.Ref), string(y.Ref)))
	})
	return out, nil
}

func (s search) matches(k ics.Marks) bool {
	if s.by == backend.OurKey {
		return k.Key == s.value
	}
	return k.Foreign == s.value
}

// having asks for the events with a property that contains a value.
func (b *caldav) having(ctx context.Context, at *url.URL, property, value string) (map[backend.Ref]object, error) {
	if strings.ContainsAny(value, "\\;,\n\r") {
		// It is escaped in the property, and servers disagree on which form they compare.
		return nil, fmt.Errorf("the value cannot be asked for: %w", fault.Unsupported)
	}
	ms, err := b.dav.Report(ctx, at, "1", dav.Having(property, value))
	if err != nil {
		return nil, calendarGone(err)
	}
	out := map[backend.Ref]object{}
	for _, r := range ms.Responses {
		p, found := r.Found()
		switch c := r.Code(); {
		case found && p.Data != nil && len(r.Hrefs) == 1:
			if ref, ok := refOf(ms, r.Hrefs[0]); ok {
				out[ref] = object{ref: ref, etag: p.ETag, text: *p.Data, modified: p.Modified}
			}
		case c == http.StatusNotFound || c == http.StatusGone: // since
		default:
			return nil, fmt.Errorf("the server found events in %s and did not show all of them (HTTP %d): %w", at.Path, c, fault.Unavailable)
		}
	}
	return out, nil
}

// everythingMarked looks at the markers of every event, where a server cannot search for them (RFC 4791 7.8: supported-filter).
func (b *caldav) everythingMarked(ctx context.Context, at *url.URL, s search) (map[backend.Ref]object, error) {
	refs, _, err := b.list(ctx, at)
	if err != nil {
		return nil, err
	}
	out := map[backend.Ref]object{}
	for some := range slices.Chunk(refs, b.settings.Batch) {
		looked, err := b.objects(ctx, at, some, b.ics.Properties())
		if err != nil {
			return nil, err
		}
		var matching []backend.Ref
		for _, o := range looked {
			if o.err == nil && s.matches(b.ics.Marks(o.text)) {
				matching = append(matching, o.ref)
			}
		}
		full, err := b.objects(ctx, at, matching, nil)
		if err != nil {
			return nil, err
		}
		for _, o := range full {
			if o.err == nil {
				out[o.ref] = o
			}
		}
	}
	return out, nil
}
