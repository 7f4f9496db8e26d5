package exchange

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// bothRooms are the addresses that are named as those of rooms.
var bothRooms = []string{"room-a@example.com", "room-b@example.com"}

func room(name string) calendar.Attendee {
	return calendar.Attendee{Address: calendar.Address{Email: name + "@example.com"}, Role: calendar.Resource}
}

// roomless returns e without rooms.
func roomless(e calendar.Event) calendar.Event {
	isRoom := func(a calendar.Attendee) bool { return a.Role == calendar.Resource }
	e.Attendees = slices.DeleteFunc(slices.Clone(e.Attendees), isRoom)
	e.Exceptions = slices.Clone(e.Exceptions)
	for i, x := range e.Exceptions {
		if x.Event != nil {
			other := *x.Event
			other.Attendees = slices.DeleteFunc(slices.Clone(other.Attendees), isRoom)
			e.Exceptions[i].Event = &other
		}
	}
	return e
}

// mailed lists the mails with whom they went to.
func mailed(w *world) string {
	var out []string
	for _, one := range w.sim.Mails() {
		out = append(out, told([]exchangesim.Mail{one})+" to "+strings.Join(one.To, " "))
	}
	return strings.Join(out, "; ")
}

// silently makes e the item that ref names, of which nobody is told but rooms.
func silently(t *testing.T, w *world, ref backend.Ref, e calendar.Event) (backend.Item, error) {
	t.Helper()
	now, err := w.fetch(t, ref)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Key: "bk-1", Ref: now.Ref, IfRevision: now.Revision, Known: &now.Event, Event: e,
		Fields: calendar.AllFields, Mail: calendar.MailNobody, Rooms: bothRooms,
	})
	return r.Item, err
}

// second has something happen to the second UpdateItem.
func second(f *exchangesim.Faults, what func(operation string, n int)) {
	arrived, release := f.PauseAfter("UpdateItem")
	go func() {
		<-arrived
		what("UpdateItem", 1)
		release()
	}()
}

// Wherever it is cut off, a room gets one invitation to what holds, and nobody else hears of it.
func TestASilentChangeTellsRoomsAlone(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"at once":               func(*exchangesim.Faults) {},
		"before the change":     func(f *exchangesim.Faults) { f.DropBefore("UpdateItem", 1) },
		"after the change":      func(f *exchangesim.Faults) { f.DropAfter("UpdateItem", 1) },
		"before the invitation": func(f *exchangesim.Faults) { second(f, f.DropBefore) },
		"after the invitation":  func(f *exchangesim.Faults) { second(f, f.DropAfter) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := rooms(t)
			e := desk()
			e.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "bob@example.com"}}, room("room-a")}
			item := w.create(t, "bk-1", roomless(e))
			e.Subject, e.Start, e.End = "Moved", e.Start.AddDate(0, 0, 1), e.End.AddDate(0, 0, 1)
			e.Attendees = append(e.Attendees, calendar.Attendee{Address: calendar.Address{Email: "carol@example.com"}})
			trouble(w.sim.Faults())
			got, err := silently(t, w, item.Ref, e)
			if name != "at once" {
				if fault.Of(err) != fault.Unavailable {
					t.Fatalf("the first try: %v", err)
				}
				got, err = silently(t, w, item.Ref, e)
			}
			if d := differs(got.Event, e); err != nil || d != "" {
				t.Errorf("%v, %s", err, d)
			}
			if got := mailed(w); got != "request to room-a@example.com" || w.tracked(t) != "Accept" {
				t.Errorf("mails %s, the room's answer %q", got, w.tracked(t))
			}
			e.Attendees[1] = room("room-b")
			if got, err = silently(t, w, item.Ref, e); err != nil || differs(got.Event, e) != "" {
				t.Errorf("%v, %s", err, differs(got.Event, e))
			}
			const want = "request to room-a@example.com; cancellation to room-a@example.com; request to room-b@example.com"
			if got := mailed(w); got != want {
				t.Errorf("mails %s\nwant %s", got, want)
			}
		})
	}
}

// A room is invited to a series when its exceptions are there, once, and to single occurrences that it has alone.
func TestASilentChangeOfASeriesTellsRoomsAlone(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e := inRoomA(t, w)
	e.Exceptions = append(e.Exceptions,
		on(t, e, "2026-12-03", func(x *calendar.Event) {
			x.Subject, x.Attendees = "Elsewhere", []calendar.Attendee{e.Attendees[0], room("room-b")}
		}),
		on(t, e, "2026-12-04", func(x *calendar.Event) { x.Subject = "Finale" }))
	item := w.create(t, "bk-1", roomless(e))
	if d := differs(item.Event, roomless(e)); d != "" {
		t.Fatal(d)
	}
	got, err := silently(t, w, item.Ref, e)
	if d := differs(got.Event, e); err != nil || d != "" {
		t.Errorf("%v, %s", err, d)
	}
	const want = "request to room-a@example.com; cancellation 2026-12-03 to room-a@example.com; request 2026-12-03 to room-b@example.com"
	if got := mailed(w); got != want || w.tracked(t) != "Accept" {
		t.Errorf("mails %s\nwant %s; the room's answer %q", got, want, w.tracked(t))
	}
	sent := len(w.sim.Mails())
	if got, err = silently(t, w, item.Ref, e); err != nil || len(w.sim.Mails()) != sent {
		t.Errorf("%v; again: %s", err, mailed(w))
	}
	if got, err = silently(t, w, item.Ref, roomless(e)); err != nil || differs(got.Event, roomless(e)) != "" {
		t.Errorf("%v, %s", err, differs(got.Event, roomless(e)))
	}
	if got := strings.TrimPrefix(mailed(w), want+"; "); strings.Contains(got, "bob") || !strings.Contains(got, "cancellation to room-a@example.com") {
		t.Errorf("without rooms: %s", got)
	}
}

// A room that somebody has put among the people goes to the rooms, and is not invited once more.
func TestASilentChangeOfARoomsRoleIsWritten(t *testing.T) {
	t.Parallel()
	w, _ := rooms(t)
	e := desk()
	e.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "bob@example.com"}}, room("room-a")}
	among := e
	among.Attendees = slices.Clone(e.Attendees)
	among.Attendees[1].Role = calendar.Required
	item := w.create(t, "bk-1", among)
	before := mailed(w)
	got, err := silently(t, w, item.Ref, e)
	if d := differs(got.Event, e); err != nil || d != "" {
		t.Errorf("%v, %s", err, d)
	}
	if got := mailed(w); got != before {
		t.Errorf("mails %s, before that %s", got, before)
	}
}
