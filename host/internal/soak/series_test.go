package soak_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/host/internal/store"
)

// rule is one of a series that starts at a moment.
func (w *world) rule(n int, start time.Time) string {
	weekday := strings.ToUpper(start.In(w.berlin).Weekday().String()[:2])
	return []string{
		"FREQ=DAILY;COUNT=4", "FREQ=DAILY;COUNT=6", "FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY;BYDAY=" + weekday + ";COUNT=3",
		"FREQ=DAILY;UNTIL=" + start.AddDate(0, 0, 4).Format("20060102") + "T235959Z", "FREQ=WEEKLY;BYDAY=" + weekday, "",
	}[n%7]
}

// series has the booking system make a series, or do something to one.
func (w *world) series(a soak.Act) {
	id := w.one(a.A)
	old := w.booking(id)
	if old == nil || old.Status != booking.Confirmed {
		start := w.hour(a.B)
		b := &booking.Booking{
			Tenant: w.tenant, ID: id, Organizer: w.names[max(a.C%5-2, 0)], Zone: "Europe/Berlin", Title: w.fresh(id, "title"),
			Start: start, End: start.Add(time.Hour), Resources: roomsOf[[]int{0, 1, 2, 2}[a.C/5%4]], Recurrence: w.rule(a.B/8%6, start),
		}
		if a.C/20%2 > 0 {
			b.Attendees = []booking.Attendee{{Email: w.address("dave")}, {Email: "guest@partner.example", Role: booking.Optional}}
		}
		w.save(b, old, true)
		return
	}
	b := old.Clone()
	switch all := first(b, 5); {
	case a.B%4 == 0 || len(all) == 0:
		b.Recurrence = w.rule(a.C, b.Start) // another rule, or none, or one at last
	case !b.Series():
		b.Recurrence = w.rule(a.C%6, b.Start)
	default:
		w.except(b, all[a.C%len(all)], a)
	}
	if b.Recurrence == "" {
		b.Exceptions = nil
	}
	w.save(b, old, true)
}

// first returns the first occurrences of a booking.
func first(b *booking.Booking, n int) (all []booking.Occurrence) {
	for o := range booking.Occurrences(b, time.Time{}) {
		if all = append(all, o); len(all) == n {
			break
		}
	}
	return all
}

// except changes one occurrence of a booking.
func (w *world) except(b *booking.Booking, o booking.Occurrence, a soak.Act) {
	x := booking.Exception{Occurrence: o.Occurrence}
	switch a.B / 4 % 5 {
	case 0:
		x.Skipped = true
	case 1:
		title := w.fresh(b.ID, "part")
		x.Title = &title
	case 2:
		if b.AllDay {
			return
		}
		start := day(o.Occurrence).Add(time.Duration(6+a.C/5%8) * time.Hour)
		end := start.Add(time.Hour)
		x.Start, x.End = &start, &end
	case 3:
		x.Resources = &roomsOf[a.C/5%4]
	case 4: // as the series again
	}
	b.SetException(x)
}

// recur has a person in Outlook make a series of a single item, or a single one of a series, or choose another pattern.
func (w *world) recur(a soak.Act) {
	p, it, found := w.find(a)
	if !found {
		return
	}
	pattern := &exchangesim.Recurrence{Pattern: "Daily", Interval: 1 + a.C/2%2, Count: 3 + a.C/4%3}
	if a.C/12%4 == 0 {
		pattern.Count = 0 // without end
	}
	if it.Recurrence != nil && a.C%2 == 0 {
		pattern = nil
	}
	w.byHand(func() error {
		return w.sim.Outlook(p.Email).Update(it.ID, func(x *exchangesim.Appointment) { x.Recurrence = pattern })
	})
	w.say("%s gives %q another pattern: %+v", p.ID, it.Subject, pattern)
	w.edited(p, it)
}

// occurrence has a person in Outlook change, move or delete one occurrence of a series, or it and all that follow.
func (w *world) occurrence(a soak.Act) {
	p, it, found := w.series1(a)
	if !found {
		return
	}
	o := w.sim.Outlook(p.Email)
	all, err := o.Occurrences(it.ID, w.began, w.day(10))
	w.must(err)
	if len(all) == 0 {
		return
	}
	at, id := all[a.C%min(5, len(all))], w.bookingOf(it)
	title, made := w.fresh(id, "occurrence"), ""
	what := []string{"retitles", "moves", "deletes", "changes all from", "places", "retitles"}[a.C/5%6]
	if l, known := w.linked(p, it.ID); what == "changes all from" && w.others[it.ID] == nil && (!known || l.State != store.LinkLive) {
		return // which of two series is the booking's nobody can tell that knows neither, once their times are changed, too
	}
	if what == "changes all from" && it.Cancelled {
		return // what was called off, and brought back, Outlook offers to remove, not to divide
	}
	w.counted()
	switch what {
	case "retitles":
		err = o.UpdateOccurrence(it.ID, at.Original, func(x *exchangesim.Appointment) { x.Subject = title })
	case "moves":
		err = o.UpdateOccurrence(it.ID, at.Original, func(x *exchangesim.Appointment) {
			x.Start = day(at.Original).Add(time.Duration(6+a.C/30%8) * time.Hour)
			x.End = x.Start.Add(time.Hour)
		})
	case "places":
		err = o.UpdateOccurrence(it.ID, at.Original, func(x *exchangesim.Appointment) { x.Location = title })
	case "deletes":
		err = o.DeleteOccurrence(it.ID, at.Original)
	case "changes all from":
		made, err = o.ChangeFollowing(it.ID, at.Original, func(x *exchangesim.Appointment) { x.Subject = title })
	}
	w.mails = len(w.sim.Mails()) // they are the person's own
	w.say("%s %s the occurrence of %q at %s: %v", p.ID, what, it.Subject, at.Original.Format("2 15:04"), err)
	if err != nil {
		return // Outlook refuses what Exchange does
	}
	w.edited(p, it)
	if what == "deletes" && w.others[it.ID] == nil {
		w.note(id).leftOut = true
	}
	if made != "" && made != it.ID {
		again, _ := o.Find(func(x exchangesim.Appointment) bool { return x.ID == made })
		if again.Properties[oid] == "" && w.meetings[it.UID] != "" { // what follows in a meeting is one of its own
			next := meetingID(again.UID)
			w.meetings[again.UID] = next
			w.byHand(func() error {
				return o.Update(made, func(x *exchangesim.Appointment) { x.Subject = w.fresh(next, "subject") })
			})
			w.note(next).touched = true
			w.note(next).asked += 2
			return
		}
		of := it.ID
		if o := w.others[it.ID]; o != nil {
			of = cmp.Or(o.of, of) // with that gone unseen, the halves of its copy are as good as the copy
		}
		w.others[made] = &other{box: p.Email, booking: id, was: says(again), of: of}
	}
	whole := what == "changes all from" && made == it.ID // from the first on
	if what == "retitles" || what == "places" || whole {
		w.typed(p, it, title)
	}
	if whole && w.others[it.ID] == nil && !w.abandoned(p, id) {
		w.note(id).edits["subject"], w.note(id).editedIn = title, p
	}
	if w.others[it.ID] == nil && what == "retitles" && !w.abandoned(p, id) {
		n := w.note(id)
		n.edits["occurrence "+at.Original.Format(time.DateOnly)], n.editedIn = title, p
	}
}

// series1 is find for series alone.
func (w *world) series1(a soak.Act) (p *who, it exchangesim.Appointment, found bool) {
	for i := range w.names {
		p = w.person(a.A + i)
		items := slices.DeleteFunc(w.own(p.Email), func(x exchangesim.Appointment) bool { return x.Recurrence == nil })
		if len(items) > 0 {
			return p, items[a.B%len(items)], true
		}
	}
	return p, it, false
}

// edited notes that an item was changed in the calendar.
func (w *world) edited(p *who, it exchangesim.Appointment) {
	now, _ := w.sim.Outlook(p.Email).Find(func(x exchangesim.Appointment) bool { return x.ID == it.ID })
	if o := w.others[it.ID]; o != nil && o.was != "" {
		o.was = says(now)
		return
	}
	w.note(w.bookingOf(it)).touched = true
	w.note(w.bookingOf(it)).asked++
	if w.told(w.bookingOf(it)) {
		w.note(w.bookingOf(it)).mails++ // what becomes of an occurrence is written with it
	}
	if p.ConflictBehaviour != "" || w.followsRoom(w.bookingOf(it)) {
		w.note(w.bookingOf(it)).mayCancel = true // where a refused change cancels
	}
	w.goesInRoom(it, w.bookingOf(it))
	w.note(w.bookingOf(it)).forgetOccurrences() // they may be gone before anybody saw them
}

func (n *note) forgetOccurrences() {
	maps.DeleteFunc(n.edits, func(field, _ string) bool { return strings.HasPrefix(field, "occurrence") })
}

// unlikeSeries says in what the occurrences of an item are not those of its booking.
func (w *world) unlikeSeries(b *booking.Booking, p *who, it exchangesim.Appointment) string {
	from, to := w.day(-20).Add(12*time.Hour), w.day(60).Add(12*time.Hour) // no date begins there
	seen, err := w.sim.Outlook(p.Email).Occurrences(it.ID, from, to)
	w.must(err)
	line := func(original, start, end time.Time, title, place string) string {
		return fmt.Sprintf("%s: %q at %s to %s in %q", original.Format("01-02"), title, start.Format("01-02 15:04"), end.Format("01-02 15:04"), place)
	}
	if w.veiled(b) { // the words are each side's own
		exact := line
		line = func(original, start, end time.Time, _, _ string) string { return exact(original, start, end, "", "") }
	}
	var got, want []string
	for _, o := range seen {
		start, end := o.Start.UTC(), o.End.UTC()
		if o.AllDay {
			start, end = day(o.Start.In(w.berlin)), day(o.End.In(w.berlin))
		}
		got = append(got, line(o.Original.In(w.berlin), start, end, o.Subject, o.Location))
	}
	for o := range booking.OccurrencesFrom(b, from, to) {
		one := o.Booking()
		original := o.Occurrence
		if !b.AllDay {
			original = original.In(w.berlin)
		}
		place := w.placeOf(one)
		if i := len(want); one.Location == "" && i < len(seen) && seen[i].Location == "" {
			place = "" // an item without one is where its rooms are
		} else if one.Location == "" && i < len(seen) && seen[i].Location != place {
			place = w.placeOf(w.withTaken(one, o.Occurrence, it.UID))
		}
		want = append(want, line(original, one.Start, one.End, one.Title, place))
	}
	if !slices.Equal(got, want) {
		return fmt.Sprintf("its occurrences are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return ""
}
