package config

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the known name that given is most likely a misspelling of, or
// "" when none is near. A difference in case alone counts as near; the name
// itself does not.
func Nearest(given string, known []string) string {
	const tooLong = 80
	if given == "" || len(given) > tooLong {
		return ""
	}
	lower := strings.ToLower(given)
	best, bestDistance := "", limitFor(given)+1
	for _, name := range known {
		if name == given {
			continue
		}
		d := distance([]rune(lower), []rune(strings.ToLower(name)))
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// nearestBegin does the same for names of which only the begin is known. It
// returns the whole name.
func nearestBegin(given string, begins []string) string {
	best, bestDistance := "", 4
	for _, begin := range begins {
		for cut := max(1, len(begin)-3); cut <= min(len(begin)+3, len(given)-1); cut++ {
			if given[cut-1] != begin[len(begin)-1] {
				continue // it ends as the begin does, or what follows is cut in the middle
			}
			if d := distance([]rune(given[:cut]), []rune(begin)); d < bestDistance {
				best, bestDistance = begin+given[cut:], d
			}
		}
	}
	return best
}

// limitFor is how many slips make one name into another: few in short names,
// or every three-letter word would be near every other.
func limitFor(name string) int {
	switch n := utf8.RuneCountInString(name); {
	case n <= 3:
		return 1
	case n <= 12:
		return 2
	default:
		return 3
	}
}

// distance counts insertions, deletions, replacements and swaps of neighbours.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// didYouMean is the sentence for a diagnostic's remedy, or "".
func didYouMean(given string, known []string) string {
	if near := Nearest(given, known); near != "" {
		return "Did you mean `" + near + "`? "
	}
	return ""
}
