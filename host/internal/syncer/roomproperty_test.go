package syncer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// An outlookMeeting is one that somebody called in Outlook, with its copies in rooms' calendars.
type outlookMeeting struct {
	event calendar.Event // as its organizer wants it, with the rooms that are invited
	own   calendar.Ref   // of the organizer's item; empty: of somebody else
}

func (m *outlookMeeting) rooms() (list []string) {
	for _, a := range m.event.Attendees {
		if a.Role == calendar.Resource {
			list = append(list, a.Email)
		}
	}
	return list
}

// A roomPlay plays random acts of organizers, of the booking system and of who looks after rooms. The server is in memory and
// delivers no mail, so what Exchange does with invitations is done here.
type roomPlay struct {
	*world
	rand     *rand.Rand
	meetings []*outlookMeeting
	blocks   []string
	made     int
	sent     map[string]int // how often a room was given an invitation, or it was moved there
	declined map[string]bool
	read     int // of the server's mails
	story    []string
}

func (p *roomPlay) tell(format string, args ...any) {
	p.story = append(p.story, fmt.Sprintf(format, args...))
}

// deliver has the rooms' calendars say what the organizer wants; moved: also those that declined get it anew.
func (p *roomPlay) deliver(m *outlookMeeting, moved bool) {
	invited := m.rooms()
	for _, room := range []string{roomA, roomB} {
		var there calendar.Ref
		for _, it := range p.server.items(room) {
			if it.Event.UID == m.event.UID {
				there = it.Ref
			}
		}
		asked := p.sent[room+m.event.UID] > 0
		switch {
		case !slices.Contains(invited, room):
			if there != "" {
				p.server.remove(room, there)
			}
			p.sent[room+m.event.UID] = 0
		case there != "":
			if moved {
				p.sent[room+m.event.UID] += 1000
				p.server.respond(m.event.Organizer.Email, m.event.UID, room, calendar.Accepted)
			}
			p.server.edit(room, there, func(ev *calendar.Event) {
				left := ev.Exceptions
				if *ev = cloned(m.event); !moved {
					ev.Exceptions = left // what was declined of it stays so
				}
			})
		case moved || !asked:
			p.made++
			p.sent[room+m.event.UID] = 1000*p.made + 1
			p.server.add(room, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: cloned(m.event)})
			p.server.respond(m.event.Organizer.Email, m.event.UID, room, calendar.Accepted)
		}
	}
}

// own has the organizer's item say what is wanted, if it is still there. What was answered stays tracked, also in its exceptions.
func (p *roomPlay) own(m *outlookMeeting, moved bool) {
	for _, it := range p.server.items(m.event.Organizer.Email) {
		if it.Ref != m.own {
			continue
		}
		p.server.edit(m.event.Organizer.Email, m.own, func(ev *calendar.Event) {
			before := *ev
			if *ev = cloned(m.event); moved {
				return
			}
			ev.Attendees = tracked(m.event.Attendees, before.Attendees)
			for _, x := range before.Exceptions {
				if x.Event != nil {
					is := cloned(*x.Event)
					is.Attendees = tracked(m.event.Attendees, is.Attendees)
					x.Event = &is
				}
				ev.Exceptions = append(ev.Exceptions, x)
			}
		})
	}
}

// written delivers what the hub wrote to organizers' items: an edit that was set back takes rooms out, and moves the meeting back.
func (p *roomPlay) written() {
	for _, m := range p.meetings {
		for _, it := range p.server.items(m.event.Organizer.Email) {
			if it.Ref != m.own {
				continue
			}
			is := outlookMeeting{event: cloned(it.Event)}
			moved := !is.event.Start.Equal(m.event.Start)
			if !moved && slices.Equal(is.rooms(), m.rooms()) {
				continue
			}
			p.tell("the hub sets %s back to %s in %v", m.event.UID, is.event.Start.Format("01-02T15"), is.rooms())
			m.event.Start, m.event.End, m.event.Attendees = is.event.Start, is.event.End, is.event.Attendees
			p.deliver(m, moved)
		}
	}
}

// tracked returns those who are invited with what they answered before.
func tracked(invited, before []calendar.Attendee) []calendar.Attendee {
	invited = slices.Clone(invited)
	for i := range invited {
		for _, a := range before {
			if a.Email == invited[i].Email {
				invited[i].Response = a.Response
			}
		}
	}
	return invited
}

func (p *roomPlay) some(list ...string) string { return list[p.rand.IntN(len(list))] }

func (p *roomPlay) hour() int { return 9 + p.rand.IntN(4) }

func (p *roomPlay) someRooms() []string {
	return [][]string{{roomA}, {roomB}, {roomA, roomB}}[p.rand.IntN(3)]
}

func (p *roomPlay) act() {
	n := p.rand.IntN(100)
	if n < 30 || len(p.meetings) == 0 {
		p.made++
		uid, organizer, rooms := fmt.Sprintf("m%d", p.made), p.some(alice, bob, outside), p.someRooms()
		m := &outlookMeeting{event: meetingAt(p.hour(), uid, organizer, rooms...)}
		if p.rand.IntN(3) == 0 {
			m.event = weekly(p.hour(), 3, uid, organizer, rooms...)
		} else {
			later := time.Duration(7*p.rand.IntN(3)) * 24 * time.Hour
			m.event.Start, m.event.End = m.event.Start.Add(later), m.event.End.Add(later)
		}
		m.event.Subject, m.event.Organizer.Name = uid, ""
		m.event.Attendees = slices.DeleteFunc(m.event.Attendees, func(a calendar.Attendee) bool { return a.Role != calendar.Resource })
		if organizer != outside {
			m.own = p.server.add(organizer, calendar.Item{Event: cloned(m.event)})
		}
		p.meetings = append(p.meetings, m)
		p.tell("%s invites %v to %s at %s %s", organizer, rooms, uid, m.event.Start.Format("01-02T15"), m.event.Recurrence)
		p.deliver(m, false)
		return
	}
	i := p.rand.IntN(len(p.meetings))
	m := p.meetings[i]
	switch {
	case n < 45:
		by := time.Duration(1+p.rand.IntN(3)) * time.Hour
		if m.event.Start.Hour() > 11 {
			by = -by
		}
		m.event.Start, m.event.End, m.event.Exceptions = m.event.Start.Add(by), m.event.End.Add(by), nil
		p.tell("%s is moved to %s", m.event.UID, m.event.Start.Format("01-02T15"))
		p.own(m, true)
		p.deliver(m, true)
	case n < 60:
		rooms := p.someRooms()
		people := slices.DeleteFunc(slices.Clone(m.event.Attendees), func(a calendar.Attendee) bool { return a.Role == calendar.Resource })
		for _, r := range rooms {
			people = append(people, calendar.Attendee{Address: calendar.Address{Email: r}, Role: calendar.Resource})
		}
		m.event.Attendees = people
		p.tell("%s is to be in %v", m.event.UID, rooms)
		p.own(m, false)
		p.deliver(m, false)
	case n < 70:
		p.tell("%s is called off", m.event.UID)
		m.event.Attendees = nil
		p.deliver(m, false)
		if m.own != "" {
			p.server.remove(m.event.Organizer.Email, m.own)
		}
		p.meetings = slices.Delete(p.meetings, i, i+1)
	case n < 75:
		room := p.some(roomA, roomB)
		for _, it := range p.server.items(room) {
			if it.Event.UID == m.event.UID {
				p.tell("somebody deletes %s in the calendar of %s", m.event.UID, room)
				p.server.remove(room, it.Ref)
			}
		}
	case n < 90 || len(p.blocks) == 0:
		p.made++
		id := fmt.Sprintf("b%d", p.made)
		_, err := p.tryBook(id, noOneElse, by("carol"), inWeek(p.rand.IntN(3), p.hour()), func(b *booking.Booking) {
			b.SyncOff, b.Resources = true, []string{p.some("room-a", "room-b")}
			p.tell("the booking system books %s for %s at %s", b.Resources, id, b.Start.Format("01-02T15"))
		})
		if err == nil {
			p.blocks = append(p.blocks, id)
		}
	default:
		i := p.rand.IntN(len(p.blocks))
		p.tell("the booking system cancels %s", p.blocks[i])
		if _, err := p.engine.Cancel(p.Context(), tenant, p.blocks[i], booking.Match{}); err != nil {
			p.Fatal(err)
		}
		p.blocks = slices.Delete(p.blocks, i, i+1)
	}
}

// heldOnce: nobody has a room that somebody else has.
func (p *roomPlay) heldOnce() {
	p.Helper()
	type held struct {
		by         string
		start, end time.Time
	}
	rooms := map[string][]held{}
	for _, b := range p.bookings() {
		for o := range booking.Occurrences(b, time.Time{}) {
			start, end := o.Span()
			for _, room := range o.Resources() {
				for _, h := range rooms[room] {
					if h.by != b.ID && start.Before(h.end) && h.start.Before(end) {
						p.Fatalf("%s is held by %s and %s at %s", room, h.by, b.ID, start)
					}
				}
				rooms[room] = append(rooms[room], held{b.ID, start, end})
			}
		}
	}
}

// declinedOnce: one invitation, or one occurrence of it, is declined once as long as its organizer does not move it; and only by the
// room that the hub is master of.
func (p *roomPlay) declinedOnce() {
	p.Helper()
	for ; p.read < len(p.server.mails); p.read++ {
		mail := p.server.mails[p.read]
		room, what, is := strings.Cut(mail, " declines ")
		if !is {
			continue
		}
		uid, _, _ := strings.Cut(what, " ")
		key := fmt.Sprint(mail, " ", p.sent[room+strings.TrimSuffix(uid, ":")])
		if room != roomA || p.declined[key] {
			p.Fatalf("declined again, or by a room that nobody is master of: %s", mail)
		}
		p.declined[key] = true
	}
}

// accounted: what is in a room's calendar is booked with the room, or somebody can see that it is not; and once.
func (p *roomPlay) accounted() {
	p.Helper()
	open, err := p.store.Differences(p.Context(), tenant, store.DifferenceFilter{})
	if err != nil {
		p.Fatal(err)
	}
	standing := map[string][]*booking.Booking{}
	for _, b := range p.bookings() {
		standing[b.Title] = append(standing[b.Title], b)
	}
	for id, room := range map[string]string{"room-a": roomA, "room-b": roomB} {
		for _, d := range open {
			gone := !slices.ContainsFunc(p.server.items(room), func(it calendar.Item) bool { return it.Ref == d.Ref })
			if d.Person == id && gone && !strings.HasPrefix(string(d.Ref), placeholderPrefix) {
				p.Fatalf("%s of %s is listed, and its item is gone: %s", d.Kind, id, d.Detail)
			}
		}
		for _, it := range p.server.items(room) {
			list := standing[it.Event.UID]
			if len(list) > 1 {
				p.Fatalf("%s is booked %d times", it.Event.UID, len(list))
			}
			if len(list) == 1 && len(times(list[0], id)) > 0 || slices.ContainsFunc(open, func(d store.Difference) bool { return d.Ref == it.Ref }) {
				continue
			}
			p.Fatalf("%s is in the calendar of %s, neither booked nor listed", it.Event.UID, room)
		}
	}
}

func (p *roomPlay) passes(rounds int) {
	p.Helper()
	for range rounds {
		who := []string{"alice", "bob", "room-a", "room-b"}
		p.rand.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
		for _, one := range who {
			p.pass(one)
			p.written()
			p.heldOnce()
			p.declinedOnce()
		}
	}
}

// quietAgain: read in full once more, nothing is written, told or mailed.
func (p *roomPlay) quietAgain() {
	p.Helper()
	p.later(2 * time.Hour) // what was put off
	p.passes(3)
	writes, mails, told := p.server.writes, len(p.server.mails), len(p.changes())
	for _, one := range []string{"room-b", "alice", "room-a", "bob"} {
		if err := p.engine.Sync(p.Context(), tenant, one, true); err != nil {
			p.Fatal(err)
		}
		p.pass(one)
		p.written()
	}
	p.passes(1)
	if w, m, c := p.server.writes-writes, p.server.mails[mails:], p.changes()[told:]; w != 0 || len(m) != 0 || len(c) != 0 {
		p.Fatalf("with nothing changed: %d writes, mails %q, told %q", w, m, c)
	}
	p.accounted()
}

// TestRoomsWhateverIsInvited plays short random stories of meetings in two rooms, one of which the hub is master of.
func TestRoomsWhateverIsInvited(t *testing.T) {
	t.Parallel()
	first, n := number(t, "ROOMWIRE_SEED", 1), number(t, "ROOMWIRE_SCHEDULES", 24)
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{T: t, url: storetest.SQLite(t), server: newMemory(), time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), rooms: true}
			w.start()
			t.Cleanup(func() { _ = w.store.Close() })
			w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice"})
			w.person(directory.Person{ID: "bob", Email: bob, DisplayName: "Bob"})
			w.room("a", true)
			w.room("b", false)
			p := &roomPlay{world: w, rand: rand.New(rand.NewPCG(uint64(seed), 6)), sent: map[string]int{}, declined: map[string]bool{}}
			defer func() {
				if t.Failed() {
					t.Logf("what happened:\n%s", strings.Join(p.story, "\n"))
				}
			}()
			p.passes(1)
			for range 14 {
				p.act()
				if p.rand.IntN(3) > 0 {
					p.passes(1)
				}
				w.later(time.Duration(p.rand.IntN(5)) * time.Minute)
			}
			p.quietAgain()
		})
	}
}
