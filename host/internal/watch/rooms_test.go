package watch

import (
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// The calendar of a room that is synced is listened to as a person's is.
func TestSyncedRoomsAreListenedTo(t *testing.T) {
	for _, way := range []string{"streaming", "pull"} {
		t.Run(way, func(t *testing.T) {
			bubble(t, way, 1, func(r *rig) {
				_, err := r.engine.PutPerson(r.Context(), directory.Person{
					Tenant: tenant, ID: "room-a", Email: "room-a@example.com", DisplayName: "Room A", Kind: directory.KindResource, SyncMode: "EWS",
				})
				if err != nil {
					r.Fatal(err)
				}
				r.change("room-a", func(mb *store.Mailbox) { mb.Way = way }) // what its first pass does where room sync is on
				time.Sleep(3 * time.Minute)
				listened := map[string]bool{}
				for _, l := range r.listens() {
					listened[l.Mailbox.Address] = true
				}
				if !listened["room-a@example.com"] {
					r.Errorf("listened to %v: nobody listens to the room, and its mailbox goes on saying that it is on %q", listened, r.mailbox("room-a").Way)
				}
				if way == "streaming" && listened["room-a@example.com"] {
					r.server.tell(t, "room-a@example.com", backend.Dirty)
					if mb := r.mailbox("room-a"); mb.Notices != 1 {
						r.Errorf("mailbox = %+v", mb)
					}
				}
			})
		})
	}
}
