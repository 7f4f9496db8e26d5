package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// days has passes over alice's calendar on some days in a row.
func (w *world) days(person string) {
	w.Helper()
	for range 3 {
		w.pass(person)
		w.later(26 * time.Hour)
	}
}

// mailedSince returns the mails after the first n: what was done, and the key.
func (w *world) mailedSince(n int) []string {
	mails := slices.Clone(w.server.mails[n:])
	slices.Sort(mails)
	return mails
}

// tableOf imports a table of the persons with these ids, and of the rooms. Addresses are those of the ids, but for those given.
func (w *world) tableOf(addresses map[string]string, ids ...string) {
	w.Helper()
	var table []directory.Person
	for _, id := range ids {
		p := directory.Person{Tenant: tenant, ID: id, Email: id + "@example.com", DisplayName: id, SyncMode: "Memory", Kind: directory.KindPerson}
		if address, given := addresses[id]; given {
			p.Email = address
		}
		table = append(table, p)
	}
	for _, r := range []string{"room-a", "room-b"} {
		table = append(table, directory.Person{
			Tenant: tenant, ID: r, Email: r + "@example.com", DisplayName: "Room " + strings.ToUpper(r[5:]), Kind: directory.KindResource, SyncMode: "Memory", SyncDisabled: true,
		})
	}
	out, err := w.engine.ImportPersons(w.Context(), tenant, table, ImportOptions{RemoveMissing: true})
	if err != nil || !out.Applied {
		w.Fatal(out, err)
	}
}

// An item is being made, and its answer is lost, when the table lacks its organizer: it is not made twice.
func TestAnItemOnItsWayIsNotMadeTwiceAfterAnImportWithoutItsOrganizer(t *testing.T) {
	each(t, func(w *world) {
		w.pass("alice")
		w.book("b1")
		w.server.after = func(call string) error {
			if call == "apply" {
				return fault.Unavailable
			}
			return nil
		}
		w.once("alice")
		w.only(alice)
		w.server.after = nil
		mails := len(w.server.mails)
		w.tableOf(nil, "bob", "carol")
		w.tableOf(nil, "alice", "bob", "carol")
		w.later(time.Hour)
		w.days("alice")
		w.only(alice)
		if got := w.mailedSince(mails); len(got) > 0 {
			w.Errorf("mailed: %v", got)
		}
	})
}

// A finicky mode calls the references of another mode malformed, as Exchange does with one that is none of its own.
type finicky struct{ *spaced }

func (f finicky) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	got := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		if strings.HasPrefix(string(ref), otherPrefix) != (f.prefix == otherPrefix) {
			got[i].Err = fmt.Errorf("item %q: %w", ref, fault.Invalid)
			continue
		}
		one, err := f.spaced.Fetch(ctx, m, []backend.Ref{ref})
		if err != nil {
			return nil, err
		}
		got[i] = one[0]
	}
	return got, nil
}

type finickyModes struct{ *twoModes }

func (t finickyModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	m, err := t.twoModes.Mode(ctx, name, email)
	if err == nil {
		b := finicky{m.Backend.(*spaced)}
		m.Backend, m.Finder = b, b
	}
	return m, err
}

// Somebody is removed and comes back in another sync mode, instead of being moved, some even a second time: the sync goes on.
func TestWhoComesBackInAnotherModeIsSynced(t *testing.T) {
	for _, modes := range [][]string{{"Other"}, {"Other", "Memory"}, {"Other", "Other"}} {
		t.Run(strings.Join(modes, ", "), func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = finickyModes{m}
				w.booked(3)
				mails := len(w.server.mails)
				for i, mode := range modes {
					if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
						w.Fatal(err)
					}
					w.switched(mode)
					if i == 0 && len(modes) > 1 {
						w.pass("alice")
					}
				}
				for range 12 {
					w.pass("alice")
					w.later(12 * time.Hour)
				}
				if s := w.state("alice"); s.Status != store.StatusOK {
					w.Errorf("state = %+v", s)
				}
				w.rebook("b1", titled("changed"))
				w.pass("alice")
				if it := w.itemOf("b1.1"); it.Event.Subject != "changed" || len(w.server.items(alice)) != 3 {
					w.Errorf("%d items, %+v", len(w.server.items(alice)), it)
				}
				if got := w.mailedSince(mails); len(got) > 0 {
					w.Errorf("mailed: %v", got)
				}
			})
		})
	}
}

// What was taken over by its time and subject bears no marker. Its owner, or whoever has the same mailbox under another id, is back: it is known.
func TestWhatBearsNoMarkerIsKnownWhenItsOwnerIsBack(t *testing.T) {
	for _, id := range []string{"alice", "alice.smith"} {
		t.Run(id, func(t *testing.T) {
			each(t, func(w *world) {
				w.shadow(true)
				ref := w.oldSync(w.book("bare"), false)
				w.pass("alice")
				w.shadow(false)
				w.pass("alice")
				w.tableOf(nil, "bob", "carol")
				w.tableOf(map[string]string{id: alice}, id, "bob", "carol")
				w.silently(func() {
					if id != "alice" {
						w.rebook("bare", by(id))
					}
					w.days(id)
				})
				if it := w.only(alice); it.Ref != ref {
					w.Errorf("item = %+v", it)
				}
				w.cancel("bare")
				w.days(id)
				w.none(alice)
			})
		})
	}
}
