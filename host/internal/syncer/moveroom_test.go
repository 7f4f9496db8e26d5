package syncer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// aMode answers to what another mode has named as a server does: that there is no such item, and that the cursor is worth nothing.
type aMode struct{ *spaced }

func (a aMode) own(text string) bool {
	if a.prefix == "" {
		return !strings.HasPrefix(text, otherPrefix)
	}
	return strings.HasPrefix(text, a.prefix)
}

func (a aMode) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	got := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		if !a.own(string(ref)) {
			got[i].Err = fmt.Errorf("item %q: %w", ref, fault.NotFound)
			continue
		}
		one, err := a.spaced.Fetch(ctx, m, []backend.Ref{ref})
		if err != nil {
			return nil, err
		}
		got[i] = one[0]
	}
	return got, nil
}

func (a aMode) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	if req.Since != "" && !a.own(string(req.Since)) {
		return fmt.Errorf("cursor %q: %w", req.Since, fault.StateExpired)
	}
	return a.spaced.Pull(ctx, req, emit)
}

func (a aMode) Respond(ctx context.Context, r backend.Reaction) error {
	r.Ref = calendar.Ref(a.in(string(r.Ref)))
	return a.memory.Respond(ctx, r)
}

// roomModes are two ways to the calendars of rooms and of people.
type roomModes struct{ *twoModes }

func (t roomModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	if err != nil {
		return m, err
	}
	b := aMode{m.Backend.(*spaced)}
	m.Backend, m.Finder, m.Responder, m.Everything = b, b, b, true
	return m, nil
}

// inRoomModes runs f with room-a, which is sync master or not, and with meetings in its calendar: of alice, of a stranger, a series, and one that
// was declined by a sync master.
func inRoomModes(t *testing.T, f func(w *world, m *twoModes)) {
	t.Helper()
	for _, master := range []bool{false, true} {
		t.Run(fmt.Sprint("master ", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				m := newTwoModes(w.server)
				w.engine.Modes = roomModes{m}
				w.engine.ModeNames = func() []string { return []string{"Memory", "Other"} }
				w.room("a", master)
				w.invite(meetingAt(9, "m1", outside, roomA), roomA)
				w.invite(meetingAt(11, "m2", alice, roomA), roomA)
				w.invite(weekly(13, 3, "m3", alice, roomA), roomA)
				w.pass("room-a")
				w.pass("alice")
				w.book("own", at(15))
				w.pass("alice")
				w.pass("room-a")
				w.invite(meetingAt(15, "m4", outside, roomA), roomA) // collides
				for _, who := range []string{"room-a", "alice", "room-a"} {
					w.pass(who)
				}
				f(w, m)
			})
		})
	}
}

// unmoved fails if f changes a booking, mails anybody, or lays something before a person.
func (w *world) unmoved(f func()) {
	w.Helper()
	changes, mails, n, open := len(w.changes()), len(w.server.mails), len(w.bookings()), len(w.allOpen())
	f()
	if len(w.changes()) != changes || len(w.server.mails) != mails || len(w.bookings()) != n || len(w.allOpen()) != open {
		w.Errorf("changes %v\nmails %v\n%d bookings, want %d\nopen %+v", w.changes()[changes:], w.server.mails[mails:], len(w.bookings()), n, w.allOpen())
	}
}

// days has some days pass in which room-a and alice are looked at.
func (w *world) days(n int) {
	w.Helper()
	for range n {
		w.pass("room-a")
		w.pass("alice")
		w.later(26 * time.Hour)
	}
}

func (w *world) roomMode() string {
	w.Helper()
	row, _, err := w.store.Person(w.Context(), tenant, "room-a")
	if err != nil {
		w.Fatal(err)
	}
	return row.SyncMode
}

// The mailboxes of rooms move as those of people do. What their state says to do can be done, and bookings and meetings stay as they are.
func TestARoomWhoseMailboxMovedCanFollow(t *testing.T) {
	inRoomModes(t, func(w *world, m *twoModes) {
		m.memory.fail = fault.MailboxMoved
		w.later(26 * time.Hour)
		w.pass("room-a")
		if s := w.state("room-a"); !strings.Contains(s.Remedy, "roomwire person set room-a --mode Other") || strings.Contains(s.Remedy, "person move") {
			w.Errorf("state = %+v", s)
		}
		if mv, found, err := w.store.Move(w.Context(), tenant, "room-a"); found || err != nil {
			w.Errorf("a move is recorded: %+v, %v", mv, err)
		}
		refused, err := w.engine.RequestMoves(w.Context(), []store.Move{{Tenant: tenant, Person: "room-a", To: "Other"}})
		if err != nil || !strings.Contains(refused[0], "roomwire person set room-a --mode Other") {
			w.Errorf("refused: %v, %v", refused, err)
		}
		m.memory.fail = nil
		w.unmoved(func() {
			row, _, err := w.store.Person(w.Context(), tenant, "room-a")
			if err != nil {
				w.Fatal(err)
			}
			row.SyncMode = "Other"
			if _, err := w.engine.PutPerson(w.Context(), row.Person); err != nil {
				w.Fatal(err)
			}
			w.days(3)
		})
		if s := w.state("room-a"); s.Status != store.StatusOK || w.roomMode() != "Other" {
			w.Errorf("mode %s, state %+v", w.roomMode(), s)
		}
	})
}

// Where moves are followed, a room follows by itself, and an old table does not bring it back, be it from before several moves.
func TestARoomFollowsByItself(t *testing.T) {
	inRoomModes(t, func(w *world, m *twoModes) {
		if err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.SetMovedFrom(ctx, tenant, "room-a", "Older")
		}); err != nil {
			w.Fatal(err)
		}
		limits := *w.engine.limits()
		limits.FollowMoves = true
		w.engine.SetLimits(limits)
		m.memory.fail = fault.MailboxMoved
		w.unmoved(func() {
			w.later(26 * time.Hour)
			w.pass("room-a")
			m.memory.fail = nil // alice's mailbox stays where it was
			w.days(3)
		})
		if s := w.state("room-a"); s.Status != store.StatusOK || w.roomMode() != "Other" {
			w.Errorf("mode %s, state %+v", w.roomMode(), s)
		}
		row, _, err := w.store.Person(w.Context(), tenant, "room-a")
		if err != nil {
			w.Fatal(err)
		}
		for _, stale := range []string{"Memory", "Older"} {
			row.SyncMode = stale
			out, err := w.engine.ImportPersons(w.Context(), tenant, []directory.Person{row.Person}, ImportOptions{})
			if err != nil || len(out.Persons) != 1 || out.Persons[0].Kept == "" || w.roomMode() != "Other" {
				w.Errorf("the import of %s: %+v, %v; mode %s", stale, out, err, w.roomMode())
			}
		}
	})
}

// A calendar that lacks a meeting of the room, or cannot be read, may be another one: a room does not follow there by itself, and its state says so.
func TestARoomDoesNotFollowToACalendarThatLacksItsMeetings(t *testing.T) {
	for name, tc := range map[string]struct {
		broken func(w *world, m *twoModes)
		says   string
	}{
		"lacks one": {func(w *world, m *twoModes) {
			for _, it := range w.server.items(roomA) {
				if it.Event.UID == "m2" {
					m.other.hidden = map[calendar.Ref]bool{it.Ref: true}
				}
			}
		}, "1 cannot be found"},
		"unreadable": {func(w *world, _ *twoModes) {
			w.server.before = func(call string) error {
				if call == "pull" {
					return fault.Forbidden
				}
				return nil
			}
		}, "once the calendar can be read there"},
	} {
		t.Run(name, func(t *testing.T) {
			inRoomModes(t, func(w *world, m *twoModes) {
				limits := *w.engine.limits()
				limits.FollowMoves = true
				w.engine.SetLimits(limits)
				tc.broken(w, m)
				m.memory.fail = fault.MailboxMoved
				w.unmoved(func() {
					w.later(26 * time.Hour)
					w.pass("room-a")
				})
				if s := w.state("room-a"); w.roomMode() != "Memory" || !strings.Contains(s.Remedy, tc.says) || !strings.Contains(s.Remedy, "person set room-a --mode Other") {
					w.Errorf("mode %s, state %+v", w.roomMode(), s)
				}
			})
		})
	}
}
