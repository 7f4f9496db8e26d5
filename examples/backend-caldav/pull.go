package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
)

const (
	// syncLimit is how many changes a server is asked for at once.
	syncLimit = 1000
	// maxAnswers bounds a pull: a server that goes on is going round in circles.
	maxAnswers = 4096
	// maxPage bounds what one page says, in bytes of the objects: it travels as one message.
	maxPage = 4 << 20
)

// A cursor says how the calendar is read and how far. It is good for one calendar only: most servers would take the token of
// another one for their own.
type cursor struct {
	tokens bool   // read by sync-collection; else by comparing
	mark   string // the server's token, or the sum of all ETags
}

func (c cursor) at(u *url.URL) backend.Cursor {
	kind := "list"
	if c.tokens {
		kind = "sync"
	}
	return backend.Cursor(strings.Join([]string{kind, sum(u.String())[:12], c.mark}, " "))
}

func parseCursor(s backend.Cursor, u *url.URL) (cursor, error) {
	p := strings.SplitN(string(s), " ", 3)
	if len(p) != 3 || p[1] != sum(u.String())[:12] || p[0] != "sync" && p[0] != "list" {
		return cursor{}, fmt.Errorf("the cursor is not one of this calendar: %w", fault.StateExpired)
	}
	return cursor{tokens: p[0] == "sync", mark: p[2]}, nil
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// A pull reads the changes of one calendar.
type pull struct {
	*caldav
	mailbox backend.Mailbox
	at      *url.URL
	full    bool
	emit    func(backend.Page) error
}

// Pull implements backend.Backend: by sync-collection (RFC 6578) where the server has it, else by comparing all ETags.
func (b *caldav) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	at, err := b.place(ctx, req.Mailbox)
	if err != nil {
		return err
	}
	p := pull{caldav: b, mailbox: req.Mailbox, at: at, full: req.Since == "", emit: emit}
	since, stale := cursor{}, error(nil)
	if !p.full {
		since, stale = parseCursor(req.Since, at)
		switch {
		case stale != nil: // but first it must be there: what cannot be reached is not asked about anew
		case since.tokens:
			return p.sync(ctx, since.mark)
		default:
			return p.compare(ctx, since.mark)
		}
	}
	ms, err := b.dav.Propfind(ctx, at, "0", dav.Type, dav.Reports)
	if err != nil {
		return calendarGone(err)
	}
	if !ms.Self().IsCalendar() {
		return notCalendar(at, req.Mailbox)
	}
	if stale != nil {
		return stale
	}
	if can, told := ms.Self().Syncs(); can || !told {
		err := p.sync(ctx, "")
		if can || fault.Of(err) != fault.Unsupported {
			return err
		}
	}
	return p.compare(ctx, "")
}

// sync goes from token to token until the server has no more to tell.
func (p pull) sync(ctx context.Context, token string) error {
	limit := p.limit
	for range maxAnswers {
		ms, err := p.dav.Report(ctx, p.at, "0", dav.Sync(token, limit))
		switch {
		case dav.Code(err) == dav.InsufficientStorage && limit > 0, dav.Code(err) == "number-of-matches-within-limits" && limit > 0:
			limit = 0 // it cannot leave off where it is asked to (RFC 6578 3.7); then all at once
			continue
		case fault.Of(err) == fault.StateExpired && token == "":
			// There is none to begin anew from: saying so would have the host try without end.
			return fmt.Errorf("%s, though no token was given: %w", err.Error(), fault.Unavailable)
		case err != nil:
			return calendarGone(err)
		}
		changes, more := p.members(ms)
		if ms.SyncToken == "" || more && ms.SyncToken == token {
			return fmt.Errorf("the server gave no new sync-token for %s: %w", p.at.Path, fault.Unavailable)
		}
		// A page in between is gone on from where this answer began: it is read once more, which does no harm.
		before := backend.Cursor("")
		if token != "" {
			before = cursor{true, token}.at(p.at)
		}
		if err := p.tell(ctx, changes, before, cursor{true, ms.SyncToken}.at(p.at), !more); err != nil || !more {
			return err
		}
		token = ms.SyncToken
	}
	return fmt.Errorf("the changes in the calendar of %s do not come to an end: %w", p.mailbox.Address, fault.Unavailable)
}

// members returns what a sync-collection report says; more is true if it says that it left off (RFC 6578 3.6).
func (p pull) members(ms dav.Multistatus) (changes []backend.Change, more bool) {
	at := map[backend.Ref]int{}
	for _, r := range ms.Responses {
		for _, href := range r.Hrefs {
			if r.Code() == http.StatusInsufficientStorage {
				more = true
				continue
			}
			ref, ok := refOf(ms, href)
			if !ok {
				continue
			}
			ch := backend.Change{Ref: ref, Deleted: r.Code() == http.StatusNotFound || r.Code() == http.StatusGone}
			if i, twice := at[ref]; twice { // the last one holds
				changes[i] = ch
				continue
			}
			at[ref] = len(changes)
			changes = append(changes, ch)
		}
	}
	return changes, more
}

// compare lists the whole calendar. The sum of all ETags tells that something changed, not what: then the host is to read
// everything anew.
func (p pull) compare(ctx context.Context, since string) error {
	refs, mark, err := p.list(ctx, p.at)
	if err != nil {
		return err
	}
	next := cursor{false, mark}.at(p.at)
	switch since {
	case "":
	case mark:
		return p.emit(backend.Page{Next: next, Last: true})
	default:
		return fmt.Errorf("the calendar has changed, and the server cannot say what: %w", fault.StateExpired)
	}
	changes := make([]backend.Change, len(refs))
	for i, ref := range refs {
		changes[i].Ref = ref
	}
	return p.tell(ctx, changes, "", next, true)
}

// list returns everything in a calendar, and a sum that changes with it.
func (b *caldav) list(ctx context.Context, at *url.URL) (refs []backend.Ref, mark string, err error) {
	ms, err := b.dav.Propfind(ctx, at, "1", dav.ETag, dav.Type)
	if err != nil {
		return nil, "", calendarGone(err)
	}
	var lines []string
	for _, r := range ms.Responses {
		if c := r.Code(); c != 0 && c/100 != 2 {
			return nil, "", fmt.Errorf("the server lists %s only in part (HTTP %d): %w", at.Path, c, fault.Unavailable)
		}
		p, found := r.Found()
		for _, href := range r.Hrefs {
			ref, ok := refOf(ms, href)
			if !ok || found && p.IsCollection() {
				continue
			}
			refs = append(refs, ref)
			lines = append(lines, string(ref)+" "+p.ETag)
		}
	}
	slices.Sort(lines)
	return refs, sum(strings.Join(lines, "\n")), nil
}

// tell emits changes in pages, each of what one request reads. The last of them ends at after.
func (p pull) tell(ctx context.Context, changes []backend.Change, before, after backend.Cursor, last bool) error {
	for len(changes) > p.settings.Batch {
		read, rest, err := p.fill(ctx, changes[:p.settings.Batch])
		if err != nil {
			return err
		}
		if err := p.emit(backend.Page{Changes: read, Next: before, Full: p.full}); err != nil {
			return err
		}
		changes = append(rest, changes[p.settings.Batch:]...)
	}
	for {
		read, rest, err := p.fill(ctx, changes)
		if err != nil {
			return err
		}
		page := backend.Page{Changes: read, Next: before, Full: p.full}
		if len(rest) == 0 {
			page.Next, page.Last = after, last
		}
		if err := p.emit(page); err != nil || len(rest) == 0 {
			return err
		}
		changes = rest
	}
}

// fill reads in full what bears a marker; of everything else it asks for the markers alone. What would make the page too
// large is returned as the rest.
func (p pull) fill(ctx context.Context, changes []backend.Change) (read, rest []backend.Change, err error) {
	var there []backend.Ref
	for _, ch := range changes {
		if !ch.Deleted {
			there = append(there, ch.Ref)
		}
	}
	looked, err := p.objects(ctx, p.at, there, p.ics.Properties())
	if err != nil {
		return nil, nil, err
	}
	by := map[backend.Ref]object{}
	var ours []backend.Ref
	for _, o := range looked {
		by[o.ref] = o
		if o.err == nil && p.ics.Marks(o.text).Any() {
			ours = append(ours, o.ref)
		}
	}
	full, err := p.objects(ctx, p.at, ours, nil)
	if err != nil {
		return nil, nil, err
	}
	size := 0
	for _, o := range full {
		by[o.ref] = o
	}
	for i, ch := range changes {
		o, asked := by[ch.Ref]
		switch {
		case !asked:
		case o.err != nil: // the server says that it is gone by now
			ch.Deleted = true
		case slices.Contains(ours, ch.Ref):
			if size += len(o.text); size > maxPage && len(read) > 0 {
				return read, changes[i:], nil
			}
			item, err := p.item(p.mailbox, o)
			if err != nil {
				return nil, nil, err
			}
			if item.Key != "" || item.ForeignKey != "" { // it may have lost them meanwhile
				ch.Item = &item
			}
		}
		read = append(read, ch)
	}
	return read, nil, nil
}
