package exchange

import (
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// cutAt has the nth UpdateItem from now on cut off, before or after its effect.
func cutAt(f *exchangesim.Faults, n int, cut func(operation string, n int)) {
	if n == 1 {
		cut("UpdateItem", 1)
		return
	}
	arrived, release := f.PauseAfter("UpdateItem")
	go func() {
		<-arrived
		cutAt(f, n-1, cut)
		release()
	}()
}

// A series whose create was cut off before anybody was invited is completed in silence. The marker that says that it was sent is there
// before its rooms are invited: wherever that is cut off they are invited all the same, once, and nobody else.
func TestRoomsOfASeriesThatWasCutOffTwiceAreInvited(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 4; n++ {
		for name, after := range map[string]bool{"before": false, "after": true} {
			t.Run(fmt.Sprint(name, " write ", n), func(t *testing.T) {
				t.Parallel()
				w, _ := rooms(t)
				e := inRoomA(t, w)
				e.Exceptions = append(e.Exceptions,
					on(t, e, "2026-12-03", func(x *calendar.Event) {
						x.Subject, x.Attendees = "Elsewhere", []calendar.Attendee{e.Attendees[0], room("room-b")}
					}),
					on(t, e, "2026-12-04", func(x *calendar.Event) { x.Subject = "Finale" }))
				f := w.sim.Faults()
				f.DropBefore("UpdateItem", 1)
				if _, err := w.Apply(t.Context(), calendar.Mutation{
					Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", ForeignKey: "4711", Event: e, Mail: calendar.MailAll,
				}); err == nil {
					t.Fatal("the create was not cut off")
				}
				ref := calendar.Ref(w.sim.Outlook("alice@example.com").Items()[0].ID)
				cut := f.DropBefore
				if after {
					cut = f.DropAfter
				}
				cutAt(f, n, cut)
				for try := 1; ; try++ {
					now, err := w.fetch(t, ref)
					if err != nil {
						t.Fatal(err)
					}
					m := calendar.Mutation{
						Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: now.Ref, IfRevision: now.Revision, Known: &now.Event, Event: e,
						Fields: calendar.AllFields, Mail: calendar.MailNobody, Rooms: bothRooms,
					}
					if now.ForeignKey == "" {
						m.ForeignKey = "4711"
					}
					got, err := w.Apply(t.Context(), m)
					if (err == nil) != (try == 2) {
						t.Fatalf("try %d: %v", try, err)
					}
					if err != nil {
						continue
					}
					if d := differs(got.Item.Event, e); d != "" || got.Item.ForeignKey != "4711" {
						t.Errorf("%s, marker %q", d, got.Item.ForeignKey)
					}
					break
				}
				const want = "request to room-a@example.com; cancellation 2026-12-03 to room-a@example.com; request 2026-12-03 to room-b@example.com"
				if got := mailed(w); got != want {
					t.Errorf("mails %s\nwant %s", got, want)
				}
			})
		}
	}
}
