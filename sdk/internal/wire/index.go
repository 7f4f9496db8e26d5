package wire

import (
	"slices"
	"strings"
)

// An index finds which of many texts stands at a place. Texts come and go without the others being looked at: tokens are
// renewed all the time. The zero value is ready; texts are at least minSecret long.
type index struct {
	times map[string]int // how often it was added
	by    map[[minSecret]byte][]string
}

func (x *index) add(text string) {
	if x.times == nil {
		x.times, x.by = map[string]int{}, map[[minSecret]byte][]string{}
	}
	if x.times[text]++; x.times[text] == 1 {
		k := keyOf(text)
		x.by[k] = append(x.by[k], text)
	}
}

// remove takes back one add.
func (x *index) remove(text string) {
	if x.times[text]--; x.times[text] > 0 {
		return
	}
	delete(x.times, text)
	k := keyOf(text)
	if x.by[k] = slices.DeleteFunc(x.by[k], func(other string) bool { return other == text }); len(x.by[k]) == 0 {
		delete(x.by, k)
	}
}

func keyOf(text string) [minSecret]byte { return [minSecret]byte([]byte(text[:minSecret])) }

// longest returns the length of the longest text with which at begins: a secret may be the beginning of another. It is 0
// if there is none.
func (x *index) longest(at string) int {
	if len(at) < minSecret {
		return 0
	}
	n := 0
	for _, text := range x.by[keyOf(at)] {
		if len(text) > n && strings.HasPrefix(at, text) {
			n = len(text)
		}
	}
	return n
}

// begins reports whether at is the beginning of a text, and not all of it.
func (x *index) begins(at string) bool {
	if len(at) < minSecret {
		return false
	}
	return slices.ContainsFunc(x.by[keyOf(at)], func(text string) bool { return len(text) > len(at) && strings.HasPrefix(text, at) })
}
