package ews

import (
	"context"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// Mail says whom the server tells of a write.
type Mail int

// The audiences.
const (
	Nobody    Mail = iota
	All            // every attendee
	Concerned      // those added or removed
)

// updateMail are the words for the audiences of an update.
var updateMail = [...]string{Nobody: "SendToNone", All: "SendToAllAndSaveCopy", Concerned: "SendToChangedAndSaveCopy"}

// CreateItem makes an item in the calendar. Nothing makes it happen only once: after an error that is no clear refusal,
// search before trying again.
func (c *Client) CreateItem(ctx context.Context, m calendar.Mailbox, fields []Field, mail Mail) (ItemID, error) {
	to := "SendToNone"
	if mail != Nobody {
		to = "SendToAllAndSaveCopy"
	}
	id, err := onlyID(send(ctx, c, m, request{op: "CreateItem", doing: "creating an item in the calendar", body: func(w *writer) {
		w.inside("m:CreateItem", func() {
			w.inside("m:SavedItemFolderId", func() { c.calendarFolder(w, m) })
			w.inside("m:Items", func() { item(w, fields) })
		}, "SendMeetingInvitations", to)
	}}, decodeItems))
	return id, c.folderFault(err)
}

// UpdateItem writes the fields of an item, in their order, unless it was changed since id's ChangeKey: fault.Conflict.
func (c *Client) UpdateItem(ctx context.Context, m calendar.Mailbox, id ItemID, fields []Field, mail Mail) (ItemID, error) {
	return onlyID(send(ctx, c, m, request{op: "UpdateItem", doing: "changing an item in the calendar", body: func(w *writer) {
		w.inside("m:UpdateItem", func() {
			w.inside("m:ItemChanges", func() {
				w.inside("t:ItemChange", func() {
					if id.ChangeKey == "" {
						w.empty("t:ItemId", "Id", id.ID)
					} else {
						w.empty("t:ItemId", "Id", id.ID, "ChangeKey", id.ChangeKey)
					}
					w.inside("t:Updates", func() {
						for _, f := range fields {
							f.update(w)
						}
					})
				})
			})
		}, "ConflictResolution", "NeverOverwrite", "SendMeetingInvitationsOrCancellations", updateMail[mail])
	}}, decodeItems))
}

// DeleteItem moves an item to Deleted Items. fault.NotFound if it is not there.
func (c *Client) DeleteItem(ctx context.Context, m calendar.Mailbox, id string, mail Mail) error {
	to := "SendToNone"
	if mail != Nobody {
		to = "SendToAllAndSaveCopy"
	}
	_, err := only(send(ctx, c, m, request{op: "DeleteItem", doing: "deleting an item in the calendar", body: func(w *writer) {
		w.inside("m:DeleteItem", func() {
			w.inside("m:ItemIds", func() { w.empty("t:ItemId", "Id", id) })
		}, "DeleteType", "MoveToDeletedItems", "SendMeetingCancellations", to)
	}}, nothing))
	return err
}

func onlyID(a answer[[]CalendarItem], err error) (ItemID, error) {
	items, err := only(a, err)
	if err != nil || len(items) == 0 {
		return ItemID{}, err
	}
	return items[0].ItemID, nil
}
