package exchangesim

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
)

// A syncState is what the opaque SyncState says. It belongs to one folder of one mailbox of one running server.
type syncState struct {
	Box, Folder string
	Epoch       int
	// During the first pass: Upper is the change up to which it goes, Before the arrival that the next page lies before.
	Upper, Before uint64
	// Afterwards: changes after From are new, those up to At were answered.
	From, At uint64
}

// seal makes a state opaque.
func (s *Server) seal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data always can be marshalled
	}
	mac := hmac.New(sha256.New, s.secret)
	_, _ = mac.Write(raw)
	return base64.StdEncoding.EncodeToString(append(mac.Sum(nil)[:16], raw...))
}

// unseal reads what seal made; it reports whether this server made it.
func (s *Server) unseal(text string, v any) bool {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 16 {
		return false
	}
	mac := hmac.New(sha256.New, s.secret)
	_, _ = mac.Write(raw[16:])
	return hmac.Equal(mac.Sum(nil)[:16], raw[:16]) && json.Unmarshal(raw[16:], v) == nil
}

var errSyncState = fail("ErrorInvalidSyncStateData", "The synchronization state data is corrupt or otherwise invalid.")

func (c *call) syncFolderItems() (*node, error) {
	s, err := shapeOf(c.req.child("ItemShape"))
	if err != nil {
		return nil, err
	}
	s.light = true
	limit, err := strconv.Atoi(c.req.child("MaxChangesReturned").value())
	if err != nil || limit < 1 || limit > 512 {
		return nil, fail("ErrorSchemaValidation", "MaxChangesReturned must lie between 1 and 512.")
	}
	refused := func(err error) (*node, error) {
		return response("SyncFolderItems", failure("SyncFolderItems", err, el("m:SyncState"), el("m:IncludesLastItemInRange", "true"))), nil
	}
	f, err := c.targetFolder("SyncFolderId")
	if err != nil {
		if e := asEWS(err); e.code == "ErrorFolderNotFound" {
			err = fail("ErrorSyncFolderNotFound", "The folder to be synchronized could not be found.")
		}
		return refused(err)
	}
	var state syncState
	if text := c.req.child("SyncState").value(); text == "" {
		state = syncState{Box: f.box.guid, Folder: f.id, Epoch: f.box.epoch, Upper: f.box.seq, Before: f.box.seq + 1}
	} else if !c.unseal(text, &state) || state.Box != f.box.guid || state.Folder != f.id || state.Epoch != f.box.epoch {
		return refused(errSyncState)
	}
	ignored := map[string]bool{}
	for _, id := range c.req.child("Ignore").children() {
		ignored[id.attr("Id")] = true
	}
	changes, next, done := c.syncPage(f, state, s, limit, ignored)
	return response("SyncFolderItems", success("SyncFolderItems",
		el("m:SyncState", c.seal(next)), el("m:IncludesLastItemInRange", boolean(done)), changes)), nil
}

// syncPage returns at most limit changes to a folder since a state.
func (c *call) syncPage(f *folder, from syncState, s shape, limit int, ignored map[string]bool) (changes *node, next syncState, done bool) {
	changes, next = el("m:Changes"), from
	if from.Upper > 0 || from.Before > 0 {
		for _, it := range slices.Backward(f.items) { // newest first
			if it.arrived >= next.Before || it.arrived > from.Upper {
				continue
			}
			if len(changes.kids) == limit {
				return changes, next, false
			}
			next.Before = it.arrived
			if !ignored[it.id] {
				changes.kids = append(changes.kids, el("t:Create", s.node(c.viewOf(it))))
			}
		}
		next = syncState{Box: from.Box, Folder: from.Folder, Epoch: from.Epoch, From: from.Upper, At: from.Upper}
		return changes, next, next.At == f.box.seq
	}
	for _, ch := range f.since(from) {
		if len(changes.kids) == limit {
			return changes, next, false
		}
		next.At = ch.at
		if n := c.changeNode(ch, s, from.From); n != nil && !ignored[ch.id] {
			changes.kids = append(changes.kids, n)
		}
	}
	next.From, next.At = f.box.seq, f.box.seq
	return changes, next, true
}

// A folderChange is an item that changed or came, or, without one, an id that went.
type folderChange struct {
	at      uint64
	id      string
	item    *item
	arrived uint64
	grave   tombstone // of what went
}

// since lists the changes to a folder after a state, oldest first.
func (f *folder) since(from syncState) []folderChange {
	var list []folderChange
	for _, it := range f.items {
		if it.changed > from.At {
			list = append(list, folderChange{it.changed, it.id, it, it.arrived, tombstone{}})
		}
	}
	for _, t := range f.gone {
		if t.left > from.At {
			list = append(list, folderChange{t.left, t.id, nil, t.arrived, t})
		}
	}
	slices.SortFunc(list, func(a, b folderChange) int { return cmp.Compare(a.at, b.at) })
	return list
}

// changeNode answers one change to a client that knows the folder as it was at change known. What came and went since is
// answered as a deletion all the same, as a page of before may have told of it.
func (c *call) changeNode(ch folderChange, s shape, known uint64) *node {
	switch {
	case ch.item == nil:
		return el("t:Delete", el("t:ItemId", attr{"Id", ch.id}, attr{"ChangeKey", changeKey(0x0f, ch.at)}))
	case ch.arrived > known:
		return el("t:Create", s.node(c.viewOf(ch.item)))
	}
	return el("t:Update", s.node(c.viewOf(ch.item)))
}

func (c *call) syncFolderHierarchy() (*node, error) {
	s, err := shapeOf(c.req.child("FolderShape"))
	if err != nil {
		return nil, err
	}
	refused := func(err error) (*node, error) {
		return response("SyncFolderHierarchy", failure("SyncFolderHierarchy", err, el("m:SyncState"), el("m:IncludesLastFolderInRange", "true"))), nil
	}
	b, err := c.own()
	if err != nil {
		return refused(err)
	}
	top := b.known("root")
	if c.req.child("SyncFolderId") != nil {
		if top, err = c.targetFolder("SyncFolderId"); err != nil {
			return refused(err)
		}
	}
	state := syncState{Box: top.box.guid, Folder: top.id, Epoch: top.box.epoch}
	if text := c.req.child("SyncState").value(); text != "" {
		var given syncState
		if !c.unseal(text, &given) || given.Box != state.Box || given.Folder != state.Folder || given.Epoch != state.Epoch {
			return refused(errSyncState)
		}
		state = given
	}
	changes := el("m:Changes")
	for _, f := range top.box.all() {
		switch {
		case !f.under(top) || f.changed <= state.At:
		case f.arrived > state.At:
			changes.kids = append(changes.kids, el("t:Create", c.folderNode(f, s)))
		default:
			changes.kids = append(changes.kids, el("t:Update", c.folderNode(f, s)))
		}
	}
	for _, t := range top.box.removed {
		if t.left > state.At && t.arrived <= state.At {
			changes.kids = append(changes.kids, el("t:Delete", el("t:FolderId", attr{"Id", t.id})))
		}
	}
	state.At = top.box.hierarch
	return response("SyncFolderHierarchy", success("SyncFolderHierarchy",
		el("m:SyncState", c.seal(state)), el("m:IncludesLastFolderInRange", "true"), changes)), nil
}
