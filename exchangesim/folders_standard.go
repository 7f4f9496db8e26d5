package exchangesim

import (
	"cmp"
	"slices"
)

// firstNumber comes before the numbers of a mailbox: lower ones would make ids that are easy to mistake for each other.
const firstNumber = 0x1000

// standardFolders are the folders that every mailbox has, parents first.
var standardFolders = []struct{ parent, distinguished, name, class string }{
	{"", "root", "", ""},
	{"root", "msgfolderroot", "Top of Information Store", "IPF.Note"},
	{"msgfolderroot", "calendar", "Calendar", "IPF.Appointment"},
	{"msgfolderroot", "contacts", "Contacts", "IPF.Contact"},
	{"msgfolderroot", "deleteditems", "Deleted Items", "IPF.Note"},
	{"msgfolderroot", "drafts", "Drafts", "IPF.Note"},
	{"msgfolderroot", "inbox", "Inbox", "IPF.Note"},
	{"msgfolderroot", "journal", "Journal", "IPF.Journal"},
	{"msgfolderroot", "junkemail", "Junk Email", "IPF.Note"},
	{"msgfolderroot", "notes", "Notes", "IPF.StickyNote"},
	{"msgfolderroot", "outbox", "Outbox", "IPF.Note"},
	{"msgfolderroot", "sentitems", "Sent Items", "IPF.Note"},
	{"msgfolderroot", "tasks", "Tasks", "IPF.Task"},
	{"contacts", "quickcontacts", "Skype for Business Contacts", "IPF.Contact.MOC.QuickContacts"},
	{"contacts", "imcontactlist", "IM Contact List", "IPF.Contact.MOC.ImContactList"},
	{"msgfolderroot", "syncissues", "Sync Issues", "IPF.Note"},
	{"syncissues", "conflicts", "Conflicts", "IPF.Note"},
	{"syncissues", "localfailures", "Local Failures", "IPF.Note"},
	{"syncissues", "serverfailures", "Server Failures", "IPF.Note"},
	{"root", "searchfolders", "Finder", ""},
	{"root", "recoverableitemsroot", "Recoverable Items", ""},
	{"recoverableitemsroot", "recoverableitemsdeletions", "Deletions", ""},
	{"recoverableitemsroot", "recoverableitemspurges", "Purges", ""},
	{"recoverableitemsroot", "recoverableitemsversions", "Versions", ""},
}

// known returns the folder with a distinguished name, or nil.
func (b *mailbox) known(distinguished string) *folder {
	for i := range standardFolders {
		if standardFolders[i].distinguished == distinguished {
			return b.standard(i)
		}
	}
	return nil
}

// standard returns one of standardFolders. Its numbers follow from its place, so it does not matter when it is made.
func (b *mailbox) standard(place int) *folder {
	of := standardFolders[place]
	for _, f := range b.folders {
		if f.distinguished == of.distinguished {
			return f
		}
	}
	n := firstNumber + 2*uint64(place)
	f := &folder{
		box: b, name: of.name, class: of.class, distinguished: of.distinguished,
		id:  entryID{box: b.guid, kind: folderKind, number: n + 1}.String(),
		key: n + 2, arrived: uint64(place) + 1, changed: uint64(place) + 1,
		created: b.server.started,
	}
	f.parent = b.known(of.parent)
	b.folders = append(b.folders, f)
	return f
}

// all returns every folder, parents first.
func (b *mailbox) all() []*folder {
	for i := range standardFolders {
		b.standard(i)
	}
	slices.SortFunc(b.folders, func(a, c *folder) int { return cmp.Compare(a.arrived, c.arrived) })
	return slices.Clone(b.folders) // the caller may remove some on the way
}

// folderWith returns the folder with an id, or nil.
func (b *mailbox) folderWith(id entryID) *folder {
	if place := (id.number - firstNumber - 1) / 2; id.number > firstNumber && place < uint64(len(standardFolders)) && id.number%2 == 1 {
		return b.standard(int(place))
	}
	text := id.String()
	for _, f := range b.folders {
		if f.id == text {
			return f
		}
	}
	return nil
}
