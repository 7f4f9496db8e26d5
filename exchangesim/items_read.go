package exchangesim

import "strconv"

// itemByID finds what an ItemId, OccurrenceItemId or RecurringMasterItemId names, and checks that the request may open it.
func (c *call) itemByID(n *node) (*view, error) {
	text := n.attr("Id")
	switch n.name {
	case "OccurrenceItemId":
		text = n.attr("RecurringMasterId")
	case "RecurringMasterItemId":
		text = n.attr("OccurrenceId")
	case "ItemId":
	default:
		return nil, fail("ErrorSchemaValidation", "%s does not name an item.", n.name)
	}
	id, err := parseID(text)
	if err != nil {
		return nil, err
	}
	it, err := c.stored(id)
	if err != nil {
		return nil, err
	}
	switch {
	case n.name == "OccurrenceItemId":
		index, err := strconv.Atoi(n.attr("InstanceIndex"))
		if err != nil || index < 1 {
			return nil, fail("ErrorSchemaValidation", "%q is not a valid InstanceIndex.", n.attr("InstanceIndex"))
		}
		return c.occurrence(it, index)
	case n.name == "RecurringMasterItemId" && id.kind != occurrenceKind:
		return nil, fail("ErrorCalendarCannotUseIdForRecurringMasterId", "Id can't be used for a recurring master.")
	case n.name == "ItemId" && id.kind == occurrenceKind:
		return c.occurrenceOn(it, id.day)
	}
	return c.viewOf(it), nil
}

// stored finds the item, or the master of the occurrence, that has an id.
func (c *call) stored(id entryID) (*item, error) {
	gone := fail("ErrorItemNotFound", "The specified object was not found in the store.")
	if id.kind == folderKind {
		return nil, fail("ErrorCannotUseFolderIdForItemId", "Id must be an item id.")
	}
	b := c.byID[id.box]
	if c.here(b, "") != nil {
		return nil, gone
	}
	it := b.items[entryID{box: id.box, kind: itemKind, number: id.number}.String()]
	if it == nil {
		return nil, gone
	}
	if !c.mayOpen(it.folder) {
		return nil, gone
	}
	return it, nil
}

func (c *call) getItem() (*node, error) {
	s, err := shapeOf(c.req.child("ItemShape"))
	if err != nil {
		return nil, err
	}
	var messages []*node
	for _, id := range c.req.child("ItemIds").children() {
		v, err := c.itemByID(id)
		if err != nil {
			messages = append(messages, failure("GetItem", err, el("m:Items")))
			continue
		}
		messages = append(messages, success("GetItem", el("m:Items", s.node(v))))
	}
	return c.messages("GetItem", messages)
}
