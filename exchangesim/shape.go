package exchangesim

import "slices"

// A shape is what a request wants to know of items.
type shape struct {
	base     int
	bodyType string
	fields   map[string]bool // additional fields, by URI
	extended []path          // additional extended properties
	light    bool            // without what FindItem and SyncFolderItems never return
}

// shapeOf reads an ItemShape or a FolderShape.
func shapeOf(n *node) (shape, error) {
	s := shape{bodyType: "Best", fields: map[string]bool{}}
	switch base := n.child("BaseShape").value(); base {
	case "IdOnly":
		s.base = inID
	case "Default":
		s.base = inDefault
	case "AllProperties":
		s.base = inAll
	default:
		return s, fail("ErrorSchemaValidation", "%q is not a valid BaseShape.", base)
	}
	if t := n.child("BodyType").value(); t != "" {
		if !slices.Contains([]string{"Best", "Text", "HTML"}, t) {
			return s, fail("ErrorSchemaValidation", "%q is not a valid BodyType.", t)
		}
		s.bodyType = t
	}
	if with, err := parseBool(n.child("IncludeMimeContent").value()); err == nil && with {
		s.fields["item:MimeContent"] = true
	}
	for _, k := range n.child("AdditionalProperties").children() {
		p, err := parsePath(k)
		if err != nil {
			return s, err
		}
		if p.key != "" {
			s.extended = append(s.extended, p)
		} else {
			s.fields[p.uri] = true
		}
	}
	return s, nil
}

// node answers an item in that shape.
func (s shape) node(v *view) *node {
	v.bodyType = s.bodyType
	n := el("t:" + v.it.kind)
	for _, f := range v.call.itemFields {
		switch {
		case f.name == "ExtendedProperty":
			for _, p := range s.extended {
				if x := v.extendedNode(p); x != nil {
					n.kids = append(n.kids, x)
				}
			}
		case f.heavy && s.light,
			f.shape > s.base && !s.fields[f.uri],
			f.ofCalendar() && v.it.kind != "CalendarItem":
		default:
			if x := f.get(v); x != nil {
				n.kids = append(n.kids, x)
			}
		}
	}
	if v.it.kind == "MeetingResponse" && (s.base == inAll || s.fields["message:From"]) {
		n.kids = append(n.kids, el("t:From", mailboxNode(v.c.organizer)))
	}
	if s.base == inAll && !s.light {
		n.kids = append(n.kids, v.c.extra...)
	}
	return n
}

func (f field) ofCalendar() bool { return len(f.uri) > 9 && f.uri[:9] == "calendar:" }

// idOnly is the shape of answers to writes.
func idOnly() shape { return shape{base: inID, bodyType: "Best"} }
