package syncer

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Somebody was removed before an upgrade and comes back after it in another sync mode, by which references are others: the sync goes on.
func TestWhoWasRemovedBeforeAnUpgradeComesBackInAnotherMode(t *testing.T) {
	t.Parallel()
	storetest.EachBare(t, func(t *testing.T, url string) {
		db := old(t, url)
		for _, statement := range []string{
			"UPDATE link SET state = 'dead', base = NULL, sent = NULL, gone_at = 0, problem = '' WHERE person = 'alice'",
			"DELETE FROM mailbox WHERE person = 'alice'",
			"DELETE FROM person WHERE id = 'alice'",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, url: url, server: newMemory(), time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		w.server.put(alice, calendar.Item{Ref: "i000001", Key: "b1.1", ForeignKey: "b1", Event: calendar.Event{
			UID: "u1", Subject: "Planning", Body: "the notes", Location: "Room A", Zone: "Europe/Berlin", Busy: calendar.Occupied, Class: calendar.Public,
			Organizer: calendar.Address{Email: alice}, Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC),
			Attendees: []calendar.Attendee{
				{Address: calendar.Address{Email: bob}}, {Address: calendar.Address{Email: "room-a@example.com"}, Role: calendar.Resource},
			},
		}})
		w.start()
		t.Cleanup(func() { _ = w.store.Close() })
		w.engine.Modes = finickyModes{newTwoModes(w.server)}
		w.silently(func() {
			w.switched("Other")
			w.daysOf("alice")
		})
		if l := w.links()["b1"]; l.State != store.LinkLive || l.Key != "b1.1" {
			t.Errorf("link = %+v, state %+v, listed %+v", l, w.state("alice"), w.allOpen())
		}
		if b := w.booking("b1"); b.SyncDisabled {
			t.Errorf("booking = %+v", b)
		}
	})
}
