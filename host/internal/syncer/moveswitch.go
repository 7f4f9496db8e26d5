package syncer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// reportOf counts what was found.
func reportOf(mv *moving, matches []match) MoveReport {
	r := MoveReport{Note: mv.note, Links: len(matches)}
	for _, mt := range matches {
		r.count(mt)
	}
	return r
}

func (r *MoveReport) count(mt match) {
	switch mt.fate {
	case fateFound:
		if mt.same || mt.link.State == store.LinkDeleting {
			r.Verified++
		} else {
			r.Differing++
			r.note(MoveItem{Booking: mt.link.Booking, What: "differing", Fields: mt.differs.String()})
		}
	case fateOpen:
		r.Open++
	case fateLost:
		r.Missing++
		r.note(MoveItem{Booking: mt.link.Booking, What: "missing"})
	case fateUnclear:
		r.Ambiguous++
		r.note(MoveItem{Booking: mt.link.Booking, What: "ambiguous"})
	case fateDeleted:
		r.Deleted++
		r.note(MoveItem{Booking: mt.link.Booking, What: "deleted"})
	case fatePast:
		r.Past++
	}
}

// refuseMove does not make a move that finds so little, or so much that is otherwise, that the new mode does not show the same
// calendar as the old one, or not all of it, or misreads it.
func (e *Engine) refuseMove(ctx context.Context, mv *moving, matches []match) (refused bool, err error) {
	if mv.move.Lenient {
		return false, nil
	}
	found, lost := 0, 0
	for _, mt := range matches {
		switch {
		case mt.fate == fateFound:
			found++
		case (mt.fate == fateLost || mt.fate == fateUnclear) && !leftByMove(mt.link): // else they were before
			lost++
		}
	}
	differing, compared := 0, 0
	if mv.caughtUp {
		if differing, compared, err = e.misread(ctx, matches); err != nil {
			return false, err
		}
	}
	limits, of := e.limits(), found+lost
	reason, remedy := "", ""
	switch {
	case lost > found, lost > limits.MassDeletionLimit && float64(lost) > limits.MassDeletionShare*float64(of):
		reason = fmt.Sprintf("by sync mode %s %s of %d cannot be found, so nothing was changed", mv.move.To, plural(lost, "item", "items"), of)
		remedy = "make sure that the new sync mode shows the same mailbox, and all of it; if the items are really gone, move with --force: they are then laid before you one by one"
	case differing > fewEdits && 2*differing > compared:
		reason = fmt.Sprintf("by sync mode %s %s of %d say something else than by %s a moment before, so nothing was changed",
			mv.move.To, plural(differing, "item", "items"), compared, mv.person.SyncMode)
		remedy = "look at the fields in which they differ (roomwire person moves " + mv.mb.Person + ") and tell your supplier; if the items were really edited so, move with --force"
	default:
		return false, nil
	}
	report := reportOf(mv, matches)
	return true, e.saveMove(ctx, mv, func(m *store.Move) {
		m.State, m.NextAt, m.Finished, m.Report = store.MoveAttention, zeroTime, e.now(), saveReport(&report)
		m.Reason, m.Remedy = reason, remedy
	})
}

// misread returns how many of the items that are found say something else than the old mode has just read, and of how many that is known: those
// that its reading left as both sides agree. What waits for a person's word or is out of the sync was read otherwise there, too.
func (e *Engine) misread(ctx context.Context, matches []match) (differing, compared int, err error) {
	for _, mt := range matches {
		l := mt.link
		if mt.fate != fateFound || l.State != store.LinkLive || !l.GoneAt.IsZero() || l.Quarantine != 0 || len(l.Held) > 0 || l.Problem != "" {
			continue
		}
		b, found, err := e.Store.Booking(ctx, l.Tenant, l.Booking)
		if err != nil {
			return 0, 0, ours(err)
		}
		if !found || b.SyncDisabled {
			continue
		}
		if compared++; !mt.same {
			differing++
		}
	}
	return differing, compared, nil
}

// fewEdits is how many items somebody may edit in the moment between two readings.
const fewEdits = 3

// endDryRun stores what a move would come to.
func (e *Engine) endDryRun(ctx context.Context, mv *moving, matches []match) error {
	report := reportOf(mv, matches)
	refused, err := e.refuseMove(ctx, mv, matches)
	if err != nil || refused {
		return err
	}
	return e.saveMove(ctx, mv, func(m *store.Move) {
		m.State, m.Reason, m.Remedy, m.NextAt, m.Finished = store.MoveDone, report.summary(), "", zeroTime, e.now()
		m.Report = saveReport(&report)
	})
}

// switchOver makes the move: in one transaction the person has the new mode, the mailbox its cursor, and every link the
// reference of its item there. What both sides agreed on stays, so an edit that came between is carried as ever.
func (e *Engine) switchOver(ctx context.Context, mv *moving, matches []match, seen *sighting) error {
	by := make(map[string]match, len(matches))
	for _, mt := range matches {
		by[mt.link.Key] = mt
	}
	var mb store.Mailbox
	guard := &pass{person: mv.person, mb: mv.mb} // whose transactions see whether the person was changed meanwhile
	err := e.inPass(ctx, guard, func(ctx context.Context, tx *store.Tx) error {
		m, err := stillAsked(ctx, tx, mv)
		if err != nil {
			return err
		}
		p, err := e.rehouse(ctx, tx, mv, guard.mb, seen.cursor)
		if err != nil {
			return err
		}
		mb = p.mb
		if err := e.weighMove(ctx, tx, p, matches); err != nil {
			return err
		}
		if err := e.relist(ctx, tx, matches, seen); err != nil {
			return err
		}
		report := MoveReport{Note: mv.note}
		err = eachLink(ctx, tx, p.mb.Tenant, p.mb.Person, func(l store.Link) error {
			mt, known := by[l.Key]
			if !known { // booked while the calendar was read
				mt = match{fate: fateOpen}
			}
			was := mt.link
			mt.link = l
			if mt.fate == fatePast && known && l.State != store.LinkDeleting {
				b, found, err := tx.Booking(ctx, l.Tenant, l.Booking)
				if err != nil {
					return err
				}
				if !nothingAtStake(e, b, found, l) {
					mt.fate = fateLost // changed while the calendar was read
				}
			}
			if l.State == store.LinkDeleting && mt.fate != fateFound && mt.fate != fateUnclear {
				mt.fate = fateOpen
			}
			mt.same = mt.same && bytes.Equal(was.Base, l.Base)
			report.Links++
			report.count(mt)
			return e.relocate(ctx, tx, p, mt)
		})
		if err != nil {
			return err
		}
		m.State, m.Reason, m.Remedy, m.NextAt, m.Finished, m.Tries = store.MoveDone, report.summary(), "", zeroTime, e.now(), 0
		m.Report = saveReport(&report)
		if report.Note != "" {
			m.Reason += "; " + report.Note
		}
		if report.Missing+report.Ambiguous > 0 {
			m.Remedy = fmt.Sprintf("look at them (roomwire diff --person %s) and decide: roomwire person move-decide %s --make-anew, --let-go or --look-again", m.Person, m.Person)
		}
		if p.mass != 0 {
			m.Reason += "; so many changes of bookings at once wait until somebody decides"
			remedy := fmt.Sprintf("look at the changes (roomwire sync quarantine show %d), then approve or discard them", p.mass)
			m.Remedy = strings.Trim(m.Remedy+"; "+remedy, "; ")
		}
		if err := tx.PutMove(ctx, m); err != nil {
			return err
		}
		e.Failpoint("move:switching")
		return e.record(ctx, tx, m.Tenant, m.Person, "", fmt.Sprintf("moved from sync mode %s to %s", m.From, m.To), m.Reason)
	})
	if errors.Is(err, errMoveOver) {
		return errMoveOver
	}
	if err == nil {
		e.followOn(mb, matches, seen)
	}
	return err
}

// weighMove finds out whether a move would have too many bookings changed at once by what their items say in the new mode: it may misread them,
// and where the old one cannot be asked nobody can tell. Then they wait for a person's word.
func (e *Engine) weighMove(ctx context.Context, tx *store.Tx, p *pass, matches []match) error {
	n := 0
	for _, mt := range matches {
		if mt.fate != fateFound || mt.same {
			continue
		}
		l, found, err := tx.Link(ctx, mt.link.Tenant, mt.link.Key)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if l.Ref != "" || leftByMove(l) {
			l.Ref = mt.item.Ref // it is the link's own, and nothing to be adopted
		}
		if changes, err := e.changesBooking(ctx, tx, l, mt.item); err != nil {
			return err
		} else if changes {
			n++
		}
	}
	return e.weigh(ctx, tx, p, n)
}

// followOn remembers the items of a calendar that belong to no link, as after a full read: no booking that is made from now on
// needs a search.
func (e *Engine) followOn(mb store.Mailbox, matches []match, seen *sighting) {
	for _, mt := range matches {
		if mt.fate == fateFound {
			delete(seen.marks, mt.item.Ref)
		}
	}
	var strays []string
	for _, marks := range seen.marks {
		strays = append(strays, marks...)
	}
	begun := mb
	begun.Cursor, begun.RoundOpen = "", true
	e.strays.page(begun, mb, strays)
}

// rehouse gives the person the new mode, and the mailbox, which is as before says, the place from which it is to be pulled by it. A full read that
// is wanted or under way stays wanted: it does more than a move, which finds the items of what is linked.
func (e *Engine) rehouse(ctx context.Context, tx *store.Tx, mv *moving, before store.Mailbox, cursor calendar.Cursor) (*pass, error) {
	row, found, err := tx.Person(ctx, mv.mb.Tenant, mv.mb.Person)
	if err != nil || !found {
		return nil, errors.Join(err, errMoveOver)
	}
	next := row.Person
	next.SyncMode, next.SyncURL = mv.move.To, mv.move.URL
	if _, err := tx.PutPerson(ctx, next); err != nil {
		return nil, err
	}
	if err := leaveMode(ctx, tx, row.Person, next.SyncMode); err != nil {
		return nil, err
	}
	mb, _, err := tx.Mailbox(ctx, mv.mb.Tenant, mv.mb.Person)
	if err != nil {
		return nil, err
	}
	e.changed(tx, &mb)
	mb.Cursor, mb.Round, mb.RoundOpen = string(cursor), mb.Round+1, false
	mb.LastPull, mb.NextDue = e.now(), e.now()
	if !before.ReconcileAt.IsZero() && !before.TakeOver && !before.RoundOpen {
		mb.ReconcileAt = e.now().Add(e.limits().ReconcileInterval)
	}
	if err := tx.SaveMailbox(ctx, mb); err != nil {
		return nil, err
	}
	state := store.PersonState{Status: store.StatusOK, Since: e.now()} // the new mode has just been tried
	if err := tx.SetPersonState(ctx, mb.Tenant, mb.Person, state); err != nil {
		return nil, err
	}
	row.Person, row.State = next, state
	return &pass{person: row, mb: mb, mode: mv.new.mode, mailbox: mv.new.mailbox}, nil
}

// leaveMode remembers that a person is moved from one mode to another.
func leaveMode(ctx context.Context, tx *store.Tx, p directory.Person, to string) error {
	if strings.EqualFold(p.SyncMode, to) {
		return nil // to another URL
	}
	former, err := tx.MovedFrom(ctx, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	former = slices.DeleteFunc(append(former, p.SyncMode), func(mode string) bool { return strings.EqualFold(mode, to) })
	return tx.SetMovedFrom(ctx, p.Tenant, p.ID, former...)
}

// relocate gives one link its place in the new mode. An item that says something else than agreed is settled as if a pull
// had brought it.
func (e *Engine) relocate(ctx context.Context, tx *store.Tx, p *pass, mt match) error {
	l := mt.link
	l.Epoch, l.SeenRound = p.mb.Epoch, p.mb.Round
	if err := e.rememberCopies(ctx, tx, l, mt.copies); err != nil {
		return err
	}
	if err := e.tryHeld(ctx, tx, &l); err != nil {
		return err
	}
	if mt.fate == fateFound {
		return e.relocateFound(ctx, tx, p, mt, l)
	}
	if metElsewhere(mt.link, p.mb.Epoch) && mt.fate == fateOpen {
		l.Epoch = mt.link.Epoch // it waits for a word, here as there
	}
	// Whatever reference there is means nothing any more.
	l.Ref, l.Revision = "", ""
	switch mt.fate {
	case fateOpen:
		return tx.PutLink(ctx, l)
	case fateDeleted:
		l.GoneAt = e.now()
		return tx.PutLink(ctx, l)
	case fatePast:
		if err := e.bury(ctx, tx, &l); err != nil {
			return err
		}
		l.Sent = l.Base // it may be out of sight only: should the booking come back, it is looked for
		return tx.PutLink(ctx, l)
	case fateLost:
		l.State, l.Problem, l.GoneAt = store.LinkLost, notFoundAfterMove, zeroTime
		if err := tx.PutLink(ctx, l); err != nil {
			return err
		}
		return e.differ(ctx, tx, &pair{link: l}, notFoundAfterMove,
			"the item was not found when the person moved to another sync mode; it is neither made anew nor taken for deleted until somebody decides")
	}
	if l.State == store.LinkDeleting {
		return e.disown(ctx, tx, &l)
	}
	return e.unclear(ctx, tx, l)
}

// disown lets go of a link whose item is to be deleted and cannot be told from copies of it.
func (e *Engine) disown(ctx context.Context, tx *store.Tx, l *store.Link) error {
	l.Ref, l.Revision = "", ""
	if err := e.bury(ctx, tx, l); err != nil {
		return err
	}
	return e.differ(ctx, tx, &pair{link: *l}, itemNotDeleted,
		"several items bear the marker of this booking, which no longer stands; which of them was its own is not known, so none was deleted")
}

// tryHeld has a write tried again that the old mode could not make without mail: the new one may be able to. What somebody has
// decided about stays decided.
func (e *Engine) tryHeld(ctx context.Context, tx *store.Tx, l *store.Link) error {
	if len(l.Held) == 0 || l.Problem != mailHeldBack {
		return nil
	}
	if err := e.letGo(ctx, tx, l); err != nil {
		return err
	}
	op := store.OpSync
	if l.State == store.LinkDeleting {
		op = store.OpDelete
	}
	return e.note(ctx, tx, *l, op, calendar.MailNobody, "the calendar is reached in another way, which may not mail")
}

// rememberCopies keeps copies of a link's item from being taken for it in the new mode, as its copies were in the old one.
// They have new references; to people they are the same.
func (e *Engine) rememberCopies(ctx context.Context, tx *store.Tx, l store.Link, copies []*calendar.Item) error {
	if len(copies) == 0 {
		return nil
	}
	f := store.DifferenceFilter{Person: l.Person, Booking: l.Booking, Kind: copyLeftAlone}
	open, err := tx.Differences(ctx, l.Tenant, f)
	if err != nil {
		return err
	}
	f.IncludeClosed = true
	met, err := tx.Differences(ctx, l.Tenant, f)
	if err != nil {
		return err
	}
	if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, copyLeftAlone); err != nil {
		return err
	}
	for _, c := range copies {
		detail := "somebody copied the booking's item: the copy carries its marker and was left alone"
		of := store.Link{Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, Ref: c.Ref}
		if err := e.differ(ctx, tx, &pair{link: of}, copyLeftAlone, detail); err != nil {
			return err
		}
	}
	if len(open) == 0 && len(met) >= len(copies) { // somebody has seen them
		return tx.CloseDifferences(ctx, l.Tenant, l.Booking, copyLeftAlone)
	}
	return nil
}

func (e *Engine) relocateFound(ctx context.Context, tx *store.Tx, p *pass, mt match, l store.Link) error {
	made := l.Ref != "" && l.State == store.LinkLive && len(l.Base) > 0
	if made && mt.same && l.GoneAt.IsZero() && untouchable(mt.item, nil) == "" || l.State == store.LinkDeleting {
		l.Ref, l.Revision, l.GoneAt = mt.item.Ref, mt.item.Revision, zeroTime
		return tx.PutLink(ctx, l)
	}
	if l.Ref != "" {
		l.Ref = mt.item.Ref // it is the link's own, and nothing to be adopted
	}
	if err := tx.PutLink(ctx, l); err != nil {
		return err
	}
	if why := untouchable(mt.item, nil); why != "" { // it is said anew, of the reference of the new mode
		if err := tx.CloseDifferences(ctx, l.Tenant, l.Booking, why); err != nil {
			return err
		}
	}
	return e.pairItem(ctx, tx, p, l, mt.item)
}
