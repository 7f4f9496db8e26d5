// Package joining keeps the part of an item's text that says how to join an online meeting. Outlook and the add-ins of
// Microsoft Teams, Skype for Business, Zoom and others put it below what people write, begun by a line drawn of signs. Who
// writes the text without that part takes the meeting from those who are to come; some servers end it then.
package joining

import (
	"html"
	"regexp"
	"strings"
)

var (
	// line is one drawn of signs. That alone begins the part in an item that is known to be an online meeting.
	line = regexp.MustCompile(`_{20,}|\.{40,}|[─━—]{8,}|-{20,}|={20,}|\*{20,}|~{10,}`)
	// address is where a meeting is joined.
	address = regexp.MustCompile(`(?i)https?://(?:[a-z0-9-]+\.)*(?:teams\.microsoft\.(?:com|us)|teams\.live\.com|gov\.teams\.microsoft\.us|dod\.teams\.microsoft\.us|` +
		`meet\.lync\.com|zoom\.us|zoomgov\.com|webex\.com|meet\.google\.com|gotomeeting\.com|gotomeet\.me|goto\.com|whereby\.com|bluejeans\.com|join\.skype\.com)/` +
		`|https?://(?:meet|lync|sip|join)\.[a-z0-9.-]+/[^\s"<>]+/[A-Z0-9]{6,}`)
	// heading is how the part begins where no line is drawn.
	heading = regexp.MustCompile(`(?i)[^\n<>]*(?:is inviting you to a scheduled Zoom meeting|Join Zoom Meeting|Join (?:on|the)? ?(?:Microsoft )?Teams ?(?:Meeting)?|Join Skype Meeting)[^\n<>]*`)

	opening    = regexp.MustCompile(`(?i)<body[^>]*>`)
	closing    = regexp.MustCompile(`(?i)</body\s*>`)
	containing = regexp.MustCompile(`(?i)<(div|p|table)\b[^>]*>`)
)

// begin returns where the part about joining begins and what it begins with; nil if there is none. known says that the item
// is an online meeting whatever its text looks like.
func begin(text string, known bool) []int {
	for _, at := range line.FindAllStringIndex(text, -1) {
		if known && text[at[0]] == '_' && at[1]-at[0] >= 40 || address.MatchString(text[at[1]:]) {
			return at
		}
	}
	return nil
}

// Above returns what of a plain text stands above the part about joining; false if there is no such part. A known online
// meeting is one that the server says is one.
func Above(text string, known bool) (string, bool) {
	at := begin(text, known)
	if at == nil {
		return text, false
	}
	return strings.TrimRight(text[:at[0]], " \t\r\n\u00a0"), true
}

// In reports whether a text, plain or of HTML, says how to join an online meeting.
func In(text string) bool { return address.MatchString(text) }

// Within returns an HTML body in which text takes the place of everything above the part about joining; false if it is not
// found where that begins.
func Within(page, text string, known bool) (string, bool) {
	at := begin(page, known)
	if at == nil {
		if at = heading.FindStringIndex(page); at == nil || !address.MatchString(page[at[0]:]) {
			return "", false
		}
	}
	head, from := "<html><body>", 0
	if o := opening.FindStringIndex(page[:at[0]]); o != nil {
		head, from = page[:o[1]], o[1]
	}
	// The innermost element that holds the line: what is around it goes with the text above.
	block := at[0]
	if all := containing.FindAllStringIndex(page[from:at[0]], -1); len(all) > 0 {
		block = from + all[len(all)-1][0]
	}
	end := len(page)
	if c := closing.FindStringIndex(page[at[1]:]); c != nil {
		end = at[1] + c[0]
	}
	return head + "<div>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + "</div><br>" + page[block:end] + "</body></html>", true
}
