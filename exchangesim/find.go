package exchangesim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Throttling of FindItem: the most items in one answer, with and without a restriction.
const (
	mostFound      = 1000
	mostRestricted = 250
)

// A page is the part of a result that was asked for.
type page struct {
	from, to, total int
}

// pageOf reads IndexedPageItemView, FractionalPageItemView or their kin for folders. most bounds a page.
func (c *call) pageOf(total, most int, names ...string) (page, error) {
	p := page{0, min(total, most), total}
	for _, name := range names {
		n := c.req.child(name)
		if n == nil {
			continue
		}
		size := most
		if text, ok := n.lookAttr("MaxEntriesReturned"); ok {
			m, err := strconv.Atoi(text)
			if err != nil || m < 1 {
				return p, fail("ErrorInvalidPagingMaxRows", "The value of MaxEntriesReturned isn't valid.")
			}
			size = min(m, most)
		}
		offset, err := c.offset(n, total)
		if err != nil {
			return p, err
		}
		if n.attr("BasePoint") == "End" {
			p.to = max(total-offset, 0)
			p.from = max(p.to-size, 0)
			return p, nil
		}
		p.from = min(offset, total)
		p.to = min(p.from+size, total)
	}
	return p, nil
}

func (c *call) offset(n *node, total int) (int, error) {
	text, ok := n.lookAttr("Offset")
	if !ok {
		numerator, _ := strconv.Atoi(n.attr("Numerator"))
		denominator, err := strconv.Atoi(n.attr("Denominator"))
		if err != nil || denominator < 1 || numerator < 0 || numerator > denominator {
			return 0, fail("ErrorInvalidFractionalPagingParameters", "The paging parameters aren't valid.")
		}
		return total * numerator / denominator, nil
	}
	offset, err := strconv.Atoi(text)
	if err != nil || offset < 0 {
		return 0, fail("ErrorInvalidIndexedPagingParameters", "The paging parameters aren't valid.")
	}
	return offset, nil
}

// rootFolder is the element that holds what was found.
func (p page) rootFolder(inner *node) *node {
	return el("m:RootFolder", attr{"IndexedPagingOffset", strconv.Itoa(p.to)}, attr{"TotalItemsInView", strconv.Itoa(p.total)},
		attr{"IncludesLastItemInRange", boolean(p.to >= p.total)}, inner)
}

func (c *call) findFolder() (*node, error) {
	s, err := shapeOf(c.req.child("FolderShape"))
	if err != nil {
		return nil, err
	}
	matches, err := c.restriction()
	if err != nil {
		return nil, err
	}
	var messages []*node
	for _, id := range c.req.child("ParentFolderIds").children() {
		root, err := c.foldersUnder(id, s, matches)
		if err != nil {
			messages = append(messages, failure("FindFolder", err))
			continue
		}
		messages = append(messages, success("FindFolder", root))
	}
	return c.messages("FindFolder", messages)
}

func (c *call) foldersUnder(id *node, s shape, matches predicate) (*node, error) {
	top, err := c.folderByID(id)
	if err != nil {
		return nil, err
	}
	deep := c.req.attr("Traversal") == "Deep"
	var found []*folder
	if c.req.attr("Traversal") != "SoftDeleted" {
		for _, f := range top.box.all() {
			if (f.parent == top || deep && f.under(top)) && matches(f.lookup) {
				found = append(found, f)
			}
		}
	}
	p, err := c.pageOf(len(found), mostFound, "IndexedPageFolderView", "FractionalPageFolderView")
	if err != nil {
		return nil, err
	}
	folders := el("t:Folders")
	for _, f := range found[p.from:p.to] {
		folders.kids = append(folders.kids, c.folderNode(f, s))
	}
	if c.req.child("IndexedPageFolderView") == nil && c.req.child("FractionalPageFolderView") == nil {
		return el("m:RootFolder", attr{"TotalItemsInView", strconv.Itoa(p.total)}, attr{"IncludesLastItemInRange", boolean(p.to >= p.total)}, folders), nil
	}
	return p.rootFolder(folders), nil
}

func (c *call) findItem() (*node, error) {
	s, err := shapeOf(c.req.child("ItemShape"))
	if err != nil {
		return nil, err
	}
	s.light = true
	var messages []*node
	for _, id := range c.req.child("ParentFolderIds").children() {
		root, err := c.itemsIn(id, s)
		if err != nil {
			messages = append(messages, failure("FindItem", err))
			continue
		}
		messages = append(messages, success("FindItem", root))
	}
	return c.messages("FindItem", messages)
}

// itemsIn finds items in one folder.
func (c *call) itemsIn(id *node, s shape) (*node, error) {
	f, err := c.folderByID(id)
	if err != nil {
		return nil, err
	}
	if n := c.req.child("CalendarView"); n != nil {
		return c.calendarView(f, n, s)
	}
	matches, err := c.restriction()
	if err != nil {
		return nil, err
	}
	keys, err := c.sortOrder()
	if err != nil {
		return nil, err
	}
	var found []*view
	if c.req.attr("Traversal") == "Shallow" {
		for _, it := range f.items {
			if v := c.viewOf(it); matches(v.lookup) {
				found = append(found, v)
			}
		}
	}
	sortViews(found, keys)
	most := mostFound
	if c.req.child("Restriction") != nil {
		most = mostRestricted
	}
	p, err := c.pageOf(len(found), most, "IndexedPageItemView", "FractionalPageItemView")
	if err != nil {
		return nil, err
	}
	return p.rootFolder(items(found[p.from:p.to], s)), nil
}

func items(views []*view, s shape) *node {
	n := el("t:Items")
	for _, v := range views {
		n.kids = append(n.kids, s.node(v))
	}
	return n
}

// calendarView lists the appointments and the occurrences of series in a span of time, by their start.
func (c *call) calendarView(f *folder, n *node, s shape) (*node, error) {
	switch {
	case c.req.child("Restriction") != nil || c.req.child("SortOrder") != nil:
		return nil, fail("ErrorUnsupportedPathForSortGroup", "A CalendarView can be combined with neither a restriction nor a sort order.")
	case f.element() != "CalendarFolder":
		return nil, fail("ErrorCalendarFolderIsInvalidForCalendarView", "Only calendar folders have a calendar view.")
	}
	zone := mustZone(c.zoneID)
	from, err := parseTime(n.attr("StartDate"), zone)
	if err != nil {
		return nil, err
	}
	to, err := parseTime(n.attr("EndDate"), zone)
	if err != nil {
		return nil, err
	}
	switch {
	case to.Before(from):
		return nil, fail("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
	case to.After(from.AddDate(2, 0, 0)):
		return nil, fail("ErrorCalendarViewRangeTooBig", "The specified view range exceeds the maximum range of two years.")
	}
	found := c.overlapping(f, from, to)
	total := len(found)
	if text, ok := n.lookAttr("MaxEntriesReturned"); ok {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return nil, fail("ErrorInvalidPagingMaxRows", "The value of MaxEntriesReturned isn't valid.")
		}
		found = found[:min(total, limit)]
	}
	found = found[:min(len(found), mostFound)]
	return el("m:RootFolder", attr{"TotalItemsInView", strconv.Itoa(total)}, attr{"IncludesLastItemInRange", boolean(len(found) == total)},
		items(found, s)), nil
}

// overlapping finds what ends at or after from and starts before to.
func (c *call) overlapping(f *folder, from, to time.Time) []*view {
	var found []*view
	add := func(v *view) {
		if !v.end.Before(from) && v.start.Before(to) {
			found = append(found, v)
		}
	}
	for _, it := range f.items {
		switch {
		case it.kind != "CalendarItem":
		case it.recurrence == nil:
			add(c.viewOf(it))
		default:
			c.occurrences(it, func(v *view) bool {
				add(v)
				return v.original.Before(to.AddDate(0, 1, 0)) // an exception may have been moved to an earlier time
			})
		}
	}
	slices.SortStableFunc(found, func(a, b *view) int {
		return cmp.Or(a.start.Compare(b.start), strings.Compare(a.it.id, b.it.id))
	})
	return found
}
