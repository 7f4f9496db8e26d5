package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Change is one setting that two configurations do not have in common.
type Change struct {
	Block string // e.g. sync_mode "Exchange2013"; nested blocks are separated by " / "
	Name  string
	// From and To are as written in HCL, "" where the configuration has no such setting. Secrets are "(set)" or "(not
	// set)"; two of them, and files that were replaced, may look the same and yet be different.
	From, To string
	// Restart: a running host goes on with the old value until it is started again.
	Restart bool
}

// String is the change in one line.
func (c Change) String() string {
	name := strings.TrimPrefix(c.Block+" / "+c.Name, " / ")
	switch {
	case c.From == "":
		return fmt.Sprintf("%s = %s (new)", name, c.To)
	case c.To == "":
		return fmt.Sprintf("%s = %s (removed)", name, c.From)
	case c.From == c.To && strings.HasPrefix(c.To, "(set)"):
		return name + " changed (secret)"
	case c.From == c.To:
		return fmt.Sprintf("%s = %s changed (other contents)", name, c.To)
	}
	return fmt.Sprintf("%s = %s (was %s)", name, c.To, strings.Trim(c.From, "()"))
}

// restart lists the settings that a running host cannot take over, by block and name; a name of "" means all. Of the
// listeners only the certificates can be replaced.
var restart = [][2]string{
	{"store", ""}, {"plugins", ""}, {"log", "format"},
}

func needsRestart(head, name string) bool {
	block, _, _ := strings.Cut(head, "\x1f")
	if strings.HasPrefix(block, "listen ") || block == "listen" {
		return name != "cert_file" && name != "key_file"
	}
	return slices.ContainsFunc(restart, func(r [2]string) bool { return block == r[0] && (r[1] == "" || r[1] == name) })
}

// Diff lists what is different in next, in the order of Redacted. The two configurations are the same for the host if it
// is empty, whatever files they were read from.
func Diff(old, next *Config) []Change {
	type id struct{ head, name string }
	before := map[id]shownValue{}
	for _, v := range old.shown {
		before[id{v.head, v.name}] = v
	}
	var out []Change
	add := func(v shownValue, from, to string) {
		out = append(out, Change{
			Block: strings.ReplaceAll(v.head, "\x1f", " / "), Name: v.name, From: from, To: to,
			Restart: needsRestart(v.head, v.name),
		})
	}
	for _, v := range next.shown {
		k := id{v.head, v.name}
		was, had := before[k]
		delete(before, k)
		switch {
		case !had && v.text == notSet: // of a new block
		case !had:
			add(v, "", next.shownText(v))
		case was.sum != v.sum:
			add(v, old.shownText(was), next.shownText(v))
		}
	}
	for _, v := range old.shown {
		if _, gone := before[id{v.head, v.name}]; gone && v.text != notSet {
			add(v, old.shownText(v), "")
		}
	}
	return out
}

// ModeChanged reports whether a change concerns the sync mode of this name. What is written for single mail domains concerns
// their overrides (BASE/DOMAIN) alone; what is written for the sync mode concerns these, too.
func ModeChanged(changes []Change, mode string) bool {
	base, domain, isOverride := strings.Cut(mode, "/")
	head := fmt.Sprintf("sync_mode %q", base)
	return slices.ContainsFunc(changes, func(c Change) bool {
		block, rest, _ := strings.Cut(c.Block, " / ")
		if !strings.EqualFold(block, head) {
			return false
		}
		below, _, _ := strings.Cut(rest, " / ")
		if !strings.HasPrefix(below, "domain_override ") {
			return true
		}
		return isOverride && strings.EqualFold(below, fmt.Sprintf("domain_override %q", domain))
	})
}
