package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
	"github.com/roomwire/roomwire/examples/backend-caldav/internal/ics"
)

// overtaken is how often an update without IfRevision is written anew because somebody else wrote in between.
const overtaken = 3

// Apply implements backend.Backend.
//
// Who is told: a CalDAV server either schedules, which means that it tells attendees of what the organizer writes (RFC 6638),
// or tells nobody. So MailAll and MailConcerned leave it to the server, and it decides whose invitation a change concerns.
// MailNobody marks the attendees that are written as SCHEDULE-AGENT=CLIENT, which keeps the server from telling them. It
// cannot be put on afterwards, as the server would tell them then that they are no longer invited; so what concerns
// attendees whom the server looks after cannot be written, or deleted, silently: Unsupported.
func (b *caldav) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Mail < calendar.MailNobody || m.Mail > calendar.MailConcerned {
		return backend.Result{}, fmt.Errorf("mail audience %d is not known: %w", m.Mail, fault.Invalid)
	}
	at, err := b.place(ctx, m.Mailbox)
	if err != nil {
		return backend.Result{}, err
	}
	switch m.Op {
	case calendar.Create:
		return b.create(ctx, at, m)
	case calendar.Update:
		return b.update(ctx, at, m)
	case calendar.Delete:
		return b.delete(ctx, at, m)
	}
	return backend.Result{}, fmt.Errorf("mutation %d is not known: %w", m.Op, fault.Invalid)
}

func (b *caldav) change(m calendar.Mutation) ics.Change {
	return ics.Change{
		Event: m.Event, Fields: m.Fields, Key: m.Key, ForeignKey: m.ForeignKey, Remark: m.Remark, Mail: m.Mail, Owner: m.Mailbox.Address, Now: b.now(),
	}
}

// nameOf returns the name of the resource that is made for a key: always the same, so that the server itself refuses a second
// one.
func nameOf(key string) backend.Ref { return backend.Ref(sum(key)[:32] + ".ics") }

// create makes an event, unless one with the key is there.
func (b *caldav) create(ctx context.Context, at *url.URL, m calendar.Mutation) (backend.Result, error) {
	if m.Key == "" {
		return backend.Result{}, fmt.Errorf("an event without a key cannot be created safely: %w", fault.Invalid)
	}
	text, err := b.ics.New(b.change(m))
	if err != nil {
		return backend.Result{}, err
	}
	if !m.First {
		if there, found, err := b.own(ctx, at, m); err != nil || found {
			return backend.Result{Item: there, Repeated: found}, err
		}
	}
	ref := nameOf(m.Key)
	err = b.dav.Put(ctx, hrefOf(at, ref), dav.NewResource(), text)
	if fault.Of(err) == fault.Conflict {
		// One of that name is there, or one with that UID lies elsewhere.
		there, found, lookErr := b.own(ctx, at, m)
		if lookErr != nil || found {
			return backend.Result{Item: there, Repeated: found}, lookErr
		}
		return backend.Result{}, fmt.Errorf("the server refuses another event with this UID, and this calendar has none that bears the key; perhaps another calendar of %s does: %s: %w",
			m.Mailbox.Address, err.Error(), fault.Invalid)
	}
	if err != nil {
		return backend.Result{}, err
	}
	return b.written(ctx, at, m, ref)
}

// own returns the calendar's own event that bears the mutation's key; an invitation that bears it is somebody else's.
func (b *caldav) own(ctx context.Context, at *url.URL, m calendar.Mutation) (backend.Item, bool, error) {
	found, err := b.find(ctx, at, m.Mailbox, search{backend.OurKey, m.Key})
	i := slices.IndexFunc(found, func(it backend.Item) bool { return !it.ReadOnly })
	if err != nil || i < 0 {
		return backend.Item{}, false, err
	}
	return found[i], true, nil
}

// written returns an event that was just written, as the server has it. Where it cannot be read the write is as good as
// unknown; whoever repeats it does no harm.
func (b *caldav) written(ctx context.Context, at *url.URL, m calendar.Mutation, ref backend.Ref) (backend.Result, error) {
	_, item, err := b.read(ctx, at, m.Mailbox, ref)
	if fault.Of(err) == fault.NotFound && m.Op == calendar.Create {
		err = fmt.Errorf("what was just written is not there: %s: %w", err.Error(), fault.Unavailable)
	}
	return backend.Result{Item: item}, err
}

// update writes the chosen fields of an event, if it is still as it was read.
func (b *caldav) update(ctx context.Context, at *url.URL, m calendar.Mutation) (backend.Result, error) {
	for range overtaken {
		now, item, err := b.read(ctx, at, m.Mailbox, m.Ref)
		switch {
		case err != nil:
			return backend.Result{}, err
		case item.ReadOnly:
			return backend.Result{}, notOrganizer(m)
		case m.IfRevision != "" && m.IfRevision != now.etag:
			return backend.Result{}, changed(m)
		}
		c, err := b.ics.Change(now.text, b.change(m))
		if err != nil {
			return backend.Result{}, fmt.Errorf("%s in the calendar of %s: %w", m.Ref, m.Mailbox.Address, err)
		}
		if c.Text == nil {
			return backend.Result{Item: item}, nil
		}
		if c.Informs {
			if err := b.silently(ctx, at, m); err != nil {
				return backend.Result{}, err
			}
		}
		err = b.dav.Put(ctx, hrefOf(at, m.Ref), dav.Same(now.etag), c.Text)
		if fault.Of(err) == fault.Conflict && dav.Code(err) != dav.UIDConflict {
			if m.IfRevision != "" {
				return backend.Result{}, b.really(ctx, at, m, err)
			}
			continue
		}
		if err != nil {
			return backend.Result{}, err
		}
		return b.written(ctx, at, m, m.Ref)
	}
	return backend.Result{}, changed(m)
}

// really finds out why a write was refused although the event was as expected just before: it has changed since, it is gone,
// or the server does not keep to its own ETags.
func (b *caldav) really(ctx context.Context, at *url.URL, m calendar.Mutation, refused error) error {
	now, _, err := b.read(ctx, at, m.Mailbox, m.Ref)
	switch {
	case err != nil:
		return err
	case now.etag != m.IfRevision:
		return changed(m)
	}
	return fmt.Errorf("the server refuses the ETag that it gives itself: %s: %w", refused.Error(), fault.Unavailable)
}

func changed(m calendar.Mutation) error {
	return fmt.Errorf("%s in the calendar of %s was changed meanwhile: %w", m.Ref, m.Mailbox.Address, fault.Conflict)
}

func notOrganizer(m calendar.Mutation) error {
	return fmt.Errorf("%s in the calendar of %s is an attendee's copy; only the organizer may change the event: %w", m.Ref, m.Mailbox.Address, fault.Forbidden)
}

// silently reports fault.Unsupported if the server tells attendees of what is written.
func (b *caldav) silently(ctx context.Context, at *url.URL, m calendar.Mutation) error {
	features, err := b.dav.Features(ctx, at)
	if err != nil {
		return calendarGone(err)
	}
	if slices.Contains(features, "calendar-auto-schedule") {
		return fmt.Errorf("the server tells the attendees of %s in the calendar of %s of every change, and nobody is to be told: %w",
			m.Ref, m.Mailbox.Address, fault.Unsupported)
	}
	return nil
}

// delete removes an event. One that is gone is no error. No Schedule-Reply header is needed (RFC 6638 8.1): it is about answers
// to the organizer, and an attendee's copy is not touched.
func (b *caldav) delete(ctx context.Context, at *url.URL, m calendar.Mutation) (backend.Result, error) {
	done := backend.Result{Item: backend.Item{Ref: m.Ref}}
	now, item, err := b.read(ctx, at, m.Mailbox, m.Ref)
	switch {
	case errors.Is(err, fault.NotFound):
		done.Repeated = true
		return done, nil
	case err != nil:
		return backend.Result{}, err
	case item.ReadOnly:
		return backend.Result{}, notOrganizer(m)
	}
	if m.Mail == calendar.MailNobody && b.ics.Informs(now.text) {
		if err := b.silently(ctx, at, m); err != nil {
			return backend.Result{}, err
		}
	}
	err = b.dav.Delete(ctx, hrefOf(at, m.Ref))
	if done.Repeated = fault.Of(err) == fault.NotFound; err != nil && !done.Repeated {
		return backend.Result{}, err
	}
	return done, nil
}
