package booking

import (
	"strings"
	"time"
)

// AnswerState is what somebody invited, or a room, has answered.
type AnswerState string

// The answers.
const (
	AnswerPending   AnswerState = "pending"
	AnswerAccepted  AnswerState = "accepted"
	AnswerTentative AnswerState = "tentative"
	AnswerDeclined  AnswerState = "declined"
)

// An Answer is that of one attendee or room.
type Answer struct {
	Email    string // in lower case
	Resource string // id of the room; empty for people
	State    AnswerState
	Reason   string    // what it wrote, or what is known of why; may be empty
	At       time.Time // when the hub learnt of it
	// Occurrences are those of a series that a room declined by themselves, when the rule has them start, in order. State is
	// what it answered to the rest.
	Occurrences []time.Time
}

// Answer returns what the attendee with this address, in lower case, has answered, and whether anything is known of it.
func (b *Booking) Answer(email string) (Answer, bool) {
	for _, a := range b.Answers {
		if a.Email == email {
			return a, true
		}
	}
	return Answer{}, false
}

// AnswerOf returns what a room of the booking has answered, by whatever address it was asked.
func (b *Booking) AnswerOf(room string) (Answer, bool) {
	for _, a := range b.Answers {
		if a.Resource == room {
			return a, room != ""
		}
	}
	return Answer{}, false
}

// Declined returns the answers of the booking's rooms that declined.
func (b *Booking) Declined() []Answer {
	var out []Answer
	for _, a := range b.Answers {
		if a.Resource != "" && a.State == AnswerDeclined {
			out = append(out, a)
		}
	}
	return out
}

// Invites reports whether an address, whatever its case, is that of an attendee.
func (b *Booking) Invites(email string) bool {
	for _, a := range b.Attendees {
		if strings.EqualFold(a.Email, email) {
			return true
		}
	}
	return false
}
