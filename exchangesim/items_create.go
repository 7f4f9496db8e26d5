package exchangesim

import (
	"slices"
	"time"
)

// sendings are the values of SendMeetingInvitations and SendMeetingCancellations.
var sendings = []string{"SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"}

func (c *call) createItem() (*node, error) {
	var saved *folder
	var refused error
	if c.req.child("SavedItemFolderId") != nil {
		saved, refused = c.targetFolder("SavedItemFolderId")
	}
	var messages []*node
	for _, n := range c.req.child("Items").children() {
		var made *item
		err := refused
		if err == nil {
			made, err = c.create(n, saved)
		}
		switch {
		case err != nil:
			messages = append(messages, failure("CreateItem", err, el("m:Items")))
		case made == nil:
			messages = append(messages, success("CreateItem", el("m:Items")))
		default:
			messages = append(messages, success("CreateItem", el("m:Items", idOnly().node(c.viewOf(made)))))
			c.touchLater(made)
		}
	}
	return c.messages("CreateItem", messages)
}

// touchLater changes the key of an item that was just written, as the server's assistants do. The answer, which is made
// already, has the key of before.
func (c *call) touchLater(it *item) {
	if c.faults.touches() {
		it.box.touch(it)
	}
}

// create makes one item, or carries out one response object, which makes none.
func (c *call) create(n *node, saved *folder) (*item, error) {
	switch n.name {
	case "CalendarItem":
		return c.createAppointment(n, saved)
	case "CancelCalendarItem", "AcceptItem", "TentativelyAcceptItem", "DeclineItem":
		return nil, c.respond(n)
	}
	disposition := c.req.attr("MessageDisposition")
	if n.name == "Message" && disposition == "" {
		return nil, fail("ErrorMessageDispositionRequired", "Message disposition is required.")
	}
	b, err := c.own()
	if err != nil {
		return nil, err
	}
	if saved == nil {
		saved = b.known(map[string]string{"Contact": "contacts", "DistributionList": "contacts", "Task": "tasks"}[n.name])
	}
	if saved == nil {
		saved = b.known("drafts")
	}
	if n.name == "Message" && disposition != "SaveOnly" {
		if disposition == "SendOnly" {
			return nil, nil
		}
		saved = b.known("sentitems")
	}
	it := &item{kind: n.name, content: newContent(c.actor), author: c.actor.Name, history: map[string]uint64{}}
	it.class = map[string]string{"Message": "IPM.Note", "Contact": "IPM.Contact", "DistributionList": "IPM.DistList", "Task": "IPM.Task", "Item": "IPM.Note"}[n.name]
	if it.class == "" {
		return nil, fail("ErrorSchemaValidation", "%s is not an item that can be created.", n.name)
	}
	it.reminderSet = false
	e := &edit{content: &it.content, call: c}
	for _, k := range n.kids {
		if err := e.setElement(k, it.kind); err != nil {
			return nil, err
		}
	}
	saved.box.add(saved, it)
	return it, nil
}

func (c *call) createAppointment(n *node, saved *folder) (*item, error) {
	sending, ok := c.req.lookAttr("SendMeetingInvitations")
	if !ok {
		return nil, fail("ErrorSendMeetingInvitationsRequired", "SendMeetingInvitations attribute is required for calendar items.")
	}
	if !slices.Contains(sendings, sending) {
		return nil, fail("ErrorSchemaValidation", "%q is not a valid SendMeetingInvitations.", sending)
	}
	if saved == nil {
		b, err := c.own()
		if err != nil {
			return nil, err
		}
		saved = b.known("calendar")
	}
	owner := saved.box.owner
	it := &item{kind: "CalendarItem", content: newContent(owner), author: c.actor.Name, history: map[string]uint64{}}
	e := &edit{content: &it.content, call: c}
	zones, rest := []*node{}, []*node{}
	for _, k := range n.kids { // the zones say what times without an offset mean
		if slices.Contains([]string{"StartTimeZone", "EndTimeZone", "MeetingTimeZone"}, k.name) {
			zones = append(zones, k)
		} else {
			rest = append(rest, k)
		}
	}
	for _, k := range append(zones, rest...) {
		if err := e.setElement(k, it.kind); err != nil {
			return nil, err
		}
	}
	if err := e.complete(); err != nil {
		return nil, err
	}
	saved.box.add(saved, it)
	if it.uid == "" {
		it.uid = newUID(it.id)
	}
	if sending != "SendToNone" && it.meeting() {
		it.sent = true
		c.send(it, "request", it.attendees())
	}
	return it, nil
}

// complete fills in what a new appointment needs and brings it into form.
func (e *edit) complete() error {
	if e.startZone == "" {
		e.startZone = e.call.zoneID
	}
	if e.start.IsZero() {
		e.start = e.call.now.UTC().Truncate(time.Second)
	}
	if e.end.IsZero() {
		e.end = e.start.Add(30 * time.Minute)
	}
	for _, list := range []*[]Attendee{&e.required, &e.optional, &e.resources} {
		for i := range *list {
			(*list)[i].Response = "" // what others answered is not for the client to say
		}
	}
	if err := e.settle(); err != nil {
		return err
	}
	if e.recurrence != nil {
		return e.anchor()
	}
	return nil
}

// setElement sets the property that an element of an item stands for.
func (e *edit) setElement(n *node, kind string) error {
	if n.name == "ExtendedProperty" {
		_, err := e.setExtended(n)
		return err
	}
	f := e.call.fieldByName(n.name)
	switch {
	case f != nil && f.set != nil && (kind == "CalendarItem" || !f.ofCalendar()):
		return f.set(e, n)
	case f != nil && (kind == "CalendarItem" || !f.ofCalendar()):
		return fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", f.uri)
	case kind == "CalendarItem":
		if n.name == "Attachments" || n.name == "EnhancedLocation" {
			return nil // not kept
		}
		return fail("ErrorSchemaValidation", "%s is not a property of a %s.", n.name, kind)
	}
	e.setExtra(n)
	return nil
}

// setExtra keeps a field of another kind of item as it was sent.
func (e *edit) setExtra(n *node) {
	i := slices.IndexFunc(e.extra, func(x *node) bool { return x.name == n.name })
	if i >= 0 {
		e.extra[i] = n
		return
	}
	e.extra = append(e.extra, n)
}

// respond carries out what is done with a meeting: cancelling one's own, answering somebody else's.
func (c *call) respond(n *node) error {
	if c.req.attr("MessageDisposition") == "" {
		return fail("ErrorMessageDispositionRequired", "Message disposition is required.")
	}
	ref := n.child("ReferenceItemId")
	if ref == nil {
		return fail("ErrorSchemaValidation", "%s needs a ReferenceItemId.", n.name)
	}
	v, err := c.itemByID(&node{name: "ItemId", attrs: ref.attrs})
	if err != nil {
		return err
	}
	it := v.it
	if n.name == "CancelCalendarItem" {
		if it.received {
			return fail("ErrorCalendarIsNotOrganizer", "User must be an organizer for this operation.")
		}
		c.cancel(v, "SendToAllAndSaveCopy")
		if v.index == 0 {
			it.box.move(it, it.box.known("deleteditems"))
		}
		return nil
	}
	if !it.received {
		return fail("ErrorCalendarIsOrganizerForAccept", "User is an organizer, so the request can't be answered.")
	}
	c.answerMeeting(it, map[string]string{"AcceptItem": "Accept", "TentativelyAcceptItem": "Tentative", "DeclineItem": "Decline"}[n.name])
	return nil
}

// cancel tells the attendees that a meeting, or one occurrence of it, does not take place.
func (c *call) cancel(v *view, sending string) {
	if v.index > 0 {
		v.it.cancels[v.index] = true
		delete(v.it.changes, v.index)
		v.it.box.edited(v.it)
	}
	if sending == "SendToNone" || v.c.received {
		return
	}
	if v.index == 0 && v.c.meeting() {
		v.it.cancelled = true
	}
	c.sendOf(v, "cancellation", v.c.attendees())
}
