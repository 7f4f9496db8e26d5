package exchangesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A graphFilter reports whether an event fits $filter.
type graphFilter func(*view) bool

// deepestFilter bounds how deep the brackets of a filter are nested.
const deepestFilter = 50

// A filterParser reads $filter: comparisons of some properties, any over extended properties and categories, and, or, not.
type filterParser struct {
	tokens []string
	at     int
	depth  int
}

func badFilter(format string, args ...any) error {
	return graphFail(http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", format, args...)
}

// readFilter reads $filter; an empty one fits everything.
func readFilter(text string) (graphFilter, error) {
	if strings.TrimSpace(text) == "" {
		return func(*view) bool { return true }, nil
	}
	tokens, err := filterTokens(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens}
	f, err := p.either()
	if err == nil && p.at < len(p.tokens) {
		err = badFilter("Invalid filter clause: unexpected '%s'.", p.peek())
	}
	return f, err
}

// filterTokens splits a filter into words, quoted strings (with their first quote) and signs.
func filterTokens(text string) ([]string, error) {
	var tokens []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case strings.IndexByte("(),:", c) >= 0 && (c != ':' || len(tokens) < 1 || !startsTime(tokens[len(tokens)-1])):
			tokens = append(tokens, string(c))
			i++
		case c == '\'':
			var b strings.Builder
			b.WriteByte('\'')
			i++
			for {
				end := strings.IndexByte(text[i:], '\'')
				if end < 0 {
					return nil, badFilter("Invalid filter clause: a string does not end.")
				}
				b.WriteString(text[i : i+end])
				i += end + 1
				if i >= len(text) || text[i] != '\'' {
					break
				}
				b.WriteByte('\'')
				i++
			}
			tokens = append(tokens, b.String())
		default:
			from := i
			for i < len(text) && strings.IndexByte(" \t(),'", text[i]) < 0 && (text[i] != ':' || startsTime(text[from:i])) {
				i++
			}
			if i == from { // a sign that begins nothing
				return nil, badFilter("Invalid filter clause: unexpected '%c'.", text[i])
			}
			tokens = append(tokens, text[from:i])
		}
	}
	return tokens, nil
}

// startsTime reports whether a word begins as a date does: colons belong to it.
func startsTime(word string) bool { return word != "" && word[0] >= '0' && word[0] <= '9' }

func (p *filterParser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *filterParser) next() string {
	t := p.peek()
	p.at++
	return t
}

// word takes the next token if it is that word.
func (p *filterParser) word(w string) bool {
	if strings.EqualFold(p.peek(), w) {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) expect(w string) error {
	if !p.word(w) {
		return badFilter("Invalid filter clause: '%s' expected, not '%s'.", w, p.peek())
	}
	return nil
}

func (p *filterParser) either() (graphFilter, error) {
	left, err := p.both()
	for err == nil && p.word("or") {
		var right graphFilter
		a := left
		right, err = p.both()
		left = func(v *view) bool { return a(v) || right(v) }
	}
	return left, err
}

func (p *filterParser) both() (graphFilter, error) {
	left, err := p.term()
	for err == nil && p.word("and") {
		var right graphFilter
		a := left
		right, err = p.term()
		left = func(v *view) bool { return a(v) && right(v) }
	}
	return left, err
}

func (p *filterParser) term() (graphFilter, error) {
	if p.depth++; p.depth > deepestFilter {
		return nil, badFilter("Invalid filter clause: nested too deeply.")
	}
	defer func() { p.depth-- }()
	switch {
	case p.word("not"):
		f, err := p.term()
		return func(v *view) bool { return !f(v) }, err
	case p.word("("):
		f, err := p.either()
		if err != nil {
			return nil, err
		}
		return f, p.expect(")")
	}
	name := p.next()
	lower := strings.ToLower(name)
	switch {
	case lower == "startswith" || lower == "contains":
		return p.function(lower)
	case strings.HasSuffix(lower, "/any"):
		return p.any(strings.TrimSuffix(lower, "/any"))
	}
	return p.comparison(name)
}

// filterTexts and filterTimes are the properties that can be compared.
var filterTexts = map[string]func(*view) string{
	"icaluid":        (*view).iCalUID,
	"subject":        func(v *view) string { return v.c.subject },
	"type":           func(v *view) string { return graphTypes[v.itemType()] },
	"sensitivity":    func(v *view) string { return strings.ToLower(v.c.sensitivity) },
	"showas":         func(v *view) string { return graphShowAs[v.c.busy] },
	"isallday":       func(v *view) string { return boolean(v.c.allDay) },
	"iscancelled":    func(v *view) string { return boolean(v.c.cancelled) },
	"isorganizer":    func(v *view) string { return boolean(!v.c.received) },
	"seriesmasterid": func(v *view) string { return v.masterID(false) },
}

var filterTimes = map[string]func(*view) time.Time{
	"start/datetime":       func(v *view) time.Time { return v.start },
	"end/datetime":         func(v *view) time.Time { return v.end },
	"createddatetime":      func(v *view) time.Time { return v.it.created },
	"lastmodifieddatetime": func(v *view) time.Time { return v.it.modified },
}

// function reads startswith and contains.
func (p *filterParser) function(name string) (graphFilter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	get, ok := filterTexts[strings.ToLower(p.next())]
	if !ok {
		return nil, badFilter("Invalid filter clause: %s of what is no text.", name)
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	want, ok := strings.CutPrefix(strings.ToLower(p.next()), "'")
	if !ok {
		return nil, badFilter("Invalid filter clause: a string expected.")
	}
	has := strings.HasPrefix
	if name == "contains" {
		has = strings.Contains
	}
	return func(v *view) bool { return has(strings.ToLower(get(v)), want) }, p.expect(")")
}

// comparison reads a property, an operator and a value.
func (p *filterParser) comparison(name string) (graphFilter, error) {
	op, value := strings.ToLower(p.next()), p.next()
	if !slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op) || value == "" {
		return nil, badFilter("Invalid filter clause: '%s' is no comparison.", name)
	}
	literal, quoted := strings.CutPrefix(value, "'")
	if get, ok := filterTimes[strings.ToLower(name)]; ok {
		at, err := graphClock(literal, time.UTC)
		if err != nil {
			return nil, err
		}
		return func(v *view) bool { return compares(op, get(v).Compare(at)) }, nil
	}
	get, ok := filterTexts[strings.ToLower(name)]
	if !ok {
		return nil, graphFail(http.StatusBadRequest, "ErrorInvalidProperty", "The property '%s' does not support filtering.", name)
	}
	if !quoted && literal != "true" && literal != "false" && literal != "null" {
		return nil, badFilter("Invalid filter clause: '%s' is no value.", value)
	}
	if literal == "null" && !quoted {
		literal = ""
	}
	return func(v *view) bool { return compares(op, strings.Compare(get(v), literal)) }, nil
}

func compares(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

// any reads what is behind any: a variable and conditions on it, all of which one element has to meet.
func (p *filterParser) any(list string) (graphFilter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	variable := p.next()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	conditions := map[string][]string{}
	for {
		field := p.next()
		if f, ok := strings.CutPrefix(strings.ToLower(field), strings.ToLower(variable)); !ok || f != "" && f[0] != '/' {
			return nil, badFilter("Invalid filter clause: '%s' is not about '%s'.", field, variable)
		} else {
			conditions[f] = []string{strings.ToLower(p.next()), p.next()}
		}
		if p.word(")") {
			break
		}
		if err := p.expect("and"); err != nil {
			return nil, err
		}
	}
	switch list {
	case "singlevalueextendedproperties", "multivalueextendedproperties":
		return anyProperty(conditions)
	case "categories":
		c := conditions[""]
		if len(c) == 2 && c[0] == "eq" && strings.HasPrefix(c[1], "'") {
			return func(v *view) bool { return slices.Contains(v.c.categories, c[1][1:]) }, nil
		}
	}
	return nil, badFilter("Invalid filter clause: any over '%s' is not supported.", list)
}

// anyProperty is a condition on an extended property, which has to be named, and its value.
func anyProperty(conditions map[string][]string) (graphFilter, error) {
	id, value := conditions["/id"], conditions["/value"]
	if len(id) != 2 || id[0] != "eq" || !strings.HasPrefix(id[1], "'") || len(value) != 2 || len(conditions) != 2 {
		return nil, badFilter("Invalid filter clause: an extended property is found by its id and its value.")
	}
	p, err := readProperty(id[1][1:])
	if err != nil {
		return nil, err
	}
	want, quoted := strings.CutPrefix(value[1], "'")
	switch {
	case value[0] == "ne" && value[1] == "null":
		return func(v *view) bool { return len(v.values(p)) > 0 }, nil
	case value[0] == "eq" && quoted:
		return func(v *view) bool { return slices.Contains(v.values(p), want) }, nil
	}
	return nil, badFilter("Invalid filter clause: '%s %s' is not supported for an extended property.", value[0], value[1])
}
