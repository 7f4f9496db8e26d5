package syncer

import "github.com/roomwire/roomwire/host/internal/store"

// advised is what is recommended where a difference was met by a pass, by its kind.
var advised = map[string]struct {
	side store.Side
	why  string
}{
	editLost:            {store.SideBooking, "both sides had been changed, and the booking prevailed; enter the other change again if it is missed"},
	syncDisabled:        {store.SideBooking, "the two sides did the same again and again; to use a side switches the sync of the booking on again"},
	itemNotDeleted:      {store.SideBooking, "the booking is over: to use it has the removal tried again"},
	copyLeftAlone:       {store.SideNeither, "somebody copied the item, perhaps on purpose; to use the booking removes the copy, without a mail"},
	unlinkedLeftAlone:   {store.SideNeither, "somebody may have restored the item on purpose; to use the booking removes it, to use the calendar lets the booking stand again"},
	mailHeldBack:        {store.SideNeither, "to use the booking mails its attendees; to use the calendar does not"},
	seriesLeftAlone:     {store.SideNeither, "neither side is changed"},
	invitationLeftAlone: {store.SideNeither, "only the organizer of the item can change it"},
	notFoundAfterMove:   {store.SideNeither, "decide with roomwire person move-decide"},
	ambiguousAfterMove:  {store.SideNeither, "decide with roomwire person move-decide"},
	seriesUnreadable:    {store.SideNeither, "no side can be used: what the booking says cannot be read; put it once more, or restore the database"},
	roomConflict:        {store.SideNeither, "two want the room at one time: have one of them moved, or given another room; it is closed when the room is free"},
	roomUnbooked:        {store.SideNeither, "no booking holds the room for that meeting: have it cancelled or moved, or book the room for it"},
	roomDiffers:         {store.SideNeither, "only the meeting's organizer can change it: ask for that, or set the booking back"},
	roomWaits:           {store.SideNeither, "it is settled by itself once the organizer's calendar can be read: roomwire person show names what is wrong with that"},
}

const (
	editLost     = "edit lost"
	syncDisabled = "sync disabled"
)
