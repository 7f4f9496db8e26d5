package exchangesim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Answer is what an attendee, or a room's attendant, sent to the organizer of a meeting.
type Answer struct {
	From       string    `json:"from"`
	To         string    `json:"to"`
	Response   string    `json:"response"` // Accept, Tentative or Decline
	Text       string    `json:"text"`
	Subject    string    `json:"subject"` // of the meeting
	UID        string    `json:"uid"`
	Occurrence time.Time `json:"occurrence,omitzero"` // by the pattern, of an answer about one occurrence alone
	Held       bool      `json:"held"`                // it has not arrived yet
	At         time.Time `json:"at,omitzero"`
}

// An answer is an Answer on its way.
type answer struct {
	from      *Person
	organizer Attendee
	uid       string
	original  time.Time // of one occurrence; zero: the whole
	response  string
	text      string
	subject   string
	sequence  int // of the meeting, as it was answered
	record    int // its place in Server.answers
}

func (a answer) with(response, text string) answer {
	a.response, a.text = response, text
	return a
}

// replies are the answers that were sent. They are guarded by the server's lock.
type replies struct {
	sent    []Answer
	holding bool
	held    []answer
}

// Answers returns every answer sent to organizers so far, those that are held back too.
func (s *Server) Answers() []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.replies.sent)
}

// HoldAnswers lets answers to invitations wait on their way to the organizers. In their own calendars those who answered have
// done so.
func (s *Server) HoldAnswers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies.holding = true
}

// ReleaseAnswers has all answers that were held back arrive, in the order in which they were sent, and holds back no more. It
// returns how many there were.
func (s *Server) ReleaseAnswers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.replies.held
	s.replies.held, s.replies.holding = nil, false
	for _, a := range list {
		s.replies.sent[a.record].Held = false
		s.callOf(a.from).deliver(a)
	}
	return len(list)
}

// callOf is a call that a person makes in a program on the server.
func (s *Server) callOf(p *Person) *call {
	return &call{Server: s, edition: everywhere, caller: p, actor: p, zoneID: p.TimeZone, now: s.now()}
}

// reply sends an answer.
func (c *call) reply(a answer) {
	a.record = len(c.replies.sent)
	c.replies.sent = append(c.replies.sent, Answer{
		From: a.from.Address, To: a.organizer.Address, Response: a.response, Text: a.text, Subject: a.subject, UID: a.uid,
		Occurrence: a.original, Held: c.replies.holding, At: c.now,
	})
	if c.replies.holding {
		c.replies.held = append(c.replies.held, a)
		return
	}
	c.deliver(a)
}

// deliver brings an answer to the organizer: into the Inbox, and into the meeting, unless that has moved on or does not invite
// who answers any more. An answer about one occurrence makes an exception of it.
func (c *call) deliver(a answer) {
	b := c.find(a.organizer.Address)
	if b == nil || b.owner.NoMailbox {
		return
	}
	c.inform(b, a)
	own := b.organized(a.uid)
	if own == nil {
		return
	}
	if a.original.IsZero() || own.recurrence == nil {
		if a.sequence >= own.sequence && own.content.track(a.from.Address, a.response) {
			b.edited(own)
		}
		return
	}
	v, err := c.occurrenceAt(own, a.original)
	if err != nil || a.sequence < v.c.sequence {
		return
	}
	made := v.c.clone()
	if !v.exception {
		made.start, made.end, made.recurrence = v.start, v.end, nil
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
	}
	if made.track(a.from.Address, a.response) {
		own.changes[v.index] = &made
		b.edited(own)
	}
}

// track keeps an attendee's answer. It reports whether that is an attendee.
func (c *content) track(address, response string) bool {
	found := false
	for _, list := range [][]Attendee{c.required, c.optional, c.resources} {
		for i := range list {
			if strings.EqualFold(list[i].Address, address) {
				list[i].Response, found = response, true
			}
		}
	}
	for _, own := range c.changes { // what was answered about the whole holds for what differs in it, too
		own.track(address, response)
	}
	return found
}

// inform puts the mail with an answer into the organizer's Inbox.
func (c *call) inform(b *mailbox, a answer) {
	words := map[string]struct{ class, subject string }{
		"Accept": {"Pos", "Accepted: "}, "Tentative": {"Tent", "Tentative: "}, "Decline": {"Neg", "Declined: "},
	}[a.response]
	it := &item{kind: "MeetingResponse", author: a.from.Name, history: map[string]uint64{}, content: newContent(a.from)}
	it.class = "IPM.Schedule.Meeting.Resp." + words.class
	it.subject, it.body, it.uid, it.reminderSet = words.subject+a.subject, body{"Text", exchangeLines(a.text)}, a.uid, false
	b.add(b.known("inbox"), it)
}

// organized finds the meeting with that UID which the mailbox's owner has called.
func (b *mailbox) organized(uid string) *item {
	for _, o := range b.known("calendar").items {
		if !o.received && o.uid == uid && o.kind == "CalendarItem" {
			return o
		}
	}
	return nil
}

// answerMeeting answers an invitation, or one occurrence of it. What is declined goes to Deleted Items, or out of its series.
func (c *call) answerMeeting(v *view, response, text string, mail bool) {
	it, b := v.it, v.it.box
	busy := map[string]string{"Accept": "Busy", "Tentative": "Tentative"}[response]
	a := answer{
		from: b.owner, organizer: it.organizer, uid: it.uid, response: response, text: text, subject: v.c.subject, sequence: v.c.sequence,
		original: it.original,
	}
	switch {
	case v.index > 0 && response == "Decline":
		a.original = v.original
		delete(it.changes, v.index)
		it.cancels[v.index] = true
		b.edited(it)
	case v.index > 0:
		a.original = v.original
		made := v.c.clone()
		if !v.exception {
			made.start, made.end, made.recurrence = v.start, v.end, nil
			made.changes, made.cancels = map[int]*content{}, map[int]bool{}
		}
		made.response, made.busy, made.replied = response, busy, c.now
		it.changes[v.index] = &made
		b.edited(it)
	case response == "Decline":
		it.response, it.replied = response, c.now
		b.move(it, b.known("deleteditems"))
	default:
		it.response, it.busy, it.replied = response, busy, c.now
		for _, own := range it.changes {
			own.response, own.busy, own.replied = response, busy, c.now
		}
		b.edited(it)
	}
	if mail {
		c.reply(a)
	}
}

// Answer answers a meeting that the person was invited to, or the one occurrence of it that the pattern has start at original, with
// a text: Accept, Tentative or Decline.
func (o *Outlook) Answer(id string, original time.Time, response, text string) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		if !it.received || !slices.Contains([]string{"Accept", "Tentative", "Decline"}, response) {
			return fmt.Errorf("%s cannot answer the meeting with %q: the person is its organizer or the answer is unknown", o.address, response)
		}
		v := c.viewOf(it)
		if !original.IsZero() {
			if it.recurrence == nil {
				return fmt.Errorf("%q is no series", it.subject)
			}
			if v, err = c.occurrenceAt(it, original); err != nil {
				return err
			}
		}
		c.answerMeeting(v, response, text, true)
		return nil
	})
}
