package syncer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// otherModeOfRoom is how a room is reached by another sync mode: its items are found again by what they are, so that there is nothing to move.
func otherModeOfRoom(room, mode string) string {
	return fmt.Sprintf("roomwire person set %s --mode %s", room, mode)
}

// followRoom deals with a room whose mailbox can be reached by another mode: it is reached by that from now on where that is wanted and the
// calendar there has every meeting that is known of. Else advice says what to do.
func (e *Engine) followRoom(ctx context.Context, p *pass, to Mode) (followed bool, advice string, err error) {
	advice = fmt.Sprintf("the room's mailbox is reachable by sync mode %s: %s, and write it into the table if you import one", to.Name, otherModeOfRoom(p.mb.Person, to.Name))
	if !e.limits().FollowMoves {
		return false, advice, nil
	}
	missing, known, err := e.missingInRoom(ctx, p, to)
	_, own := errors.AsType[storeError](err)
	switch {
	case own:
		return false, "", err
	case ctx.Err() != nil:
		return false, "", ctx.Err() // the host is stopping
	case err != nil:
		return false, fmt.Sprintf("%s; it is done by itself once the calendar can be read there (%s)", advice, sentence(err)), nil
	case missing > 0:
		return false, fmt.Sprintf("%s; it was not done by itself, since of %s that the room is taken for %d cannot be found in the calendar there: look at it first",
			advice, plural(known, "meeting", "meetings"), missing), nil
	}
	err = e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.Person(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil || !found {
			return err
		}
		former, err := tx.MovedFrom(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil {
			return err
		}
		next := row.Person
		next.SyncMode, next.SyncURL = to.Name, ""
		if _, err := e.putPerson(ctx, tx, next); err != nil {
			return err
		}
		if err := tx.SetMovedFrom(ctx, p.mb.Tenant, p.mb.Person, former...); err != nil { // it is a move, of which putPerson knows nothing
			return err
		}
		if err := leaveMode(ctx, tx, row.Person, to.Name); err != nil {
			return err
		}
		return e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", fmt.Sprintf("moved from sync mode %s to %s", row.SyncMode, to.Name), "the mailbox was found there")
	})
	if err == nil {
		e.Log.Info("a room is reached by another sync mode from now on", "tenant", p.mb.Tenant, "room", p.mb.Person, "from", p.person.SyncMode, "to", to.Name)
	}
	return err == nil, "", err
}

// missingInRoom reads a room's calendar by another mode and counts the meetings that the room is taken for and that are not over, and those of
// them that are not there.
func (e *Engine) missingInRoom(ctx context.Context, p *pass, to Mode) (missing, known int, err error) {
	there := &pass{person: p.person, mb: p.mb, mode: to, mailbox: backend.Mailbox{Address: p.person.Email, URL: to.URL}}
	leave, err := e.goTo(there)
	if err != nil {
		return 0, 0, err
	}
	defer func() { leave(there.answered) }()
	limited, cancel := context.WithTimeout(ctx, max(e.limits().AttemptTimeout, shortestMove))
	defer cancel()
	uids, whole := map[calendar.Ref]string{}, false
	err = to.Backend.Pull(limited, backend.PullRequest{Mailbox: there.mailbox, Everything: true}, func(page backend.Page) error {
		for _, ch := range page.Changes {
			delete(uids, ch.Ref)
			if it := ch.Item; !ch.Deleted && it != nil && !it.Event.Cancelled {
				uids[ch.Ref] = strings.ToLower(it.Event.UID)
			}
		}
		whole = page.Last
		return nil
	})
	if there.answered = answered(err); err != nil {
		return 0, 0, err
	}
	if !whole {
		return 0, 0, fmt.Errorf("read the calendar by sync mode %s: it ended before its last page: %w", to.Name, fault.Internal)
	}
	seen := map[string]bool{}
	for _, uid := range uids {
		seen[uid] = true
	}
	rows, err := e.Store.RoomItemsUnseen(ctx, p.mb.Tenant, p.mb.Person, p.mb.Round+1) // all that there are
	if err != nil {
		return 0, 0, ours(err)
	}
	for _, r := range rows {
		if r.Booking == "" || r.UID == "" || !r.GoneAt.IsZero() || e.basePast(r) {
			continue
		}
		if known++; !seen[strings.ToLower(r.UID)] {
			missing++
		}
	}
	return missing, known, nil
}
