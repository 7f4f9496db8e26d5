package ews

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// replyClass is how the class of every mail begins that answers an invitation.
const replyClass = "IPM.Schedule.Meeting.Resp"

// mostReplies is how many of the newest answers to one meeting are looked through.
const mostReplies = 30

// A Reply is a mail that answers an invitation.
type Reply struct {
	ID       string
	Received time.Time
	From     Address
	Text     string
}

// Replies returns the newest answers to the meeting with that iCalendar UID that lie in the organizer's Inbox, the newest first, with
// what their senders wrote. fault.Forbidden if the account may not look into it.
func (c *Client) Replies(ctx context.Context, m calendar.Mailbox, uid string) ([]Reply, error) {
	if uid == "" || len(uid) > maxUID {
		return nil, nil // no store has it
	}
	value := globalID(uid)
	found, err := c.messages(ctx, m, request{op: "FindItem", doing: "looking for answers in the Inbox", body: func(w *writer) {
		w.inside("m:FindItem", func() {
			w.inside("m:ItemShape", func() { w.text("t:BaseShape", "IdOnly") })
			w.empty("m:IndexedPageItemView", "MaxEntriesReturned", strconv.Itoa(mostReplies), "Offset", "0", "BasePoint", "Beginning")
			w.inside("m:Restriction", func() {
				w.inside("t:And", func() {
					w.inside("t:Contains", func() {
						w.empty("t:FieldURI", "FieldURI", "item:ItemClass")
						w.empty("t:Constant", "Value", replyClass)
					}, "ContainmentMode", "Prefixed", "ContainmentComparison", "IgnoreCase")
					// The one is that of an occurrence where the answer is about it alone; the other is always the series'.
					w.inside("t:Or", func() {
						equal(w, func() { objectID(w, "3") }, value)
						equal(w, func() { objectID(w, "35") }, value)
					})
				})
			})
			w.inside("m:SortOrder", func() {
				w.inside("t:FieldOrder", func() { w.empty("t:FieldURI", "FieldURI", "item:DateTimeReceived") }, "Order", "Descending")
			})
			w.inside("m:ParentFolderIds", func() { c.folder(w, m, "inbox") })
		}, "Traversal", "Shallow")
	}})
	if err != nil || len(found) == 0 {
		return nil, inboxFault(err)
	}
	read, err := c.messages(ctx, m, request{op: "GetItem", doing: "reading answers in the Inbox", body: func(w *writer) {
		w.inside("m:GetItem", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.text("t:BodyType", "Text")
				w.inside("t:AdditionalProperties", func() {
					for _, f := range []string{"item:Body", "item:DateTimeReceived", "message:From"} {
						w.empty("t:FieldURI", "FieldURI", f)
					}
				})
			})
			w.inside("m:ItemIds", func() {
				for _, r := range found {
					w.empty("t:ItemId", "Id", r.ID)
				}
			})
		})
	}})
	return read, inboxFault(err)
}

// messages makes a request that answers with messages; those that are gone since they were found are left out.
func (c *Client) messages(ctx context.Context, m calendar.Mailbox, r request) ([]Reply, error) {
	a, err := send(ctx, c, m, r, decodeReplies)
	if err != nil {
		return nil, err
	}
	var all []Reply
	for _, one := range a.replies {
		err := a.at.reply(one.status)
		if err != nil && !(r.op == "GetItem" && fault.Of(err) == fault.NotFound) {
			return nil, err
		}
		all = append(all, one.value...)
	}
	return all, nil
}

// inboxFault corrects what a failure means where the object is the Inbox itself: every mailbox has one.
func inboxFault(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.NotFound && e.Kind != fault.Forbidden {
		return err
	}
	return fmt.Errorf("%s: the account may not look into the Inbox, where the answers to invitations are: %w", err.Error(), fault.Forbidden)
}

func decodeReplies(s *xmlscan.Scanner, child string, into *[]Reply) {
	if child == "RootFolder" {
		for part := range s.Children() {
			decodeReplies(s, part, into)
		}
		return
	}
	if child != "Items" {
		return
	}
	for range s.Children() { // MeetingResponse; MeetingMessage or Message on some servers
		var r Reply
		for name := range s.Children() {
			switch name {
			case "ItemId":
				r.ID = s.Attr("Id")
			case "Body":
				r.Text = strings.TrimSpace(s.Text())
			case "DateTimeReceived":
				r.Received = dateTime(s.Text())
			case "From":
				for range s.Children() {
					r.From = decodeMailbox(s)
				}
			}
		}
		*into = append(*into, r)
	}
}
