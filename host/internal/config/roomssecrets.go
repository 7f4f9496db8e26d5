package config

import (
	"bytes"
	"regexp"
	"slices"
)

var (
	// looseTag ends at the next tag, so that broken tags are found as well.
	looseTag  = regexp.MustCompile(`(?s)<[A-Za-z][^<]*`)
	looseKey  = regexp.MustCompile(`(?is)\b(?:key|name)\s*=\s*["']?([\w.:-]*)`)
	openValue = regexp.MustCompile(`(?is)\bvalue\s*=\s*`)
	// wholeValue is a value that ends where it seems to end.
	wholeValue = regexp.MustCompile(`(?is)\bvalue\s*=\s*("[^"<]*"|'[^'<]*')\s*(?:/?>|[\w:.-]+\s*=)`)
)

// xmlSecrets finds values that no finding may show: all but those of keys known
// to hold none, because a key may be misspelt or another part's. It works on
// broken files too and errs on the side of hiding.
func xmlSecrets(text []byte) []span {
	hidden := urlSecrets(text)
	var harmless []string
	for _, a := range roomsKeys().attrs {
		if a.kind != kindSecret {
			harmless = append(harmless, a.name)
		}
	}
	for _, m := range looseTag.FindAllIndex(text, -1) {
		tag := text[m[0]:m[1]]
		name := ""
		if k := looseKey.FindSubmatch(tag); k != nil {
			name = string(k[1])
		}
		if slices.Contains(harmless, name) {
			continue
		}
		if v := wholeValue.FindSubmatchIndex(tag); v != nil {
			hidden = append(hidden, span{m[0] + v[2] + 1, m[0] + v[3] - 1})
			continue
		}
		v := openValue.FindIndex(tag)
		if v == nil {
			continue
		}
		// A quote or < in the password itself: hide the rest of the line.
		end := m[1]
		if next := bytes.IndexByte(text[end:], '\n'); next >= 0 {
			end += next
		} else {
			end = len(text)
		}
		hidden = append(hidden, span{m[0] + v[1], end})
	}
	return slices.DeleteFunc(hidden, func(h span) bool { return h.to <= h.from })
}
