package syncer

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// strays remembers the marks of items that belong to no link, of the mailboxes that this process has read in full and
// followed since. A booking whose mark is not among them has no item yet, so nobody needs to ask the server for it.
//
// It is a memory only: what a restart forgets, or what another host has read meanwhile, is asked for.
type strays struct {
	mu sync.Mutex
	of map[mailboxID]followed
}

type mailboxID struct{ tenant, person string }

// followed is a mailbox of which every page was seen, from the beginning of a full read up to a cursor.
type followed struct {
	epoch  int64
	cursor [sha256.Size]byte // its hash: cursors are long
	whole  bool              // the full read has reached its end
	marks  map[string]struct{}
}

func newStrays() *strays { return &strays{of: map[mailboxID]followed{}} }

// forget forgets everything: what was read before is not what would be read now.
func (s *strays) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.of)
}

// page takes a page in that was stored. before and after are the mailbox at its beginning and at its end.
func (s *strays) page(before, after store.Mailbox, marks []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := mailboxID{after.Tenant, after.Person}
	f := s.of[id]
	switch {
	case before.Cursor == "" && before.RoundOpen:
		f = followed{epoch: after.Epoch}
	case f.epoch != after.Epoch || f.cursor != sha256.Sum256([]byte(before.Cursor)):
		delete(s.of, id)
		return
	}
	f.cursor = sha256.Sum256([]byte(after.Cursor))
	f.whole = f.whole || !after.RoundOpen
	for _, m := range marks {
		if f.marks == nil {
			f.marks = map[string]struct{}{}
		}
		f.marks[m] = struct{}{}
	}
	s.of[id] = f
}

// none reports whether it is known that no item of a mailbox bears one of the marks, but for items of links.
func (s *strays) none(mb store.Mailbox, marks ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, found := s.of[mailboxID{mb.Tenant, mb.Person}]
	if !found || !f.whole || f.epoch != mb.Epoch || f.cursor != sha256.Sum256([]byte(mb.Cursor)) {
		return false
	}
	for _, m := range marks {
		if _, stray := f.marks[m]; stray {
			return false
		}
	}
	return true
}

// The two kinds of marks share one set.
func keyMark(key string) string         { return "k" + key }
func foreignMark(foreign string) string { return "f" + foreign }

// strayMarks returns the marks of a change's item that was settled and belongs to no link all the same.
func strayMarks(ctx context.Context, tx *store.Tx, p *pass, ch backend.Change) ([]string, error) {
	marks := marksOf(ch)
	if len(marks) == 0 {
		return nil, nil
	}
	if _, linked, err := tx.LinkByRef(ctx, p.mb.Tenant, p.mb.Person, ch.Ref); err != nil || linked {
		return nil, err
	}
	return marks, nil
}

// marksOf returns the marks of a change's item.
func marksOf(ch backend.Change) []string {
	it := ch.Item
	if ch.Deleted || it == nil {
		return nil
	}
	var marks []string
	if it.Key != "" {
		marks = append(marks, keyMark(it.Key))
	}
	if it.ForeignKey != "" {
		marks = append(marks, foreignMark(it.ForeignKey))
	}
	return marks
}

// surelyNew reports whether it is known without asking that the calendar holds no item for a link: none was ever sent for
// it, the booking never had another link, and no item bears its marks.
func (e *Engine) surelyNew(ctx context.Context, p *pass, l store.Link) (bool, error) {
	if l.State != store.LinkPending || l.Ref != "" || len(l.Sent) > 0 || !e.strays.none(p.mb, keyMark(l.Key), foreignMark(l.Booking)) {
		return false, nil
	}
	links, err := e.Store.LinksOfBooking(ctx, l.Tenant, l.Booking)
	return len(links) == 1, err
}
