package exchangesim

import (
	"slices"
	"time"
)

func (c *call) updateItem() (*node, error) {
	resolution := c.req.attr("ConflictResolution")
	if !slices.Contains([]string{"NeverOverwrite", "AutoResolve", "AlwaysOverwrite"}, resolution) {
		return nil, fail("ErrorSchemaValidation", "%q is not a valid ConflictResolution.", resolution)
	}
	var messages []*node
	for _, n := range c.req.child("ItemChanges").all("ItemChange") {
		v, err := c.update(n, resolution)
		if err != nil {
			messages = append(messages, failure("UpdateItem", err, el("m:Items")))
			continue
		}
		messages = append(messages, success("UpdateItem", el("m:Items", idOnly().node(v)), el("m:ConflictResults", el("t:Count", "0"))))
		c.touchLater(v.it)
	}
	return c.messages("UpdateItem", messages)
}

// update carries out the changes to one item, all or none of them.
func (c *call) update(n *node, resolution string) (*view, error) {
	if len(n.kids) == 0 {
		return nil, fail("ErrorSchemaValidation", "An ItemChange names no item.")
	}
	v, err := c.itemByID(n.kids[0])
	if err != nil {
		return nil, err
	}
	sending := c.req.attr("SendMeetingInvitationsOrCancellations")
	if v.it.kind == "CalendarItem" {
		if sending == "" {
			return nil, fail("ErrorSendMeetingInvitationsOrCancellationsRequired", "SendMeetingInvitationsOrCancellations attribute is required for calendar items.")
		}
		if !slices.Contains(append(sendings, "SendOnlyToChanged", "SendToChangedAndSaveCopy"), sending) {
			return nil, fail("ErrorSchemaValidation", "%q is not a valid SendMeetingInvitationsOrCancellations.", sending)
		}
	}
	made := v.c.clone()
	if v.index > 0 {
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
	}
	if v.index > 0 && !v.exception {
		made.start, made.end, made.recurrence = v.start, v.end, nil
	}
	e := &edit{content: &made, call: c}
	updates := n.child("Updates").children()
	if len(updates) == 0 {
		return nil, fail("ErrorIncorrectUpdatePropertyCount", "There are no updates.")
	}
	var changed []string
	for _, u := range zonesFirst(updates) {
		name, err := e.apply(u, v)
		if err != nil {
			return nil, err
		}
		changed = append(changed, name)
	}
	if err := v.it.conflict(n.kids[0], resolution, changed); err != nil {
		return nil, err
	}
	before := v.c.attendees() // commit replaces what v.c points at
	if err := c.commit(v, &made); err != nil {
		return nil, err
	}
	for _, name := range changed {
		v.it.history[name] = v.it.key
	}
	now, err := c.again(v)
	if err == nil && v.it.kind == "CalendarItem" {
		c.tellAttendees(now, before, sending)
	}
	return now, err
}

// zonesFirst moves time zones to the front: what times without an offset mean depends on them, and clients send them behind.
func zonesFirst(updates []*node) []*node {
	ofZone := func(u *node) bool {
		uri := u.child("FieldURI").attr("FieldURI")
		return uri == "calendar:StartTimeZone" || uri == "calendar:EndTimeZone" || uri == "calendar:MeetingTimeZone"
	}
	var zones, rest []*node
	for _, u := range updates {
		if ofZone(u) {
			zones = append(zones, u)
		} else {
			rest = append(rest, u)
		}
	}
	return append(zones, rest...)
}

// conflict checks the change key that an update came with.
func (it *item) conflict(id *node, resolution string, changed []string) error {
	text := id.attr("ChangeKey")
	if text == "" {
		if resolution == "AlwaysOverwrite" {
			return nil
		}
		return fail("ErrorChangeKeyRequiredForWriteOperations", "A change key is required for this operation.")
	}
	key, err := parseChangeKey(text)
	if err != nil || resolution == "AlwaysOverwrite" || key == it.key {
		return err
	}
	irresolvable := fail("ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.")
	if resolution == "NeverOverwrite" {
		return irresolvable
	}
	for _, name := range changed {
		if it.history[name] > key {
			return irresolvable
		}
	}
	return nil
}

// apply carries out one SetItemField, AppendToItemField or DeleteItemField, and returns the name of the property.
func (e *edit) apply(u *node, v *view) (string, error) {
	if len(u.kids) == 0 {
		return "", fail("ErrorSchemaValidation", "%s names no property.", u.name)
	}
	p, err := parsePath(u.kids[0])
	if err != nil {
		return "", err
	}
	if v.index > 0 && p.uri == "calendar:Recurrence" {
		return "", fail("ErrorRecurringMasterPropertyOnOccurrence", "Only the recurring master has a recurrence.")
	}
	f := e.call.fieldByURI(p.uri)
	if u.name == "DeleteItemField" {
		return p.uri + p.key, e.deleteField(p, f)
	}
	if len(u.kids) != 2 || len(u.kids[1].kids) != 1 {
		return "", fail("ErrorIncorrectUpdatePropertyCount", "An object within a change description must contain one and only one property to modify.")
	}
	value := u.kids[1].kids[0]
	switch {
	case p.key != "" && value.name == "ExtendedProperty":
		set, err := e.setExtended(value)
		if err == nil && set.key != p.key {
			err = fail("ErrorUpdatePropertyMismatch", "The property path does not fit the property in the item.")
		}
		return p.key, err
	case p.key != "" || f != nil && value.name != f.name:
		return "", fail("ErrorUpdatePropertyMismatch", "The property path does not fit the property in the item.")
	case f == nil && v.it.kind != "CalendarItem":
		e.setExtra(value)
		return p.uri, nil
	case f == nil || f.set == nil:
		return "", fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", p.uri)
	case u.name == "AppendToItemField":
		return p.uri, e.appendTo(p, f, value)
	}
	return p.uri, f.set(e, value)
}

func (e *edit) deleteField(p path, f *field) error {
	switch {
	case p.key == "0x37":
		e.subject = ""
		return nil
	case p.key == "0x1000":
		e.body = body{kind: "Text"}
		return nil
	case p.key == "Appointment/id:0x8208":
		e.location = ""
		return nil
	case p.key != "":
		delete(e.props, p.key)
		return nil
	case f == nil || f.clear == nil:
		return fail("ErrorInvalidPropertyDelete", "Property %s can't be deleted.", p.uri)
	}
	f.clear(e.content)
	return nil
}

// appendTo adds to the properties that can be added to.
func (e *edit) appendTo(p path, f *field, value *node) error {
	before := e.clone()
	if err := f.set(e, value); err != nil {
		return err
	}
	switch p.uri {
	case "item:Body":
		e.body.text = before.body.text + e.body.text
	case "calendar:RequiredAttendees":
		e.required = append(before.required, e.required...)
	case "calendar:OptionalAttendees":
		e.optional = append(before.optional, e.optional...)
	case "calendar:Resources":
		e.resources = append(before.resources, e.resources...)
	default:
		return fail("ErrorInvalidPropertyAppend", "Append action is invalid for property %s.", p.uri)
	}
	return nil
}

// commit puts changed content into its place.
func (c *call) commit(v *view, made *content) error {
	it := v.it
	if it.kind == "CalendarItem" {
		if err := made.settle(); err != nil {
			return err
		}
		if err := c.boundaries(v, made); err != nil {
			return err
		}
		if made.recurrence != nil {
			if it.recurrence != nil && made.recurrence.Start == it.recurrence.Start && !made.start.Equal(it.start) {
				made.recurrence.Start = made.start.In(mustZone(made.startZone)).Format(time.DateOnly)
			}
			if err := made.anchor(); err != nil {
				return err
			}
		}
		if !c.opts.ForgetAnswers {
			made.keepResponses(v.c.attendees())
		}
	}
	if v.index > 0 {
		it.changes[v.index] = made
	} else {
		it.become(made)
	}
	it.author = c.actor.Name
	it.box.edited(it)
	return nil
}

// boundaries refuses to move an occurrence across its neighbours, or into one.
func (c *call) boundaries(v *view, made *content) error {
	if v.index == 0 {
		return nil
	}
	if made.start.Equal(v.start) && made.end.Equal(v.end) {
		return nil
	}
	crossing := false
	c.occurrences(v.it, func(o *view) bool {
		before := o.index < v.index && (!made.start.After(o.start) || made.start.Before(o.end))
		after := o.index > v.index && (!o.start.After(made.start) || o.start.Before(made.end))
		crossing = crossing || before || after
		return o.index <= v.index
	})
	if crossing {
		return fail("ErrorOccurrenceCrossingBoundary", "Modified occurrence is crossing or overlapping adjacent occurrence.")
	}
	return nil
}

// keepResponses keeps what attendees had answered.
func (c *content) keepResponses(before []Attendee) {
	for _, list := range [][]Attendee{c.required, c.optional, c.resources} {
		for i := range list {
			list[i].Response = ""
			for _, b := range before {
				if b.Address == list[i].Address {
					list[i].Response = b.Response
				}
			}
		}
	}
}

// tellAttendees sends what an update was asked to send, of a series or of one occurrence. v is as it is now.
func (c *call) tellAttendees(v *view, before []Attendee, sending string) {
	if sending == "SendToNone" || v.c.received {
		return
	}
	after := v.c.attendees()
	added, removed := missing(after, before), missing(before, after)
	kind := "update"
	if !v.c.sent {
		kind = "request"
	}
	if len(after) > 0 {
		v.c.sent = true
	}
	c.sendOf(v, "cancellation", removed)
	if sending == "SendOnlyToChanged" || sending == "SendToChangedAndSaveCopy" {
		c.sendOf(v, "request", added)
		return
	}
	v.c.sequence++
	c.sendOf(v, kind, after)
}

// missing are those of list who are not in other.
func missing(list, other []Attendee) []Attendee {
	var found []Attendee
	for _, a := range list {
		if !slices.ContainsFunc(other, func(o Attendee) bool { return o.Address == a.Address }) {
			found = append(found, a)
		}
	}
	return found
}
