package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// readSeries adds rule and exceptions to the series among items. A rule that no RRULE says is omitted. The changed occurrences of all
// of them are read together; their times are in the answer of the series, but nothing else.
func (b *Backend) readSeries(ctx context.Context, m backend.Mailbox, got []ews.Got, to []backend.Fetched) error {
	var ids []string
	for i := range got {
		if to[i].Err != nil || to[i].Item.Kind != calendar.Master {
			continue
		}
		if !ruled(&got[i].Item, &to[i].Item) {
			continue
		}
		for _, one := range got[i].Item.Series.Modified {
			ids = append(ids, one.ID)
		}
	}
	var changed []ews.Got
	if len(ids) > 0 {
		var err error
		if changed, err = b.ews.GetItems(ctx, m, ids, nil); err != nil {
			return err
		}
	}
	for i := range got {
		if to[i].Err != nil || to[i].Item.Kind != calendar.Master || to[i].Item.Omits.Has(calendar.FieldRecurrence) {
			continue
		}
		its := got[i].Item.Series
		n := len(its.Modified)
		to[i].Item.Event.Exceptions, to[i].Err = b.exceptions(&to[i].Item, its, b.eachOf(m, changed[:n]))
		changed = changed[n:]
	}
	return nil
}

// ruled sets the rule of a series; false if it is omitted.
func ruled(i *ews.CalendarItem, to *backend.Item) bool {
	_, known := i.StartZone.IANA()
	counts := known || i.StartZone.ID == "" // in a zone that we know, or in UTC
	if i.Series != nil && (counts || to.Event.AllDay) {
		if rule, ok := series.RuleOf(i.Series.Pattern, to.Event); ok {
			to.Event.Recurrence = rule
			return true
		}
	}
	to.Omits |= calendar.FieldRecurrence
	return false
}

// eachOf returns what reads the modified occurrences of a series, as got tells them in their order.
func (b *Backend) eachOf(m backend.Mailbox, got []ews.Got) func(int) (calendar.Event, error) {
	return func(i int) (calendar.Event, error) {
		if got[i].Err != nil { // it has changed while it was read
			return calendar.Event{}, fmt.Errorf("an occurrence of a series: %w", standing(got[i].Err))
		}
		its, err := b.fromEWS(m, &got[i].Item)
		return its.Event, err
	}
}

// exceptions returns what has become of occurrences of a series. modified reads the modified ones.
func (b *Backend) exceptions(item *backend.Item, its *ews.Series, modified func(int) (calendar.Event, error)) ([]calendar.OccurrenceException, error) {
	s, err := series.Of(item.Event)
	if err != nil {
		return nil, err
	}
	var out []calendar.OccurrenceException
	for i, one := range its.Modified {
		is, err := modified(i)
		if err != nil {
			return nil, err
		}
		day := originalDay(s, one.Original)
		if series.Changing(s.Plain(day), is, series.OfOccurrence) == 0 {
			continue // somebody put it back
		}
		out = append(out, calendar.OccurrenceException{Occurrence: s.On(day), Event: &is})
	}
	for _, t := range its.Deleted {
		out = append(out, calendar.OccurrenceException{Occurrence: s.On(originalDay(s, t))})
	}
	slices.SortFunc(out, func(a, b calendar.OccurrenceException) int { return a.Occurrence.Compare(b.Occurrence) })
	return out, nil
}

// originalDay is the day on which the rule has an occurrence that the server says starts at t. A day that begins at one o'clock, where
// the clock is put forward at midnight, is still that day.
func originalDay(s series.Series, t time.Time) time.Time {
	if s.AllDay {
		return s.DayIn(t.Add(time.Hour))
	}
	return s.Day(t)
}

// repeated reports an item that was there already. Where it is the series that was meant, and a write of its exceptions was cut off,
// they are completed; what anybody else has changed since is left as it is.
func (b *Backend) repeated(ctx context.Context, m calendar.Mutation, there backend.Item, err error) (backend.Result, error) {
	if err != nil {
		return backend.Result{}, err
	}
	if m.Mail != calendar.MailNobody && unfinished(m, there) && series.Unsent(there, m.Event) {
		item, err := b.invite(ctx, m, there, inviting{m.Event, there.Revision})
		return backend.Result{Item: item, Repeated: err == nil}, err
	}
	if !series.HalfDone(there, m.Event) {
		return backend.Result{Item: there, Repeated: true}, nil
	}
	if err := b.except(ctx, m, there, m.Event, there.Revision); err != nil {
		return backend.Result{}, err
	}
	item, err := b.readOne(ctx, m.Mailbox, string(there.Ref))
	return backend.Result{Item: item, Repeated: err == nil}, err
}

// updateSeries writes the chosen fields of a series, or makes one of a single item, or that of a series, as far as it does not say the
// same already. The rule and the times cost Exchange all exceptions, so they are written again then, whether they were chosen or not.
// Each step leaves a whole item; one that was cut off is found to differ, and what it has done already is not done again.
func (b *Backend) updateSeries(ctx context.Context, m calendar.Mutation, now backend.Item) (backend.Result, error) {
	want := series.Overlay(now.Event, m.Event, m.Fields)
	if !m.Fields.Has(calendar.FieldRecurrence) {
		if series.Changing(now.Event, want, m.Fields).Has(calendar.FieldTime) {
			return backend.Result{}, fmt.Errorf("moving a whole series in the calendar of %s without its rule would damage it: %w",
				m.Mailbox.Address, fault.Unsupported)
		}
		want.Exceptions = series.Follow(now.Event, want, m.Fields)
	}
	whole, told := want, m
	begunAlone := begun(m, now) && len(now.Event.Attendees) == 0
	late := m.Mail != calendar.MailNobody && series.Uninvited(now.Event, want)
	if late { // the guests come last
		want.Attendees = nil
		m.Mail, m.Fields, m.ForeignKey = calendar.MailNobody, m.Fields&^series.Guests, ""
	}
	fields, todo, err := masterFields(now, want, m.Fields)
	if err != nil {
		return backend.Result{}, err
	}
	of := m
	of.Event, of.Fields = want, todo
	if fields, err = b.sparing(ctx, of, now, fields); err != nil {
		return backend.Result{}, err
	}
	if m.ForeignKey != "" && now.ForeignKey == "" {
		fields = append(fields, ews.Named(valued(b.foreign, m.ForeignKey)))
		now.ForeignKey = m.ForeignKey
	}
	revision := now.Revision // until something is written
	dropped := begunAlone && len(want.Attendees) == 0
	if len(fields) > 0 {
		of = m
		of.Fields = todo
		if now, err = b.writeMaster(ctx, of, now, want, fields); err != nil {
			return backend.Result{}, err
		}
		revision = ""
	}
	if late && !now.Omits.Has(calendar.FieldRecurrence) {
		item, err := b.invite(ctx, told, now, inviting{whole, revision})
		return backend.Result{Item: item}, err
	}
	if want.Recurrence != "" {
		written, err := b.exceptWith(ctx, m, now, excepting{want: want, revision: revision, dropped: dropped})
		if err != nil {
			return backend.Result{}, err
		}
		if len(written) == 0 {
			return backend.Result{Item: now}, nil
		}
		item, err := b.readAgain(ctx, m.Mailbox, now, written)
		switch {
		case err == nil:
			now = item
		case fault.Of(err) == fault.NotFound:
			return backend.Result{}, err
		default: // the writes stand all the same
			now.Event = want
		}
	}
	return backend.Result{Item: now}, nil
}

// masterFields returns what is to be written of a series apart from its exceptions, and the fields that it is of.
func masterFields(now backend.Item, want calendar.Event, chosen calendar.Fields) ([]ews.Field, calendar.Fields, error) {
	todo := series.Changing(now.Event, want, chosen&series.OfOccurrence)
	if now.Omits.Has(calendar.FieldRecurrence) { // its rule is not ours to write
		fields, err := toEWS(want, todo)
		return withoutZone(fields, now, want), todo, err
	}
	read := series.OfWritten
	if !chosen.Has(calendar.FieldRecurrence) { // what the server keeps is not ours to judge
		read = series.OfRead
	}
	s, repeats, err := read(want)
	if err != nil {
		return nil, 0, err
	}
	pattern := todo.Has(calendar.FieldTime) || !series.SameRule(now.Event, want) || repeats && series.ComesBack(now.Event, want)
	if !pattern || !repeats {
		fields, err := toEWS(want, todo)
		if pattern && now.Kind == calendar.Master {
			fields, todo = append(fields, ews.NoRecurrence()), todo|calendar.FieldRecurrence
		}
		return withoutZone(fields, now, want), todo, err
	}
	// What was left out comes back with the rule written anew, too. A zone goes with every pattern.
	fields, err := toEWS(want, todo|calendar.FieldTime)
	return append(fields, ews.Recurrence(s.Pattern())), todo | calendar.FieldTime | calendar.FieldRecurrence, err
}

// withoutZone leaves out a zone that stays: servers are known to refuse one now and then (ErrorInvalidPropertySet).
func withoutZone(fields []ews.Field, now backend.Item, want calendar.Event) []ews.Field {
	if !sameZone(now.Event.Zone, want.Zone) {
		return fields
	}
	return slices.DeleteFunc(fields, ews.Field.IsZone)
}

// writeMaster writes the fields of a series and returns what they made of it. Where an occurrence that was left out does not come back
// with the same rule, the rule is taken away before it is written again.
func (b *Backend) writeMaster(ctx context.Context, m calendar.Mutation, now backend.Item, want calendar.Event, fields []ews.Field) (backend.Item, error) {
	mail := audience(m)
	id := ews.ItemID{ID: string(now.Ref), ChangeKey: now.Revision}
	for _, again := range []bool{false, true} {
		made, err := b.ews.UpdateItem(ctx, m.Mailbox, id, fields, mail)
		if err != nil {
			return now, err
		}
		if made.ID == "" {
			made.ID = id.ID
		}
		if now, err = b.readOne(ctx, m.Mailbox, made.ID); err != nil {
			return now, standing(err)
		}
		if want.Recurrence == "" || !m.Fields.Has(calendar.FieldRecurrence) || !series.ComesBack(now.Event, want) {
			return now, nil
		}
		if again {
			break
		}
		id = ews.ItemID{ID: made.ID, ChangeKey: now.Revision}
		if made, err = b.ews.UpdateItem(ctx, m.Mailbox, id, []ews.Field{ews.NoRecurrence()}, ews.Nobody); err != nil {
			return now, err
		}
		if now, err = b.readOne(ctx, m.Mailbox, id.ID); err != nil {
			return now, standing(err)
		}
		id.ChangeKey, mail = now.Revision, ews.Nobody // who is to know has been told
	}
	return now, fmt.Errorf("an occurrence of a series in the calendar of %s was left out and does not come back: %w", m.Mailbox.Address,
		fault.Unavailable)
}

// standing is why nothing more was done after a write: what has become of the item is not known, least of all that it is gone.
func standing(err error) error {
	if fault.Of(err) == fault.NotFound {
		return fmt.Errorf("%s: %w", err.Error(), fault.Unavailable)
	}
	return err
}

// except brings the occurrences of a series, which is as now says, to what want says of them.
func (b *Backend) except(ctx context.Context, m calendar.Mutation, now backend.Item, want calendar.Event, revision string) error {
	_, err := b.exceptWith(ctx, m, now, excepting{want: want, revision: revision})
	return err
}

// excepting says what the occurrences of a series are to be.
type excepting struct {
	want     calendar.Event
	revision string // the first write is made only if the series still is at it; empty: whatever it is at
	early    bool   // nobody is invited to the series yet
	dropped  bool   // nor will be: whoever is in its exceptions was put there silently, by a create that was cut off
}

// exceptWith is except, and returns the days of what was written.
func (b *Backend) exceptWith(ctx context.Context, m calendar.Mutation, now backend.Item, x excepting) (map[time.Time]bool, error) {
	if now.Omits.Has(calendar.FieldRecurrence) {
		return nil, nil
	}
	gone, changes, written, err := b.differing(m, now, x)
	if err == nil {
		changes, err = b.sparingTexts(ctx, m, now, changes)
	}
	if err != nil || len(gone)+len(changes) == 0 {
		return nil, err
	}
	revision := x.revision
	for _, mail := range []ews.Mail{ews.Nobody, ews.Concerned, ews.All} {
		ids := gone[mail]
		if len(ids) == 0 {
			continue
		}
		ids[0].ChangeKey = revision
		done, err := b.ews.DeleteOccurrences(ctx, m.Mailbox, ids, mail)
		for _, failed := range done {
			if err == nil && failed != nil && !coded(failed, "ErrorCalendarOccurrenceIsDeletedFromRecurrence") {
				err = standing(failed)
			}
		}
		if err != nil {
			return written, err
		}
		revision = ""
	}
	if len(changes) > 0 {
		changes[0].ChangeKey = revision
	}
	return written, b.change(ctx, m, changes)
}

// An occurrenceChange is what is to be written of an occurrence, and who is told.
type occurrenceChange struct {
	ews.OccurrenceChange
	mail ews.Mail
}

// differing returns which occurrences of a series are to be deleted, by who is told, what is to be written of others, and the days of all
// of them. What was so before the rule was written, and was forgotten with it, is told as the rule was: an update of a series replaces
// the copies of all who are invited, and it went out without any exception.
func (b *Backend) differing(m calendar.Mutation, now backend.Item, x excepting) (
	map[ews.Mail][]ews.OccurrenceID, []occurrenceChange, map[time.Time]bool, error,
) {
	s, err := series.Of(x.want)
	if err != nil {
		return nil, nil, nil, err
	}
	is, err := series.Of(now.Event)
	if err != nil {
		return nil, nil, nil, err
	}
	have, wanted := is.ByDay(), s.ByDay()
	left := len(wanted)
	for day := range have {
		if wanted[day] == nil {
			left++
		}
	}
	days := map[time.Time]bool{}
	gone := map[ews.Mail][]ews.OccurrenceID{}
	var changes []occurrenceChange
	for index, day := range s.Days() {
		if left == 0 {
			break
		}
		h, w := have[day], wanted[day]
		if h == nil && w == nil {
			continue
		}
		left--
		id := ews.OccurrenceID{Master: string(now.Ref), Index: index}
		telling := m
		if x.early && (h == nil || h.Event == nil || begun(m, now) || !series.Others(h.Event, x.want)) {
			telling.Mail = calendar.MailNobody
		}
		if x.dropped && (w == nil || w.Event == nil || len(w.Event.Attendees) == 0) {
			telling.Mail = calendar.MailNobody
		}
		switch {
		case w != nil && w.Event == nil && h != nil && h.Event == nil:
			continue
		case w != nil && w.Event == nil:
			mail := audience(calendar.Mutation{Op: calendar.Delete, Mail: telling.Mail})
			gone[mail], days[day] = append(gone[mail], id), true
			continue
		case h != nil && h.Event == nil:
			return nil, nil, nil, fmt.Errorf("an occurrence of a series in the calendar of %s was left out and does not come back: %w",
				m.Mailbox.Address, fault.Unavailable)
		}
		from, to := is.Plain(day), s.Plain(day)
		if h != nil {
			from = *h.Event
		}
		if w != nil {
			to = *w.Event
		}
		todo := series.Changing(from, to, series.OfOccurrence)
		if todo == 0 {
			continue
		}
		fields, err := toEWS(to, todo)
		if err != nil {
			return nil, nil, nil, err
		}
		if slices.ContainsFunc(fields, ews.Field.IsPeople) {
			fields = append(slices.DeleteFunc(fields, ews.Field.IsPeople), changedPeople(from, to, todo)...)
		}
		fields = withoutZone(fields, backend.Item{Event: from}, to)
		days[day] = true
		changes = append(changes, occurrenceChange{
			ews.OccurrenceChange{OccurrenceID: id, Fields: fields}, audience(calendar.Mutation{Op: calendar.Update, Fields: todo, Mail: telling.Mail}),
		})
	}
	return gone, changes, days, nil
}

// change writes occurrences, those of one audience together. One that has to wait until its neighbour has moved out of the way is
// tried again after the others.
func (b *Backend) change(ctx context.Context, m calendar.Mutation, changes []occurrenceChange) error {
	for len(changes) > 0 {
		var waiting []occurrenceChange
		var why error
		for rest := changes; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].mail == rest[0].mail && rest[n].ChangeKey == rest[0].ChangeKey {
				n++
			}
			batch := make([]ews.OccurrenceChange, n)
			for i := range batch {
				batch[i] = rest[i].OccurrenceChange
			}
			done, err := b.ews.UpdateOccurrences(ctx, m.Mailbox, batch, rest[0].mail)
			if err != nil {
				return err
			}
			for i, failed := range done {
				switch {
				case failed == nil:
				case coded(failed, "ErrorOccurrenceCrossingBoundary"):
					one := rest[i]
					waiting, why = append(waiting, one), failed
				default:
					return standing(failed)
				}
			}
			rest = rest[n:]
		}
		if len(waiting) == len(changes) {
			return why
		}
		for i := range waiting {
			waiting[i].ChangeKey = "" // something was written since
		}
		changes = waiting
	}
	return nil
}

// coded reports whether the server refused something with a code.
func coded(err error, code string) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && e.Code == code
}
