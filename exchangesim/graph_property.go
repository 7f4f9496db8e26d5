package exchangesim

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// propertyKinds are the types that the id of an extended property begins with.
var propertyKinds = []string{"Binary", "Boolean", "Currency", "Double", "Float", "Integer", "Long", "Short", "String", "SystemTime", "CLSID", "ApplicationTime"}

// A graphProperty is the id of an extended property, such as "String {guid} Name RoomwireBookingId", as it was sent and what it
// means here. It is the same property that EWS knows by an ExtendedFieldURI.
type graphProperty struct {
	id, kind, key string
}

// readProperty reads the id of an extended property: a type, then a tag, or a set with a name or an id.
func readProperty(id string) (graphProperty, error) {
	p := graphProperty{id: id}
	bad := graphFail(http.StatusBadRequest, "ErrorInvalidProperty", "The extended property id '%s' is invalid.", id)
	words := strings.SplitN(id, " ", 4)
	i := slices.IndexFunc(propertyKinds, func(k string) bool { return strings.EqualFold(k, strings.TrimSuffix(words[0], "Array")) })
	if i < 0 || len(words) != 2 && len(words) != 4 {
		return p, bad
	}
	p.kind = propertyKinds[i]
	if strings.HasSuffix(words[0], "Array") {
		p.kind += "Array"
	}
	if len(words) == 2 {
		key, err := tagKey(words[1])
		if err != nil || !strings.HasPrefix(strings.ToLower(words[1]), "0x") {
			return p, bad
		}
		p.key = key
		return p, nil
	}
	set := strings.ToLower(words[1])
	if !guidInBraces.MatchString(set) {
		return p, bad
	}
	switch strings.ToLower(words[2]) {
	case "name":
		p.key = PropertyKey(set, words[3])
	case "id":
		n, err := strconv.ParseUint(strings.ToLower(words[3]), 0, 32)
		if err != nil {
			return p, bad
		}
		p.key = PropertyKey(set, "id:0x"+strconv.FormatUint(n, 16))
	default:
		return p, bad
	}
	return p, nil
}

var guidInBraces = regexp.MustCompile(`^\{[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\}$`)

// values are what an item has of a property.
func (v *view) values(p graphProperty) []string {
	found, _ := v.extended(p.key)
	return found.values
}

// An expansion is what $expand asks for.
type expansion struct {
	single, multi []graphProperty
	exceptions    bool
}

var (
	expandItem = regexp.MustCompile(`(?i)^(singleValueExtendedProperties|multiValueExtendedProperties)\s*\(\s*\$filter\s*=\s*(.+)\)$`)
	idEquals   = regexp.MustCompile(`(?i)^\(?\s*id\s+eq\s+'((?:[^']|'')*)'\s*\)?$`)
	orBetween  = regexp.MustCompile(`(?i)\s+or\s+`)
)

// readExpand reads $expand. Extended properties have to be named.
func readExpand(text string) (x expansion, err error) {
	if text == "" {
		return x, nil
	}
	for _, part := range outsideBrackets(text, ',') {
		part = strings.TrimSpace(part)
		if strings.EqualFold(part, "exceptionOccurrences") {
			x.exceptions = true
			continue
		}
		m := expandItem.FindStringSubmatch(part)
		if m == nil {
			return x, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", "The expansion '%s' is not supported.", part)
		}
		var named []graphProperty
		for _, condition := range orBetween.Split(m[2], -1) {
			id := idEquals.FindStringSubmatch(strings.TrimSpace(condition))
			if id == nil {
				return x, graphFail(http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", "The filter '%s' of the expansion is not supported.", m[2])
			}
			p, err := readProperty(strings.ReplaceAll(id[1], "''", "'"))
			if err != nil {
				return x, err
			}
			named = append(named, p)
		}
		if strings.HasPrefix(strings.ToLower(m[1]), "single") {
			x.single = append(x.single, named...)
		} else {
			x.multi = append(x.multi, named...)
		}
	}
	return x, nil
}

// outsideBrackets splits a text where a byte lies in no brackets and no quotes.
func outsideBrackets(text string, at byte) []string {
	var parts []string
	depth, quoted, from := 0, false, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == at && depth == 0:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// expand adds what was asked for to an event. Properties that the item does not have are left out.
func (g *graphCall) expand(e map[string]any, v *view, x expansion) {
	var single, multi []any
	for _, p := range x.single {
		if values := v.values(p); len(values) > 0 {
			single = append(single, map[string]any{"id": p.id, "value": values[0]})
		}
	}
	for _, p := range x.multi {
		if values := v.values(p); len(values) > 0 {
			multi = append(multi, map[string]any{"id": p.id, "value": values})
		}
	}
	if len(single) > 0 {
		e["singleValueExtendedProperties"] = single
	}
	if len(multi) > 0 {
		e["multiValueExtendedProperties"] = multi
	}
	if x.exceptions && v.index == 0 && v.it.recurrence != nil {
		list := []any{}
		g.occurrences(v.it, func(o *view) bool {
			if o.exception {
				list = append(list, g.event(o))
			}
			return len(list) < len(v.it.changes)
		})
		e["exceptionOccurrences"] = list
	}
}
