package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
	"github.com/roomwire/roomwire/examples/backend-caldav/internal/ics"
)

// caldav is one instance of the backend.
type caldav struct {
	settings Settings
	dav      *dav.Client
	ics      ics.Mapper
	log      hclog.Logger
	now      func() time.Time
	limit    int // how many changes the server is asked for at once
}

var (
	_ backend.Backend = (*caldav)(nil)
	_ backend.Finder  = (*caldav)(nil)
	_ backend.Watcher = (*caldav)(nil)
)

// Probe implements backend.Backend: it looks at the calendar without opening anything in it.
func (b *caldav) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	at, err := b.place(ctx, m)
	if err != nil {
		return backend.Status{}, err
	}
	ms, err := b.dav.Propfind(ctx, at, "0", dav.Type, dav.Components, dav.Privileges)
	if err != nil {
		return backend.Status{}, calendarGone(err)
	}
	p := ms.Self()
	switch {
	case !p.IsCalendar() || !p.HoldsEvents():
		return backend.Status{}, notCalendar(at, m)
	case !p.Writable():
		return backend.Status{}, fmt.Errorf("the account may read the calendar of %s at %s, but not write to it: %w", m.Address, at.Path, fault.Forbidden)
	}
	server := "CalDAV"
	if product := ms.Header.Get("Server"); product != "" {
		server += ", " + product
	}
	return backend.Status{Server: server}, nil
}

func notCalendar(at *url.URL, m backend.Mailbox) error {
	return fmt.Errorf("what is at %s is no calendar of events, as %s needs one: check the person's URL, or calendar_path: %w", at.Path, m.Address, fault.Invalid)
}

// Fetch implements backend.Backend.
func (b *caldav) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	at, err := b.place(ctx, m)
	if err != nil {
		return nil, err
	}
	out := make([]backend.Fetched, 0, len(refs))
	for some := range slices.Chunk(refs, b.settings.Batch) {
		objects, err := b.objects(ctx, at, some, nil)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			f := backend.Fetched{Err: o.err}
			if o.err == nil {
				f.Item, f.Err = b.item(m, o)
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// An object is one resource of a calendar.
type object struct {
	ref      backend.Ref
	etag     string
	text     string
	modified string
	err      error // fault.NotFound if the server says that there is none
}

// item reads an object.
func (b *caldav) item(m backend.Mailbox, o object) (backend.Item, error) {
	item, err := b.ics.Read(o.text, m.Address)
	if err != nil {
		return item, fmt.Errorf("%s in the calendar of %s: %w", o.ref, m.Address, err)
	}
	item.Ref, item.Revision = o.ref, o.etag
	if t, err := http.ParseTime(o.modified); err == nil {
		item.Modified = t.UTC()
	}
	return item, nil
}

// objects reads resources in the order of refs. With only, no more than these properties of their events is asked for.
func (b *caldav) objects(ctx context.Context, at *url.URL, refs []backend.Ref, only []string) ([]object, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	hrefs := make([]string, len(refs))
	for i, r := range refs {
		hrefs[i] = hrefOf(at, r).EscapedPath()
	}
	ms, err := b.dav.Report(ctx, at, "1", dav.Multiget(hrefs, only))
	if err != nil {
		return nil, calendarGone(err)
	}
	got := map[backend.Ref]object{}
	for _, r := range ms.Responses {
		for _, href := range r.Hrefs {
			ref, ok := refOf(ms, href)
			if !ok {
				continue
			}
			o := object{ref: ref}
			if p, found := r.Found(); found && p.Data != nil {
				o.etag, o.text, o.modified = p.ETag, *p.Data, p.Modified
			} else if c := r.Code(); c == http.StatusNotFound || c == http.StatusGone {
				o.err = gone(ref)
			} else {
				continue
			}
			got[ref] = o
		}
	}
	out := make([]object, len(refs))
	for i, ref := range refs {
		o, answered := got[ref]
		if !answered {
			if o, err = b.one(ctx, at, ref); err != nil {
				return nil, err
			}
		}
		out[i] = o
	}
	return out, nil
}

// one asks for a resource of which a server was silent when it was asked for several.
func (b *caldav) one(ctx context.Context, at *url.URL, ref backend.Ref) (object, error) {
	text, etag, err := b.dav.Get(ctx, hrefOf(at, ref))
	if fault.Of(err) == fault.NotFound {
		return object{ref: ref, err: gone(ref)}, nil
	}
	return object{ref: ref, text: text, etag: etag}, err
}

func gone(ref backend.Ref) error {
	return fmt.Errorf("the calendar has no %s: %w", ref, fault.NotFound)
}

// A reference is the last part of a resource's path, unescaped: it stands when the calendar's own path changes, and servers
// escape the same name in several ways.

func hrefOf(at *url.URL, ref backend.Ref) *url.URL {
	u := *at
	u.Path, u.RawPath = at.Path+string(ref), at.EscapedPath()+url.PathEscape(string(ref))
	return &u
}

// refOf returns the reference of a member that an answer names; ok is false for the calendar itself and for folders in it.
func refOf(ms dav.Multistatus, href string) (ref backend.Ref, ok bool) {
	u, err := ms.Resolve(href)
	if err != nil {
		return "", false
	}
	if strings.TrimSuffix(u.Path, "/") == strings.TrimSuffix(ms.URL.Path, "/") {
		return "", false
	}
	p := u.EscapedPath()
	name, err := url.PathUnescape(p[strings.LastIndexByte(p, '/')+1:])
	if err != nil || name == "" {
		return "", false
	}
	return backend.Ref(name), true
}

// read returns one item; fault.NotFound if there is none.
func (b *caldav) read(ctx context.Context, at *url.URL, m calendar.Mailbox, ref backend.Ref) (object, backend.Item, error) {
	all, err := b.objects(ctx, at, []backend.Ref{ref}, nil)
	if err != nil {
		return object{}, backend.Item{}, err
	}
	if all[0].err != nil {
		return all[0], backend.Item{}, all[0].err
	}
	item, err := b.item(m, all[0])
	return all[0], item, err
}
