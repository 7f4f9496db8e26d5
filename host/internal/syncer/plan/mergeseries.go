package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// clock is what a merge takes from one side as a whole: when a series begins and its rule, because either says nothing without
// the other.
const clock = calendar.FieldTime | calendar.FieldRecurrence

// thrown returns what the item says but for what a server or a write that was cut off has done to it, and nobody by hand. A
// server throws the exceptions of a series away when its time or rule changes, and then they are written again; a write of ours
// goes step by step. in.Base must be as the item knows it.
func thrown(in Input) Fields {
	item, base := *in.Item, in.Base.heard()
	if in.Omits.Any(calendar.FieldRecurrence) || base.Recurrence == "" && in.Sent == nil {
		return item
	}
	var sent days
	steps := in.Sent != nil && !in.Sent.Once
	anew := false // our write has cost the item its exceptions, perhaps
	if steps {
		sent = in.Sent.byDay()
		cut := !in.Sent.Whole && item.Recurrence == "" && (base.Recurrence != "" || in.Sent.Recurrence != "") &&
			(sameStart(item, base) || sameStart(item, *in.Sent))
		if cut || sameClock(item, *in.Sent) {
			anew = !in.Sent.Ruled || !in.Sent.Whole
			days := item.byDay()
			item = takePlainly(item, base, calendar.FieldTime)
			item.Recurrence = base.Recurrence
			item = item.excepted(days)
		}
	}
	was, told := base.byDay(), item.byDay()
	loose := in.Base.Owed || anew || !sameClock(base, *in.Item)
	for day := range both(was, told) {
		x := told[day]
		there := x.Skipped || x.Own&^in.Omits&^calendar.FieldBody != 0
		old, before := was[day]
		switch {
		case !there && old.Skipped: // what was left out comes back by no hand
			told[day] = old
		case !there && (loose || steps && old.Own&^(guests|calendar.FieldBody) == 0): // guests are written to a series and to its occurrences
			told[day] = mixed(old, x, x.Own&calendar.FieldBody|in.Omits&own)
		case there && steps && sameOwn(x, sent[day]):
			if delete(told, day); before {
				told[day] = old
			}
		}
	}
	return item.excepted(told)
}

func sameStart(a, b Fields) bool {
	return a.AllDay == b.AllDay && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// mergeSeries merges the time and the rule of a series, and its exceptions one by one. merged is the booking with what else it
// takes over from the item. It returns the merged series, and adds to d what each side lacks of it and what is lost.
func mergeSeries(in Input, merged Fields, d *Decision) Fields {
	base, item := in.Base.heard(), thrown(in)
	omits := in.Omits | in.Base.Unsaid&calendar.FieldRecurrence
	series := !omits.Any(calendar.FieldRecurrence)
	differ := clockDiffers(*in.Booking, *in.Item, series)
	byBooking, byItem := clockDiffers(base, *in.Booking, series)&differ, clockDiffers(base, item, series)&differ
	carried := false // the item's time and rule are taken over
	switch {
	case byItem == 0: // equal, or the booking's
	case byBooking == 0:
		carried = true
	default:
		d.Lost = append(d.Lost, Loss{Side: CalendarSide, Fields: byItem})
	}
	days := merged.byDay()
	if carried {
		merged = takePlainly(merged, *in.Item, calendar.FieldTime)
		if series {
			merged.Recurrence = in.Item.Recurrence
		}
	}
	if series && base.Recurrence+in.Booking.Recurrence+in.Item.Recurrence != "" {
		var lost []Loss
		var placed map[time.Time]bool
		if d.BookingFields.Any(place) {
			placed = in.placed()
		}
		days, lost = mergeDays(base, *in.Booking, item, omits|in.Base.Unsaid, placed)
		merged = merged.excepted(days)
		d.Lost = append(d.Lost, lost...)
		d.Lost = append(d.Lost, vanished(in, item, merged, carried)...)
	} else {
		merged = merged.excepted(days)
	}
	lacks := func(side Fields) calendar.Fields {
		f := clockDiffers(merged, side, series)
		if series {
			f |= differing(merged, side, in.Omits) & calendar.FieldRecurrence
		}
		return f
	}
	d.BookingFields |= lacks(*in.Booking)
	d.ItemFields |= lacks(*in.Item)
	return merged
}

// clockDiffers returns in which of time and rule two sides differ; exceptions are not looked at.
func clockDiffers(a, b Fields, series bool) calendar.Fields {
	var d calendar.Fields
	if !sameStart(a, b) {
		d |= calendar.FieldTime
	}
	if series && (a.Recurrence != b.Recurrence || !sameZone(a, b)) {
		d |= calendar.FieldRecurrence
	}
	return d
}

// placed returns the days of in.Placed.
func (in Input) placed() map[time.Time]bool {
	days := map[time.Time]bool{}
	for _, at := range in.Placed {
		days[in.Item.start().Day(at)] = true
	}
	return days
}

// mergeDays merges the exceptions of a series. An edit of an occurrence in the booking beats that it is left out of the
// calendar; that it is left out of the booking beats an edit in the calendar. Their texts are the booking's.
func mergeDays(base, booking, item Fields, omits calendar.Fields, placed map[time.Time]bool) (days, []Loss) {
	was, booked, told := base.byDay(), booking.byDay(), item.byDay()
	merged := days{}
	var lost []Loss
	at := item.start()
	for _, day := range slices.SortedFunc(maps.Keys(both(was, booked, told)), time.Time.Compare) {
		b, k, i := was[day], booked[day], told[day]
		losing := func(l Loss) {
			l.Side, l.Occurrence = CalendarSide, at.On(day)
			lost = append(lost, l)
		}
		if k.Skipped || i.Skipped {
			switch {
			case k.Skipped == i.Skipped:
				merged[day] = k
			case k.Skipped && b.Skipped: // it is back in the calendar
				merged[day] = i
			case k.Skipped:
				merged[day] = k
				if edited := edits(base, item, b, i, day) &^ omits &^ calendar.FieldBody; edited != 0 {
					losing(Loss{Fields: edited})
				}
			case b.Skipped:
				merged[day] = k
			case edits(base, booking, b, k, day)&^omits == 0:
				merged[day] = i
			default:
				merged[day] = k
				losing(Loss{Deleted: true})
			}
			continue
		}
		x := k
		byItem, byBooking := edits(base, item, b, i, day), edits(base, booking, b, k, day)
		if placed[day] && byBooking&place == 0 {
			byItem |= differingOwn(b, i) & place
		}
		for _, g := range [...]calendar.Fields{
			calendar.FieldTime, place, calendar.FieldAttendees, calendar.FieldSubject,
			calendar.FieldBusy | calendar.FieldClass | calendar.FieldReminder,
		} {
			g &^= omits
			switch {
			case differingOwn(k, i)&g == 0, byItem&g == 0:
			case byBooking&g == 0:
				x = mixed(x, i, g)
			default:
				losing(Loss{Fields: byItem & g})
			}
		}
		merged[day] = x
	}
	return merged, lost
}

// edits returns the fields in which the exception x of one state of a series and y of another differ by somebody's doing. Where
// only the series has become what the occurrence was, or the other way round, nobody changed the occurrence.
func edits(a, b Fields, x, y Exception, day time.Time) calendar.Fields {
	edited := differingOwn(x, y)
	if edited == 0 {
		return 0
	}
	x.Occurrence, y.Occurrence = a.start().On(day), b.start().On(day)
	return edited & differPlainly(a.Occurrence(x), b.Occurrence(y))
}

// vanished returns the edits of occurrences that the merged series does not have any more, because the other side changed
// the rule.
func vanished(in Input, item, merged Fields, carried bool) []Loss {
	side, edited, omits := CalendarSide, item, in.Omits|in.Base.Unsaid|calendar.FieldBody
	if carried {
		side, edited, omits = BookingSide, *in.Booking, in.Omits|in.Base.Unsaid
	}
	base := in.Base.heard()
	if clockDiffers(merged, edited, true) == 0 {
		return nil
	}
	was, now := base.byDay(), edited.byDay()
	there := map[time.Time]bool{}
	probe := days{}
	for day := range now {
		probe[day] = Exception{Skipped: true}
	}
	kept := merged.excepted(probe)
	for _, x := range kept.Exceptions {
		there[kept.start().Day(x.Occurrence)] = true
	}
	var lost []Loss
	for _, day := range slices.SortedFunc(maps.Keys(now), time.Time.Compare) {
		x := now[day]
		changed := edits(base, edited, was[day], x, day) &^ omits
		if x.Skipped || there[day] || changed == 0 {
			continue
		}
		lost = append(lost, Loss{Side: side, Fields: changed, Occurrence: edited.start().On(day)})
	}
	return lost
}

// News returns the fields that those invited are to be told of, of what is written to the item by d: what was changed in the
// booking. What becomes of single occurrences is told by the fields that change of them; one that is left out, or is back, and
// another rule, are another time.
func News(in Input, d Decision) calendar.Fields {
	news := d.ItemFields &^ d.Repaired
	if !news.Any(calendar.FieldRecurrence) || in.Booking == nil || in.Item == nil {
		return news
	}
	told := *in.Item
	if in.Base != nil && !in.Reset {
		// What the booking says as it did when both agreed was thrown away by the server.
		booked, was, days := in.Booking.byDay(), in.Base.byDay(), told.byDay()
		for day := range both(booked, was, days) {
			if x, is := booked[day]; is && sameOwn(x, was[day]) {
				days[day] = x
			}
		}
		told = told.excepted(days)
	}
	return news&^calendar.FieldRecurrence | Told(told, take(told, d.Item, calendar.FieldRecurrence))
}

// Told returns in which fields those invited see two states of a booking differ: what Diff says, with the fields of the
// occurrences that differ in place of FieldRecurrence.
func Told(a, b Fields) calendar.Fields {
	d := Diff(a, b)
	if !d.Any(calendar.FieldRecurrence) {
		return d
	}
	d &^= calendar.FieldRecurrence
	if a.Recurrence != b.Recurrence {
		d |= calendar.FieldTime
	}
	as, bs := a.byDay(), b.byDay()
	for day := range both(as, bs) {
		x, y := as[day], bs[day]
		switch {
		case x.Skipped != y.Skipped:
			d |= calendar.FieldTime
		case !x.Skipped:
			d |= differingOwn(x, y)
		}
	}
	return d
}
