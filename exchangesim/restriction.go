package exchangesim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A lookup answers the value of a property of something that is searched; many for properties with many values.
type lookup func(path) (values []string, ok bool)

// A predicate is a compiled restriction.
type predicate func(lookup) bool

// restriction compiles the Restriction of a request; without one everything matches.
func (c *call) restriction() (predicate, error) {
	n := c.req.child("Restriction")
	if n == nil {
		return func(lookup) bool { return true }, nil
	}
	return c.all(n.kids, 0)
}

// all holds where every one of the expressions holds.
func (c *call) all(list []*node, depth int) (predicate, error) {
	if len(list) == 0 || depth > 50 {
		return nil, fail("ErrorInvalidRestriction", "The restriction is empty or too complex.")
	}
	var parts []predicate
	for _, n := range list {
		p, err := c.expression(n, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return func(get lookup) bool {
		return !slices.ContainsFunc(parts, func(p predicate) bool { return !p(get) })
	}, nil
}

func (c *call) expression(n *node, depth int) (predicate, error) {
	switch n.name {
	case "And":
		return c.all(n.kids, depth+1)
	case "Or":
		var parts []predicate
		for _, k := range n.kids {
			p, err := c.all([]*node{k}, depth+1)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		}
		return func(get lookup) bool {
			return slices.ContainsFunc(parts, func(p predicate) bool { return p(get) })
		}, nil
	case "Not":
		p, err := c.all(n.kids, depth+1)
		if err != nil {
			return nil, err
		}
		return func(get lookup) bool { return !p(get) }, nil
	}
	if len(n.kids) == 0 {
		return nil, fail("ErrorInvalidRestriction", "%s names no property.", n.name)
	}
	p, err := parsePath(n.kids[0])
	if err != nil {
		return nil, err
	}
	switch n.name {
	case "Exists":
		return func(get lookup) bool { _, ok := get(p); return ok }, nil
	case "Contains":
		return contains(n, p), nil
	case "Excludes":
		return excludes(n, p)
	}
	return c.comparison(n, p)
}

// comparison compiles IsEqualTo and its kin.
func (c *call) comparison(n *node, p path) (predicate, error) {
	holds, ok := map[string]func(int) bool{
		"IsEqualTo":              func(d int) bool { return d == 0 },
		"IsNotEqualTo":           func(d int) bool { return d != 0 },
		"IsGreaterThan":          func(d int) bool { return d > 0 },
		"IsGreaterThanOrEqualTo": func(d int) bool { return d >= 0 },
		"IsLessThan":             func(d int) bool { return d < 0 },
		"IsLessThanOrEqualTo":    func(d int) bool { return d <= 0 },
	}[n.name]
	if !ok {
		return nil, fail("ErrorInvalidRestriction", "%s is not a search expression.", n.name)
	}
	other := n.child("FieldURIOrConstant")
	if len(other.children()) != 1 {
		return nil, fail("ErrorInvalidRestriction", "%s compares with nothing.", n.name)
	}
	right := func(lookup) []string { return []string{other.kids[0].attr("Value")} }
	if other.kids[0].name != "Constant" {
		q, err := parsePath(other.kids[0])
		if err != nil {
			return nil, err
		}
		right = func(get lookup) []string { values, _ := get(q); return values }
	}
	zone := mustZone(c.zoneID)
	negative := n.name == "IsNotEqualTo"
	return func(get lookup) bool {
		values, ok := get(p)
		if !ok {
			return negative
		}
		for _, l := range values {
			for _, r := range right(get) {
				if holds(compareValues(l, r, zone)) {
					return true
				}
			}
		}
		return false
	}, nil
}

// compareValues compares as times, numbers or booleans where both are, else as text.
func compareValues(l, r string, zone *time.Location) int {
	if strings.Contains(l, "T") && strings.Contains(r, "-") {
		a, errA := parseTime(l, zone)
		b, errB := parseTime(r, zone)
		if errA == nil && errB == nil {
			return a.Compare(b)
		}
	}
	a, errA := strconv.ParseInt(l, 10, 64)
	b, errB := strconv.ParseInt(r, 10, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(a, b)
	}
	if x, err := parseBool(l); err == nil {
		if y, err := parseBool(r); err == nil {
			return strings.Compare(boolean(x), boolean(y))
		}
	}
	return strings.Compare(l, r)
}

// contains compiles Contains with its modes.
func contains(n *node, p path) predicate {
	fold := n.attr("ContainmentComparison")
	prepare := func(s string) string {
		if strings.Contains(fold, "IgnoreCase") || fold == "Loose" {
			return strings.ToLower(s)
		}
		return s
	}
	want := prepare(n.child("Constant").attr("Value"))
	return func(get lookup) bool {
		values, _ := get(p)
		return slices.ContainsFunc(values, func(have string) bool {
			have = prepare(have)
			switch n.attr("ContainmentMode") {
			case "Prefixed":
				return strings.HasPrefix(have, want)
			case "FullString":
				return have == want
			case "PrefixOnWords":
				return slices.ContainsFunc(strings.Fields(have), func(w string) bool { return strings.HasPrefix(w, want) })
			case "ExactPhrase":
				return strings.Contains(" "+strings.Join(strings.Fields(have), " ")+" ", " "+want+" ")
			}
			return strings.Contains(have, want)
		})
	}
}

// excludes compiles Excludes: none of the bits of a mask is set.
func excludes(n *node, p path) (predicate, error) {
	mask, err := strconv.ParseInt(n.child("Bitmask").attr("Value"), 0, 64)
	if err != nil {
		return nil, fail("ErrorInvalidRestriction", "The bit mask isn't valid.")
	}
	return func(get lookup) bool {
		values, _ := get(p)
		return !slices.ContainsFunc(values, func(v string) bool {
			bits, err := strconv.ParseInt(v, 10, 64)
			return err == nil && bits&mask != 0
		})
	}, nil
}

// lookup answers the properties of an item.
func (v *view) lookup(p path) ([]string, bool) {
	if p.key != "" {
		value, ok := v.extended(p.key)
		return value.values, ok
	}
	f := v.call.fieldByURI(p.uri)
	if f == nil || f.get == nil || f.ofCalendar() && v.it.kind != "CalendarItem" {
		return nil, false
	}
	n := f.get(v)
	if n == nil {
		return nil, false
	}
	return n.texts(nil), true
}

// texts are the texts of an element and all in it.
func (n *node) texts(list []string) []string {
	switch {
	case len(n.kids) == 0 && n.text == "" && len(n.attrs) > 0:
		list = append(list, n.attrs[0].value)
	case len(n.kids) == 0:
		list = append(list, n.text)
	}
	for _, k := range n.kids {
		list = k.texts(list)
	}
	return list
}

// lookup answers the properties of a folder.
func (f *folder) lookup(p path) ([]string, bool) {
	if p.key != "" {
		value, ok := f.extended(p.key)
		return value.values, ok
	}
	value, ok := f.field(p.uri)
	return []string{value}, ok
}

// A sortKey is one FieldOrder.
type sortKey struct {
	path       path
	descending bool
}

func (c *call) sortOrder() ([]sortKey, error) {
	var keys []sortKey
	for _, n := range c.req.child("SortOrder").all("FieldOrder") {
		if len(n.kids) == 0 {
			return nil, fail("ErrorSchemaValidation", "A FieldOrder names no property.")
		}
		p, err := parsePath(n.kids[0])
		if err != nil {
			return nil, err
		}
		keys = append(keys, sortKey{p, n.attr("Order") == "Descending"})
	}
	return keys, nil
}

// sortViews orders views stably.
func sortViews(views []*view, keys []sortKey) {
	slices.SortStableFunc(views, func(a, b *view) int {
		for _, k := range keys {
			x, _ := a.lookup(k.path)
			y, _ := b.lookup(k.path)
			d := compareValues(strings.Join(x, "\n"), strings.Join(y, "\n"), time.UTC)
			if k.descending {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
}
