package ics

import (
	"strings"

	"github.com/emersion/go-ical"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// scheduleAgent says who tells an attendee of the event (RFC 6638 7.1): the server, which is also meant where it is missing, or
// the client, which here means nobody.
const scheduleAgent = "SCHEDULE-AGENT"

// addressOf returns whom an ATTENDEE or ORGANIZER means; without an address where the server names people otherwise and gives
// no EMAIL.
func addressOf(p *ical.Prop) calendar.Address {
	a := calendar.Address{Name: p.Params.Get("CN"), Email: p.Params.Get("EMAIL")}
	if scheme, rest, ok := strings.Cut(p.Value, ":"); ok && strings.EqualFold(scheme, "mailto") {
		a.Email = rest
	}
	a.Email = strings.TrimSpace(a.Email)
	if strings.EqualFold(a.Name, a.Email) {
		a.Name = ""
	}
	return a
}

// attendees returns those who are invited and have an address. The organizer, whom many programs list among them, is none.
func attendees(c *ical.Component, organizer string) []calendar.Attendee {
	var out []calendar.Attendee
	for i := range c.Props.Values(ical.PropAttendee) {
		p := &c.Props[ical.PropAttendee][i]
		a := calendar.Attendee{Address: addressOf(p), Role: roleOf(p), Response: responseOf(p)}
		if a.Email != "" && !strings.EqualFold(a.Email, organizer) {
			out = append(out, a)
		}
	}
	return out
}

func roleOf(p *ical.Prop) calendar.Role {
	switch strings.ToUpper(p.Params.Get("CUTYPE")) {
	case "ROOM", "RESOURCE":
		return calendar.Resource
	}
	switch strings.ToUpper(p.Params.Get("ROLE")) {
	case "OPT-PARTICIPANT", "NON-PARTICIPANT":
		return calendar.Optional
	}
	return calendar.Required
}

var responseWords = map[calendar.Response]string{
	calendar.NoResponse: "NEEDS-ACTION", calendar.Accepted: "ACCEPTED",
	calendar.TentativelyAccepted: "TENTATIVE", calendar.Declined: "DECLINED",
}

func responseOf(p *ical.Prop) calendar.Response {
	word := strings.ToUpper(p.Params.Get("PARTSTAT"))
	for r, w := range responseWords {
		if w == word {
			return r
		}
	}
	return calendar.NoResponse
}

// setAttendees writes those of the attendees whose kind, people or resources, is in the fields. Who is there already keeps what
// is said of him, his answer above all.
func (w writer) setAttendees(c *ical.Component, e calendar.Event, fields calendar.Fields) {
	ours := func(role calendar.Role) bool {
		if role == calendar.Resource {
			return fields.Has(calendar.FieldResources)
		}
		return fields.Has(calendar.FieldAttendees)
	}
	organizer := ""
	if p := c.Props.Get(ical.PropOrganizer); p != nil {
		organizer = addressOf(p).Email
	}
	var wanted []calendar.Attendee
	for _, a := range e.Attendees {
		if ours(a.Role) && !strings.EqualFold(a.Email, organizer) {
			wanted = append(wanted, a)
		}
	}
	var out []ical.Prop
	there := map[string]bool{}
	for _, p := range c.Props.Values(ical.PropAttendee) {
		now := addressOf(&p).Email
		if now == "" || strings.EqualFold(now, organizer) {
			out = append(out, p) // no attendee that the contract has words for
			continue
		}
		a, found := wantedOf(wanted, now)
		if !found && ours(roleOf(&p)) || there[strings.ToLower(now)] {
			continue
		}
		there[strings.ToLower(now)] = true
		if found && roleOf(&p) != a.Role {
			setRole(&p, a.Role)
		}
		out = append(out, p)
	}
	for _, a := range wanted {
		if !there[strings.ToLower(a.Email)] {
			there[strings.ToLower(a.Email)] = true
			out = append(out, w.attendee(a))
		}
	}
	if len(out) == 0 {
		c.Props.Del(ical.PropAttendee)
		return
	}
	c.Props[ical.PropAttendee] = out
	if c.Props.Get(ical.PropOrganizer) == nil { // an invitation comes from somebody (RFC 5545 3.8.4.3)
		c.Props.Set(organizerProp(e.Organizer, w.owner))
	}
}

func wantedOf(all []calendar.Attendee, email string) (calendar.Attendee, bool) {
	for _, a := range all {
		if strings.EqualFold(a.Email, email) {
			return a, true
		}
	}
	return calendar.Attendee{}, false
}

func (w writer) attendee(a calendar.Attendee) ical.Prop {
	p := ical.NewProp(ical.PropAttendee)
	p.Value = "mailto:" + oneLine.Replace(a.Email)
	if a.Name != "" {
		p.Params.Set("CN", a.Name)
	}
	setRole(p, a.Role)
	p.Params.Set("PARTSTAT", responseWords[a.Response])
	if a.Response == calendar.NoResponse {
		p.Params.Set("RSVP", "TRUE")
	}
	if w.mail == calendar.MailNobody {
		p.Params.Set(scheduleAgent, "CLIENT")
	}
	return *p
}

func setRole(p *ical.Prop, role calendar.Role) {
	cutype, word := "INDIVIDUAL", "REQ-PARTICIPANT"
	switch role {
	case calendar.Optional:
		word = "OPT-PARTICIPANT"
	case calendar.Resource:
		cutype = "RESOURCE"
		if strings.EqualFold(p.Params.Get("CUTYPE"), "ROOM") {
			cutype = "ROOM"
		}
	}
	p.Params.Set("CUTYPE", cutype)
	p.Params.Set("ROLE", word)
}

func organizerProp(a calendar.Address, owner string) *ical.Prop {
	if a.Email == "" {
		a.Email = owner
	}
	p := ical.NewProp(ical.PropOrganizer)
	p.Value = "mailto:" + oneLine.Replace(a.Email)
	if a.Name != "" {
		p.Params.Set("CN", a.Name)
	}
	return p
}

// informs reports whether a server that schedules tells somebody when the object changes or goes.
func (o object) informs() bool {
	for _, c := range o.events() {
		organizer := ""
		if p := c.Props.Get(ical.PropOrganizer); p != nil {
			organizer = addressOf(p).Email
		}
		for _, p := range c.Props.Values(ical.PropAttendee) {
			agent := p.Params.Get(scheduleAgent)
			if (agent == "" || strings.EqualFold(agent, "SERVER")) && (organizer == "" || !strings.EqualFold(addressOf(&p).Email, organizer)) {
				return true
			}
		}
	}
	return false
}

// leaveToServer has the server tell those whom it was kept from telling before.
func leaveToServer(c *ical.Component) {
	for i := range c.Props.Values(ical.PropAttendee) {
		if p := &c.Props[ical.PropAttendee][i]; strings.EqualFold(p.Params.Get(scheduleAgent), "CLIENT") {
			p.Params.Del(scheduleAgent)
		}
	}
}
