package backend

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// MaxFreeBusy is the longest span that FreeBusy is asked for: Exchange looks no further.
const MaxFreeBusy = 62 * 24 * time.Hour

// A FreeBusy backend tells when people and rooms are busy, also those whose calendars it may not open.
type FreeBusy interface {
	// FreeBusy asks on behalf of m when the mailboxes of the given addresses are busy from from until before to, at most
	// MaxFreeBusy. There is one answer for each address, in their order; what the server says of one of them alone, above
	// all that it has no such mailbox (fault.MailboxNotFound), is that answer's Err.
	FreeBusy(ctx context.Context, m Mailbox, addresses []string, from, to time.Time) ([]Availability, error)
}

// An Availability is when one mailbox is busy, or why that is not known.
type Availability struct {
	Address string // as it was asked for
	// Busy are the times of which something is known, by Start; they may overlap, begin before the span and end after it. A
	// time that none of them covers is free. Where the server tells of blocks of time alone, those are what is here.
	Busy []BusyTime
	Err  error
}

// A BusyTime is one appointment in an Availability. What it is about is told as far as m may see it, and never of a private one.
type BusyTime struct {
	Start, End time.Time // in UTC; End is exclusive
	// Busy is never calendar.BusyUnspecified; calendar.Free is an appointment that is shown as free.
	Busy              calendar.Busy
	Subject, Location string
	Private           bool
}

// A GroupExpander knows who is in a distribution group.
type GroupExpander interface {
	// Members returns who belongs to the group with this address, on behalf of m: those of groups within it too, and not
	// those groups; one that cannot be looked into is told as a member of its own. Everybody is told once. fault.NotFound if the address is no group's, or if there is nothing at this address.
	Members(ctx context.Context, m Mailbox, group string) ([]calendar.Address, error)
}
