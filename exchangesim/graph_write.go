package exchangesim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
)

// createEvent answers POST events. A transactionId that was used for the same request already answers the event that is there;
// one that was used for another request, or whose event was deleted, is refused.
func (g *graphCall) createEvent() (graphReply, error) {
	var in struct {
		TransactionID string `json:"transactionId"`
	}
	if err := g.decode(&in); err != nil {
		return graphReply{}, err
	}
	digest := sha256.Sum256(g.body)
	request := hex.EncodeToString(digest[:])
	known := g.box.forGraph()
	if old := known.transacted(in.TransactionID, g.box); old != nil {
		if old.request == request && old.folder.distinguished == "calendar" && !g.graphs.quirks.RefuseRepeated {
			return g.answerEvent(http.StatusCreated, g.viewOf(old)), nil
		}
		e := graphFail(http.StatusConflict, "ErrorDuplicateTransactionId",
			"Your request can't be completed. The TransactionId specified in the request has already been used to create a different event.")
		e.more = map[string]any{"@event.existingEventId": g.viewOf(old).graphIDOf(g.immutable)}
		return graphReply{}, e
	}
	it := &item{
		kind: "CalendarItem", content: newContent(g.box.owner), author: g.box.owner.Name, history: map[string]uint64{},
		transaction: in.TransactionID, request: request,
	}
	e := &graphEdit{edit: edit{content: &it.content, call: g.call}, g: g}
	if err := e.take(g.body); err != nil {
		return graphReply{}, err
	}
	if !e.given["start"] || !e.given["end"] {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorPropertyValidationFailure", "At least one property failed validation: an event needs start and end.")
	}
	if err := e.times(); err != nil {
		return graphReply{}, err
	}
	if err := e.complete(); err != nil {
		return graphReply{}, err
	}
	g.box.add(g.box.known("calendar"), it)
	if it.transaction != "" {
		known.transactions[it.transaction] = it
	}
	it.uid = newUID(it.id)
	e.online(it.id)
	if it.meeting() {
		it.sent = true
		g.send(it, "request", it.attendees())
	}
	reply := g.answerEvent(http.StatusCreated, g.viewOf(it))
	reply.header["Location"] = g.base + "/users/" + url.PathEscape(g.user) + "/events/" + g.viewOf(it).graphIDOf(g.immutable)
	g.touchLater(it)
	return reply, nil
}

// answerEvent is an event alone, with its context.
func (g *graphCall) answerEvent(status int, v *view) graphReply {
	e := g.event(v)
	e["@odata.context"] = g.context("events/$entity")
	return graphReply{status: status, body: e, header: map[string]string{"ETag": etag(v.it)}}
}

// matches checks If-Match.
func (g *graphCall) matches(it *item) error {
	want := g.header.Get("If-Match")
	if want == "" || want == "*" || want == etag(it) {
		return nil
	}
	return graphFail(http.StatusPreconditionFailed, "ErrorIrresolvableConflict",
		"The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.")
}

// updateEvent answers PATCH of an event. Attendees are told of all but what is quiet.
func (g *graphCall) updateEvent() (graphReply, error) {
	v, err := g.eventByID(g.ids[0])
	if err != nil {
		return graphReply{}, err
	}
	if err := g.matches(v.it); err != nil {
		return graphReply{}, err
	}
	made := v.c.clone()
	if v.index > 0 && !v.exception {
		made.start, made.end, made.recurrence = v.start, v.end, nil
	}
	e := &graphEdit{edit: edit{content: &made, call: g.call}, g: g}
	if err := e.take(g.body); err != nil {
		return graphReply{}, err
	}
	if v.index > 0 && e.given["recurrence"] && made.recurrence != nil {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "Only a series master has a recurrence.")
	}
	if err := e.times(); err != nil {
		return graphReply{}, err
	}
	if v.index > 0 || e.rewritten {
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
	}
	e.online(v.it.id)
	earlier := v.c.clone()
	if err := g.commit(v, &made); err != nil {
		return graphReply{}, err
	}
	for _, name := range differences(&earlier, &made) {
		v.it.history[name] = v.it.key
	}
	if v, err = g.again(v); err != nil {
		return graphReply{}, err
	}
	if e.audible() {
		g.tellAttendees(v, earlier.attendees(), "SendToAllAndSaveCopy")
	}
	reply := g.answerEvent(http.StatusOK, v)
	g.touchLater(v.it)
	return reply, nil
}

// audible reports whether a change is one that attendees are told of.
func (e *graphEdit) audible() bool {
	for name := range e.given {
		if !slices.Contains(quiet, name) {
			return true
		}
	}
	return false
}

// deleteEvent answers DELETE of an event: it goes to Deleted Items, or, an occurrence, out of its series. Attendees of the user's
// own meeting get a cancellation.
func (g *graphCall) deleteEvent() (graphReply, error) {
	v, err := g.eventByID(g.ids[0])
	if err != nil {
		return graphReply{}, err
	}
	if err := g.matches(v.it); err != nil {
		return graphReply{}, err
	}
	g.call.cancel(v, "SendToAllAndSaveCopy")
	if v.index == 0 && v.it.folder.distinguished != "deleteditems" {
		g.box.move(v.it, g.box.known("deleteditems"))
	}
	return graphReply{status: http.StatusNoContent}, nil
}

// cancelEvent answers cancel: as deletion, for organizers of meetings only.
func (g *graphCall) cancelEvent() (graphReply, error) {
	v, err := g.eventByID(g.ids[0])
	switch {
	case err != nil:
		return graphReply{}, err
	case v.c.received:
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "Your request can't be completed. You need to be an organizer to cancel a meeting.")
	case !v.c.meeting():
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "Your request can't be completed. An event without attendees can't be cancelled.")
	}
	g.call.cancel(v, "SendToAllAndSaveCopy")
	if v.index == 0 {
		g.box.move(v.it, g.box.known("deleteditems"))
	}
	return graphReply{status: http.StatusAccepted}, nil
}

// respondEvent answers accept, tentativelyAccept and decline, for attendees only. What they decline goes to Deleted Items.
func (g *graphCall) respondEvent(response string) (graphReply, error) {
	in := struct {
		Comment      string `json:"comment"`
		SendResponse *bool  `json:"sendResponse"`
	}{}
	if len(g.body) > 0 {
		if err := g.decode(&in); err != nil {
			return graphReply{}, err
		}
	}
	v, err := g.eventByID(g.ids[0])
	if err != nil {
		return graphReply{}, err
	}
	mail := in.SendResponse == nil || *in.SendResponse
	refused := func(why string) (graphReply, error) {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "Your request can't be completed. %s", why)
	}
	switch {
	case !v.c.received:
		return refused("You can't respond to this meeting because you're the meeting organizer.")
	case v.c.cancelled:
		return refused("You can't respond to this meeting because it has been cancelled.")
	case mail && !v.c.responseRequested:
		return refused("The meeting organizer hasn't requested a response.")
	}
	g.answerMeeting(v, response, in.Comment, mail)
	return graphReply{status: http.StatusAccepted}, nil
}

func (g *graphCall) acceptEvent() (graphReply, error) { return g.respondEvent("Accept") }

func (g *graphCall) tentativelyAcceptEvent() (graphReply, error) { return g.respondEvent("Tentative") }

func (g *graphCall) declineEvent() (graphReply, error) { return g.respondEvent("Decline") }
