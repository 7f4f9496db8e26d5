package exchangesim

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// A path names a property in a request: a field by its URI, or an extended property by its key.
type path struct {
	uri   string
	key   string
	kind  string // PropertyType of an extended property
	asked *node  // as the request had it
}

// parsePath reads FieldURI, IndexedFieldURI or ExtendedFieldURI.
func parsePath(n *node) (path, error) {
	switch n.name {
	case "FieldURI", "IndexedFieldURI":
		return path{uri: n.attr("FieldURI"), asked: n}, nil
	case "ExtendedFieldURI":
		return extendedPath(n)
	}
	return path{}, fail("ErrorSchemaValidation", "%s is not a property path.", n.name)
}

// extendedPath makes the key of an extended property: a tag, or a set with a name or an id.
func extendedPath(n *node) (path, error) {
	p := path{kind: n.attr("PropertyType"), asked: n}
	set, named := n.lookAttr("DistinguishedPropertySetId")
	if id, ok := n.lookAttr("PropertySetId"); ok {
		if named {
			return p, fail("ErrorInvalidExtendedProperty", "PropertySetId and DistinguishedPropertySetId exclude each other.")
		}
		set, named = id, true
	}
	tag, tagged := n.lookAttr("PropertyTag")
	name, hasName := n.lookAttr("PropertyName")
	id, hasID := n.lookAttr("PropertyId")
	switch {
	case p.kind == "" || tagged == named || named && hasName == hasID:
		return p, fail("ErrorInvalidExtendedProperty", "The combination of attributes of ExtendedFieldURI isn't valid.")
	case tagged:
		key, err := tagKey(tag)
		p.key = key
		return p, err
	case hasName:
		p.key = PropertyKey(set, name)
		return p, nil
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		return p, fail("ErrorInvalidExtendedProperty", "%q is not a property id.", id)
	}
	p.key = PropertyKey(set, "id:0x"+strconv.FormatInt(int64(number), 16))
	return p, nil
}

// uriNode writes an ExtendedFieldURI as asked for, with tags unpadded as Exchange has them.
func (p path) uriNode() *node {
	n := el("t:ExtendedFieldURI")
	for _, a := range p.asked.attrs {
		if a.name == "PropertyTag" {
			a.value = p.key
		}
		n.attrs = append(n.attrs, a)
	}
	return n
}

// extendedNode answers one extended property of an item, or nil.
func (v *view) extendedNode(p path) *node {
	value, ok := v.extended(p.key)
	if !ok {
		return nil
	}
	n := el("t:ExtendedProperty", p.uriNode())
	if strings.HasSuffix(p.kind, "Array") {
		list := el("t:Values")
		for _, s := range value.values {
			list.kids = append(list.kids, el("t:Value", s))
		}
		if len(list.kids) == 0 {
			return nil
		}
		return el("t:ExtendedProperty", p.uriNode(), list)
	}
	if len(value.values) == 0 {
		return nil
	}
	n.kids = append(n.kids, el("t:Value", value.values[0]))
	return n
}

// extended returns an extended property: one that was set, or one that is the same as a field.
func (v *view) extended(key string) (property, bool) {
	if p, ok := v.c.props[key]; ok {
		return p, true
	}
	if p, ok := v.it.props[key]; ok && v.c != &v.it.content {
		return p, true
	}
	return v.computed(key)
}

// computed answers the MAPI properties behind the fields.
func (v *view) computed(key string) (property, bool) {
	text := func(s string) (property, bool) { return property{"String", []string{s}}, true }
	number := func(n int) (property, bool) { return property{"Integer", []string{strconv.Itoa(n)}}, true }
	flag := func(b bool) (property, bool) { return property{"Boolean", []string{boolean(b)}}, true }
	at := func(t time.Time) (property, bool) {
		return property{"SystemTime", []string{stamp(t)}}, !t.IsZero()
	}
	switch key {
	case "0x1a":
		return text(v.class())
	case "0x37", "0xe1d", "0x70":
		return text(v.c.subject)
	case "0x1000":
		return text(v.c.body.plain())
	case "0x36":
		return number(index(v.c.sensitivity, "Normal", "Personal", "Private", "Confidential"))
	case "0x17":
		return number(index(v.c.importance, "Low", "Normal", "High"))
	case "0xe07":
		return number(1)
	case "0xe08":
		return number(v.size())
	case "0xe23":
		return number(v.it.article)
	case "0xe1b":
		return flag(false)
	case "0x10f3":
		return text(urlName(v.c.subject) + ".EML")
	case "0x3007":
		return at(v.it.created)
	case "0x3008":
		return at(v.it.modified)
	case "0x3ffa":
		return text(v.it.author)
	}
	if v.it.kind == "MeetingResponse" && (key == "Meeting/id:0x3" || key == "Meeting/id:0x23") {
		return property{"Binary", []string{globalID(v.c.uid)}}, true
	}
	if v.it.kind != "CalendarItem" {
		return property{}, false
	}
	switch key {
	case "0x60", "Appointment/id:0x820d", "Common/id:0x8516":
		return at(v.start)
	case "0x61", "Appointment/id:0x820e", "Common/id:0x8517":
		return at(v.end)
	case "Appointment/id:0x8201":
		return number(v.c.sequence)
	case "Appointment/id:0x8205":
		return number(index(v.c.busy, "Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"))
	case "Appointment/id:0x8208":
		return text(v.c.location)
	case "Appointment/id:0x8213":
		return number(int(v.end.Sub(v.start) / time.Minute))
	case "Appointment/id:0x8215":
		return flag(v.c.allDay)
	case "Appointment/id:0x8217":
		return number(v.c.state())
	case "Appointment/id:0x8223":
		return flag(v.it.recurrence != nil)
	case "Common/id:0x8501":
		return number(v.c.reminder)
	case "Common/id:0x8503":
		return flag(v.c.reminderSet)
	case "Common/id:0x8506":
		return flag(v.c.sensitivity == "Private" || v.c.sensitivity == "Confidential")
	case "Meeting/id:0x3", "Meeting/id:0x23":
		return property{"Binary", []string{globalID(v.c.uid)}}, true
	}
	return property{}, false
}

// setExtended stores an extended property; those that are the same as a field change the field.
func (e *edit) setExtended(n *node) (path, error) {
	p, err := parsePath(n.child("ExtendedFieldURI"))
	if err != nil {
		return p, err
	}
	made := property{kind: p.kind}
	if list := n.child("Values"); list != nil {
		for _, v := range list.all("Value") {
			made.values = append(made.values, v.text)
		}
	} else if v := n.child("Value"); v != nil {
		made.values = []string{v.text}
	}
	if err := made.check(); err != nil {
		return p, err
	}
	first := made.values[0]
	switch p.key {
	case "0x37":
		e.subject = first
	case "0x1000":
		e.body = body{"Text", exchangeLines(first)}
	case "0x1a":
		e.class = first
	case "Appointment/id:0x8208":
		e.location = first
	default:
		e.props[p.key] = made
	}
	return p, nil
}

// check refuses values that do not fit the type.
func (p property) check() error {
	if len(p.values) == 0 {
		return fail("ErrorInvalidExtendedPropertyValue", "An extended property needs a value.")
	}
	for _, v := range p.values {
		var err error
		switch strings.TrimSuffix(p.kind, "Array") {
		case "Integer":
			_, err = strconv.ParseInt(v, 10, 32)
		case "Short":
			_, err = strconv.ParseInt(v, 10, 16)
		case "Long":
			_, err = strconv.ParseInt(v, 10, 64)
		case "Double", "Float":
			_, err = strconv.ParseFloat(v, 64)
		case "Boolean":
			_, err = parseBool(v)
		case "SystemTime":
			_, err = parseTime(v, time.UTC)
		case "Binary":
			_, err = base64.StdEncoding.DecodeString(v)
		}
		if err != nil {
			return fail("ErrorInvalidExtendedPropertyValue", "The value does not fit the type %s of the extended property.", p.kind)
		}
	}
	return nil
}

// index is the number that MAPI has for one of the names, the first being 0.
func index(name string, names ...string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return 0
}

// urlName is how a subject looks in the URL name of an item.
func urlName(subject string) string {
	return strings.NewReplacer("/", "_xF8FF_", "?", "_x003F_", "~", "_x007E_", "#", "_x0023_").Replace(subject)
}

// outlookID is how every GlobalObjectId begins.
const outlookID = "040000008200e00074c5b7101a82e008"

// globalID is a UID as the GlobalObjectId that Outlook has: those that begin like one are one already, in hexadecimal digits;
// others are wrapped in one.
func globalID(uid string) string {
	if raw, err := hex.DecodeString(uid); err == nil && strings.HasPrefix(strings.ToLower(uid), outlookID) {
		return base64.StdEncoding.EncodeToString(raw)
	}
	head, _ := hex.DecodeString(outlookID + "0000000000000000000000000000000000000000")
	data := "vCal-Uid\x01\x00\x00\x00" + uid + "\x00"
	head = append(head, byte(len(data)), byte(len(data)>>8), 0, 0)
	return base64.StdEncoding.EncodeToString(append(head, data...))
}
