package exchange

import (
	"context"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/joining"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// sparing returns the fields of an update so that nothing goes with them that nobody meant: the answers of attendees who stay,
// and the part of a text that says how to join an online meeting.
func (b *Backend) sparing(ctx context.Context, m calendar.Mutation, now backend.Item, fields []ews.Field) ([]ews.Field, error) {
	fields, err := b.sparingBody(ctx, m, now, fields)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(fields, ews.Field.IsPeople) {
		return fields, nil
	}
	return append(slices.DeleteFunc(fields, ews.Field.IsPeople), changedPeople(now.Event, m.Event, m.Fields)...), nil
}

// sparingBody has a new text written above the part about joining. Where it is not found where that begins, the text stays as
// it is.
func (b *Backend) sparingBody(ctx context.Context, m calendar.Mutation, now backend.Item, fields []ews.Field) ([]ews.Field, error) {
	at := slices.IndexFunc(fields, ews.Field.IsBody)
	if at < 0 {
		return fields, nil
	}
	page, err := b.ews.GetPage(ctx, m.Mailbox, string(now.Ref))
	if fault.Of(err) == fault.NotFound {
		return nil, standing(err) // it was there a moment ago
	}
	if err != nil {
		return nil, err
	}
	if !joining.In(page) {
		return fields, nil
	}
	fields = slices.Clone(fields)
	if whole, ok := joining.Within(page, m.Event.Body, false); ok {
		fields[at] = ews.HTMLBody(whole)
		return fields, nil
	}
	return slices.Delete(fields, at, at+1), nil
}

// sparingTexts leaves out the texts of occurrences whose series says how to join an online meeting: theirs say so, too.
func (b *Backend) sparingTexts(ctx context.Context, m calendar.Mutation, now backend.Item, changes []occurrenceChange) ([]occurrenceChange, error) {
	if !slices.ContainsFunc(changes, func(c occurrenceChange) bool { return slices.ContainsFunc(c.Fields, ews.Field.IsBody) }) {
		return changes, nil
	}
	page, err := b.ews.GetPage(ctx, m.Mailbox, string(now.Ref))
	if err != nil {
		return nil, standing(err)
	}
	series := joining.In(page)
	for i := range changes {
		if !slices.ContainsFunc(changes[i].Fields, ews.Field.IsBody) {
			continue
		}
		if !series { // somebody may meet online this once
			own, err := b.ews.GetOccurrencePage(ctx, m.Mailbox, changes[i].OccurrenceID)
			if err != nil {
				return nil, standing(err)
			}
			if !joining.In(own) {
				continue
			}
		}
		changes[i].Fields = slices.DeleteFunc(changes[i].Fields, ews.Field.IsBody)
	}
	return slices.DeleteFunc(changes, func(c occurrenceChange) bool { return len(c.Fields) == 0 }), nil
}

// changedPeople returns what is to be written of the lists of attendees that differ. Exchange takes a list that is set for a new one,
// so whoever is only added is appended, and who stays in a list that is set goes there with their answer.
func changedPeople(now, want calendar.Event, chosen calendar.Fields) []ews.Field {
	var out []ews.Field
	for role, one := range map[calendar.Role]struct {
		field calendar.Fields
		set   func([]ews.Attendee) ews.Field
	}{
		calendar.Required: {calendar.FieldAttendees, ews.RequiredAttendees},
		calendar.Optional: {calendar.FieldAttendees, ews.OptionalAttendees},
		calendar.Resource: {calendar.FieldResources, ews.Resources},
	} {
		if !chosen.Has(one.field) {
			continue
		}
		is, wanted := inRole(now, role), inRole(want, role)
		added, removed := missing(wanted, is), missing(is, wanted)
		switch {
		case len(added) == 0 && len(removed) == 0:
		case len(removed) == 0 && len(is) > 0 && !elsewhere(now, added, role):
			out = append(out, one.set(listed(now, added)).Added())
		default:
			out = append(out, one.set(listed(now, wanted)))
		}
	}
	slices.SortFunc(out, ews.InOrder)
	return out
}

// inRole are an event's attendees of one role.
func inRole(e calendar.Event, role calendar.Role) []calendar.Attendee {
	var out []calendar.Attendee
	for _, a := range e.Attendees {
		if a.Role == role {
			out = append(out, a)
		}
	}
	return out
}

// missing are those of list who are not among others.
func missing(list, others []calendar.Attendee) []calendar.Attendee {
	var out []calendar.Attendee
	for _, a := range list {
		if !slices.ContainsFunc(others, func(o calendar.Attendee) bool { return strings.EqualFold(o.Email, a.Email) }) {
			out = append(out, a)
		}
	}
	return out
}

// elsewhere reports whether one of those who are added comes from another list.
func elsewhere(now calendar.Event, added []calendar.Attendee, role calendar.Role) bool {
	return slices.ContainsFunc(added, func(a calendar.Attendee) bool {
		return slices.ContainsFunc(now.Attendees, func(o calendar.Attendee) bool { return o.Role != role && strings.EqualFold(o.Email, a.Email) })
	})
}

// listed are attendees with the answers that the item has of them.
func listed(now calendar.Event, people []calendar.Attendee) []ews.Attendee {
	out := make([]ews.Attendee, len(people))
	for i, a := range people {
		out[i] = ews.Attendee{Address: ews.Address{Name: a.Name, Email: a.Email}}
		for _, o := range now.Attendees {
			if strings.EqualFold(o.Email, a.Email) {
				out[i].Response = answerNames[o.Response]
			}
		}
	}
	return out
}

// answerNames are the server's words for answers. Of who has not answered nothing is said.
var answerNames = map[calendar.Response]string{
	calendar.Accepted: "Accept", calendar.TentativelyAccepted: "Tentative", calendar.Declined: "Decline",
}
