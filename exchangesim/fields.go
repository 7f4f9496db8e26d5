package exchangesim

import (
	"strconv"
	"strings"
	"time"
)

// A field is one property of an item that EWS knows by a FieldURI.
type field struct {
	uri   string
	name  string // of the element
	shape int    // from which base shape on it is answered
	heavy bool   // FindItem and SyncFolderItems never return it
	get   func(*view) *node
	set   func(*edit, *node) error // nil: read-only
	clear func(*content)           // nil: cannot be deleted
}

// The base shapes that include a field.
const (
	inID      = iota // IdOnly
	inDefault        // Default
	inAll            // AllProperties
	onRequest        // only as an additional property
)

// A view is an item, or one occurrence of a series, as it is answered.
type view struct {
	it         *item
	c          *content // of the item, or of the exception
	start, end time.Time
	original   time.Time // of an occurrence: its start by the pattern
	index      int       // of the occurrence, from 1; 0: no occurrence
	day        int       // of the occurrence by the pattern, as its id has it
	exception  bool
	bodyType   string // Best, Text or HTML
	call       *call
}

func (c *call) viewOf(it *item) *view {
	return &view{it: it, c: &it.content, start: it.start, end: it.end, bodyType: "Best", call: c}
}

// id is the ItemId, which an occurrence has of its own.
func (v *view) id() string {
	if v.index > 0 {
		return entryID{box: v.it.box.guid, kind: occurrenceKind, number: v.it.number, day: v.day}.String()
	}
	return v.it.id
}

func (v *view) itemID() *node {
	return el("t:ItemId", attr{"Id", v.id()}, attr{"ChangeKey", changeKey(0x0f, v.it.key)})
}

func (v *view) itemType() string {
	switch {
	case v.exception:
		return "Exception"
	case v.index > 0:
		return "Occurrence"
	}
	return v.it.calendarType()
}

// An edit is a change to a content on behalf of a request.
type edit struct {
	*content
	call *call
}

// zone is the one that date-times without an offset are meant in.
func (e *edit) zone(own string) *time.Location {
	if own != "" {
		return mustZone(own)
	}
	return mustZone(e.call.zoneID)
}

func calendarText(uri, name string, shape int, get func(*view) string) field {
	return field{uri: "calendar:" + uri, name: name, shape: shape, get: textNode(name, get)}
}

func itemText(name string, shape int, get func(*view) string) field {
	return field{uri: "item:" + name, name: name, shape: shape, get: textNode(name, get)}
}

// textNode answers an element with text, and none for an empty text.
func textNode(name string, get func(*view) string) func(*view) *node {
	return func(v *view) *node {
		if text := get(v); text != "" {
			return el("t:"+name, text)
		}
		return nil
	}
}

func (f field) settable(set func(*edit, *node) error, clear func(*content)) field {
	f.set, f.clear = set, clear
	return f
}

func (f field) weighty() field {
	f.heavy = true
	return f
}

func fixed(text string) func(*view) string { return func(*view) string { return text } }

// itemFields are the fields of items in the order of the schema. Extended properties follow HasAttachments.
func itemFields() []field {
	fields := []field{
		{uri: "item:MimeContent", name: "MimeContent", shape: onRequest, heavy: true, get: (*view).mimeContent, set: (*edit).setMime},
		{uri: "item:ItemId", name: "ItemId", shape: inID, get: (*view).itemID},
		{uri: "item:ParentFolderId", name: "ParentFolderId", shape: inDefault, get: func(v *view) *node {
			return folderID("t:ParentFolderId", v.it.folder)
		}},
		itemText("ItemClass", inDefault, func(v *view) string { return v.class() }).settable(setText(func(c *content) *string { return &c.class }), nil),
		itemText("Subject", inDefault, func(v *view) string { return v.c.subject }).
			settable(setText(func(c *content) *string { return &c.subject }), func(c *content) { c.subject = "" }),
		itemText("Sensitivity", inDefault, func(v *view) string { return v.c.sensitivity }).
			settable(setOneOf(func(c *content) *string { return &c.sensitivity }, "Normal", "Personal", "Private", "Confidential"), func(c *content) { c.sensitivity = "Normal" }),
		{uri: "item:Body", name: "Body", shape: inDefault, heavy: true,
			get: func(v *view) *node { return v.body("t:Body", v.bodyType) }, set: (*edit).setBody, clear: func(c *content) { c.body = body{kind: "Text"} }},
		itemText("DateTimeReceived", inAll, func(v *view) string { return stamp(v.it.created) }),
		itemText("Size", inAll, func(v *view) string { return strconv.Itoa(v.size()) }),
		{uri: "item:Categories", name: "Categories", shape: inAll, get: (*view).categoriesNode, set: (*edit).setCategories, clear: func(c *content) { c.categories = nil }},
		itemText("Importance", inAll, func(v *view) string { return v.c.importance }).
			settable(setOneOf(func(c *content) *string { return &c.importance }, "Low", "Normal", "High"), func(c *content) { c.importance = "Normal" }),
		itemText("IsSubmitted", inAll, fixed("false")),
		itemText("IsDraft", inAll, fixed("false")),
		itemText("IsFromMe", inAll, fixed("false")),
		itemText("IsResend", inAll, fixed("false")),
		itemText("IsUnmodified", inAll, fixed("false")),
		itemText("DateTimeSent", inAll, func(v *view) string { return stamp(v.it.created) }),
		itemText("DateTimeCreated", inAll, func(v *view) string { return stamp(v.it.created) }),
		{uri: "item:ResponseObjects", name: "ResponseObjects", shape: inDefault, heavy: true, get: (*view).responseObjects},
		itemText("ReminderDueBy", inAll, func(v *view) string { return v.calendarStamp(v.start) }).settable(ignore, nil),
		itemText("ReminderIsSet", inAll, func(v *view) string { return boolean(v.c.reminderSet) }).
			settable(setFlag(func(c *content) *bool { return &c.reminderSet }), func(c *content) { c.reminderSet = false }),
		itemText("ReminderMinutesBeforeStart", inAll, func(v *view) string { return strconv.Itoa(v.c.reminder) }).
			settable((*edit).setReminder, func(c *content) { c.reminder = 0 }),
		itemText("DisplayCc", inAll, func(v *view) string { return display(v.c.optional) }),
		itemText("DisplayTo", inAll, func(v *view) string { return display(v.c.required) }),
		itemText("HasAttachments", inDefault, func(v *view) string { return boolean(len(v.c.attachments) > 0) }),
		{name: "ExtendedProperty", shape: onRequest}, // the place of extended properties
		itemText("Culture", inAll, func(v *view) string { return v.c.culture }).settable(setText(func(c *content) *string { return &c.culture }), nil),
		{uri: "item:EffectiveRights", name: "EffectiveRights", shape: inAll, get: func(*view) *node { return effectiveRights(false) }},
		itemText("LastModifiedName", inAll, func(v *view) string { return v.it.author }),
		itemText("LastModifiedTime", inAll, func(v *view) string { return stamp(v.it.modified) }),
		itemText("IsAssociated", inAll, fixed("false")),
		itemText("WebClientReadFormQueryString", inAll, func(v *view) string {
			return "https://mail.example.com/owa/?itemid=" + v.id() + "&exvsurl=1&path=/calendar/item"
		}),
		{uri: "item:ConversationId", name: "ConversationId", shape: inAll, get: func(v *view) *node {
			return el("t:ConversationId", attr{"Id", entryID{box: guidOf(v.c.uid), kind: folderKind, number: 1}.String()})
		}},
		{uri: "item:UniqueBody", name: "UniqueBody", shape: onRequest, heavy: true, get: func(v *view) *node { return v.body("t:UniqueBody", v.bodyType) }},
		{uri: "item:NormalizedBody", name: "NormalizedBody", shape: onRequest, heavy: true, get: func(v *view) *node { return v.body("t:NormalizedBody", v.bodyType) }},
		{uri: "item:TextBody", name: "TextBody", shape: onRequest, heavy: true, get: func(v *view) *node { return v.body("t:TextBody", "Text") }},
	}
	return append(fields, calendarFields()...)
}

// fieldByURI finds a field, or nil.
func (s *Server) fieldByURI(uri string) *field {
	for i := range s.itemFields {
		if s.itemFields[i].uri == uri {
			return &s.itemFields[i]
		}
	}
	return nil
}

// fieldByName finds the field whose element has that name, or nil.
func (s *Server) fieldByName(name string) *field {
	for i := range s.itemFields {
		if s.itemFields[i].name == name && s.itemFields[i].uri != "" {
			return &s.itemFields[i]
		}
	}
	return nil
}

func (v *view) class() string {
	if v.index > 0 && v.it.kind == "CalendarItem" {
		return "IPM.Appointment.Occurrence"
	}
	return v.c.class
}

func (v *view) size() int {
	n := 4096 + len(v.c.subject) + len(v.c.body.text) + len(v.c.location)
	for _, p := range v.c.props {
		n += 32 + len(strings.Join(p.values, ""))
	}
	return n
}

// calendarStamp is a time that only calendar items have.
func (v *view) calendarStamp(t time.Time) string {
	if v.it.kind != "CalendarItem" || t.IsZero() {
		return ""
	}
	return stamp(t)
}

func (v *view) categoriesNode() *node {
	if len(v.c.categories) == 0 {
		return nil
	}
	n := el("t:Categories")
	for _, c := range v.c.categories {
		n.kids = append(n.kids, el("t:String", c))
	}
	return n
}

// responseObjects are what can be done with an item.
func (v *view) responseObjects() *node {
	switch {
	case v.it.kind != "CalendarItem":
		return nil
	case v.c.received:
		return el("t:ResponseObjects", el("t:AcceptItem"), el("t:TentativelyAcceptItem"), el("t:DeclineItem"), el("t:ReplyToItem"), el("t:ForwardItem"))
	case v.c.meeting():
		return el("t:ResponseObjects", el("t:CancelCalendarItem"), el("t:ForwardItem"))
	}
	return el("t:ResponseObjects", el("t:ForwardItem"))
}

// display joins names as mail programs show them.
func display(people []Attendee) string {
	var names []string
	for _, p := range people {
		if p.Name == "" {
			p.Name = p.Address
		}
		names = append(names, p.Name)
	}
	return strings.Join(names, "; ")
}

func effectiveRights(folder bool) *node {
	f := boolean(folder)
	return el("t:EffectiveRights", el("t:CreateAssociated", f), el("t:CreateContents", f), el("t:CreateHierarchy", f),
		el("t:Delete", "true"), el("t:Modify", "true"), el("t:Read", "true"), el("t:ViewPrivateItems", "true"))
}
