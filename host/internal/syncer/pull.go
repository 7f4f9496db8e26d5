package syncer

import (
	"context"
	"errors"
	"slices"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func (e *Engine) reconcileDue(p *pass) bool {
	return p.mb.ReconcileAt.IsZero() || !p.mb.ReconcileAt.After(e.now()) || p.mb.Cursor == "" && !p.mb.RoundOpen
}

// pull reads what changed and settles every page together with its cursor.
func (e *Engine) pull(ctx context.Context, p *pass) error {
	if e.reconcileDue(p) && !p.mb.RoundOpen {
		if done, err := e.reconcileUnread(ctx, p); err != nil || done {
			return err // what has not changed since it was read in full has nothing new to tell either
		}
		if err := e.beginRound(ctx, p); err != nil {
			return err
		}
	}
	if p.mb.RoundOpen && p.mb.Cursor == "" {
		p.begun, p.told = true, false // also where an earlier pass wanted to, and the server told it nothing
	}
	for attempt := 0; ; attempt++ {
		req := backend.PullRequest{Mailbox: p.mailbox, Since: calendar.Cursor(p.mb.Cursor), Everything: p.isRoom()}
		err := p.mode.Backend.Pull(ctx, req, func(page backend.Page) error {
			if p.isRoom() {
				return e.roomPage(ctx, p, page)
			}
			return e.page(ctx, p, page)
		})
		if p.stopped != nil {
			return p.stopped // our own fault comes back from the plugin without its type
		}
		if errors.Is(err, fault.StateExpired) && attempt == 0 {
			e.Log.Info("the server no longer knows the sync state; the calendar is read in full",
				"tenant", p.mb.Tenant, "person", p.mb.Person)
			if err := e.beginRound(ctx, p); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return nil
	}
}

// beginRound makes the next pull a full read. Items that it does not mention by its end are gone.
func (e *Engine) beginRound(ctx context.Context, p *pass) error {
	state, err := e.calendarState(ctx, p, "")
	if err != nil {
		return err
	}
	p.begun, p.told = true, false
	return e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		p.mb.Round++
		p.mb.RoundOpen, p.mb.Cursor = true, ""
		p.mb.DriftNext = state // from before it is read: what happens meanwhile makes another one
		// Set now, not at the end: who wants another full read while this one is under way sets it to zero again.
		p.mb.ReconcileAt = e.now().Add(e.limits().ReconcileInterval)
		return tx.SaveMailbox(ctx, p.mb)
	})
}

// page settles one page of changes and stores it with its cursor in one transaction.
func (e *Engine) page(ctx context.Context, p *pass, page backend.Page) error {
	fetched, err := e.unmarked(ctx, p, page)
	if err != nil {
		return err
	}
	for _, ch := range page.Changes {
		e.learnGroups(ctx, p, ch.Item, fetched[ch.Ref])
		for _, item := range []*calendar.Item{ch.Item, fetched[ch.Ref]} {
			if err := e.learnReasons(ctx, p, item); err != nil {
				return err
			}
		}
	}
	p.told = p.told || slices.ContainsFunc(page.Changes, func(ch backend.Change) bool { return !ch.Deleted })
	before, mass, changes := p.mb, p.mass, p.changes
	var marks []string
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		marks, before = nil, p.mb
		p.mass, p.changes = mass, changes
		if err := e.weighChanges(ctx, tx, p, page, fetched); err != nil {
			return err
		}
		for _, ch := range page.Changes {
			item := ch.Item
			if item == nil && fetched[ch.Ref] != nil {
				item = fetched[ch.Ref]
			}
			if err := e.change(ctx, tx, p, ch, item); err != nil {
				return err
			}
			stray, err := strayMarks(ctx, tx, p, ch)
			if err != nil {
				return err
			}
			marks = append(marks, stray...)
		}
		p.mb.Cursor = string(page.Next)
		if page.Last && p.mb.RoundOpen {
			p.mb.RoundOpen = false
			p.mb.Drift, p.mb.DriftNext, p.mb.DriftAt = p.mb.DriftNext, "", e.now()
			if err := e.unseen(ctx, tx, p); err != nil {
				return err
			}
			if p.begun && !p.told {
				if err := e.fill(ctx, tx, p); err != nil {
					return err
				}
			}
		}
		e.Failpoint("page:settled")
		return tx.SaveMailbox(ctx, p.mb)
	})
	if err != nil {
		p.stopped = err
		return err
	}
	e.strays.page(before, p.mb, marks)
	p.advanced = p.advanced || len(page.Changes) > 0
	e.Failpoint("page:stored")
	return nil
}

// unmarked reads the linked items of a page that came without their content: somebody took their markers away, or
// they were adopted.
func (e *Engine) unmarked(ctx context.Context, p *pass, page backend.Page) (map[calendar.Ref]*calendar.Item, error) {
	var refs []calendar.Ref
	for _, ch := range page.Changes {
		if ch.Deleted || ch.Item != nil {
			continue
		}
		if _, linked, err := e.Store.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ch.Ref); err != nil {
			p.stopped = ours(err)
			return nil, p.stopped
		} else if linked {
			refs = append(refs, ch.Ref)
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	got, err := p.mode.Backend.Fetch(ctx, p.mailbox, refs)
	if err != nil {
		return nil, err
	}
	items := map[calendar.Ref]*calendar.Item{}
	for i := range got {
		switch {
		case got[i].Err == nil:
			items[refs[i]] = &got[i].Item
		case errors.Is(got[i].Err, fault.NotFound): // its deletion follows
		default:
			return nil, got[i].Err
		}
	}
	return items, nil
}

// unseen marks the links whose item a complete read did not mention.
func (e *Engine) unseen(ctx context.Context, tx *store.Tx, p *pass) error {
	links, err := tx.LinksUnseen(ctx, p.mb.Tenant, p.mb.Person, p.mb.Round)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.GoneAt.IsZero() {
			l.GoneAt = e.now()
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// change settles one change of a calendar.
func (e *Engine) change(ctx context.Context, tx *store.Tx, p *pass, ch backend.Change, item *calendar.Item) error {
	link, linked, err := tx.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ch.Ref)
	if err != nil {
		return err
	}
	switch {
	case ch.Deleted && linked:
		link.GoneAt = e.now()
		return tx.PutLink(ctx, link)
	case ch.Deleted:
		return e.closeStray(ctx, tx, p.mb, ch.Ref)
	case item == nil && linked:
		return e.seen(ctx, tx, p, &link) // vanished between the two reads
	case item == nil, item.ReadOnly && !linked:
		return nil // a person's own affair, or an invitation
	case linked:
		return e.pairItem(ctx, tx, p, link, item)
	case item.Key != "":
		return e.byKey(ctx, tx, p, item)
	case item.ForeignKey != "":
		return e.byForeignKey(ctx, tx, p, item)
	}
	return nil
}

func (e *Engine) seen(ctx context.Context, tx *store.Tx, p *pass, l *store.Link) error {
	l.SeenRound, l.Epoch, l.GoneAt = p.mb.Round, p.mb.Epoch, zeroTime
	return tx.PutLink(ctx, *l)
}

// pairItem settles a link with its item.
func (e *Engine) pairItem(ctx context.Context, tx *store.Tx, p *pass, l store.Link, item *calendar.Item) error {
	if leftByMove(l) {
		if err := e.refound(ctx, tx, &l); err != nil {
			return err
		}
		l.Ref = item.Ref // it is the link's own, and nothing to be adopted
	}
	adopted, how := strange(l), "found in the calendar by its marker"
	if item.Key == "" && item.ForeignKey == "" && l.UID != "" {
		how = "found in the calendar by its UID"
	}
	if adopted {
		if err := e.adopt(ctx, tx, &l, item); err != nil {
			return err
		}
	}
	if err := e.identified(ctx, tx, l, item.Event.UID); err != nil {
		return err
	}
	l.Ref, l.Revision, l.UID = item.Ref, item.Revision, item.Event.UID
	l.SeenRound, l.Epoch, l.GoneAt = p.mb.Round, p.mb.Epoch, zeroTime
	pr, err := pairUp(ctx, tx, l)
	if err != nil {
		return err
	}
	if why := untouchable(item, pr.booking); why != "" {
		return e.leaveAlone(ctx, tx, &pr, why, item)
	}
	if pr.booking != nil && pr.booking.SyncDisabled {
		return tx.PutLink(ctx, l)
	}
	if item.Event.Cancelled {
		pr.link.GoneAt = e.now()
		return tx.PutLink(ctx, pr.link)
	}
	pr.item, pr.mode, pr.mass, pr.reasons = item, p.mode.Name, p.mass, p.reasons[item.Ref]
	if l.Quarantine != 0 {
		pr.mass = l.Quarantine
	}
	v, err := e.settle(ctx, tx, &pr)
	if err != nil || v.aside {
		return err
	}
	if v.BookingFields != 0 {
		p.changes++
	}
	if err := e.hear(ctx, tx, &pr); err != nil {
		return err
	}
	if err := e.fulfilled(ctx, tx, &pr, v); err != nil {
		return err
	}
	if adopted {
		return e.record(ctx, tx, l.Tenant, l.Person, l.Booking, "item linked", how)
	}
	return nil
}

// fulfilled ends the intent of a pair both sides of which were just found to say the same: the item need not be read again
// to find that out.
func (e *Engine) fulfilled(ctx context.Context, tx *store.Tx, p *pair, v verdict) error {
	d := v.Decision
	if p.booking == nil || wantsMarks(p.link, p.item) || v.rebuffed || d.ItemFields != 0 || d.CreateItem || d.DeleteItem || d.CancelBooking || d.Unlink {
		return nil
	}
	in, found, err := tx.Intent(ctx, p.link.Tenant, p.link.Key)
	if err != nil || !found || in.Op != store.OpSync {
		return err
	}
	_, err = tx.FinishIntent(ctx, in.Tenant, in.Key, in.Wanted)
	return err
}

// Why items are left alone, as differences are called.
const (
	seriesLeftAlone     = "series left alone"
	invitationLeftAlone = "invitation left alone"
)

// untouchable says why the item of a booking is left alone; empty if it is not. The booking may be nil.
func untouchable(item *calendar.Item, b *booking.Booking) string {
	ev := &item.Event
	series := item.Kind != calendar.Single || ev.Recurrence != ""
	switch unsaid := item.Omits.Any(calendar.FieldRecurrence); {
	case item.ReadOnly && !series:
		return invitationLeftAlone
	case item.Kind == calendar.Occurrence, item.Kind == calendar.Exception, series && (unsaid || ev.Recurrence == ""),
		unsaid && b != nil && b.Series():
		return seriesLeftAlone
	case series:
		if _, err := parseRule(*ev); err != nil {
			return seriesLeftAlone
		}
	}
	if item.ReadOnly {
		return invitationLeftAlone
	}
	return ""
}

// whyLeftAlone says more about it.
func whyLeftAlone(item *calendar.Item, kind string) string {
	switch {
	case kind == invitationLeftAlone:
		return "the calendar's owner is not the organizer of the item, so it cannot be changed here"
	case item == nil:
		return "the calendar keeps no series, so the booking is not written to it: make single bookings, or use another sync mode"
	case item.Kind == calendar.Occurrence, item.Kind == calendar.Exception:
		return "the item is one occurrence of a series, which cannot stand for a booking by itself; neither side is changed"
	case item.Kind == calendar.Single && item.Event.Recurrence == "":
		return "the booking is a series, and this calendar keeps none; neither side is changed"
	case item.Event.Recurrence != "":
		if _, err := parseRule(item.Event); err != nil {
			return err.Error() + "; neither side is changed: give the series another pattern in the calendar"
		}
	}
	return "the pattern of the series is one that a booking cannot have, or that this calendar does not tell; neither side is changed: " +
		"give the series another pattern in the calendar"
}

// leaveAlone keeps a pair as it is and lays it before a person.
func (e *Engine) leaveAlone(ctx context.Context, tx *store.Tx, p *pair, kind string, item *calendar.Item) error {
	detail := whyLeftAlone(item, kind)
	if p.link.State == store.LinkPending || p.link.State == store.LinkExpected {
		p.link.State, p.link.Sent = store.LinkLive, nil
	}
	p.link.Problem = kind
	if err := tx.PutLink(ctx, p.link); err != nil {
		return err
	}
	if in, found, err := tx.Intent(ctx, p.link.Tenant, p.link.Key); err != nil {
		return err
	} else if found {
		if _, err := tx.FinishIntent(ctx, p.link.Tenant, p.link.Key, in.Wanted); err != nil {
			return err
		}
	}
	return e.differ(ctx, tx, p, kind, detail)
}

// conflictBehaviour is the person's, or the default.
func conflictBehaviour(p store.PersonRow) directory.ConflictBehaviour {
	if p.ConflictBehaviour == "" {
		return directory.Rollback
	}
	return p.ConflictBehaviour
}
