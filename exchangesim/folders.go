package exchangesim

import (
	"strconv"
	"strings"
	"time"
)

// folderByID finds the folder that a FolderId or DistinguishedFolderId names, and checks that the request may open it.
func (c *call) folderByID(n *node) (*folder, error) {
	var f *folder
	switch n.name {
	case "DistinguishedFolderId":
		b, err := c.own()
		if address := n.child("Mailbox", "EmailAddress").value(); address != "" {
			b, err = c.mailboxFor(address)
		}
		if err != nil {
			return nil, err
		}
		if f = b.known(strings.ToLower(n.attr("Id"))); f == nil {
			return nil, fail("ErrorFolderNotFound", "The specified folder could not be found in the store.")
		}
	case "FolderId":
		id, err := parseID(n.attr("Id"))
		if err != nil {
			return nil, err
		}
		if id.kind != folderKind {
			return nil, fail("ErrorCannotUseItemIdForFolderId", "Id must be a folder id.")
		}
		if b := c.byID[id.box]; c.here(b, "") == nil {
			f = b.folderWith(id)
		}
		if f == nil {
			return nil, fail("ErrorFolderNotFound", "The specified folder could not be found in the store.")
		}
	default:
		return nil, fail("ErrorSchemaValidation", "%s does not name a folder.", n.name)
	}
	if !c.mayOpen(f) {
		return nil, fail("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	return f, nil
}

// targetFolder reads an element that holds one folder id, such as ParentFolderId; name says which for the error.
func (c *call) targetFolder(name string) (*folder, error) {
	n := c.req.child(name)
	if len(n.children()) != 1 {
		return nil, fail("ErrorSchemaValidation", "The request needs one folder id in %s.", name)
	}
	return c.folderByID(n.kids[0])
}

func folderID(name string, f *folder) *node {
	return el(name, attr{"Id", f.id}, attr{"ChangeKey", changeKey(0x02, f.key)})
}

// element is the element a folder is answered as.
func (f *folder) element() string {
	switch {
	case strings.HasPrefix(f.class, "IPF.Appointment"):
		return "CalendarFolder"
	case strings.HasPrefix(f.class, "IPF.Contact"):
		return "ContactsFolder"
	case strings.HasPrefix(f.class, "IPF.Task"):
		return "TasksFolder"
	}
	return "Folder"
}

// folderNode answers a folder in a shape.
func (c *call) folderNode(f *folder, s shape) *node {
	n := el("t:"+f.element(), folderID("t:FolderId", f))
	want := func(uri string, from int) bool { return s.base >= from || s.fields["folder:"+uri] }
	if want("ParentFolderId", inAll) && f.parent != nil {
		n.kids = append(n.kids, folderID("t:ParentFolderId", f.parent))
	}
	if want("FolderClass", inAll) && f.class != "" {
		n.kids = append(n.kids, el("t:FolderClass", f.class))
	}
	if want("DisplayName", inDefault) {
		n.kids = append(n.kids, el("t:DisplayName", f.name))
	}
	if want("TotalCount", inDefault) {
		n.kids = append(n.kids, el("t:TotalCount", strconv.Itoa(len(f.items))))
	}
	if want("ChildFolderCount", inDefault) {
		n.kids = append(n.kids, el("t:ChildFolderCount", strconv.Itoa(len(f.box.children(f)))))
	}
	for _, p := range s.extended {
		if value, ok := f.extended(p.key); ok {
			n.kids = append(n.kids, el("t:ExtendedProperty", p.uriNode(), el("t:Value", value.values[0])))
		}
	}
	if want("EffectiveRights", inAll) {
		n.kids = append(n.kids, effectiveRights(true))
	}
	if want("DistinguishedFolderId", inAll) && f.distinguished != "" {
		n.kids = append(n.kids, el("t:DistinguishedFolderId", f.distinguished))
	}
	if e := f.element(); want("UnreadCount", inDefault) && (e == "Folder" || e == "TasksFolder") {
		n.kids = append(n.kids, el("t:UnreadCount", "0"))
	}
	return n
}

// extended returns an extended property of a folder.
func (f *folder) extended(key string) (property, bool) {
	if p, ok := f.props[key]; ok {
		return p, true
	}
	switch key {
	case "0x3001":
		return property{"String", []string{f.name}}, true
	case "0x3613":
		return property{"String", []string{f.class}}, f.class != ""
	case "0x3602":
		return property{"Integer", []string{strconv.Itoa(len(f.items))}}, true
	case "0x3603":
		return property{"Integer", []string{"0"}}, true
	case "0x360a":
		return property{"Boolean", []string{boolean(len(f.box.children(f)) > 0)}}, true
	case "0x3007":
		return property{"SystemTime", []string{stamp(f.created)}}, true
	case "0x3008", "0x670a": // last modification, last commit of anything in it
		return property{"SystemTime", []string{stamp(f.lastChange())}}, true
	case "0x670b": // PR_DELETED_COUNT_TOTAL
		return property{"Integer", []string{strconv.Itoa(f.deleted)}}, true
	}
	return property{}, false
}

// lastChange is when something in the folder changed last.
func (f *folder) lastChange() time.Time {
	if f.committed.IsZero() {
		return f.created
	}
	return f.committed
}

// field returns a field of a folder for restrictions.
func (f *folder) field(uri string) (string, bool) {
	switch uri {
	case "folder:DisplayName":
		return f.name, true
	case "folder:FolderClass":
		return f.class, f.class != ""
	case "folder:FolderId":
		return f.id, true
	case "folder:TotalCount":
		return strconv.Itoa(len(f.items)), true
	case "folder:ChildFolderCount":
		return strconv.Itoa(len(f.box.children(f))), true
	case "folder:UnreadCount":
		return "0", true
	case "folder:ParentFolderId":
		if f.parent != nil {
			return f.parent.id, true
		}
	case "folder:DistinguishedFolderId":
		return f.distinguished, f.distinguished != ""
	}
	return "", false
}

func (c *call) getFolder() (*node, error) {
	s, err := shapeOf(c.req.child("FolderShape"))
	if err != nil {
		return nil, err
	}
	var messages []*node
	for _, id := range c.req.child("FolderIds").children() {
		f, err := c.folderByID(id)
		if err != nil {
			messages = append(messages, failure("GetFolder", err, el("m:Folders")))
			continue
		}
		messages = append(messages, success("GetFolder", el("m:Folders", c.folderNode(f, s))))
	}
	return c.messages("GetFolder", messages)
}

// messages is the answer to a request that names at least one thing.
func (c *call) messages(operation string, messages []*node) (*node, error) {
	if len(messages) == 0 {
		return nil, fail("ErrorSchemaValidation", "The request names nothing to work on.")
	}
	return response(operation, messages...), nil
}

func (c *call) createFolder() (*node, error) {
	parent, err := c.targetFolder("ParentFolderId")
	var messages []*node
	for _, n := range c.req.child("Folders").children() {
		if err != nil {
			messages = append(messages, failure("CreateFolder", err, el("m:Folders")))
			continue
		}
		f, err := c.makeFolder(parent, n)
		if err != nil {
			messages = append(messages, failure("CreateFolder", err, el("m:Folders")))
			continue
		}
		messages = append(messages, success("CreateFolder", el("m:Folders", c.folderNode(f, idOnly()))))
	}
	return c.messages("CreateFolder", messages)
}

func (c *call) makeFolder(parent *folder, n *node) (*folder, error) {
	name, class := n.child("DisplayName").value(), n.child("FolderClass").value()
	if name == "" {
		return nil, fail("ErrorFolderSavePropertyError", "A folder needs a name.")
	}
	for _, k := range parent.box.children(parent) {
		if strings.EqualFold(k.name, name) {
			return nil, fail("ErrorFolderExists", "A folder with the specified name already exists.")
		}
	}
	if class == "" {
		class = map[string]string{"CalendarFolder": "IPF.Appointment", "ContactsFolder": "IPF.Contact", "TasksFolder": "IPF.Task"}[n.name]
	}
	if class == "" {
		class = "IPF.Note"
	}
	f := parent.box.addFolder(parent, name, class)
	for _, x := range n.all("ExtendedProperty") {
		p, err := parsePath(x.child("ExtendedFieldURI"))
		if err != nil {
			return nil, err
		}
		if f.props == nil {
			f.props = map[string]property{}
		}
		f.props[p.key] = property{p.kind, []string{x.child("Value").value()}}
	}
	parent.box.notify(event{kind: "CreatedEvent", at: c.now, subject: f, parent: parent})
	return f, nil
}

func (c *call) deleteFolder() (*node, error) {
	var messages []*node
	for _, id := range c.req.child("FolderIds").children() {
		f, err := c.folderByID(id)
		if err == nil && f.distinguished != "" {
			err = fail("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
		}
		if err != nil {
			messages = append(messages, failure("DeleteFolder", err))
			continue
		}
		bin := f.box.known("deleteditems")
		if c.req.attr("DeleteType") == "MoveToDeletedItems" && !f.under(bin) {
			f.parent = bin
			f.box.hierarch++
			f.changed = f.box.hierarch
		} else {
			f.box.removeFolder(f)
		}
		messages = append(messages, success("DeleteFolder"))
	}
	return c.messages("DeleteFolder", messages)
}
