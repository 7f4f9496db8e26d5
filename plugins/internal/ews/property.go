package ews

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A Property is a named string property of an item, and its value.
type Property struct {
	Set   string // GUID without braces, or the name of a distinguished set such as "PublicStrings"
	Name  string
	Value string
}

// distinguished holds the sets that have a name of their own in EWS.
var distinguished = map[string]string{
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

// Check reports as fault.Invalid what cannot be the name of a property.
func (p Property) Check() error {
	if p.Name == "" {
		return fmt.Errorf("a marker's property has no name: %w", fault.Invalid)
	}
	if _, ok := distinguished[p.Set]; !ok && !guid.MatchString(p.Set) {
		return fmt.Errorf("property %q: set %q is neither a GUID without braces nor a distinguished set: %w",
			p.Name, p.Set, fault.Invalid)
	}
	return nil
}

// Is reports whether p and q are the same property, however the set is named.
func (p Property) Is(q Property) bool {
	return strings.EqualFold(p.Name, q.Name) && strings.EqualFold(setID(p.Set), setID(q.Set))
}

func setID(set string) string {
	if id, ok := distinguished[set]; ok {
		return id
	}
	return set
}

// uri writes the ExtendedFieldURI.
func (p Property) uri(w *writer) {
	set := "PropertySetId"
	if _, ok := distinguished[p.Set]; ok {
		set = "DistinguishedPropertySetId"
	}
	w.empty("t:ExtendedFieldURI", set, p.Set, "PropertyName", p.Name, "PropertyType", "String")
}

// decodeProperty reads an ExtendedProperty; one that is no named string has no Name.
func decodeProperty(s *xmlscan.Scanner) Property {
	var p Property
	for child := range s.Children() {
		switch child {
		case "ExtendedFieldURI":
			if s.Attr("PropertyType") != "String" {
				continue
			}
			p.Name, p.Set = s.Attr("PropertyName"), s.Attr("PropertySetId")
			if name := s.Attr("DistinguishedPropertySetId"); name != "" {
				p.Set = name
			}
		case "Value":
			p.Value = s.Text()
		}
	}
	return p
}

// Value returns the value of property p of the item; empty if it has none. A server may send a property twice.
func (i *CalendarItem) Value(p Property) string {
	for _, q := range i.Properties {
		if q.Is(p) && q.Value != "" {
			return q.Value
		}
	}
	return ""
}
