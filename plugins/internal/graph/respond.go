package graph

import (
	"context"
	"fmt"
	"net/http"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

var replies = map[calendar.Response]string{
	calendar.Accepted:            "accept",
	calendar.TentativelyAccepted: "tentativelyAccept",
	calendar.Declined:            "decline",
}

// PullsEverything implements backend.Complete.
func (b *Backend) PullsEverything() bool { return true }

// Respond implements backend.Responder. Where the organizer asked for no answer Graph sends none, and refuses to if it is told
// to.
func (b *Backend) Respond(ctx context.Context, r backend.Reaction) error {
	as, ok := replies[r.Response]
	if !ok {
		return fmt.Errorf("an invitation cannot be answered by %d: %w", r.Response, fault.Invalid)
	}
	now, err := b.inPlace(ctx, r.Mailbox, string(r.Ref))
	if err == nil && !r.Occurrence.IsZero() {
		now, err = b.occurrenceOf(ctx, r, &now)
	}
	if err != nil {
		return err
	}
	switch {
	case now.IsOrganizer == nil || *now.IsOrganizer:
		return fmt.Errorf("the item in the calendar of %s is no invitation that could be answered: %w", r.Mailbox.Address, fault.Invalid)
	case now.Cancelled:
		return fmt.Errorf("the meeting in the calendar of %s was called off by its organizer: %w", r.Mailbox.Address, fault.Conflict)
	case now.Response != nil && nameToResponse[now.Response.Response] == r.Response:
		return nil
	}
	mails := now.ResponseRequested == nil || *now.ResponseRequested
	body := map[string]any{"sendResponse": mails}
	if mails && r.Comment != "" {
		body["comment"] = r.Comment
	}
	_, err = b.do(ctx, request{
		mailbox: r.Mailbox, doing: "answering an invitation in the calendar", method: http.MethodPost, item: true,
		target: eventPath(r.Mailbox, now.ID) + "/" + as, body: body, ok: http.StatusAccepted, hide: []string{r.Comment},
	}, nil)
	return err
}

// inPlace reads an event that is in the calendar, and not one in Deleted Items, which Graph reads as well.
func (b *Backend) inPlace(ctx context.Context, m backend.Mailbox, id string) (event, error) {
	got, err := b.read(ctx, m, []string{id})
	if err == nil {
		err = b.inCalendar(ctx, m, got)
	}
	if err != nil {
		return event{}, err
	}
	return got[0].event, got[0].err
}

// occurrenceOf reads the one occurrence of a series that a reaction means.
func (b *Backend) occurrenceOf(ctx context.Context, r backend.Reaction, of *event) (event, error) {
	item, err := b.fromGraph(r.Mailbox, of)
	if err != nil {
		return event{}, err
	}
	if item.Kind != calendar.Master || of.Recurrence == nil {
		return event{}, fmt.Errorf("the item in the calendar of %s is no series, and has no occurrences: %w", r.Mailbox.Address, fault.Invalid)
	}
	rule, said := of.Recurrence.ruleOf(item.Event)
	if !said {
		return event{}, fmt.Errorf("the rule of the series in the calendar of %s cannot be read: %w", r.Mailbox.Address, fault.Unsupported)
	}
	item.Event.Recurrence = rule
	s, err := series.Of(item.Event)
	if err != nil {
		return event{}, err
	}
	there, _, err := b.instances(ctx, r.Mailbox, of.ID, s)
	if err != nil {
		return event{}, err
	}
	one, ok := there[s.Day(r.Occurrence)]
	if !ok {
		return event{}, fmt.Errorf("the series in the calendar of %s has no occurrence on %s: %w",
			r.Mailbox.Address, r.Occurrence.UTC().Format("2006-01-02 15:04 MST"), fault.NotFound)
	}
	return b.readOne(ctx, r.Mailbox, one.id)
}
