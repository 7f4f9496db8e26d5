package exchangesim

import "slices"

func (c *call) deleteItem() (*node, error) {
	kind := c.req.attr("DeleteType")
	if !slices.Contains([]string{"HardDelete", "SoftDelete", "MoveToDeletedItems"}, kind) {
		return nil, fail("ErrorSchemaValidation", "%q is not a valid DeleteType.", kind)
	}
	var messages []*node
	for _, id := range c.req.child("ItemIds").children() {
		if err := c.delete(id, kind); err != nil {
			messages = append(messages, failure("DeleteItem", err))
			continue
		}
		messages = append(messages, success("DeleteItem"))
	}
	return c.messages("DeleteItem", messages)
}

func (c *call) delete(id *node, kind string) error {
	v, err := c.itemByID(id)
	if err != nil {
		return err
	}
	b := v.it.box
	if v.it.kind == "CalendarItem" {
		sending, ok := c.req.lookAttr("SendMeetingCancellations")
		if !ok {
			return fail("ErrorSendMeetingCancellationsRequired", "SendMeetingCancellations attribute is required for calendar items.")
		}
		if !slices.Contains(sendings, sending) {
			return fail("ErrorSchemaValidation", "%q is not a valid SendMeetingCancellations.", sending)
		}
		c.cancel(v, sending)
		if v.index > 0 {
			return nil
		}
	}
	switch kind {
	case "HardDelete":
		b.remove(v.it)
	case "SoftDelete":
		b.move(v.it, b.known("recoverableitemsdeletions"))
	default:
		b.move(v.it, b.known("deleteditems"))
	}
	return nil
}

func (c *call) moveItem() (*node, error) { return c.transfer("MoveItem") }

func (c *call) copyItem() (*node, error) { return c.transfer("CopyItem") }

// transfer moves or copies items into a folder.
func (c *call) transfer(operation string) (*node, error) {
	to, refused := c.targetFolder("ToFolderId")
	var messages []*node
	for _, id := range c.req.child("ItemIds").children() {
		var made *item
		err := refused
		if err == nil {
			made, err = c.transferOne(id, to, operation)
		}
		if err != nil {
			messages = append(messages, failure(operation, err, el("m:Items")))
			continue
		}
		messages = append(messages, success(operation, el("m:Items", idOnly().node(c.viewOf(made)))))
	}
	return c.messages(operation, messages)
}

func (c *call) transferOne(id *node, to *folder, operation string) (*item, error) {
	v, err := c.itemByID(id)
	switch {
	case err != nil:
		return nil, err
	case v.index > 0:
		return nil, fail("ErrorCalendarCannotMoveOrCopyOccurrence", "Occurrences can't be moved or copied.")
	case to.box != v.it.box:
		return nil, fail("ErrorMoveCopyFailed", "Items cannot be moved or copied between mailboxes here.")
	case operation == "CopyItem":
		return to.box.copyTo(v.it, to), nil
	}
	to.box.move(v.it, to)
	return v.it, nil
}
