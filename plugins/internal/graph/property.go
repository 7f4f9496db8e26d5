package graph

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A property is a named string property of an item. Over EWS it is the same one.
type property struct{ set, name string }

// sets are the distinguished ones, which have a name of their own over EWS and none here (MS-OXPROPS 1.3.2).
var sets = map[string]string{
	"Meeting":           "6ed8da90-450b-101b-98da-00aa003f1305",
	"Appointment":       "00062002-0000-0000-c000-000000000046",
	"Common":            "00062008-0000-0000-c000-000000000046",
	"PublicStrings":     "00020329-0000-0000-c000-000000000046",
	"Address":           "00062004-0000-0000-c000-000000000046",
	"InternetHeaders":   "00020386-0000-0000-c000-000000000046",
	"CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
	"UnifiedMessaging":  "4442858e-a9e3-4e80-b900-317a210cc15b",
	"Task":              "00062003-0000-0000-c000-000000000046",
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$`)

// propertyOf returns the property of a marker.
func propertyOf(p backend.Property) (property, error) {
	set := p.Set
	if id, ok := sets[set]; ok {
		set = id
	}
	if p.Name == "" {
		return property{}, fmt.Errorf("a marker's property has no name: %w", fault.Invalid)
	}
	if !guid.MatchString(set) {
		return property{}, fmt.Errorf("property %q: set %q is neither a GUID without braces nor a distinguished set: %w", p.Name, p.Set, fault.Invalid)
	}
	return property{strings.ToLower(set), p.Name}, nil
}

// is reports whether p and q are the same property.
func (p property) is(q property) bool {
	return strings.EqualFold(p.name, q.name) && strings.EqualFold(p.set, q.set)
}

// id is Graph's name for the property.
func (p property) id() string { return "String {" + p.set + "} Name " + p.name }

// equals is the filter for events that bear the property with a value.
func (p property) equals(value string) string {
	return "singleValueExtendedProperties/Any(ep: ep/id eq " + quoted(p.id()) + " and ep/value eq " + quoted(value) + ")"
}

// there is the filter for events that bear the property.
func (p property) there() string {
	return "singleValueExtendedProperties/Any(ep: ep/id eq " + quoted(p.id()) + " and ep/value ne null)"
}

// expand asks for our properties of an event.
func (b *Backend) expand() string {
	ids := []string{"id eq " + quoted(b.key.id()), "id eq " + quoted(b.foreign.id()), "id eq " + quoted(b.zone.id())}
	return "singleValueExtendedProperties($filter=" + strings.Join(ids, " or ") + ")"
}

// value returns the value of a property; empty if the event has none. A server may write ids otherwise than they were sent.
func (e *event) value(p property) string {
	for _, one := range e.Properties {
		if strings.EqualFold(one.ID, p.id()) && one.Value != "" {
			return one.Value
		}
	}
	return ""
}

// marked is the item of which no more than its reference and its markers are known.
func (b *Backend) marked(e *event) backend.Item {
	item := backend.Item{Ref: backend.Ref(e.ID), Key: e.value(b.key), ForeignKey: e.value(b.foreign)}
	item.Event.UID = e.ICalUID
	return item
}
