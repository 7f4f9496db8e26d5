package ews

import (
	"context"
	"errors"
	"fmt"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// itemBatch is how many items one GetItem asks for; Microsoft recommends ten.
const itemBatch = 10

// itemFields are the properties that GetItem asks for.
var itemFields = []string{
	"item:Subject", "item:Sensitivity", "item:Body", "item:DateTimeCreated", "item:ReminderIsSet",
	"item:ReminderMinutesBeforeStart", "item:LastModifiedTime",
	"calendar:UID", "calendar:Start", "calendar:End", "calendar:IsAllDayEvent", "calendar:LegacyFreeBusyStatus",
	"calendar:Location", "calendar:IsMeeting", "calendar:IsCancelled", "calendar:CalendarItemType",
	"calendar:MyResponseType", "calendar:Organizer", "calendar:RequiredAttendees", "calendar:OptionalAttendees",
	"calendar:Resources", "calendar:AppointmentState", "calendar:Recurrence", "calendar:ModifiedOccurrences",
	"calendar:DeletedOccurrences", "calendar:StartTimeZone", "calendar:EndTimeZone",
}

// A Got is one answer of GetItems: an item, or why there is none.
type Got struct {
	Item CalendarItem
	Err  error
}

// GetItems reads items with the given named properties, in the order of ids. What concerns one item alone is in its Got,
// fault.NotFound for one that is gone; any other error fails the whole. It asks for ten at a time, for fewer when the
// server runs out of time, and again for those that the server left out.
func (c *Client) GetItems(ctx context.Context, m calendar.Mailbox, ids []string, with []Property) ([]Got, error) {
	out := make([]Got, len(ids))
	size := itemBatch
	for done := 0; done < len(ids); {
		batch := ids[done:min(done+size, len(ids))]
		got, err := c.getBatch(ctx, m, batch, with)
		if codeOf(err) == "ErrorTimeoutExpired" && len(batch) > 1 {
			size = len(batch) / 2
			continue
		}
		if err != nil {
			return nil, err
		}
		n := 0
		for n < len(got) && !unfinished(got[n].Err) {
			n++
		}
		if n == 0 { // not even one: a smaller batch may do, a single item cannot be made smaller
			if len(batch) == 1 {
				return nil, got[0].Err
			}
			size = len(batch) / 2
			continue
		}
		copy(out[done:], got[:n])
		done += n
	}
	return out, nil
}

// unfinished reports whether the server never got round to an item.
func unfinished(err error) bool {
	code := codeOf(err)
	return code == "ErrorBatchProcessingStopped" || code == "ErrorTimeoutExpired"
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Code
	}
	return ""
}

// getBatch makes one GetItem call.
func (c *Client) getBatch(ctx context.Context, m calendar.Mailbox, ids []string, with []Property) ([]Got, error) {
	a, err := send(ctx, c, m, request{op: "GetItem", doing: "reading items in the calendar", body: func(w *writer) {
		w.inside("m:GetItem", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.text("t:BodyType", "Text")
				w.inside("t:AdditionalProperties", func() {
					for _, f := range itemFields {
						w.empty("t:FieldURI", "FieldURI", f)
					}
					for _, p := range with {
						p.uri(w)
					}
				})
			})
			w.inside("m:ItemIds", func() {
				for _, id := range ids {
					w.empty("t:ItemId", "Id", id)
				}
			})
		})
	}}, decodeItems)
	if err != nil {
		return nil, err
	}
	if len(a.replies) != len(ids) {
		return nil, a.at.unreadable(fmt.Errorf("it tells of %d items where %d were asked for", len(a.replies), len(ids)))
	}
	got := make([]Got, len(ids))
	for i, r := range a.replies {
		switch err := a.at.reply(r.status); {
		case err != nil:
			got[i].Err = err
		case len(r.value) == 0:
			got[i].Err = a.at.wrap(&fault.Error{Kind: fault.Unsupported, Message: "the item is no calendar item"})
		default:
			got[i].Item = r.value[0]
		}
	}
	return got, nil
}

// decodeItems reads the Items of a response message: the calendar items among them.
func decodeItems(s *xmlscan.Scanner, child string, into *[]CalendarItem) {
	if child != "Items" {
		return
	}
	for element := range s.Children() {
		if element == "CalendarItem" {
			*into = append(*into, decodeItem(s))
		}
	}
}

// GetPage reads the text of an item as a page of HTML; empty if it has none.
func (c *Client) GetPage(ctx context.Context, m calendar.Mailbox, id string) (string, error) {
	return c.page(ctx, m, func(w *writer) { w.empty("t:ItemId", "Id", id) })
}

// GetOccurrencePage is GetPage for an occurrence of a series.
func (c *Client) GetOccurrencePage(ctx context.Context, m calendar.Mailbox, id OccurrenceID) (string, error) {
	id.ChangeKey = ""
	return c.page(ctx, m, id.element)
}

func (c *Client) page(ctx context.Context, m calendar.Mailbox, id func(*writer)) (string, error) {
	a, err := send(ctx, c, m, request{op: "GetItem", doing: "reading the text of an item in the calendar", body: func(w *writer) {
		w.inside("m:GetItem", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.text("t:BodyType", "HTML")
				w.inside("t:AdditionalProperties", func() { w.empty("t:FieldURI", "FieldURI", "item:Body") })
			})
			w.inside("m:ItemIds", func() { id(w) })
		})
	}}, decodeItems)
	items, err := only(a, err)
	if err != nil {
		return "", err
	}
	if len(items) != 1 {
		return "", a.at.unreadable(errors.New("the item is not in it"))
	}
	return items[0].Body, nil
}
