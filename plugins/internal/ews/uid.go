package ews

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// maxUID is the longest UID that is searched for; what Exchange and others make has a hundred characters or two.
const maxUID = 1000

// The parts of a GlobalObjectId (MS-OXCICAL 2.1.3.1.1.20.26, MS-OXOCAL 2.2.1.27): the id of the format, the date of an
// occurrence, when it was made, eight reserved bytes, and data with its length.
var (
	globalIDHead = []byte{0x04, 0, 0, 0, 0x82, 0, 0xe0, 0, 0x74, 0xc5, 0xb7, 0x10, 0x1a, 0x82, 0xe0, 0x08}
	foreignUID   = []byte("vCal-Uid\x01\x00\x00\x00")
)

const (
	globalIDDate = 16 // where the date begins
	globalIDData = 40 // where the data begins
)

// globalID returns the GlobalObjectId that Exchange keeps an iCalendar UID as, in base64. Those that Outlook and Exchange
// made are its hexadecimal digits; all others are wrapped in one.
func globalID(uid string) string {
	if raw, err := hex.DecodeString(uid); err == nil && len(raw) >= globalIDData && bytes.HasPrefix(raw, globalIDHead) {
		clear(raw[globalIDDate : globalIDDate+4]) // the series has none of an occurrence's date
		return base64.StdEncoding.EncodeToString(raw)
	}
	raw := make([]byte, globalIDData, globalIDData+len(foreignUID)+len(uid)+1)
	copy(raw, globalIDHead)
	binary.LittleEndian.PutUint32(raw[globalIDData-4:], uint32(len(foreignUID)+len(uid)+1))
	raw = append(raw, foreignUID...)
	raw = append(raw, uid...)
	return base64.StdEncoding.EncodeToString(append(raw, 0))
}

// SameUID reports whether two UIDs are the same: the hexadecimal ones may be written in either case.
func SameUID(a, b string) bool {
	if a == b {
		return true
	}
	_, err := hex.DecodeString(a)
	return err == nil && strings.EqualFold(a, b)
}

// FindByUID returns the calendar's items whose iCalendar UID may be uid: their ids, when they were created, and the UID if the
// server told it. Occurrences of series are not among them.
func (c *Client) FindByUID(ctx context.Context, m calendar.Mailbox, uid string) ([]CalendarItem, error) {
	if len(uid) > maxUID {
		return nil, nil // no store has it
	}
	value := globalID(uid)
	return c.findAll(ctx, m, search{
		ask: func(w *writer) { w.empty("t:FieldURI", "FieldURI", "calendar:UID") },
		// One is that of an occurrence for an exception that somebody was invited to alone; the other is always the series'.
		where: func(w *writer) {
			w.inside("t:Or", func() {
				equal(w, func() { objectID(w, "3") }, value)
				equal(w, func() { objectID(w, "35") }, value)
			})
		},
		is: func(i *CalendarItem) bool { return i.UID == "" || SameUID(i.UID, uid) },
	})
}

// objectID writes the field of PidLidGlobalObjectId (3) or PidLidCleanGlobalObjectId (35).
func objectID(w *writer, id string) {
	w.empty("t:ExtendedFieldURI", "DistinguishedPropertySetId", "Meeting", "PropertyId", id, "PropertyType", "Binary")
}
