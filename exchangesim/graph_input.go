package exchangesim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// decode reads the JSON body of a request.
func (g *graphCall) decode(v any) error {
	if err := json.Unmarshal(g.body, v); err != nil {
		return graphFail(http.StatusBadRequest, "BadRequest",
			"Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}

// A graphEdit is a change to an event on behalf of a request to Graph.
type graphEdit struct {
	edit
	g          *graphCall
	given      map[string]bool
	startClock time.Duration // the time of day in what was sent
	endClock   time.Duration
	goOnline   bool
	rewritten  bool // the recurrence is another one
}

// A graphSetter takes over one property; raw is never null.
type graphSetter func(e *graphEdit, raw json.RawMessage) error

// readOnly are the properties that a client may send, to no effect.
var readOnly = []string{
	"id", "changeKey", "createdDateTime", "lastModifiedDateTime", "iCalUId", "bodyPreview", "hasAttachments", "isCancelled", "isDraft",
	"isOrganizer", "organizer", "originalStart", "originalStartTimeZone", "originalEndTimeZone", "seriesMasterId", "type", "webLink",
	"onlineMeeting", "onlineMeetingUrl", "onlineMeetingProvider", "responseStatus", "cancelledOccurrences", "transactionId", "hideAttendees",
	"calendar", "exceptionOccurrences", "instances",
}

// quiet are the properties whose change attendees are not told of.
var quiet = []string{
	"reminderMinutesBeforeStart", "isReminderOn", "categories", "singleValueExtendedProperties", "multiValueExtendedProperties",
}

// into decodes a property onto where it is kept.
func into[T any](where func(*graphEdit) *T) graphSetter {
	return func(e *graphEdit, raw json.RawMessage) error {
		return json.Unmarshal(raw, where(e))
	}
}

// oneOf takes over a word of Graph's as EWS has it.
func oneOf(where func(*graphEdit) *string, words map[string]string) graphSetter {
	return func(e *graphEdit, raw json.RawMessage) error {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		for own, word := range words {
			if strings.EqualFold(word, text) {
				*where(e) = own
				return nil
			}
		}
		return fmt.Errorf("'%s' is not one of its values", text)
	}
}

// graphSetters are the properties that can be set.
func graphSetters() map[string]graphSetter {
	same := func(words ...string) map[string]string {
		table := map[string]string{}
		for _, w := range words {
			table[w] = w
		}
		return table
	}
	return map[string]graphSetter{
		"subject":                       into(func(e *graphEdit) *string { return &e.subject }),
		"categories":                    into(func(e *graphEdit) *[]string { return &e.categories }),
		"isAllDay":                      into(func(e *graphEdit) *bool { return &e.allDay }),
		"isReminderOn":                  into(func(e *graphEdit) *bool { return &e.reminderSet }),
		"reminderMinutesBeforeStart":    into(func(e *graphEdit) *int { return &e.reminder }),
		"responseRequested":             into(func(e *graphEdit) *bool { return &e.responseRequested }),
		"allowNewTimeProposals":         into(func(e *graphEdit) *bool { return &e.newTimeAllowed }),
		"isOnlineMeeting":               into(func(e *graphEdit) *bool { return &e.goOnline }),
		"importance":                    oneOf(func(e *graphEdit) *string { return &e.importance }, same("Low", "Normal", "High")),
		"sensitivity":                   oneOf(func(e *graphEdit) *string { return &e.sensitivity }, same("Normal", "Personal", "Private", "Confidential")),
		"showAs":                        oneOf(func(e *graphEdit) *string { return &e.busy }, graphShowAs),
		"start":                         (*graphEdit).setStart,
		"end":                           (*graphEdit).setEnd,
		"body":                          (*graphEdit).setBody,
		"location":                      (*graphEdit).setLocation,
		"locations":                     (*graphEdit).setLocations,
		"attendees":                     (*graphEdit).setAttendees,
		"recurrence":                    (*graphEdit).setRecurrence,
		"singleValueExtendedProperties": (*graphEdit).setSingle,
		"multiValueExtendedProperties":  (*graphEdit).setMulti,
	}
}

// take reads the body of a POST or PATCH onto the edit.
func (e *graphEdit) take(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return (&graphCall{}).decode(&fields)
	}
	setters := e.g.graphs.setters
	e.given = map[string]bool{}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names) // the body comes before isOnlineMeeting
	for _, name := range names {
		set, ok := setters[name]
		switch {
		case slices.Contains(readOnly, name) || strings.Contains(name, "@odata."):
		case !ok:
			return graphFail(http.StatusBadRequest, "RequestBodyRead",
				"The property '%s' does not exist on type 'microsoft.graph.event'. Make sure to only use property names that are defined by the type.", name)
		case bytes.Equal(fields[name], []byte("null")):
			e.given[name] = true
			e.clear(name)
		default:
			e.given[name] = true
			if err := set(e, fields[name]); err != nil {
				return e.refuse(name, err)
			}
		}
	}
	return nil
}

// refuse gives the reason why a property cannot be taken over the form of Graph.
func (e *graphEdit) refuse(name string, err error) error {
	var own *graphError
	var ews *ewsError
	if errors.As(err, &own) || errors.As(err, &ews) {
		return err
	}
	return graphFail(http.StatusBadRequest, "ErrorInvalidRequest", "The property '%s' is invalid: %v.", name, err)
}

// clear is what null does.
func (e *graphEdit) clear(name string) {
	switch name {
	case "subject":
		e.subject = ""
	case "categories":
		e.categories = nil
	case "location", "locations":
		e.location = ""
	case "body":
		e.body = body{kind: "Text"}
	case "attendees":
		e.required, e.optional, e.resources = nil, nil, nil
	case "recurrence":
		e.rewritten = e.recurrence != nil
		e.recurrence = nil
	}
}

func (e *graphEdit) setStart(raw json.RawMessage) error {
	var t graphTime
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	var err error
	e.start, e.startZone, e.startClock, err = t.read()
	return err
}

func (e *graphEdit) setEnd(raw json.RawMessage) error {
	var t graphTime
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	var err error
	e.end, e.endZone, e.endClock, err = t.read()
	return err
}

func (e *graphEdit) setBody(raw json.RawMessage) error {
	var b struct {
		ContentType string `json:"contentType"`
		Content     string `json:"content"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return err
	}
	if strings.EqualFold(b.ContentType, "html") {
		e.body = body{"HTML", b.Content}
	} else {
		e.body = body{"Text", exchangeLines(b.Content)}
	}
	return nil
}

type graphPlace struct {
	DisplayName string `json:"displayName"`
}

func (e *graphEdit) setLocation(raw json.RawMessage) error {
	var p graphPlace
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	e.location = p.DisplayName
	return nil
}

func (e *graphEdit) setLocations(raw json.RawMessage) error {
	var list []graphPlace
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	var names []string
	for _, p := range list {
		names = append(names, p.DisplayName)
	}
	e.location = strings.Join(names, "; ")
	return nil
}

func (e *graphEdit) setAttendees(raw json.RawMessage) error {
	var list []struct {
		Type         string `json:"type"`
		EmailAddress struct {
			Name    string `json:"name"`
			Address string `json:"address"`
		} `json:"emailAddress"`
		Status struct {
			Response string `json:"response"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	e.required, e.optional, e.resources = nil, nil, nil
	for _, a := range list {
		made := Attendee{Name: a.EmailAddress.Name, Address: a.EmailAddress.Address, Response: map[string]string{
			"accepted": "Accept", "tentativelyAccepted": "Tentative", "declined": "Decline",
		}[a.Status.Response]}
		if made.Address == "" {
			return graphFail(http.StatusBadRequest, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
		}
		if b := e.g.find(made.Address); b != nil && made.Name == "" {
			made.Name = b.owner.Name
		}
		switch strings.ToLower(a.Type) {
		case "optional":
			e.optional = append(e.optional, made)
		case "resource":
			e.resources = append(e.resources, made)
		default:
			e.required = append(e.required, made)
		}
	}
	return nil
}

func (e *graphEdit) setSingle(raw json.RawMessage) error {
	var list []struct {
		ID    string  `json:"id"`
		Value *string `json:"value"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, p := range list {
		var values []string
		if p.Value != nil {
			values = []string{*p.Value}
		}
		if err := e.setProperty(p.ID, values); err != nil {
			return err
		}
	}
	return nil
}

func (e *graphEdit) setMulti(raw json.RawMessage) error {
	var list []struct {
		ID    string   `json:"id"`
		Value []string `json:"value"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, p := range list {
		if err := e.setProperty(p.ID, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// setProperty stores an extended property as EWS would; no values remove it.
func (e *graphEdit) setProperty(id string, values []string) error {
	p, err := readProperty(id)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		delete(e.props, p.key)
		return nil
	}
	made := property{kind: p.kind, values: values}
	if err := made.check(); err != nil {
		return graphFail(http.StatusBadRequest, "ErrorInvalidProperty", "The value of the extended property '%s' does not fit its type.", id)
	}
	e.props[p.key] = made
	return nil
}

// times checks what Graph demands of all-day events, where a time is set.
func (e *graphEdit) times() error {
	if !e.allDay || !e.given["start"] && !e.given["end"] && !e.given["isAllDay"] {
		return nil
	}
	bad := func(format string, args ...any) error {
		return graphFail(http.StatusBadRequest, "ErrorInvalidRequest", format, args...)
	}
	for _, t := range []struct {
		name, zone string
		at         time.Time
		clock      time.Duration
	}{{"start", e.startZone, e.start, e.startClock}, {"end", e.endZone, e.end, e.endClock}} {
		if !e.given[t.name] {
			t.clock = t.at.Sub(midnight(t.at, mustZone(t.zone), false))
		}
		if t.clock != 0 && !t.at.Equal(midnight(t.at, mustZone(t.zone), false)) {
			return bad("The Event.%s property for an all-day event needs to be set to midnight.", strings.ToUpper(t.name[:1])+t.name[1:])
		}
	}
	switch {
	case e.startZone != e.endZone:
		return bad("The Event.Start and Event.End properties of an all-day event need to have the same time zone.")
	case e.end.Sub(e.start) < 23*time.Hour:
		return bad("The duration of an event marked as All day must be at least 24 hours.")
	}
	return nil
}

// online makes the event an online meeting if that was asked for, and none any more if the body lost what was appended to it.
func (e *graphEdit) online(it string) {
	p, was := e.props[joinURLKey]
	switch {
	case e.goOnline && !was:
		e.content.goOnline(it)
	case was && e.given["body"] && len(p.values) > 0 && !strings.Contains(e.body.text, p.values[0]):
		delete(e.props, joinURLKey)
	}
}

func (e *graphEdit) setRecurrence(raw json.RawMessage) error {
	var in struct {
		Pattern struct {
			Type           string   `json:"type"`
			Interval       int      `json:"interval"`
			DaysOfWeek     []string `json:"daysOfWeek"`
			FirstDayOfWeek string   `json:"firstDayOfWeek"`
			DayOfMonth     int      `json:"dayOfMonth"`
			Month          int      `json:"month"`
			Index          string   `json:"index"`
		} `json:"pattern"`
		Range struct {
			Type                string `json:"type"`
			StartDate           string `json:"startDate"`
			EndDate             string `json:"endDate"`
			NumberOfOccurrences int    `json:"numberOfOccurrences"`
		} `json:"range"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	title := func(word string) string {
		if word == "" {
			return ""
		}
		return strings.ToUpper(word[:1]) + word[1:]
	}
	p := in.Pattern
	r := &Recurrence{Pattern: title(p.Type), Interval: p.Interval, FirstDay: title(p.FirstDayOfWeek), Start: in.Range.StartDate}
	patterns := []string{"Daily", "Weekly", "AbsoluteMonthly", "RelativeMonthly", "AbsoluteYearly", "RelativeYearly"}
	for _, d := range p.DaysOfWeek {
		r.Days = append(r.Days, title(strings.ToLower(d)))
	}
	if strings.HasPrefix(r.Pattern, "Absolute") {
		r.Day = p.DayOfMonth
	}
	if strings.HasPrefix(r.Pattern, "Relative") {
		r.Index = title(p.Index)
	}
	if strings.HasSuffix(r.Pattern, "Yearly") && p.Month >= 1 && p.Month <= 12 {
		r.Month = months[p.Month-1]
	}
	ranged := true
	switch in.Range.Type {
	case "endDate":
		r.End = in.Range.EndDate
		ranged = r.End != ""
	case "numbered":
		r.Count = in.Range.NumberOfOccurrences
		ranged = r.Count > 0
	case "noEnd":
	default:
		ranged = false
	}
	weekly := r.Pattern == "Weekly" || strings.HasPrefix(r.Pattern, "Relative")
	absolute := strings.HasPrefix(r.Pattern, "Absolute")
	if !slices.Contains(patterns, r.Pattern) || r.Interval < 1 || !ranged || weekly && len(r.Days) == 0 || absolute && r.Day < 1 || r.Start == "" {
		return graphFail(http.StatusBadRequest, "ErrorPropertyValidationFailure", "The recurrence pattern is not valid.")
	}
	e.rewritten = e.recurrence == nil || !sameSeries(*e.recurrence, *r)
	e.recurrence = r
	return nil
}

// sameSeries reports whether two recurrences are one.
func sameSeries(a, b Recurrence) bool {
	plain := func(r Recurrence) string {
		if r.FirstDay == "" {
			r.FirstDay = "Sunday"
		}
		slices.Sort(r.Days)
		return fmt.Sprint(r)
	}
	a.Days, b.Days = slices.Clone(a.Days), slices.Clone(b.Days)
	return plain(a) == plain(b)
}
