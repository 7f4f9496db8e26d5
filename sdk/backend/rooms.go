package backend

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// This file holds what rooms need: their mailboxes are read in full, and invitations in them are answered.

// A Complete backend's Pull heeds PullRequest.Everything. Without it a pull tells in full what bears a marker alone, whatever
// it is asked for.
type Complete interface {
	// PullsEverything reports whether Everything is heeded. It is asked once, after Open.
	PullsEverything() bool
}

// A Responder answers invitations in a mailbox.
type Responder interface {
	// Respond answers the invitation as the mailbox's owner would, and has the server mail the answer to the organizer. One
	// that is answered like this already is left alone: nobody is mailed, and no error reported, so a call whose outcome was
	// lost may be repeated. After Declined the item is gone from the calendar (to Deleted Items); one that is gone is
	// fault.NotFound. What is no invitation to the mailbox (its own item, or an appointment) is fault.Invalid, a meeting that
	// the organizer has called off fault.Conflict.
	Respond(ctx context.Context, r Reaction) error
}

// A Reaction is the answer to one invitation.
type Reaction struct {
	Mailbox Mailbox
	Ref     Ref // of the item; of the series, if Occurrence is set
	// Occurrence is the one occurrence of the series that is answered, as in calendar.OccurrenceException; zero: the item as
	// a whole. One that there is not (any more) is fault.NotFound.
	Occurrence time.Time
	Response   calendar.Response // Accepted, TentativelyAccepted or Declined
	Comment    string            // plain text for the organizer; may be empty
}

// An Answers backend finds what an attendee wrote when it answered an invitation.
type Answers interface {
	// Answer returns the text of the newest answer that attendee, an SMTP address, sent to the organizer m about the item. It is empty
	// if none is to be found or it bore no text. fault.Forbidden where the account may not read the organizer's mail.
	Answer(ctx context.Context, m Mailbox, ref Ref, attendee string) (text string, err error)
}
