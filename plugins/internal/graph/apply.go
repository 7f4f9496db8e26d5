package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/joining"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// silent are the fields whose change Graph tells no attendee of.
const silent = calendar.FieldReminder

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Mail < calendar.MailNobody || m.Mail > calendar.MailConcerned {
		return backend.Result{}, fmt.Errorf("mail audience %d is not known: %w", m.Mail, fault.Invalid)
	}
	switch m.Op {
	case calendar.Create:
		return b.create(ctx, m)
	case calendar.Update:
		return b.update(ctx, m)
	case calendar.Delete:
		return b.delete(ctx, m)
	}
	return backend.Result{}, fmt.Errorf("mutation %d is not known: %w", m.Op, fault.Invalid)
}

// unsilenced is why a meeting is not touched when nobody is to be told.
func unsilenced(m calendar.Mutation, what string) error {
	return fmt.Errorf("%s in the calendar of %s was not done: Microsoft Graph mails the attendees of a meeting whenever it is made, "+
		"changed or deleted, and nobody was to be mailed. Let it go out with mail, or take the attendees off first: %w",
		what, m.Mailbox.Address, fault.Unsupported)
}

// hasGuests reports whether anybody is invited to an event, or to one occurrence of it.
func hasGuests(e calendar.Event) bool { return hasOthers(e, nil) }

// hasOthers reports whether anybody but the rooms is invited to an event, or to one occurrence of it.
func hasOthers(e calendar.Event, rooms []string) bool {
	other := func(a calendar.Attendee) bool {
		return !slices.ContainsFunc(rooms, func(r string) bool { return strings.EqualFold(r, a.Email) })
	}
	return slices.ContainsFunc(e.Attendees, other) || slices.ContainsFunc(e.Exceptions, func(x calendar.OccurrenceException) bool {
		return x.Event != nil && slices.ContainsFunc(x.Event.Attendees, other)
	})
}

// create makes an item, unless one with the key is there: nobody can know whether an earlier try got through. There was none
// where the host says so.
func (b *Backend) create(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Key == "" {
		return backend.Result{}, fmt.Errorf("an item without a key cannot be created safely: %w", fault.Invalid)
	}
	p, err := b.toGraph(m.Event, calendar.AllFields, calendar.Event{})
	if err != nil {
		return backend.Result{}, err
	}
	if err := p.series(m.Event); err != nil {
		return backend.Result{}, err
	}
	if !m.First {
		if there, ok, err := b.own(ctx, m.Mailbox, b.key.equals(m.Key), b.key, m.Key); err != nil || ok {
			return b.repeated(ctx, m, there, err)
		}
	}
	if m.Mail == calendar.MailNobody && hasGuests(m.Event) {
		return backend.Result{}, unsilenced(m, "making a meeting")
	}
	p.mark(b.key, m.Key)
	if series.Uninvited(calendar.Event{}, m.Event) {
		delete(p, "attendees") // they are invited when its exceptions are written
	} else if m.ForeignKey != "" {
		p.mark(b.foreign, m.ForeignKey)
	}
	return b.post(ctx, m, p)
}

// maxLives is how often an item with one key may be made anew after it was deleted, as long as the server remembers.
const maxLives = 8

// post creates an event. Its transactionId is the same for every try with a key, so that of two tries that both get through
// the second makes nothing. If the event that the first made has been deleted since, the next id is taken.
func (b *Backend) post(ctx context.Context, m calendar.Mutation, p patch) (backend.Result, error) {
	r := request{
		mailbox: m.Mailbox, doing: "creating an item in the calendar", method: http.MethodPost, target: user(m.Mailbox) + "/events",
		prefer: preferItems, body: p, ok: http.StatusCreated,
	}
	for life := range maxLives {
		p["transactionId"] = transactionID(m.Mailbox, m.Key, life)
		var e event
		header, err := b.do(ctx, r, &e)
		var dead bool
		switch refused, _ := errors.AsType[*refusal](err); {
		case err == nil:
			if e.ID == "" {
				return backend.Result{}, r.wrap(fmt.Errorf("the server did not say which it made: %w", fault.Unavailable))
			}
		case refused != nil && used(refused):
			there, ok, err := b.own(ctx, m.Mailbox, b.key.equals(m.Key), b.key, m.Key)
			if err != nil || ok {
				return b.repeated(ctx, m, there, err)
			}
			dead = true
		default:
			return backend.Result{}, err
		}
		if !dead && !m.First {
			// It may be one that an earlier try made, and that was deleted meanwhile.
			dead, err = b.leftOver(ctx, m.Mailbox, e, header)
			if err != nil {
				return backend.Result{}, err
			}
		}
		if !dead {
			return b.posted(ctx, m, e)
		}
	}
	return backend.Result{}, r.wrap(fmt.Errorf("the server takes it for one that was made and deleted before, again and again: %w", fault.Unavailable))
}

// afresh is how old an event can be, by the server's clock, that was made just now.
const afresh = 2 * time.Minute

// leftOver reports whether an event that a create was answered with was deleted: there is none, or it is older than the answer
// and not in the calendar. What is new is not looked for, as not to be made twice.
func (b *Backend) leftOver(ctx context.Context, m backend.Mailbox, e event, answer http.Header) (bool, error) {
	got, err := b.read(ctx, m, []string{e.ID})
	if err != nil {
		return false, err
	}
	if at, err := http.ParseTime(answer.Get("Date")); err == nil && !e.Created.IsZero() && at.Sub(e.Created) > afresh {
		if err := b.inCalendar(ctx, m, got); err != nil {
			return false, err
		}
	}
	return fault.Of(got[0].err) == fault.NotFound, nil
}

// used reports whether a create was refused because its transactionId was used before.
func used(r *refusal) bool {
	return strings.Contains(strings.ToLower(r.fault.Code), "transactionid") && (r.status == http.StatusConflict || r.status == http.StatusBadRequest)
}

// transactionID is a GUID that is always the same for a mailbox, a key and a life of the item.
func transactionID(m calendar.Mailbox, key string, life int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "roomwire transactionId %s %d %s", strings.ToLower(m.Address), life, key))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8, which is what one makes of it
	s := hex.EncodeToString(h[:16])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// posted reports what a create has made; of a series it writes the exceptions first.
func (b *Backend) posted(ctx context.Context, m calendar.Mutation, e event) (backend.Result, error) {
	if m.Event.Recurrence != "" {
		w, err := b.series(ctx, m.Mailbox, e.ID)
		if err != nil {
			return backend.Result{}, err
		}
		if series.Uninvited(calendar.Event{}, m.Event) && len(w.now.Event.Attendees) > 0 {
			return backend.Result{}, series.InvitedMeanwhile(m.Mailbox)
		}
		w.want = m.Event
		item, err := b.complete(ctx, m, w)
		return backend.Result{Item: item}, err
	}
	e.Properties = []extended{{ID: b.key.id(), Value: m.Key}, {ID: b.foreign.id(), Value: m.ForeignKey}} // which are not in the answer
	item, err := b.fromGraph(m.Mailbox, &e)
	if err != nil { // it is there all the same, as it was sent
		item = backend.Item{Ref: backend.Ref(e.ID), Revision: e.revision(), Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event}
	}
	if w, err := timesOf(m.Event); err == nil && w.mark != "" {
		item.Event.Zone = m.Event.Zone
	}
	return backend.Result{Item: item}, nil
}

// repeated reports an item that was there already. Where it is the series that was meant, and a write of its exceptions was cut off,
// they are completed; what anybody else has changed since is left as it is.
func (b *Backend) repeated(ctx context.Context, m calendar.Mutation, e event, err error) (backend.Result, error) {
	if err != nil {
		return backend.Result{}, err
	}
	w, err := b.writingOf(ctx, m.Mailbox, &e)
	if err != nil {
		return backend.Result{}, err
	}
	w.want = m.Event
	silenced := m.Mail == calendar.MailNobody && hasGuests(m.Event)
	unsent := unfinished(m, w.now) && series.Unsent(w.now, m.Event)
	if silenced || !unsent && !series.HalfDone(w.now, m.Event) {
		return backend.Result{Item: w.now, Repeated: true}, nil
	}
	item, err := b.complete(ctx, m, w)
	return backend.Result{Item: item, Repeated: err == nil}, err
}

// own returns the mailbox's own item that bears a marker: the oldest, as copies bear it too, and one that was called off only if there is no
// other. Attendees' copies of somebody else's meeting, which may bear it as well, are not meant.
func (b *Backend) own(ctx context.Context, m backend.Mailbox, filter string, p property, value string) (event, bool, error) {
	found, err := b.search(ctx, m, filter)
	if err != nil {
		return event{}, false, err
	}
	off := -1 // called off, perhaps when it was deleted, and brought back
	for i, one := range found {
		switch {
		case one.value(p) != value || one.IsOrganizer != nil && !*one.IsOrganizer:
		case !one.Cancelled:
			return one.event, true, nil
		case off < 0:
			off = i
		}
	}
	if off >= 0 {
		return found[off].event, true, nil
	}
	return event{}, false, nil
}

// update writes the chosen fields of an item, as far as it does not say the same already.
func (b *Backend) update(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if _, err := b.toGraph(m.Event, m.Fields, calendar.Event{}); err != nil {
		return backend.Result{}, err
	}
	e, err := b.current(ctx, m)
	if err != nil {
		return backend.Result{}, err
	}
	w, err := b.writingFor(ctx, m, &e)
	if err != nil {
		return backend.Result{}, err
	}
	now := w.now
	if err := writable(m, now); err != nil {
		return backend.Result{}, err
	}
	if m.Remark {
		return b.remark(ctx, m, e, now)
	}
	todo := series.Changing(now.Event, m.Event, m.Fields&^now.Omits)
	if err := movable(m, now, todo); err != nil {
		return backend.Result{}, err
	}
	met := hasOthers(now.Event, m.Rooms) || hasOthers(series.Overlay(now.Event, m.Event, todo), m.Rooms)
	if m.Mail == calendar.MailNobody && met && todo&^silent != 0 {
		return backend.Result{}, unsilenced(m, "changing a meeting ("+(todo&^silent).String()+")")
	}
	w.want = series.Overlay(now.Event, m.Event, m.Fields&^now.Omits)
	if !todo.Has(calendar.FieldRecurrence) {
		w.want = series.Overlay(now.Event, m.Event, todo)
		w.want.Exceptions = series.Follow(now.Event, w.want, todo)
	}
	late := series.Uninvited(now.Event, w.want)
	rest, foreign := todo, m.ForeignKey
	if late { // the guests come last
		rest, foreign = todo&^series.Guests, ""
	}
	p, err := b.toGraph(m.Event, rest, now.Event)
	if err != nil {
		return backend.Result{}, err
	}
	if foreign != "" && now.ForeignKey == "" {
		p.mark(b.foreign, foreign)
	}
	if rest.Has(calendar.FieldBody) && e.joinable() {
		if err := b.keepJoining(ctx, m, &e, p); err != nil {
			return backend.Result{}, err
		}
	}
	if late || todo.Has(calendar.FieldRecurrence) || now.Kind == calendar.Master && todo.Has(calendar.FieldTime) {
		return b.updateSeries(ctx, m, w, p)
	}
	if len(p) == 0 {
		return backend.Result{Item: now}, nil
	}
	written, err := b.patch(ctx, m.Mailbox, e.ID, e.ETag, p)
	if err != nil {
		return backend.Result{}, err
	}
	if now.Event.Recurrence != "" && slices.ContainsFunc(now.Event.Exceptions, func(x calendar.OccurrenceException) bool { return x.Event != nil }) {
		// What they had in common with it they take over, where the server did not see to that.
		return b.written(ctx, m, w)
	}
	return backend.Result{Item: b.patched(m, now, written, todo)}, nil
}

// remark gives an event other markers. They are no part of an invitation: a PATCH of nothing else mails nobody.
func (b *Backend) remark(ctx context.Context, m calendar.Mutation, e event, now backend.Item) (backend.Result, error) {
	if now.Key == m.Key && now.ForeignKey == m.ForeignKey {
		return backend.Result{Item: now}, nil
	}
	p := patch{}
	p.mark(b.key, m.Key)
	p.mark(b.foreign, m.ForeignKey)
	written, err := b.patch(ctx, m.Mailbox, e.ID, e.ETag, p)
	if err != nil {
		return backend.Result{}, err
	}
	now.Ref, now.Key, now.ForeignKey, now.Revision = backend.Ref(written.ID), m.Key, m.ForeignKey, written.revision()
	return backend.Result{Item: now}, nil
}

// patch writes properties of an event, if it is still the one with the given ETag; empty skips that.
func (b *Backend) patch(ctx context.Context, m backend.Mailbox, id, etag string, p patch) (event, error) {
	r := request{
		mailbox: m, doing: "changing an item in the calendar", method: http.MethodPatch, target: eventPath(m, id),
		prefer: preferItems, match: etag, body: p, ok: http.StatusOK, item: true,
	}
	var e event
	_, err := b.do(ctx, r, &e)
	if refused, ok := errors.AsType[*refusal](err); ok && etag != "" && refused.coded &&
		(refused.status == http.StatusPreconditionFailed || refused.status == http.StatusConflict) {
		err = refused.as(fault.Conflict)
	}
	if err == nil && e.ID == "" {
		err = r.wrap(fmt.Errorf("the answer holds no event: %w", fault.Unavailable))
	}
	return e, err
}

// patched is the item as an update left it. The answer to one does not tell the markers, and of a series no exceptions.
func (b *Backend) patched(m calendar.Mutation, now backend.Item, e event, todo calendar.Fields) backend.Item {
	item, err := b.fromGraph(m.Mailbox, &e)
	if err != nil { // the write stands all the same
		item = now
		item.Event, item.Revision = series.Overlay(now.Event, m.Event, todo), ""
		return item
	}
	item.Key, item.ForeignKey = now.Key, now.ForeignKey
	if item.ForeignKey == "" {
		item.ForeignKey = m.ForeignKey
	}
	item.Event.Recurrence, item.Event.Exceptions = now.Event.Recurrence, now.Event.Exceptions
	item.Omits |= now.Omits & calendar.FieldRecurrence
	from := now.Event // whose zone it has, unless it was written
	if todo.Has(calendar.FieldTime) {
		from = m.Event
	}
	if w, err := timesOf(from); err == nil && w.mark != "" {
		item.Event.Zone = from.Zone
	}
	return item
}

// keepJoining has a new text written above the part of an online meeting's body that says how to join it. Where that cannot
// be found, the body is left as it is.
func (b *Backend) keepJoining(ctx context.Context, m calendar.Mutation, of *event, p patch) error {
	r := request{
		mailbox: m.Mailbox, doing: "reading the text of an item in the calendar", method: http.MethodGet,
		target: eventPath(m.Mailbox, of.ID) + query("$select", "body"), prefer: preferHTML, ok: http.StatusOK, item: true,
	}
	var e event
	if _, err := b.do(ctx, r, &e); err != nil {
		return err
	}
	delete(p, "body")
	if e.Body == nil {
		return nil
	}
	if page, ok := joining.Within(e.Body.Content, m.Event.Body, of.OnlineMeeting); ok {
		p["body"] = body{Type: "html", Content: page}
	}
	return nil
}

// current returns the event to update as it is now. When the reference leads nowhere the item may have been moved to another
// place and back: then it is found by its markers. An id leads to Deleted Items as well; that the revision is the expected one
// says that the item is where it was, but mails are not sent on the strength of that.
func (b *Backend) current(ctx context.Context, m calendar.Mutation) (event, error) {
	got, err := b.read(ctx, m.Mailbox, []string{string(m.Ref)})
	if err != nil {
		return event{}, err
	}
	if m.IfRevision == "" || !m.Remark && (m.Mail != calendar.MailNobody || len(m.Rooms) > 0) && len(got[0].Attendees) > 0 {
		if err := b.inCalendar(ctx, m.Mailbox, got); err != nil {
			return event{}, err
		}
	}
	now, gone := got[0].event, got[0].err
	if fault.Of(gone) != fault.NotFound || m.Remark {
		if gone == nil && m.IfRevision != "" && now.revision() != m.IfRevision {
			return now, fmt.Errorf("the item in the calendar of %s was changed meanwhile: %w", m.Mailbox.Address, fault.Conflict)
		}
		return now, gone
	}
	for _, one := range []struct {
		property
		value string
	}{{b.key, m.Key}, {b.foreign, m.ForeignKey}} {
		if one.value == "" {
			continue
		}
		moved, ok, err := b.own(ctx, m.Mailbox, one.equals(one.value), one.property, one.value)
		if err == nil && ok && m.IfRevision != "" && moved.revision() != m.IfRevision {
			// It may be a copy that somebody made and edited: the host is to look before anything is written.
			err = fmt.Errorf("the item in the calendar of %s was moved meanwhile: %w", m.Mailbox.Address, fault.Conflict)
		}
		if err != nil || ok {
			return moved, err
		}
	}
	return event{}, gone
}

// writable refuses what only the organizer may change.
func writable(m calendar.Mutation, now backend.Item) error {
	if !now.ReadOnly {
		return nil
	}
	return fmt.Errorf("the item in the calendar of %s is an attendee's copy; only the organizer may change the meeting: %w",
		m.Mailbox.Address, fault.Forbidden)
}

// movable refuses to give a series other times without its rule.
func movable(m calendar.Mutation, now backend.Item, todo calendar.Fields) error {
	if now.Kind != calendar.Master || !todo.Has(calendar.FieldTime) || (m.Fields &^ now.Omits).Has(calendar.FieldRecurrence) {
		return nil
	}
	return fmt.Errorf("moving a whole series in the calendar of %s would damage it: %w", m.Mailbox.Address, fault.Unsupported)
}

// delete moves an item to Deleted Items. One that is gone, or there already, is no error; a copy with the same marker is not
// touched.
func (b *Backend) delete(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	done := backend.Result{Item: backend.Item{Ref: m.Ref}}
	got, err := b.read(ctx, m.Mailbox, []string{string(m.Ref)})
	if err == nil {
		err = b.inCalendar(ctx, m.Mailbox, got)
	}
	if err != nil {
		return backend.Result{}, err
	}
	e, err := got[0].event, got[0].err
	if fault.Of(err) == fault.NotFound {
		done.Repeated = true
		return done, nil
	}
	if err != nil {
		return backend.Result{}, err
	}
	look := b.fromGraph
	if m.Mail == calendar.MailNobody { // occurrences may have guests of their own
		look = func(at backend.Mailbox, e *event) (backend.Item, error) { return b.item(ctx, at, e) }
	}
	now, err := look(m.Mailbox, &e)
	if err == nil {
		err = writable(m, now)
	}
	if err != nil {
		return backend.Result{}, err
	}
	if m.Mail == calendar.MailNobody && hasGuests(now.Event) {
		return backend.Result{}, unsilenced(m, "deleting a meeting")
	}
	err = b.erase(ctx, m.Mailbox, e.ID)
	if done.Repeated = fault.Of(err) == fault.NotFound; err != nil && !done.Repeated {
		return backend.Result{}, err
	}
	return done, nil
}

func (b *Backend) erase(ctx context.Context, m backend.Mailbox, id string) error {
	_, err := b.do(ctx, request{
		mailbox: m, doing: "deleting an item in the calendar", method: http.MethodDelete, target: eventPath(m, id), ok: http.StatusNoContent,
		item: true,
	}, nil)
	return err
}
