package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// maxContent is how much of a message its content may be: the rest is for what goes around it.
const maxContent = MaxMessage - 1<<20

// tooLargeCode tells a message that was too large from everything else that is invalid.
const tooLargeCode = "message too large"

// tooLarge is why a message was not sent, or not taken.
func tooLarge(what string) *fault.Error {
	return &fault.Error{
		Kind: fault.Invalid, Code: tooLargeCode,
		Message: fmt.Sprintf("%s is larger than the %d MiB that host and plugin can tell each other; a series with so many exceptions, texts and guests "+
			"has to be made shorter, or several", what, MaxMessage>>20),
	}
}

func isTooLarge(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Code == tooLargeCode
}

// divided returns a page as pages of which each fits into a message of limit bytes. All but the last lead to nowhere beyond since, from
// where the page was read: whoever is cut off after one of them reads all of it again.
func divided(p *roomwirev1.Page, since []byte, limit int) ([]*roomwirev1.Page, error) {
	if proto.Size(p) <= limit {
		return []*roomwirev1.Page{p}, nil
	}
	var parts []*roomwirev1.Page
	begin := func() *roomwirev1.Page {
		part := &roomwirev1.Page{Next: since, Full: p.GetFull()}
		parts = append(parts, part)
		return part
	}
	part, size := begin(), 0
	for _, c := range p.GetChanges() {
		const around = 16 // its tag and length
		n := proto.Size(c) + around
		if n > limit {
			withoutText(c.GetItem())
			n = proto.Size(c) + around
		}
		if n > limit {
			// By its subject it would be known at once, but that is nobody's business in a log.
			begins := c.GetItem().GetEvent().GetStart().AsTime().Format("2006-01-02 15:04 UTC")
			return nil, tooLarge(fmt.Sprintf("the item of the calendar that begins on %s (about %d MiB)", begins, n>>20))
		}
		if size+n > limit {
			part, size = begin(), 0
		}
		part.Changes, size = append(part.Changes, c), size+n
	}
	part.Next, part.Last = p.GetNext(), p.GetLast()
	return parts, nil
}

// withoutText takes the text out of an item, and out of its exceptions. Of all that an item says the text alone has no bounds, and nothing is
// decided by what it says in a calendar.
func withoutText(item *roomwirev1.Item) {
	if item == nil {
		return
	}
	item.Omits |= uint32(calendar.FieldBody)
	ev := item.GetEvent()
	for _, e := range append([]*roomwirev1.Event{ev}, each(ev.GetExceptions(), (*roomwirev1.OccurrenceException).GetEvent)...) {
		if e != nil {
			e.Body = ""
		}
	}
}

// lighter takes the texts out of items each of which is more than a message of limit bytes holds.
func lighter(limit int, items ...*roomwirev1.Item) {
	for _, item := range items {
		if proto.Size(item) > limit {
			withoutText(item)
		}
	}
}

// fitting returns a change to an item without what it was last known to be, which only saves the plugin requests, if it is too large with it.
func fitting(m *roomwirev1.Mutation, limit int) *roomwirev1.Mutation {
	if m.GetKnown() != nil && proto.Size(m) > limit {
		m.Known = nil
	}
	return m
}
