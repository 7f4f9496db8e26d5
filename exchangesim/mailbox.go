package exchangesim

import (
	"slices"
	"time"
)

// A mailbox holds one person's folders and items. All of it is guarded by the server's lock.
type mailbox struct {
	server   *Server
	owner    *Person
	guid     string
	numbers  uint64           // the last number given to an item or folder
	seq      uint64           // the last change to an item
	hierarch uint64           // the last change to a folder
	epoch    int              // sync states of earlier epochs are refused
	articles int              // the last article number (property tag 0xe23)
	marks    uint64           // the last watermark
	folders  []*folder        // those that were made so far; all returns every one
	items    map[string]*item // nil while there was none
	steady   map[uint64]*item // the same by the number in the immutable id
	graph    *graphBox        // what only Graph knows of the mailbox; nil while there is nothing
	removed  []tombstone      // of folders
	subs     []*subscription
}

// A folder is one folder of a mailbox.
type folder struct {
	box           *mailbox
	id            string
	parent        *folder
	name, class   string
	distinguished string              // such as calendar; empty for folders made by people
	props         map[string]property // nil while there was none
	key           uint64
	arrived       uint64 // change of the hierarchy with which it came
	changed       uint64
	created       time.Time
	committed     time.Time // when something in it was made or changed last
	deleted       int       // how many items have left it, ever
	items         []*item   // oldest first
	gone          []tombstone
}

// A tombstone remembers what left a folder, for SyncFolderItems.
type tombstone struct {
	id            string
	steady        uint64
	series        *item // of which it is, if it is one's
	arrived, left uint64
}

// newMailbox makes a mailbox. Its folders come into being when they are asked for: most people's never are.
func newMailbox(s *Server, owner *Person) *mailbox {
	return &mailbox{
		server: s, owner: owner, guid: guidOf(owner.Address), epoch: 1,
		numbers: firstNumber + 2*uint64(len(standardFolders)), hierarch: uint64(len(standardFolders)),
	}
}

func (b *mailbox) number() uint64 {
	b.numbers++
	return b.numbers
}

// addFolder makes a folder that a person wants.
func (b *mailbox) addFolder(parent *folder, name, class string) *folder {
	b.hierarch++
	f := &folder{
		box: b, parent: parent, name: name, class: class,
		id:      entryID{box: b.guid, kind: folderKind, number: b.number()}.String(),
		key:     b.number(),
		arrived: b.hierarch, changed: b.hierarch,
		created: b.server.now(),
	}
	b.folders = append(b.folders, f)
	return f
}

// removeFolder removes a folder with all in it for good.
func (b *mailbox) removeFolder(f *folder) {
	for _, k := range b.children(f) {
		b.removeFolder(k)
	}
	for len(f.items) > 0 {
		b.remove(f.items[0])
	}
	b.hierarch++
	b.removed = append(b.removed, tombstone{id: f.id, arrived: f.arrived, left: b.hierarch})
	b.folders = slices.DeleteFunc(b.folders, func(o *folder) bool { return o == f })
	b.notify(event{kind: "DeletedEvent", at: b.server.now(), subject: f, parent: f.parent}, b.folderModified(f.parent))
}

// children returns the folders directly in f.
func (b *mailbox) children(f *folder) []*folder {
	var found []*folder
	for _, k := range b.all() {
		if k.parent == f {
			found = append(found, k)
		}
	}
	return found
}

// under reports whether f lies in top, at any depth.
func (f *folder) under(top *folder) bool {
	for p := f.parent; p != nil; p = p.parent {
		if p == top {
			return true
		}
	}
	return false
}

// add puts a new item into a folder, and tells subscribers.
func (b *mailbox) add(f *folder, it *item) {
	now := b.server.now()
	it.box, it.created, it.modified = b, now, now
	b.arrive(f, it)
	b.notify(event{kind: "CreatedEvent", at: now, of: it, item: it.id, key: it.key, parent: f}, b.folderModified(f))
}

// arrive gives an item the id it has in a folder.
func (b *mailbox) arrive(f *folder, it *item) {
	b.seq++
	b.articles++
	it.number = b.number()
	it.id = entryID{box: b.guid, kind: itemKind, number: it.number}.String()
	if it.steady == 0 {
		it.steady = it.number
	}
	it.folder, it.arrived, it.changed, it.article = f, b.seq, b.seq, b.articles
	it.key = b.number()
	f.items = append(f.items, it)
	f.committed = b.server.now()
	if b.items == nil {
		b.items, b.steady = map[string]*item{}, map[uint64]*item{}
	}
	b.items[it.id], b.steady[it.steady] = it, it
	f.key = b.number()
}

// edited gives a changed item a new change key, and tells subscribers, as Exchange does, more than once.
func (b *mailbox) edited(it *item) {
	b.bump(it)
	modified := event{kind: "ModifiedEvent", at: it.modified, of: it, item: it.id, key: it.key, parent: it.folder}
	b.notify(modified, modified, b.folderModified(it.folder))
}

// touch changes an item's change key without a change to its content: the server's own assistants do so after a write.
func (b *mailbox) touch(it *item) {
	b.bump(it)
	b.notify(event{kind: "ModifiedEvent", at: it.modified, of: it, item: it.id, key: it.key, parent: it.folder}, b.folderModified(it.folder))
}

func (b *mailbox) bump(it *item) {
	b.seq++
	b.articles++
	it.changed, it.article, it.key, it.modified = b.seq, b.articles, b.number(), b.server.now()
	it.folder.key = b.number()
	it.folder.committed = it.modified
}

// leave takes an item out of its folder.
func (b *mailbox) leave(it *item) {
	f := it.folder
	b.seq++
	grave := tombstone{id: it.id, steady: it.steady, arrived: it.arrived, left: b.seq}
	if it.recurrence != nil || it.former != nil {
		grave.series = it.clone()
	}
	f.gone = append(f.gone, grave)
	f.deleted++
	f.items = slices.DeleteFunc(f.items, func(o *item) bool { return o == it })
	f.key = b.number()
	delete(b.items, it.id)
	delete(b.steady, it.steady)
}

// remove deletes an item for good.
func (b *mailbox) remove(it *item) {
	b.leave(it)
	b.notify(event{kind: "DeletedEvent", at: b.server.now(), of: it, item: it.id, key: it.key, parent: it.folder}, b.folderModified(it.folder))
}

// move puts an item into another folder, where it has another id.
func (b *mailbox) move(it *item, to *folder) {
	from, old := it.folder, it.id
	b.leave(it)
	b.arrive(to, it)
	it.modified = b.server.now()
	b.notify(event{kind: "MovedEvent", at: it.modified, of: it, item: it.id, key: it.key, parent: to, oldItem: old, oldParent: from},
		b.folderModified(from), b.folderModified(to))
}

// copyTo makes a copy in another folder.
func (b *mailbox) copyTo(it *item, to *folder) *item {
	made := it.clone()
	now := b.server.now()
	made.box, made.modified, made.steady, made.transaction, made.request = b, now, 0, "", ""
	b.arrive(to, made)
	b.notify(event{kind: "CopiedEvent", at: now, of: made, item: made.id, key: made.key, parent: to, oldItem: it.id, oldParent: it.folder}, b.folderModified(to))
	return made
}

func (b *mailbox) folderModified(f *folder) event {
	return event{kind: "ModifiedEvent", at: b.server.now(), subject: f, parent: f.parent}
}
