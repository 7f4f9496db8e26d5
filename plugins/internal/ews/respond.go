package ews

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// Accept, Tentative and Decline are the answers to an invitation, by the name of the response object that gives them.
const (
	Accept    = "AcceptItem"
	Tentative = "TentativelyAcceptItem"
	Decline   = "DeclineItem"
)

// Respond answers the meeting of which id is the attendee's copy, or one occurrence of it, and mails the organizer; comment,
// plain text, may be empty. What is declined goes to Deleted Items. Nothing makes it happen only once.
func (c *Client) Respond(ctx context.Context, m calendar.Mailbox, id ItemID, as, comment string) error {
	// A delegate's own Sent Items are not the place for a copy, and a service account has none.
	disposition := "SendOnly"
	if c.ActAs {
		disposition = "SendAndSaveCopy"
	}
	_, err := only(send(ctx, c, m, request{op: "CreateItem", doing: "answering an invitation in the calendar", body: func(w *writer) {
		w.inside("m:CreateItem", func() {
			w.inside("m:Items", func() {
				w.inside("t:"+as, func() {
					if comment != "" {
						w.text("t:Body", comment, "BodyType", "Text")
					}
					w.empty("t:ReferenceItemId", "Id", id.ID, "ChangeKey", id.ChangeKey)
				})
			})
		}, "MessageDisposition", disposition)
	}}, func(*xmlscan.Scanner, string, *struct{}) {}))
	return err
}

// widestView is how far from its place in the rule an occurrence is looked for. A view shows two years at most.
const widestView = 300 * 24 * time.Hour

// FindOccurrence returns the occurrence of the series with that UID which the rule has start at a moment, wherever it was moved to;
// ok is false if there is none (any more). Occurrences that are as the rule made them are found by one request.
func (c *Client) FindOccurrence(ctx context.Context, m calendar.Mailbox, uid string, original time.Time) (found CalendarItem, ok bool, err error) {
	for _, around := range []time.Duration{0, widestView} {
		items, err := c.view(ctx, m, original.Add(-around), original.Add(around+time.Minute))
		if err != nil {
			return CalendarItem{}, false, err
		}
		for _, i := range items {
			at := i.Original
			if at.IsZero() {
				at = i.Start
			}
			if (i.Type == "Occurrence" || i.Type == "Exception") && globalID(i.UID) == globalID(uid) && at.Equal(original) {
				return i, true, nil
			}
		}
	}
	return CalendarItem{}, false, nil
}

// mostViewed is how many items a view asks for.
const mostViewed = 1000

// view returns what the calendar shows between two moments, occurrences of series among them: their ids, types, UIDs and times.
func (c *Client) view(ctx context.Context, m calendar.Mailbox, from, to time.Time) ([]CalendarItem, error) {
	a, err := send(ctx, c, m, request{op: "FindItem", doing: "looking into the calendar", body: func(w *writer) {
		w.inside("m:FindItem", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.inside("t:AdditionalProperties", func() {
					for _, f := range []string{"calendar:UID", "calendar:Start", "calendar:OriginalStart", "calendar:CalendarItemType"} {
						w.empty("t:FieldURI", "FieldURI", f)
					}
				})
			})
			w.empty("m:CalendarView", "MaxEntriesReturned", strconv.Itoa(mostViewed), "StartDate", moment(from), "EndDate", moment(to))
			w.inside("m:ParentFolderIds", func() { c.calendarFolder(w, m) })
		}, "Traversal", "Shallow")
	}}, decodeFound)
	page, err := only(a, err)
	switch {
	case err != nil:
		return nil, c.folderFault(err)
	case !page.some:
		return nil, a.at.unreadable(errors.New("it holds no calendar"))
	case !page.last && len(page.items) >= mostViewed:
		return nil, a.at.unreadable(errors.New("the calendar shows more items than can be looked through"))
	}
	return page.items, nil
}
