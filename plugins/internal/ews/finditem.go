package ews

import (
	"context"
	"errors"
	"strconv"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// findPage is how many items one FindItem asks for; with a restriction servers cap it at 250.
const findPage = 100

// maxFound bounds a search. A marker is on one item, and on the copies that people made of it.
const maxFound = 10_000

// A found is one page of a FindItem.
type found struct {
	items []CalendarItem
	last  bool
	next  int // offset of the next page; 0 if the server did not say
	some  bool
}

// A search is what is looked for in a calendar.
type search struct {
	ask   func(w *writer)            // names the property that is compared
	where func(w *writer)            // the restriction
	is    func(i *CalendarItem) bool // whether an item is meant indeed
}

// FindItems returns the calendar's items whose named property has exactly the value of p: their ids, when they were
// created, and the property. Occurrences of series are not among them.
func (c *Client) FindItems(ctx context.Context, m calendar.Mailbox, p Property) ([]CalendarItem, error) {
	return c.findAll(ctx, m, search{
		ask:   p.uri,
		where: func(w *writer) { equal(w, func() { p.uri(w) }, p.Value) },
		is:    func(i *CalendarItem) bool { return i.Value(p) == p.Value },
	})
}

// findAll reads the search's pages to the end.
func (c *Client) findAll(ctx context.Context, m calendar.Mailbox, what search) ([]CalendarItem, error) {
	var all []CalendarItem
	for offset := 0; ; {
		page, at, err := c.findPage(ctx, m, what, offset)
		if err != nil {
			return nil, c.folderFault(err)
		}
		for _, item := range page.items {
			// Stores compare without regard to case, and some servers ignore a restriction.
			if what.is(&item) {
				all = append(all, item)
			}
		}
		if page.last || !page.some {
			return all, nil
		}
		next := max(page.next, offset+len(page.items))
		if next <= offset || next > maxFound {
			return nil, at.unreadable(errors.New("its paging does not come to an end"))
		}
		offset = next
	}
}

func (c *Client) findPage(ctx context.Context, m calendar.Mailbox, what search, offset int) (found, site, error) {
	a, err := send(ctx, c, m, request{op: "FindItem", doing: "searching the calendar", body: func(w *writer) {
		w.inside("m:FindItem", func() {
			w.inside("m:ItemShape", func() {
				w.text("t:BaseShape", "IdOnly")
				w.inside("t:AdditionalProperties", func() {
					w.empty("t:FieldURI", "FieldURI", "item:DateTimeCreated")
					what.ask(w)
				})
			})
			w.empty("m:IndexedPageItemView", "MaxEntriesReturned", strconv.Itoa(findPage),
				"Offset", strconv.Itoa(offset), "BasePoint", "Beginning")
			w.inside("m:Restriction", func() { what.where(w) })
			w.inside("m:ParentFolderIds", func() { c.calendarFolder(w, m) })
		}, "Traversal", "Shallow")
	}}, decodeFound)
	page, err := only(a, err)
	return page, a.at, err
}

// equal writes that a field has a value.
func equal(w *writer, field func(), value string) {
	w.inside("t:IsEqualTo", func() {
		field()
		w.inside("t:FieldURIOrConstant", func() { w.empty("t:Constant", "Value", value) })
	})
}

func decodeFound(s *xmlscan.Scanner, child string, into *found) {
	if child != "RootFolder" {
		return
	}
	into.some = true
	into.last = truth(s.Attr("IncludesLastItemInRange"))
	into.next = number(s.Attr("IndexedPagingOffset"))
	for part := range s.Children() {
		decodeItems(s, part, &into.items)
	}
}
