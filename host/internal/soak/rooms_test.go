package soak_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// roomTable is what happens where rooms are synced.
var roomTable = soak.NewTable(tableText + `, meet 12, guest 14, inroom 6`)

// hasRooms reports whether the rooms of a world are synced; the first act of a schedule says so.
func hasRooms(how soak.Act) bool { return how.A/3%3 == 2 }

// furnish makes the rooms of a world.
func (w *world) furnish(how soak.Act) {
	modes := []string{onPremises, overEWS, overGraph}
	for i, name := range []string{"room-a", "room-b"} {
		w.mailbox(name, true)
		r := directory.Person{ID: name, Email: w.address(name), DisplayName: "The " + name, Kind: directory.KindResource, SyncDisabled: true}
		if hasRooms(how) {
			r.SyncDisabled, r.SyncMode, r.SyncMaster = false, modes[(how.B+i*how.C)%3], how.A/9>>i%2 == 1
			w.synced = append(w.synced, name)
		}
		w.putPerson(r)
	}
	w.boxes = append(slices.Clone(w.names), w.synced...)
}

// meetingID is the id of the booking that a meeting made in Outlook becomes.
func meetingID(uid string) string {
	sum := sha256.Sum256([]byte(uid))
	return "outlook-" + hex.EncodeToString(sum[:12])
}

// bookingOf returns the id of the booking whose item an item says to be, or would be.
func (w *world) bookingOf(it exchangesim.Appointment) string {
	if id := w.meetings[it.UID]; id != "" {
		return id
	}
	if id := it.Properties[oid]; id != "" {
		links, err := w.store.LinksByUID(w.Context(), w.tenant, it.UID)
		w.must(err)
		for _, l := range links {
			if l.State == store.LinkLive && (strings.HasPrefix(l.Booking, id+"-") || l.Booking == meetingID(it.UID)) {
				return l.Booking // split off, or booked by a room that it invites after its own booking was over, and not marked yet
			}
		}
		return id
	}
	key := it.Properties[ourKey] // it is half made: the booking's id comes with the invitation
	return key[:max(strings.LastIndexByte(key, '.'), 0)]
}

// byUID is bookingOf for the copy of an item.
func (w *world) byUID(uid string) string {
	if id := w.meetings[uid]; id != "" {
		return id
	}
	for _, name := range append(slices.Clone(w.names), "dave") {
		if it, found := w.sim.Outlook(w.address(name)).Find(func(x exchangesim.Appointment) bool { return x.UID == uid }); found {
			return w.bookingOf(it)
		}
	}
	return ""
}

// organizer returns who organizes a booking; somebody else's is nobody's in particular.
func (w *world) organizerOf(b *booking.Booking) *who {
	if p := w.people[b.Organizer]; p != nil {
		return p
	}
	return &who{}
}

func (w *world) attendees(rooms []string) (list []exchangesim.Attendee) {
	for _, r := range rooms {
		list = append(list, exchangesim.Attendee{Name: "The " + r, Address: w.address(r)})
	}
	return list
}

// patternOf is that of a series made in Outlook.
func patternOf(n int) *exchangesim.Recurrence {
	return &exchangesim.Recurrence{Pattern: "Daily", Interval: 1 + n%2, Count: 3 + n/2%3}
}

// meet has a person, or a guest, invite rooms in Outlook.
func (w *world) meet(a soak.Act) {
	if len(w.synced) == 0 || len(w.meetings) > 5 {
		return
	}
	name := append(slices.Clone(w.names), "dave", "dave")[a.A%(len(w.names)+2)]
	o, at := w.sim.Outlook(w.address(name)), exchangesim.Appointment{Start: w.hour(a.B), End: w.hour(a.B).Add(time.Hour), Subject: "soon"}
	if a.C%3 == 0 {
		at.Recurrence = patternOf(a.C / 3)
	}
	rooms, id := [][]string{{"room-a"}, {"room-b"}, {"room-a", "room-b"}}[a.C/20%3], ""
	w.byHand(func() error {
		made, err := o.Create(at)
		if err != nil {
			return err
		}
		it, _ := o.Find(func(x exchangesim.Appointment) bool { return x.ID == made })
		id = meetingID(it.UID)
		w.meetings[it.UID] = id
		return o.Update(made, func(x *exchangesim.Appointment) {
			x.Subject, x.Resources = w.fresh(id, "subject"), w.attendees(rooms)
			if a.C/60%2 == 0 {
				x.Required = []exchangesim.Attendee{{Name: "Friend", Address: "friend1@partner.example"}}
			}
		})
	})
	w.say("%s invites %v to %s at %s, series: %v", name, rooms, id, at.Start.Format("2 15:04"), at.Recurrence != nil)
	w.note(id).touched = true
	w.note(id).asked++
}

// becomesMeeting notes that an appointment that was nobody's business invites a room. It reports whether it may: what its copy
// becomes nobody can say.
func (w *world) becomesMeeting(it exchangesim.Appointment) bool {
	o := w.others[it.ID]
	if o == nil || len(w.synced) == 0 {
		return true
	}
	if o.booking != "" || it.Properties[oid] != "" {
		return false
	}
	delete(w.others, it.ID)
	w.meetings[it.UID] = meetingID(it.UID)
	return true
}

// settleMeetings: an appointment that invites a room is a booking of its own, whatever it is a copy of.
func (w *world) settleMeetings() {
	for _, name := range w.names {
		for _, it := range w.own(w.address(name)) {
			if w.isMeeting(w.people[name], it) {
				if w.others[it.ID] != nil {
					w.unsent[it.ID] = true
				}
				delete(w.others, it.ID)
			}
		}
	}
}

// isMeeting reports whether a person's item is that of a booking which a room's calendar told of.
func (w *world) isMeeting(p *who, it exchangesim.Appointment) bool {
	l, known := w.linked(p, it.ID)
	if !known || l.State != store.LinkLive || !strings.HasPrefix(l.Booking, "outlook-") {
		return false
	}
	w.meetings[it.UID] = l.Booking
	return true
}

// guest has somebody who is not in the directory change a meeting.
func (w *world) guest(a soak.Act) {
	o := w.sim.Outlook(w.address("dave"))
	items := w.own(w.address("dave"))
	if len(w.synced) == 0 || len(items) == 0 {
		return
	}
	it := items[a.A%len(items)]
	id := w.bookingOf(it)
	change := func(f func(x *exchangesim.Appointment)) func() error {
		return func() error { return o.Update(it.ID, f) }
	}
	what, do := "", func() error { return nil }
	switch a.C % 8 {
	case 0, 1:
		what, do = "moves", change(func(x *exchangesim.Appointment) { x.Start = w.hour(a.B); x.End = x.Start.Add(time.Hour) })
	case 2:
		what, do = "retitles", change(func(x *exchangesim.Appointment) { x.Subject = w.fresh(id, "subject") })
	case 3, 4:
		rooms := roomsOf[a.B%4]
		what, do = fmt.Sprintf("invites %v to", rooms), change(func(x *exchangesim.Appointment) { x.Resources = w.attendees(rooms) })
	case 5:
		what, do = "calls off", func() error { return o.Delete(it.ID) }
	case 6:
		if it.Recurrence == nil || a.B%3 == 0 {
			what, do = "repeats", change(func(x *exchangesim.Appointment) { x.Recurrence = patternOf(a.B) })
			break
		}
		what, do = "singles out", change(func(x *exchangesim.Appointment) { x.Recurrence = nil })
	case 7:
		all, err := o.Occurrences(it.ID, w.began, w.day(10))
		if err != nil || len(all) == 0 {
			return // it is no series
		}
		at := all[a.B%len(all)]
		what, do = "deletes an occurrence of", func() error { return o.DeleteOccurrence(it.ID, at.Original) }
		if a.B/8%2 == 0 {
			what, do = "moves an occurrence of", func() error {
				return o.UpdateOccurrence(it.ID, at.Original, func(x *exchangesim.Appointment) {
					x.Start = day(at.Original).Add(time.Duration(6+a.B/16%8) * time.Hour)
					x.End = x.Start.Add(time.Hour)
				})
			}
		}
	}
	w.counted()
	err := do()
	w.mails = len(w.sim.Mails())
	w.say("the guest %s %s: %v", what, id, err)
	n := w.note(id)
	n.touched, n.mayCancel, n.asked = true, true, n.asked+1
}

// inRoom has somebody do something in the calendar of a room.
func (w *world) inRoom(a soak.Act) {
	if len(w.synced) == 0 {
		return
	}
	room := w.synced[a.A%len(w.synced)]
	o := w.sim.Outlook(w.address(room))
	items := slices.DeleteFunc(o.Items(), func(x exchangesim.Appointment) bool { return x.Cancelled })
	if a.C%6 == 0 || len(items) == 0 {
		id := ""
		w.byHand(func() error {
			made, err := o.Create(exchangesim.Appointment{Subject: "cleaning", Start: w.hour(a.B), End: w.hour(a.B).Add(time.Hour)})
			it, _ := o.Find(func(x exchangesim.Appointment) bool { return x.ID == made })
			id = meetingID(it.UID)
			w.meetings[it.UID] = id
			return err
		})
		w.say("somebody writes %s into the calendar of %s at %s", id, room, w.hour(a.B).Format("2 15:04"))
		w.note(id).touched = true
		return
	}
	it := items[a.B%len(items)]
	id, what, do := w.byUID(it.UID), "deletes", func() error { return o.Delete(it.ID) }
	own := strings.EqualFold(it.Organizer.Address, w.address(room))
	switch a.C / 6 % 4 {
	case 0:
		if own {
			what, do = "moves", func() error {
				return o.Update(it.ID, func(x *exchangesim.Appointment) { x.Start = w.hour(a.C); x.End = x.Start.Add(time.Hour) })
			}
			break
		}
		what, do = "declines", func() error { return o.Respond(it.ID, "Decline") }
	case 1:
		all, err := o.Occurrences(it.ID, w.began, w.day(10))
		if err != nil || it.Recurrence == nil || len(all) == 0 {
			break
		}
		at := all[a.C/24%len(all)]
		what, do = "deletes an occurrence of", func() error { return o.DeleteOccurrence(it.ID, at.Original) }
	case 2:
		what, do = "shreds", func() error { return o.HardDelete(it.ID) }
	}
	if r, met, err := w.store.RoomItem(w.Context(), w.tenant, room, w.ref(w.anyone(room), it.ID)); err != nil || !met || r.Role == store.RoomNew {
		w.unmet[room+" "+id] = true // of what was never read, or not settled because the pass was cut off, nobody knows what is gone
	}
	w.byHand(do)
	w.say("somebody %s %s in the calendar of %s", what, id, room)
	w.actedInRoom(id)
}

// actedInRoom notes that something was done in a room's calendar to the copy of a meeting.
func (w *world) actedInRoom(id string) {
	n := w.note(id)
	n.touched = true
	if b := w.booking(id); b == nil || b.Organizer == "" || b.SyncOff || w.organizerOf(b).ConflictBehaviour == directory.Cancel {
		n.mayCancel = true
	}
}

// goesInRoom notes that an item, which says to be that of a booking id, was deleted or is at another time, or in another room. Where nobody
// has read it, as the sync of its owner is off, a room may have booked it as a meeting of its own, which ends with it.
func (w *world) goesInRoom(it exchangesim.Appointment, id string) {
	if own := meetingID(it.UID); own != id && len(w.synced) > 0 {
		w.note(own).mayCancel, w.note(own).touched = true, true
	}
}

// turnedOut reports whether the meeting that a room booked by itself is the item of another booking, as is known by now.
func (w *world) turnedOut(b *booking.Booking) bool {
	return slices.ContainsFunc(w.own(w.organizerOf(b).Email), func(it exchangesim.Appointment) bool {
		l, known := w.linked(w.organizerOf(b), it.ID)
		return meetingID(it.UID) == b.ID && known && l.State == store.LinkLive && l.Booking != b.ID
	})
}

// followsRoom reports whether a booking says what rooms' calendars have of it, and ends when they decline.
func (w *world) followsRoom(id string) bool {
	b := w.booking(id)
	return b != nil && b.SyncOff
}

// isSynced reports whether a room's calendar is.
func (w *world) isSynced(room string) bool { return slices.Contains(w.synced, room) }

// roomItems is what is recorded of the meeting with a UID.
func (w *world) roomItems(uid string) []store.RoomItem {
	rows, err := w.store.RoomItemsByUID(w.Context(), w.tenant, uid)
	w.must(err)
	return rows
}

func refused(r store.RoomItem) bool {
	return r.Role == store.RoomConflict || r.Role == store.RoomDeclining || r.Role == store.RoomDeclined
}

// excused are the rooms that an item invites and its booking does not have, because they are taken.
func (w *world) excused(b *booking.Booking, it exchangesim.Appointment) (addresses []string) {
	for _, r := range w.roomItems(it.UID) {
		invites := func(x exchangesim.Attendee) bool { return strings.EqualFold(x.Address, w.address(r.Room)) }
		if !slices.Contains(b.Resources, r.Room) && refused(r) && slices.ContainsFunc(it.Resources, invites) {
			addresses = append(addresses, w.address(r.Room))
		}
	}
	return addresses
}

// withTaken returns an occurrence with the rooms that stay invited to it and that its booking does not have, because they are taken.
func (w *world) withTaken(one *booking.Booking, at time.Time, uid string) *booking.Booking {
	one = one.Clone()
	for _, r := range w.roomItems(uid) {
		taken := slices.ContainsFunc(r.Occurrences, func(o store.RoomOccurrence) bool { return o.Occurrence.Equal(at) })
		if taken && !slices.Contains(one.Resources, r.Room) {
			one.Resources = append(one.Resources, r.Room)
		}
	}
	slices.Sort(one.Resources)
	return one
}

// toldOf reports whether anything was ever laid before somebody about a room's item, or about a booking in it.
func (w *world) toldOf(room string, ref calendar.Ref, booking string) bool {
	all, err := w.store.Differences(w.Context(), w.tenant, store.DifferenceFilter{Person: room, IncludeClosed: true})
	w.must(err)
	return slices.ContainsFunc(all, func(d store.Difference) bool {
		return ref != "" && d.Ref == ref || booking != "" && d.Booking == booking
	})
}

// everTold reports whether anything was ever laid before somebody about a booking.
func (w *world) everTold(id string) bool {
	all, err := w.store.Differences(w.Context(), w.tenant, store.DifferenceFilter{Booking: id, IncludeClosed: true})
	w.must(err)
	return len(all) > 0
}

// isOff reports whether the calendar of whoever has an address is not to be written to.
func (w *world) isOff(address string) bool {
	return slices.ContainsFunc(w.names, func(name string) bool {
		return strings.EqualFold(w.address(name), address) && w.people[name].SyncDisabled
	})
}

// checkHeld: a booking has the room that it says to have, or the room's refusal is known.
func (w *world) checkHeld(bookings []*booking.Booking) {
	for _, b := range bookings {
		if b.Status != booking.Confirmed || b.SyncDisabled || b.SyncProblem != "" || w.organizerOf(b).SyncDisabled || w.heldStill(b) || w.standsUnsent(b) {
			continue
		}
		for _, room := range b.Resources {
			if !w.isSynced(room) {
				continue
			}
			answer, _ := b.Answer(w.address(room))
			copied := slices.ContainsFunc(w.sim.Outlook(w.address(room)).Items(), func(x exchangesim.Appointment) bool {
				if x.Cancelled {
					return false
				}
				r, _, err := w.store.RoomItem(w.Context(), w.tenant, room, w.ref(w.anyone(room), x.ID))
				w.must(err)
				return r.Booking == b.ID || w.byUID(x.UID) == b.ID
			})
			if copied {
				delete(w.unmet, room+" "+b.ID)
			}
			if !copied && !w.unmet[room+" "+b.ID] && answer.State != booking.AnswerDeclined && !w.toldOf(room, "", b.ID) && len(w.differences(b.ID)) == 0 {
				w.recall(b.ID)
				w.fail("%s has %s, whose calendar has nothing of it, and nobody knows: %+v", b.ID, room, b.Answers)
			}
		}
	}
}

// checkAccepted: what a room has in its calendar is booked, or laid before somebody.
func (w *world) checkAccepted() {
	for _, room := range w.synced {
		p := w.anyone(room)
		for _, it := range w.sim.Outlook(p.Email).Items() {
			if it.Cancelled || w.isCopy(it.UID) {
				continue
			}
			r, found, err := w.store.RoomItem(w.Context(), w.tenant, room, w.ref(p, it.ID))
			w.must(err)
			if !found {
				w.fail("%s has %q at %s in its calendar, and nothing is known of it", room, it.Subject, it.Start.Format("2 15:04"))
			}
			b := w.booking(r.Booking)
			if r.Role == store.RoomCopy && len(r.Base) == 0 {
				continue
			}
			if b != nil && b.Status == booking.Confirmed && (slices.Contains(b.Resources, room) || hasSometimes(b, room)) || w.toldOf(room, r.Ref, "") {
				continue
			}
			if b != nil && (w.organizerOf(b).SyncDisabled || w.everTold(b.ID)) || w.isOff(it.Organizer.Address) {
				continue
			}
			w.fail("%s has %q at %s in its calendar, which is not booked, and nobody is told: %+v", room, it.Subject, it.Start.Format("2 15:04"), r)
		}
	}
}

// standsUnsent reports whether a booking's item is a copy of the one that was: somebody made it in Outlook, and its rooms were never asked.
func (w *world) standsUnsent(b *booking.Booking) bool {
	p := w.organizerOf(b)
	return slices.ContainsFunc(w.own(p.Email), func(it exchangesim.Appointment) bool {
		if !w.unsent[it.ID] {
			return false
		}
		l, known := w.linked(p, it.ID)
		return known && l.State == store.LinkLive && l.Booking == b.ID
	})
}

// waits reports whether a meeting waits for a room: freed, that is booked though nobody touches anything.
func (w *world) waits(b *booking.Booking) bool {
	for uid, id := range w.meetings {
		if id == b.ID && slices.ContainsFunc(w.roomItems(uid), func(r store.RoomItem) bool { return refused(r) || len(r.Occurrences) > 0 }) {
			return true
		}
	}
	return false
}

func hasSometimes(b *booking.Booking, room string) bool {
	return slices.ContainsFunc(b.Exceptions, func(x booking.Exception) bool { return x.Resources != nil && slices.Contains(*x.Resources, room) })
}

// isCopy reports whether a UID is that of an item that is left alone.
func (w *world) isCopy(uid string) bool {
	for id, o := range w.others {
		if it, found := w.sim.Outlook(o.box).Find(func(x exchangesim.Appointment) bool { return x.ID == id }); found && it.UID == uid {
			return true
		}
	}
	return false
}

// checkDeclines: Roomwire declines a meeting once, unless somebody asked again.
func (w *world) checkDeclines() {
	declined := map[string]int{}
	for _, a := range w.sim.Answers() {
		if a.Response == "Decline" && strings.HasPrefix(a.Text, "The room is not free") || strings.HasPrefix(a.Text, "The booking of the room was") {
			declined[fmt.Sprint(a.UID, " ", a.From, " ", a.Occurrence)]++
		}
	}
	for what, n := range declined {
		uid, _, _ := strings.Cut(what, " ")
		id := w.byUID(uid)
		if most := max(w.note(id).asked, 1); n > most {
			w.fail("%s of %s was declined %d times, was asked for %d times", what, id, n, most)
		}
	}
}

// anyone returns a person or a room as the directory has them now.
func (w *world) anyone(name string) *who {
	p := w.people[name]
	row, _, err := w.store.Person(w.Context(), w.tenant, name)
	w.must(err)
	p.SyncMode, p.SyncURL, p.Shadow = row.SyncMode, row.SyncURL, row.Shadow
	return p
}

// anybox is anyone by number.
func (w *world) anybox(n int) *who { return w.anyone(w.boxes[n%len(w.boxes)]) }
