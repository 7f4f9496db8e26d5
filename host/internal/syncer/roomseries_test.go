package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// exceptAt puts one occurrence of a series otherwise; nil leaves it out.
func exceptAt(ev *calendar.Event, at time.Time, one *calendar.Event) {
	ev.Exceptions = slices.DeleteFunc(slices.Clone(ev.Exceptions), func(x calendar.OccurrenceException) bool { return x.Occurrence.Equal(at) })
	ev.Exceptions = append(ev.Exceptions, calendar.OccurrenceException{Occurrence: at, Event: one})
	slices.SortFunc(ev.Exceptions, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
}

func leaveOutOf(ev *calendar.Event, at time.Time) { exceptAt(ev, at, nil) }

// one is an occurrence of a series as the rule has it, or as it is by now.
func one(ev *calendar.Event, at time.Time) *calendar.Event {
	is := cloned(*occurrenceIn(ev, at))
	if is.Recurrence != "" {
		is.Recurrence, is.Exceptions, is.Start, is.End = "", nil, at, at.Add(ev.End.Sub(ev.Start))
	}
	return &is
}

// respondTo notes an answer to one occurrence on the organizer's item: Exchange makes an exception of it.
func (m *memory) respondTo(organizer, uid string, at time.Time, attendee string, r calendar.Response) {
	for _, it := range m.items(organizer) {
		if it.Event.UID == uid {
			m.edit(organizer, it.Ref, func(ev *calendar.Event) {
				is := one(ev, at)
				for i := range is.Attendees {
					if strings.EqualFold(is.Attendees[i].Email, attendee) {
						is.Attendees[i].Response = r
					}
				}
				exceptAt(ev, at, is)
			})
		}
	}
}

// Answer is what a room wrote.
func (m *memory) Answer(_ context.Context, mb calendar.Mailbox, ref calendar.Ref, attendee string) (string, error) {
	if err := m.enter("answer"); err != nil {
		return "", err
	}
	return "there are\r\nconflicts", m.leave("answer")
}

// weekly is a meeting on the day of the bookings and the weeks after it.
func weekly(hour, count int, uid, organizer string, rooms ...string) calendar.Event {
	ev := meetingAt(hour, uid, organizer, rooms...)
	ev.Recurrence = fmt.Sprintf("FREQ=WEEKLY;COUNT=%d;BYDAY=TU", count)
	return ev
}

// week is the start of a meeting of that hour so many weeks after the first.
func week(n, hour int) time.Time { return time.Date(2026, 12, 1+7*n, hour, 0, 0, 0, time.UTC) }

func inWeek(n, hour int) func(*booking.Booking) {
	return func(b *booking.Booking) { b.Start, b.End = week(n, hour), week(n, hour).Add(time.Hour) }
}

// seriesOf returns the only series that stands.
func (w *world) seriesOf() *booking.Booking {
	w.Helper()
	var found []*booking.Booking
	for _, b := range w.bookings() {
		if b.Series() {
			found = append(found, b)
		}
	}
	if len(found) != 1 {
		w.Fatalf("%d series are booked, want 1: %q", len(found), w.changes())
	}
	return found[0]
}

// times returns when a room is occupied by a booking.
func times(b *booking.Booking, room string) (list []string) {
	for o := range booking.Occurrences(b, time.Time{}) {
		if slices.Contains(o.Resources(), room) {
			list = append(list, o.Start.Format("01-02T15"))
		}
	}
	return list
}

func wantTimes(w *world, b *booking.Booking, room string, want ...string) {
	w.Helper()
	if got := times(b, room); !slices.Equal(got, want) {
		w.Errorf("%s is booked on %q, want %q", room, got, want)
	}
}

func TestASeriesOfSomebodyElseIsFollowed(t *testing.T) {
	rooms(t, func(w *world) {
		ev := weekly(9, 4, "m1", outside, roomA)
		leaveOutOf(&ev, week(2, 9))
		refs := w.invite(ev, roomA)
		w.pass("room-a")
		b := w.theOne()
		if b.External == nil || b.External.Email != outside || b.Recurrence == "" || b.Zone != "Europe/Berlin" {
			w.Fatalf("booking %+v", b)
		}
		wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-22T09")
		edit := func(change func(*calendar.Event)) *booking.Booking {
			w.Helper()
			w.server.edit(roomA, refs[0], change)
			w.pass("room-a")
			now := w.theOne()
			if now.ID != b.ID {
				w.Errorf("booking %s stands in place of %s", now.ID, b.ID)
			}
			return now
		}
		moved := edit(func(ev *calendar.Event) {
			is := one(ev, week(1, 9))
			is.Start, is.End, is.Subject = week(1, 14), week(1, 15), "Elsewhen"
			exceptAt(ev, week(1, 9), is)
		})
		wantTimes(w, moved, "room-a", "12-01T09", "12-08T14", "12-22T09")
		if x := moved.Exception(week(1, 9)); x == nil || x.Title == nil || *x.Title != "Elsewhen" {
			w.Errorf("exceptions %+v", moved.Exceptions)
		}
		wantTimes(w, edit(func(ev *calendar.Event) { leaveOutOf(ev, week(1, 9)) }), "room-a", "12-01T09", "12-22T09")
		shorter := edit(func(ev *calendar.Event) { ev.Recurrence = "FREQ=WEEKLY;COUNT=3;BYDAY=TU" })
		wantTimes(w, shorter, "room-a", "12-01T09", "12-08T09", "12-15T09") // the server threw the exceptions away
		wantTimes(w, edit(func(ev *calendar.Event) { ev.Start, ev.End = week(0, 11), week(0, 12) }), "room-a", "12-01T11", "12-08T11", "12-15T11")
		if single := edit(func(ev *calendar.Event) { ev.Recurrence = "" }); single.Series() || single.Start.Hour() != 11 {
			w.Errorf("booking %+v", single)
		}
		wantTimes(w, edit(func(ev *calendar.Event) { ev.Recurrence = "FREQ=DAILY;COUNT=2" }), "room-a", "12-01T11", "12-02T11")
		n := len(w.changes())
		if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
			w.Fatal(err)
		}
		w.pass("room-a")
		if got := w.changes(); len(got) != n {
			w.Errorf("changes go on: %q", got[n:])
		}
		w.server.remove(roomA, refs[0])
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		if all := w.bookings(); len(all) != 0 {
			w.Errorf("the meeting was called off, and %d bookings stand", len(all))
		}
		w.quiet(0)
		if w.server.writes != 0 || w.differences(roomDiffers) != 0 {
			w.Errorf("%d writes, %d differences", w.server.writes, w.differences(roomDiffers))
		}
	})
}

func TestASeriesOfAPersonIsOneBookingWhateverIsReadFirst(t *testing.T) {
	for _, order := range [][]string{{"room-a", "alice", "room-b"}, {"room-b", "room-a", "alice"}, {"alice", "room-b", "room-a"}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			rooms(t, func(w *world) {
				ev := weekly(9, 3, "m1", alice, roomA, roomB)
				is := one(&ev, week(1, 9))
				is.Start, is.End = week(1, 15), week(1, 16)
				exceptAt(&ev, week(1, 9), is)
				refs := w.invite(ev, roomA, roomB)
				pass := func() {
					w.Helper()
					for range 2 {
						for _, who := range order {
							w.pass(who)
						}
					}
				}
				pass()
				b := w.theOne()
				if b.Organizer != "alice" || b.SyncOff {
					w.Fatalf("booking %+v", b)
				}
				for _, room := range []string{"room-a", "room-b"} {
					wantTimes(w, b, room, "12-01T09", "12-08T15", "12-15T09")
				}
				if a := w.answerOf(b, roomB); a.State != booking.AnswerAccepted || len(a.Occurrences) != 0 {
					w.Errorf("answer %+v", a)
				}
				if w.server.writes != 1 || len(w.server.mails) != 0 { // the item is marked
					w.Errorf("%d writes, mails %q", w.server.writes, w.server.mails)
				}
				// One occurrence is called off, and the copies follow.
				for i, who := range []string{alice, roomA, roomB} {
					w.server.edit(who, refs[i], func(ev *calendar.Event) { leaveOutOf(ev, week(2, 9)) })
				}
				pass()
				b = w.theOne()
				wantTimes(w, b, "room-a", "12-01T09", "12-08T15")
				if a := w.answerOf(b, roomA); len(a.Occurrences) != 0 || b.SyncProblem != "" {
					w.Errorf("answer %+v, problem %q", a, b.SyncProblem)
				}
				// And a change of the booking goes to the organizer's item.
				changed := b.Clone()
				changed.Title = "Another"
				if _, err := w.engine.Put(w.Context(), changed, booking.Match{}, booking.Refuse); err != nil {
					w.Fatal(err)
				}
				pass()
				if it := w.only(alice); it.Event.Subject != "Another" || len(it.Event.Exceptions) != 2 {
					w.Errorf("item %+v", it.Event)
				}
			})
		})
	}
}

// Of a series one occurrence collides: it alone is declined, once, or listed. Freed, what is listed is booked.
func TestOneOccurrenceCollides(t *testing.T) {
	for _, organizer := range []string{bob, outside} {
		for _, master := range []bool{true, false} {
			t.Run(fmt.Sprint(organizer, master), func(t *testing.T) {
				rooms(t, func(w *world) {
					w.room("a", master)
					w.book("b1", noOneElse, inWeek(1, 9))
					w.pass("alice")
					w.invite(weekly(9, 3, "m1", organizer, roomA), roomA)
					for range 3 {
						w.pass("room-a")
						w.pass("bob")
					}
					if err := w.engine.Sync(w.Context(), tenant, "room-a", true); err != nil {
						w.Fatal(err)
					}
					w.pass("room-a")
					b := w.seriesOf()
					wantTimes(w, b, "room-a", "12-01T09", "12-15T09")
					if organizer == bob {
						it := w.only(bob)
						if left := one(&it.Event, week(1, 9)); len(left.Attendees) != 2 || len(times(b, "room-a")) != 2 {
							w.Errorf("the organizer's item was touched: %+v", left)
						}
					}
					marked := 0
					if organizer == bob {
						marked = 1
					}
					if w.server.writes-marked != len(w.server.mails) {
						w.Errorf("%d writes, %d mails: %q", w.server.writes, len(w.server.mails), w.server.mails)
					}
					if master {
						w.quiet(2)
						if got := w.server.mails[len(w.server.mails)-1]; got != roomA+" declines m1 on 2026-12-08: "+roomNotFree {
							w.Errorf("mail %q", got)
						}
						if a := w.answerOf(b, roomA); a.State != booking.AnswerAccepted || len(a.Occurrences) != 1 || !a.Occurrences[0].Equal(week(1, 9)) {
							w.Errorf("answer %+v", a)
						}
						if w.differences(roomConflict) != 0 {
							w.Error("what is declined is listed")
						}
						return
					}
					w.quiet(1)
					list, err := w.store.Differences(w.Context(), tenant, store.DifferenceFilter{Kind: roomConflict})
					if err != nil || len(list) != 1 || !strings.Contains(list[0].Detail, "2026-12-08") || strings.Contains(list[0].Detail, "2026-12-15") {
						w.Errorf("differences %+v, %v", list, err)
					}
					if _, err := w.engine.Cancel(w.Context(), tenant, "b1", booking.Match{}); err != nil {
						w.Fatal(err)
					}
					for range 2 {
						w.pass("room-a")
						w.pass("bob")
					}
					wantTimes(w, w.theOne(), "room-a", "12-01T09", "12-08T09", "12-15T09")
					if w.differences(roomConflict) != 0 {
						w.Error("the difference stays open")
					}
				})
			})
		}
	}
}

// A change of a series of which an occurrence was declined leaves the room invited to it.
func TestADeclinedOccurrenceStaysInvited(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("a", true)
		w.book("b1", noOneElse, inWeek(1, 9))
		w.pass("alice")
		w.invite(weekly(9, 3, "m1", bob, roomA, roomB), roomA, roomB)
		for range 2 {
			w.pass("room-b")
			w.pass("room-a")
			w.pass("bob")
		}
		b := w.seriesOf().Clone()
		wantTimes(w, b, "room-a", "12-01T09", "12-15T09")
		wantTimes(w, b, "room-b", "12-01T09", "12-08T09", "12-15T09")
		b.Title = "Another"
		x := booking.Exception{Occurrence: week(2, 9), Title: &b.ID}
		b.SetException(x)
		if _, err := w.engine.Put(w.Context(), b, booking.Match{}, booking.Refuse); err != nil {
			w.Fatal(err)
		}
		w.pass("bob")
		w.pass("bob")
		it := w.only(bob)
		if is := one(&it.Event, week(1, 9)); it.Event.Subject != "Another" || is.Subject != "Another" || len(is.Attendees) != 3 {
			w.Errorf("the occurrence is %+v", is)
		}
		if w.differences(roomConflict) != 0 {
			w.Error("something is listed")
		}
	})
}

// A room that is given up has nothing to list any more.
func TestARoomOfWhichAnOccurrenceIsListedIsGivenUp(t *testing.T) {
	rooms(t, func(w *world) {
		w.book("b1", noOneElse, inWeek(1, 9))
		w.pass("alice")
		refs := w.invite(weekly(9, 3, "m1", bob, roomA, roomB), roomA, roomB)
		for _, who := range []string{"room-b", "room-a", "bob"} {
			w.pass(who)
		}
		if n := w.differences(roomConflict); n != 1 {
			w.Fatalf("%d differences", n)
		}
		w.server.edit(bob, refs[0], func(ev *calendar.Event) { *ev = weekly(9, 3, "m1", bob, roomB) })
		w.server.remove(roomA, refs[1])
		for _, who := range []string{"bob", "room-a", "room-b"} {
			w.pass(who)
		}
		wantTimes(w, w.seriesOf(), "room-a")
		if n := w.differences(roomConflict); n != 0 {
			w.Errorf("%d differences", n)
		}
	})
}

func TestEveryOccurrenceCollides(t *testing.T) {
	for _, master := range []bool{true, false} {
		t.Run(fmt.Sprint("master ", master), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", master)
				w.book("b1", noOneElse, func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=8;BYDAY=TU" })
				w.pass("alice")
				w.invite(weekly(9, 3, "m1", outside, roomA), roomA)
				w.pass("room-a")
				w.pass("room-a")
				w.theOne()
				if master {
					w.quiet(2)
					w.none(roomA)
					return
				}
				w.quiet(1)
				if w.differences(roomConflict) != 1 {
					w.Errorf("%d differences", w.differences(roomConflict))
				}
			})
		})
	}
}

func TestTheRoomsOwnPolicyDeclinesOccurrences(t *testing.T) {
	for _, synced := range []bool{true, false} {
		t.Run(fmt.Sprint("synced ", synced), func(t *testing.T) {
			rooms(t, func(w *world) {
				w.withMails()
				w.book("b1", func(b *booking.Booking) { b.Recurrence = "FREQ=WEEKLY;COUNT=3;BYDAY=TU" })
				w.pass("alice")
				own := w.only(alice)
				w.server.identify(alice, own.Ref, "u1")
				if synced {
					ev := own.Event
					ev.UID, ev.Organizer = "u1", calendar.Address{Name: "Alice", Email: alice}
					leaveOutOf(&ev, week(1, 9))
					w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: ev})
					w.pass("room-a")
				}
				w.server.respondTo(alice, "u1", week(1, 9), roomA, calendar.Declined)
				for range 2 {
					w.pass("alice")
					w.pass("room-a")
				}
				b := w.theOne()
				wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-15T09") // nobody is invited again by itself
				if a := w.answerOf(b, roomA); len(a.Occurrences) != 1 || !a.Occurrences[0].Equal(week(1, 9)) || a.State == booking.AnswerDeclined {
					w.Errorf("answer %+v", a)
				}
				if !strings.Contains(b.SyncProblem, "room-a declined 1 occurrence of 2026-12-08") || b.SyncDisabled {
					w.Errorf("problem %q", b.SyncProblem)
				}
				if got := w.news(); !slices.Equal(got, []string{"alice: room declined"}) {
					w.Errorf("mails %q", got)
				}
				w.quiet(1)
			})
		})
	}
}

// The host is killed, or the answer lost, at every step of a decline of one occurrence: the organizer is mailed once.
func TestADeclineOfAnOccurrenceIsMadeOnce(t *testing.T) {
	for _, at := range []string{"room:page-settled", "room:page-stored", "room:settled", "decline:recorded", "decline:answered"} {
		t.Run(at, func(t *testing.T) {
			rooms(t, func(w *world) {
				w.room("a", true)
				w.book("b1", noOneElse, inWeek(1, 9))
				w.pass("alice")
				w.invite(weekly(9, 3, "m1", outside, roomA), roomA)
				died := false
				w.engine.Failpoint = func(step string) {
					if step == at && !died {
						died = true
						panic("killed")
					}
				}
				func() {
					defer func() { _ = recover() }()
					w.pass("room-a")
				}()
				if !died {
					w.Fatal("the step was not reached")
				}
				_ = w.store.Close()
				w.start()
				w.pass("room-a")
				w.quiet(2)
				wantTimes(w, w.seriesOf(), "room-a", "12-01T09", "12-15T09")
			})
		})
	}
}

// Two rooms of one series: one of them is taken once, and another leaves it in the end.
func TestTwoRoomsOfASeriesOfSomebodyElse(t *testing.T) {
	rooms(t, func(w *world) {
		w.room("b", true)
		w.book("b1", noOneElse, inWeek(1, 9), func(b *booking.Booking) { b.Resources = []string{"room-b"} })
		w.pass("alice")
		refs := w.invite(weekly(9, 3, "m1", outside, roomA, roomB), roomA, roomB)
		for range 2 {
			w.pass("room-b")
			w.pass("room-a")
		}
		b := w.seriesOf()
		wantTimes(w, b, "room-a", "12-01T09", "12-08T09", "12-15T09")
		wantTimes(w, b, "room-b", "12-01T09", "12-15T09")
		w.quiet(2)
		w.server.remove(roomA, refs[0])
		w.pass("room-a")
		w.later(2 * roomSwapWait)
		w.pass("room-a")
		b = w.seriesOf()
		wantTimes(w, b, "room-a")
		wantTimes(w, b, "room-b", "12-01T09", "12-15T09")
		w.quiet(2)
	})
}

// What the room wrote is asked where the organizer's item alone tells of its refusal, and once.
func TestWhatARoomWroteIsAskedOnce(t *testing.T) {
	rooms(t, func(w *world) {
		w.answers = true
		_ = w.store.Close()
		w.start()
		w.book("b1", noOneElse)
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		w.server.respond(alice, "u1", roomA, calendar.Declined)
		w.pass("alice")
		b := w.theOne()
		if a := w.answerOf(b, roomA); a.State != booking.AnswerDeclined || a.Reason != "there are conflicts" {
			w.Errorf("answer %+v", a)
		}
		w.server.edit(alice, own.Ref, func(ev *calendar.Event) { ev.Subject = "Another" })
		w.pass("alice")
		if err := w.engine.Sync(w.Context(), tenant, "alice", true); err != nil {
			w.Fatal(err)
		}
		w.pass("alice")
		if n := w.server.calls["answer"]; n != 1 {
			w.Errorf("it was asked %d times", n)
		}
		refusals, err := w.store.Refusals(w.Context(), tenant, "room-a", 3)
		if err != nil || len(refusals) != 1 || refusals[0].Reason != "there are conflicts" {
			w.Errorf("refusals %+v, %v", refusals, err)
		}
	})
}
