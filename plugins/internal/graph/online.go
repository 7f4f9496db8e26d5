package graph

import (
	"html"
	"regexp"
	"strings"
)

// The body of an online meeting ends with how to join it: a part that begins with a line of underscores. Who writes the body
// without that part takes the meeting from those who are to come.
var (
	rule       = regexp.MustCompile(`_{40,}`)
	opening    = regexp.MustCompile(`(?i)<body[^>]*>`)
	closing    = regexp.MustCompile(`(?i)</body\s*>`)
	containing = regexp.MustCompile(`(?i)<(div|p|table)\b[^>]*>`)
)

// aboveJoining returns what of a plain text stands above the part about joining; false if there is no such part.
func aboveJoining(text string) (string, bool) {
	at := rule.FindStringIndex(text)
	if at == nil {
		return text, false
	}
	return strings.TrimRight(text[:at[0]], " \t\r\n\u00a0"), true
}

// withText returns an HTML body in which text takes the place of everything above the part about joining; false if there is
// no such part.
func withText(page, text string) (string, bool) {
	at := rule.FindStringIndex(page)
	if at == nil {
		return "", false
	}
	head, begin := "<html><body>", 0
	if o := opening.FindStringIndex(page[:at[0]]); o != nil {
		head, begin = page[:o[1]], o[1]
	}
	// The innermost element that holds the line: what is around it goes with the text above.
	from := at[0]
	if all := containing.FindAllStringIndex(page[begin:at[0]], -1); len(all) > 0 {
		from = begin + all[len(all)-1][0]
	}
	end := len(page)
	if c := closing.FindStringIndex(page[at[1]:]); c != nil {
		end = at[1] + c[0]
	}
	return head + "<div>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</div><br>" + page[from:end] + "</body></html>", true
}
