package exchangesim

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mailReaders may read what lies in the Inbox. Mail.ReadBasic would show neither texts nor extended properties.
var mailReaders = []string{"Mail.Read", "Mail.ReadWrite"}

// messageProperties are the names that $select knows of messages.
var messageProperties = []string{"id", "subject", "receivedDateTime", "from", "bodyPreview", "body"}

// byTimeAndSender is the one filter of messages that is served: what is ordered by has to come first in it.
var byTimeAndSender = regexp.MustCompile(`(?i)^receivedDateTime ge (\S+) and from/emailAddress/address eq '((?:[^']|'')*)'$`)

// answerNames are Graph's names of answers, by the end of the class of the mail that brings them.
var answerNames = map[string]string{"Pos": "accepted", "Tent": "tentativelyAccepted", "Neg": "declined"}

// listMessages answers the mails in the Inbox from one sender, the newest first.
func (g *graphCall) listMessages() (graphReply, error) {
	m := byTimeAndSender.FindStringSubmatch(strings.TrimSpace(g.option("filter")))
	if m == nil || !strings.EqualFold(g.option("orderby"), "receivedDateTime desc") {
		return graphReply{}, graphFail(http.StatusBadRequest, "InefficientFilter",
			"Only mails of one sender since a time are served here, ordered by receivedDateTime desc: the restriction or sort order is too complex for this operation.")
	}
	since, err := graphClock(m[1], g.zone)
	if err != nil {
		return graphReply{}, err
	}
	expansion, err := readExpand(g.option("expand"))
	if err != nil {
		return graphReply{}, err
	}
	var chosen []string
	for name := range strings.SplitSeq(g.option("select"), ",") {
		i := slices.IndexFunc(messageProperties, func(known string) bool { return strings.EqualFold(known, strings.TrimSpace(name)) })
		if i < 0 {
			return graphReply{}, graphFail(http.StatusBadRequest, "BadRequest",
				"Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.message'.", name)
		}
		chosen = append(chosen, messageProperties[i])
	}
	top, err := g.number("top", usualPage)
	if err != nil {
		return graphReply{}, err
	}
	skip, err := g.number("skip", 0)
	if err != nil {
		return graphReply{}, err
	}
	var found []*view
	for _, it := range slices.Backward(g.box.known("inbox").items) {
		if strings.EqualFold(it.organizer.Address, strings.ReplaceAll(m[2], "''", "'")) && !it.created.Before(since) {
			found = append(found, g.viewOf(it))
		}
	}
	value := []any{}
	for _, v := range found[min(skip, len(found)):min(skip+top, len(found))] {
		value = append(value, g.message(v, chosen, expansion))
	}
	body := map[string]any{"@odata.context": g.context("mailFolders('inbox')/messages"), "value": value}
	if skip+top < len(found) {
		body["@odata.nextLink"] = g.link(map[string]string{"$skip": strconv.Itoa(skip + top)})
	}
	return graphReply{status: http.StatusOK, body: body}, nil
}

// message writes a mail. One that answers an invitation is of a type of its own; its body is HTML, whatever was asked for.
func (g *graphCall) message(v *view, chosen []string, x expansion) map[string]any {
	e, _ := parseID(v.id())
	all := map[string]any{
		"id": graphID(e, g.immutable), "subject": v.c.subject, "receivedDateTime": v.it.created.UTC().Format("2006-01-02T15:04:05Z"),
		"from":        map[string]any{"emailAddress": map[string]any{"name": v.c.organizer.Name, "address": v.c.organizer.Address}},
		"bodyPreview": preview(v.c.body), "body": g.graphBody(v),
	}
	out := map[string]any{"@odata.type": "#microsoft.graph.message", "@odata.etag": etag(v.it), "id": all["id"]}
	if v.it.kind == "MeetingResponse" {
		out["@odata.type"] = "#microsoft.graph.eventMessageResponse"
		out["responseType"] = answerNames[v.it.class[strings.LastIndexByte(v.it.class, '.')+1:]]
	}
	for _, name := range chosen {
		out[name] = all[name]
	}
	g.expand(out, v, x)
	return out
}
