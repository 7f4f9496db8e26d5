package exchangesim

import (
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func ignore(*edit, *node) error { return nil }

func setText(where func(*content) *string) func(*edit, *node) error {
	return func(e *edit, n *node) error {
		*where(e.content) = n.text
		return nil
	}
}

func setOneOf(where func(*content) *string, allowed ...string) func(*edit, *node) error {
	return func(e *edit, n *node) error {
		if !slices.Contains(allowed, n.value()) {
			return fail("ErrorSchemaValidation", "%q is not a valid %s.", n.value(), n.name)
		}
		*where(e.content) = n.value()
		return nil
	}
}

func setFlag(where func(*content) *bool) func(*edit, *node) error {
	return func(e *edit, n *node) error {
		b, err := parseBool(n.value())
		if err == nil {
			*where(e.content) = b
		}
		return err
	}
}

func (e *edit) setReminder(n *node) error {
	minutes, err := strconv.Atoi(n.value())
	if err != nil || minutes < 0 {
		return fail("ErrorSchemaValidation", "%q is not a number of minutes.", n.value())
	}
	e.reminder = minutes
	return nil
}

func (e *edit) setCategories(n *node) error {
	e.categories = nil
	for _, s := range n.all("String") {
		e.categories = append(e.categories, s.value())
	}
	return nil
}

func (e *edit) setStart(n *node) error {
	t, err := parseTime(n.value(), e.zone(e.startZone))
	if err == nil {
		e.start = t
	}
	return err
}

func (e *edit) setEnd(n *node) error {
	zone := e.endZone
	if zone == "" {
		zone = e.startZone
	}
	t, err := parseTime(n.value(), e.zone(zone))
	if err == nil {
		e.end = t
	}
	return err
}

// setStartZone takes the end along where it had the same zone.
func (e *edit) setStartZone(n *node) error {
	together := e.endZone == e.startZone
	err := setZone(n, &e.startZone)
	if err == nil && together {
		e.endZone = e.startZone
	}
	return err
}

func setZone(n *node, where *string) error {
	id, err := zoneDefinition(n)
	if err == nil {
		*where = id
	}
	return err
}

// setMeetingZone takes the zone of clients of Exchange 2007's time.
func (e *edit) setMeetingZone(n *node) error {
	for _, id := range zoneIDs() {
		if id == n.attr("TimeZoneName") {
			e.startZone, e.endZone = id, id
		}
	}
	return nil
}

func (e *edit) setAttendees(n *node, list *[]Attendee) error {
	*list = nil
	for _, a := range n.all("Attendee") {
		made := Attendee{Name: a.child("Mailbox", "Name").value(), Address: a.child("Mailbox", "EmailAddress").value(), Response: a.child("ResponseType").value()}
		if made.Address == "" {
			return fail("ErrorInvalidRecipients", "At least one recipient isn't valid.")
		}
		if b := e.call.find(made.Address); b != nil && made.Name == "" {
			made.Name = b.owner.Name
		}
		*list = append(*list, made)
	}
	return nil
}

// setBody keeps plain text with the line ends that Exchange answers.
func (e *edit) setBody(n *node) error {
	kind := n.attr("BodyType")
	if kind != "Text" && kind != "HTML" {
		return fail("ErrorSchemaValidation", "%q is not a valid BodyType.", kind)
	}
	e.body = body{kind: kind, text: n.text}
	if kind == "Text" {
		e.body.text = exchangeLines(n.text)
	}
	return nil
}

// exchangeLines ends every line with \r\n.
func exchangeLines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

var (
	notText   = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>`)
	lineBreak = regexp.MustCompile(`(?i)<br\s*/?>|</(p|div|tr|li|h[1-6])>`)
	markup    = regexp.MustCompile(`(?s)<[^>]*>`)
	hyperlink = regexp.MustCompile(`(?is)<a\b[^>]*\bhref="(https?://[^"]*)"[^>]*>(.*?)</a>`)
)

// body answers the text in the kind that was asked for.
func (v *view) body(name, kind string) *node {
	b := v.c.body
	switch {
	case kind == "Best" || kind == b.kind:
	case kind == "HTML":
		text := strings.ReplaceAll(html.EscapeString(b.text), "\r\n", "<br>\r\n")
		b = body{"HTML", "<html>\r\n<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head>\r\n<body>\r\n" + text + "\r\n</body>\r\n</html>\r\n"}
	default:
		b = body{"Text", b.plain()}
	}
	return el(name, attr{"BodyType", b.kind}, b.text)
}

// plain is the body without markup. Where a link leads is told behind its text, as Exchange does.
func (b body) plain() string {
	if b.kind != "HTML" {
		return b.text
	}
	text := strings.NewReplacer("\r", "", "\n", " ").Replace(notText.ReplaceAllString(b.text, ""))
	text = hyperlink.ReplaceAllString(text, "$2&lt;$1&gt;")
	text = markup.ReplaceAllString(lineBreak.ReplaceAllString(text, "\n"), "")
	return exchangeLines(strings.TrimSpace(html.UnescapeString(text)))
}
