package backend

import "context"

// A DriftChecker tells cheaply whether anything has changed in a calendar, so that one in which nothing did need not be read
// in full.
type DriftChecker interface {
	// State returns what stands for the present state of the calendar, opaque to the host, by one request as a rule. If it
	// returns the same again later, nothing was made, changed or deleted in the calendar in between, as far as the server
	// tells. An empty string says nothing, and is equal to none: a change could hide in the moment of the request.
	//
	// since is the mailbox's present cursor, or empty when it is about to be read from the beginning. A protocol without such
	// a state, but with a delta, may return one and the same string whenever the delta since the cursor is empty, as well as
	// for an empty cursor, and a string never used before otherwise. fault.StateExpired when the server no longer knows the
	// cursor.
	State(ctx context.Context, m Mailbox, since Cursor) (string, error)
}
