package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// notSet stands for a value that nothing gives.
const notSet = "(not set)"

// shownValue is one line of Redacted.
type shownValue struct {
	head  string // the block, nested ones separated by \x1f
	name  string
	text  string // as it is written in HCL, secrets replaced
	where string
	sum   [sha256.Size]byte // of what is meant: the secret behind the text, the contents of the file

	plugins []string // those that may take it; what they declare decides whether the text is shown
	given   *given   // a setting that only a plugin knows
}

// shownText is how v may be shown, as far as it is known what the plugins declare. What none of them says is no secret is
// one.
func (c *Config) shownText(v shownValue) string {
	if v.text == notSet {
		return v.text
	}
	for _, plugin := range v.plugins {
		g := given{name: v.name}
		if v.given != nil {
			g = *v.given
		}
		schema, known := c.schemas[plugin]
		setting, declared := schema.find(g)
		switch {
		case declared && setting.Secret:
			return setText
		case v.given != nil && !declared:
			return setText
		case v.given == nil && (!known || schema.Problem != "") && authSettings()[strings.TrimPrefix(plugin, authPrefix)] == nil:
			return setText
		}
	}
	switch {
	case v.given == nil:
		return v.text
	case !v.given.literal.IsSet():
		return setText
	}
	return v.given.literal.Reveal()
}

// show records a setting for Redacted.
func (l *loader) show(head string, a attr, text string, at place) {
	meant := text
	if a.kind == kindFile && text != "" {
		data, _ := readBounded(within(l.dir, text), 8<<20) // who needs the file complains if it cannot be read
		meant += "\x00" + string(data)
	}
	switch {
	case a.kind == kindSecret:
		text = NewSecret(text).String()
	case text == "":
		text = notSet
	case a.kind == kindBool, a.kind == kindInt, a.kind == kindShare:
	default:
		text = strconv.Quote(hideURLPassword(text))
	}
	l.record(shownValue{head: head, name: a.name, text: text, where: at.written()}, meant)
}

func (l *loader) showText(head, name, text string, at place) {
	l.showFrom(head, name, text, at.written())
}

func (l *loader) showFrom(head, name, text, where string) {
	l.record(shownValue{head: head, name: name, text: text, where: where}, text)
}

func (l *loader) record(v shownValue, meant string) {
	v.sum = sha256.Sum256([]byte(meant))
	l.shown = append(l.shown, v)
}

// showGiven records what a plugin is given by the names that it declares.
func (l *loader) showGiven(head, plugin string, settings []given) {
	settings = slices.SortedStableFunc(slices.Values(settings), func(a, b given) int { return strings.Compare(a.name, b.name) })
	for _, g := range settings {
		meant, _ := json.Marshal(reveal(g.value)) // plain values: it cannot fail
		v := shownValue{head: head, name: g.name, text: setText, where: g.at.written(), plugins: []string{plugin}, given: &g}
		l.record(v, string(meant))
	}
}

// plainText writes a free value as HCL would have it.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(hideURLPassword(v))
	case Secret:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = plainText(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		parts := make([]string, len(names))
		for i, name := range names {
			parts[i] = name + " = " + plainText(v[name])
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	default:
		return fmt.Sprint(v)
	}
}

func quoteList(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Redacted prints the configuration in force, each value with where it came
// from: default, FILE:LINE, or environment NAME. Secrets are "(set)" or "(not
// set)". The same configuration always gives the same text.
func (c *Config) Redacted() string {
	type line struct{ left, where string }
	var lines []line
	var open []string
	indent := func() string { return strings.Repeat("  ", len(open)) }
	enter := func(head string) {
		want := strings.Split(head, "\x1f")
		same := 0
		for same < len(open) && same < len(want) && open[same] == want[same] {
			same++
		}
		for len(open) > same {
			open = open[:len(open)-1]
			lines = append(lines, line{left: indent() + "}"})
		}
		for _, h := range want[same:] {
			if len(open) == 0 && len(lines) > 0 {
				lines = append(lines, line{})
			}
			lines = append(lines, line{left: indent() + h + " {"})
			open = append(open, h)
		}
	}
	for _, v := range c.shown {
		enter(v.head)
		lines = append(lines, line{indent() + v.name + " = " + c.shownText(v), v.where})
	}
	for len(open) > 0 {
		open = open[:len(open)-1]
		lines = append(lines, line{left: indent() + "}"})
	}
	width := 0
	for _, l := range lines {
		if n := len([]rune(l.left)); l.where != "" && n > width && n <= 72 {
			width = n
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.left)
		if l.where != "" {
			b.WriteString(strings.Repeat(" ", max(0, width-len([]rune(l.left)))) + "  # " + l.where)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
