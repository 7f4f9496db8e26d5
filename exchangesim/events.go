package exchangesim

import (
	"slices"
	"time"
)

// An event is one thing that happened in a mailbox, as subscribers are told.
type event struct {
	kind      string // CreatedEvent, ModifiedEvent, MovedEvent, CopiedEvent, DeletedEvent
	at        time.Time
	mark      uint64 // watermark
	of        *item  // nil for an event of a folder
	item      string // id; empty for an event of a folder
	key       uint64
	subject   *folder // of an event of a folder
	parent    *folder
	oldItem   string
	oldParent *folder
}

// notify gives a group of events, which belong to one edit, to the subscriptions of the mailbox.
func (b *mailbox) notify(group ...event) {
	for i := range group {
		b.marks++
		group[i].mark = b.marks
	}
	b.expire()
	for _, sub := range b.subs {
		sub.offer(group)
	}
	b.tellGraph(group)
}

// node writes an event of a notification. Change keys in notifications are stubs.
func (e event) node() *node {
	n := el("t:"+e.kind, el("t:Watermark", watermark(e.parent, e.mark)), el("t:TimeStamp", stamp(e.at)))
	stub := attr{"ChangeKey", "AQAAAA=="}
	parent := func(name string, f *folder) *node { return el(name, attr{"Id", f.id}, stub) }
	if e.item != "" {
		n.kids = append(n.kids, el("t:ItemId", attr{"Id", e.item}, attr{"ChangeKey", "DwAAAA=="}))
	} else {
		n.kids = append(n.kids, parent("t:FolderId", e.subject))
	}
	n.kids = append(n.kids, parent("t:ParentFolderId", e.parent))
	if e.oldParent != nil {
		n.kids = append(n.kids, el("t:OldItemId", attr{"Id", e.oldItem}, attr{"ChangeKey", "DwAAAA=="}), parent("t:OldParentFolderId", e.oldParent))
	}
	return n
}

// watermark makes an opaque watermark of a mailbox.
func watermark(f *folder, mark uint64) string { return f.box.watermark(mark) }

func (b *mailbox) watermark(mark uint64) string {
	return b.server.seal(mailboxMark{b.guid, mark})
}

type mailboxMark struct {
	Box  string
	Mark uint64
}

// readWatermark reads a watermark of this mailbox.
func (b *mailbox) readWatermark(text string) (uint64, error) {
	var m mailboxMark
	if !b.server.unseal(text, &m) || m.Box != b.guid || m.Mark > b.marks {
		return 0, fail("ErrorInvalidWatermark", "The watermark used for creating this subscription was not found.")
	}
	return m.Mark, nil
}

// wants reports whether a subscription asked for an event.
func (sub *subscription) wants(e event) bool {
	if sub.types&maskOf(e.kind) == 0 {
		return false
	}
	if sub.everywhere {
		return true
	}
	for _, f := range []*folder{e.subject, e.parent, e.oldParent} {
		if f != nil && slices.Contains(sub.folders, f) {
			return true
		}
	}
	return false
}

// offer queues those events of a group that the subscription wants.
func (sub *subscription) offer(group []event) {
	var wanted []event
	for _, e := range group {
		if sub.wants(e) {
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		return
	}
	sub.queue = append(sub.queue, wanted)
	switch {
	case sub.push != nil:
		sub.server.undelivered++
		sub.server.wakePush(sub)
	case sub.stream != nil:
		sub.stream.wake()
	}
}
