package exchangesim

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// steadyHead begins an immutable id where others have idHead.
var steadyHead = []byte{0x00, 0x09, 0x00}

// toREST makes base64 fit for a path, as Graph and add-ins of Outlook do; fromREST undoes it.
var (
	toREST   = strings.NewReplacer("/", "-", "+", "_")
	fromREST = strings.NewReplacer("-", "/", "_", "+")
)

// graphID is the id of an item or occurrence as Graph has it: the EWS id in other letters, which changes when the item moves, or
// an immutable one, made of the first number the item had.
func graphID(e entryID, immutable bool) string {
	text := e.String()
	if immutable {
		raw, _ := base64.StdEncoding.DecodeString(text) // made by String
		text = base64.StdEncoding.EncodeToString(append(append([]byte{}, steadyHead...), raw[len(idHead):]...))
	}
	return toREST.Replace(text)
}

// readGraphID reads either kind.
func readGraphID(text string) (e entryID, immutable bool, err error) {
	text = fromREST.Replace(text)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err == nil && len(raw) > len(steadyHead) && string(raw[:len(steadyHead)]) == string(steadyHead) {
		immutable = true
		copy(raw, idHead)
		text = base64.StdEncoding.EncodeToString(raw)
	}
	if e, err = parseID(text); err != nil {
		return e, immutable, graphFail(http.StatusBadRequest, "ErrorInvalidIdMalformed", "Id is malformed.")
	}
	return e, immutable, nil
}

// graphIDOf is the id of what a view shows.
func (v *view) graphIDOf(immutable bool) string {
	e := entryID{box: v.it.box.guid, kind: itemKind, number: v.it.number}
	if immutable {
		e.number = v.it.steady
	}
	if v.index > 0 {
		e.kind, e.day = occurrenceKind, v.day
	}
	return graphID(e, immutable)
}

// masterID is the id of the series that a view belongs to.
func (v *view) masterID(immutable bool) string { return v.call.viewOf(v.it).graphIDOf(immutable) }

// itemOf finds the item in a mailbox that an id belongs to, or nil.
func (b *mailbox) itemOf(e entryID, immutable bool) *item {
	switch {
	case e.box != b.guid || e.kind == folderKind:
		return nil
	case immutable:
		return b.steady[e.number]
	}
	return b.items[entryID{box: e.box, kind: itemKind, number: e.number}.String()]
}

// eventByID finds an event, or an occurrence of one, by the id in the path. What lies in Deleted Items is not there, unless the
// server is told otherwise.
func (g *graphCall) eventByID(id string) (*view, error) {
	gone := graphFail(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	e, immutable, err := readGraphID(id)
	if err != nil {
		return nil, err
	}
	it := g.box.itemOf(e, immutable)
	if it == nil || it.kind != "CalendarItem" || !g.graphs.quirks.DeletedEventsFound && it.folder.distinguished != "calendar" {
		return nil, gone
	}
	if e.kind == occurrenceKind {
		return g.occurrenceOn(it, e.day)
	}
	return g.viewOf(it), nil
}

// The formats of translateExchangeIds.
const (
	formatEntry       = "entryid"
	formatEWS         = "ewsid"
	formatSteadyEntry = "immutableentryid"
	formatREST        = "restid"
	formatSteadyREST  = "restimmutableentryid"
)

// writeID writes an id in one of the formats.
func writeID(e entryID, format string) string {
	switch format {
	case formatEWS:
		return e.String()
	case formatREST:
		return graphID(e, false)
	case formatSteadyREST:
		return graphID(e, true)
	}
	head := entryHead
	if format == formatSteadyEntry {
		head = steadyHead
	}
	raw, _ := base64.StdEncoding.DecodeString(e.String()) // made by String
	return urlSafe(append(append([]byte{}, head...), raw[len(idHead):]...))
}

// readID reads an id in one of the formats.
func readID(text, format string) (e entryID, err error) {
	switch format {
	case formatEWS:
		e, err = parseID(text)
		return e, err
	case formatREST, formatSteadyREST:
		e, immutable, err := readGraphID(text)
		if err == nil && immutable != (format == formatSteadyREST) {
			err = graphFail(http.StatusBadRequest, "ErrorInvalidIdMalformed", "Id is malformed.")
		}
		return e, err
	}
	head := entryHead
	if format == formatSteadyEntry {
		head = steadyHead
	}
	raw, ok := readURLSafe(text)
	rest, found := strings.CutPrefix(string(raw), string(head))
	if !ok || !found {
		return e, fail("ErrorInvalidIdMalformed", "Id is malformed.")
	}
	return parseID(base64.StdEncoding.EncodeToString(append(append([]byte{}, idHead...), rest...)))
}

// urlSafe is base64 with - and _, and the number of padding characters instead of them, as translateExchangeIds has it.
func urlSafe(raw []byte) string {
	text := base64.URLEncoding.EncodeToString(raw)
	bare := strings.TrimRight(text, "=")
	return bare + string(rune('0'+len(text)-len(bare)))
}

func readURLSafe(text string) ([]byte, bool) {
	if text == "" {
		return nil, false
	}
	pad := text[len(text)-1]
	if pad < '0' || pad > '2' {
		return nil, false
	}
	raw, err := base64.URLEncoding.DecodeString(text[:len(text)-1] + strings.Repeat("=", int(pad-'0')))
	return raw, err == nil
}

// translateIDs answers translateExchangeIds.
func (g *graphCall) translateIDs() (graphReply, error) {
	var in struct {
		InputIDs     []string `json:"inputIds"`
		SourceIDType string   `json:"sourceIdType"`
		TargetIDType string   `json:"targetIdType"`
	}
	if err := g.decode(&in); err != nil {
		return graphReply{}, err
	}
	known := map[string]bool{formatEntry: true, formatEWS: true, formatSteadyEntry: true, formatREST: true, formatSteadyREST: true}
	from, to := strings.ToLower(in.SourceIDType), strings.ToLower(in.TargetIDType)
	if !known[from] || !known[to] || len(in.InputIDs) == 0 || len(in.InputIDs) > 1000 {
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "inputIds must hold 1 to 1000 ids, and both formats be known ones.")
	}
	if g.graphs.quirks.NoTranslation {
		return graphReply{}, accessDenied()
	}
	value := []any{}
	for _, id := range in.InputIDs {
		result := map[string]any{"sourceId": id}
		if made, err := g.translate(id, from, to); err != nil {
			e := asGraph(err)
			result["errorDetails"] = map[string]any{"code": e.code, "message": e.text}
		} else {
			result["targetId"] = made
		}
		value = append(value, result)
	}
	return graphReply{status: http.StatusOK, body: map[string]any{
		"@odata.context": g.base + "/$metadata#Collection(microsoft.graph.convertIdResult)", "value": value,
	}}, nil
}

func (g *graphCall) translate(id, from, to string) (string, error) {
	e, err := readID(id, from)
	if err != nil {
		return "", err
	}
	it := g.box.itemOf(e, steadyFormat(from))
	if it == nil {
		return "", fail("ErrorItemNotFound", "The specified object was not found in the store.")
	}
	e.number = it.number
	if steadyFormat(to) {
		e.number = it.steady
	}
	return writeID(e, to), nil
}

func steadyFormat(format string) bool {
	return format == formatSteadyEntry || format == formatSteadyREST
}
