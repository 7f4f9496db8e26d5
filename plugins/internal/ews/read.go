package ews

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A Folder is the mailbox's calendar folder.
type Folder struct {
	ID      string
	Name    string // as the mailbox's language has it
	Version ServerVersion
}

// GetFolder reads the calendar folder: the cheapest proof that the mailbox can be reached and acted for.
func (c *Client) GetFolder(ctx context.Context, m calendar.Mailbox) (Folder, error) {
	a, err := send(ctx, c, m, request{op: "GetFolder", doing: "opening the calendar", body: func(w *writer) {
		w.inside("m:GetFolder", func() {
			w.inside("m:FolderShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.inside("t:AdditionalProperties", func() { w.empty("t:FieldURI", "FieldURI", "folder:DisplayName") })
			})
			w.inside("m:FolderIds", func() { c.calendarFolder(w, m) })
		})
	}}, decodeFolder)
	f, err := only(a, err)
	f.Version = a.version
	return f, c.folderFault(err)
}

// A FolderState says, as far as Exchange tells without reading any item, how a folder is: equal ones are of a folder in which
// nothing has happened in between.
type FolderState struct {
	Committed time.Time // when something in it was made or changed last, to the second; zero: it does not say
	Deleted   string    // how many items have left it, ever; empty: it does not say
	Items     string    // how many it holds
}

// The tags of PR_LOCAL_COMMIT_TIME_MAX and PR_DELETED_COUNT_TOTAL.
const (
	tagCommitted = "0x670a"
	tagDeleted   = "0x670b"
)

// CalendarState reads the state of the calendar folder.
func (c *Client) CalendarState(ctx context.Context, m calendar.Mailbox) (FolderState, error) {
	a, err := send(ctx, c, m, request{op: "GetFolder", doing: "asking for the state of the calendar", body: func(w *writer) {
		w.inside("m:GetFolder", func() {
			w.inside("m:FolderShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.inside("t:AdditionalProperties", func() {
					w.empty("t:FieldURI", "FieldURI", "folder:TotalCount")
					w.empty("t:ExtendedFieldURI", "PropertyTag", tagCommitted, "PropertyType", "SystemTime")
					w.empty("t:ExtendedFieldURI", "PropertyTag", tagDeleted, "PropertyType", "Integer")
				})
			})
			w.inside("m:FolderIds", func() { c.calendarFolder(w, m) })
		})
	}}, decodeFolderState)
	f, err := only(a, err)
	return f, c.folderFault(err)
}

func decodeFolderState(s *xmlscan.Scanner, child string, into *FolderState) {
	if child != "Folders" {
		return
	}
	for range s.Children() {
		for field := range s.Children() {
			switch field {
			case "TotalCount":
				into.Items = s.Text()
			case "ExtendedProperty":
				tag, value := decodeTagged(s)
				switch tag {
				case tagCommitted:
					into.Committed, _ = time.Parse(time.RFC3339, value) // what cannot be read says nothing
				case tagDeleted:
					into.Deleted = value
				}
			}
		}
	}
}

// decodeTagged reads an ExtendedProperty that is known by its tag, in lower case.
func decodeTagged(s *xmlscan.Scanner) (tag, value string) {
	for child := range s.Children() {
		switch child {
		case "ExtendedFieldURI":
			tag = strings.ToLower(s.Attr("PropertyTag"))
		case "Value":
			value = s.Text()
		}
	}
	return tag, value
}

func decodeFolder(s *xmlscan.Scanner, child string, into *Folder) {
	if child != "Folders" {
		return
	}
	for range s.Children() {
		for field := range s.Children() {
			switch field {
			case "FolderId":
				into.ID = s.Attr("Id")
			case "DisplayName":
				into.Name = s.Text()
			}
		}
	}
}

// folderFault corrects what a failure means where the object is the calendar folder itself: every mailbox has one, so
// "not found" says that the account may not see it, and is never taken for an item that is gone.
func (c *Client) folderFault(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.NotFound {
		return err
	}
	changed := *e
	changed.Kind = fault.Forbidden
	changed.Message += ": the account has no permission on this calendar, or the mailbox has none"
	return &changed
}

// A SyncRequest asks for changes of the calendar folder.
type SyncRequest struct {
	State      string     // empty: from the beginning
	Max        int        // 1 to 512
	Properties []Property // to be told of created and updated items
}

// A SyncPage is an answer to it. Its changes are in order; an item may occur more than once.
type SyncPage struct {
	State   string
	Last    bool // no page follows
	Changes []SyncChange
}

// A SyncChange is one change. Items that are not calendar items are not mentioned.
type SyncChange struct {
	Deleted bool // deleted, or moved elsewhere; only Item.ItemID is known
	Item    CalendarItem
}

// SyncFolderItems reads one page of changes. fault.StateExpired if the state is of no use any more.
func (c *Client) SyncFolderItems(ctx context.Context, m calendar.Mailbox, r SyncRequest) (SyncPage, error) {
	a, err := send(ctx, c, m, request{op: "SyncFolderItems", doing: "reading changes in the calendar", body: func(w *writer) {
		w.inside("m:SyncFolderItems", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.inside("t:AdditionalProperties", func() {
					w.empty("t:FieldURI", "FieldURI", "calendar:CalendarItemType")
					for _, p := range r.Properties {
						p.uri(w)
					}
				})
			})
			w.inside("m:SyncFolderId", func() { c.calendarFolder(w, m) })
			if r.State != "" {
				w.text("m:SyncState", r.State)
			}
			w.text("m:MaxChangesReturned", strconv.Itoa(min(max(r.Max, 1), 512)))
			w.text("m:SyncScope", "NormalItems")
		})
	}}, decodeSync)
	page, err := only(a, err)
	if err != nil {
		return page, c.folderFault(err)
	}
	if page.State == "" {
		return page, a.at.unreadable(errors.New("no sync state in it"))
	}
	if !page.Last && page.State == r.State {
		return page, a.at.unreadable(errors.New("its sync state does not advance"))
	}
	return page, nil
}

func decodeSync(s *xmlscan.Scanner, child string, into *SyncPage) {
	switch child {
	case "SyncState":
		into.State = s.Text()
	case "IncludesLastItemInRange":
		into.Last = truth(s.Text())
	case "Changes":
		for kind := range s.Children() {
			switch kind {
			case "Create", "Update":
				for element := range s.Children() {
					if element == "CalendarItem" {
						into.Changes = append(into.Changes, SyncChange{Item: decodeItem(s)})
					}
				}
			case "Delete":
				for element := range s.Children() {
					if element == "ItemId" {
						gone := SyncChange{Deleted: true}
						gone.Item.ItemID = decodeItemID(s)
						into.Changes = append(into.Changes, gone)
					}
				}
			}
		}
	}
}
