package exchangesim

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// Ids are opaque to clients, base64 of: three bytes that make them begin as Exchange's do, the GUID of the mailbox as text,
// a byte for the kind, then numbers. Being base64 they differ by letter case alone now and then.
const (
	itemKind       = 0x46
	folderKind     = 0x2e
	occurrenceKind = 0x51
)

var idHead = []byte{0x00, 0x03, 0x24}

const guidLength = 36

// An entryID is a parsed id.
type entryID struct {
	box    string // GUID of the mailbox
	kind   byte
	number uint64 // of the item or folder in its mailbox
	day    int    // on which the pattern has the occurrence, counted from the first of 1970: real ids have a date in them, too
}

// String encodes the id.
func (e entryID) String() string {
	raw := append([]byte{}, idHead...)
	raw = append(raw, e.box...)
	raw = append(raw, 0, e.kind, 0, 0)
	h := binary.BigEndian.AppendUint64(nil, e.number*0x9e3779b97f4a7c15) // ids of neighbours look nothing alike
	raw = append(raw, h...)
	raw = binary.BigEndian.AppendUint64(raw, e.number)
	if e.kind == occurrenceKind {
		raw = binary.BigEndian.AppendUint32(raw, uint32(e.day))
	}
	raw = append(raw, 0, 0)
	return base64.StdEncoding.EncodeToString(raw)
}

// parseID reads an id; it checks the form, not whether there is such a thing.
func parseID(id string) (entryID, error) {
	malformed := fail("ErrorInvalidIdMalformed", "Id is malformed.")
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil || len(raw) < len(idHead)+guidLength+4+16+2 || string(raw[:3]) != string(idHead) {
		return entryID{}, malformed
	}
	raw = raw[len(idHead):]
	e := entryID{box: string(raw[:guidLength])}
	raw = raw[guidLength:]
	e.kind = raw[1]
	raw = raw[4:]
	e.number = binary.BigEndian.Uint64(raw[8:])
	raw = raw[16:]
	switch e.kind {
	case itemKind, folderKind:
	case occurrenceKind:
		if len(raw) < 6 {
			return entryID{}, malformed
		}
		e.day = int(int32(binary.BigEndian.Uint32(raw)))
	default:
		return entryID{}, malformed
	}
	if e.String() != id {
		return entryID{}, malformed
	}
	return e, nil
}

// changeKey encodes a change number as a change key; kind is 0x0f for items and 0x02 for folders.
func changeKey(kind byte, n uint64) string {
	raw := []byte{kind, 0, 0, 0, 0x16, 0, 0, 0}
	raw = binary.BigEndian.AppendUint64(raw, 0xb7d2eb55f509b54e)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(raw, n))
}

// parseChangeKey reads the number back.
func parseChangeKey(key string) (uint64, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 24 {
		return 0, fail("ErrorInvalidChangeKey", "The change key is invalid.")
	}
	return binary.BigEndian.Uint64(raw[16:]), nil
}

// PropertyKey is the key under which Appointment.Properties holds a named property. set is a GUID, with or without braces,
// or the name of a distinguished set such as PublicStrings.
func PropertyKey(set, name string) string {
	set = strings.Trim(set, "{}")
	if known, ok := distinguishedSets[strings.ToLower(set)]; ok {
		return known + "/" + name
	}
	for _, known := range distinguishedSets {
		if strings.EqualFold(set, known) {
			return known + "/" + name
		}
	}
	return "{" + strings.ToLower(set) + "}/" + name
}

// distinguishedSets are the property sets with a name, by GUID.
var distinguishedSets = map[string]string{
	"00020329-0000-0000-c000-000000000046": "PublicStrings",
	"00020386-0000-0000-c000-000000000046": "InternetHeaders",
	"00062002-0000-0000-c000-000000000046": "Appointment",
	"00062003-0000-0000-c000-000000000046": "Task",
	"00062004-0000-0000-c000-000000000046": "Address",
	"00062008-0000-0000-c000-000000000046": "Common",
	"00062040-0000-0000-c000-000000000046": "Sharing",
	"6ed8da90-450b-101b-98da-00aa003f1305": "Meeting",
	"11000e07-b51b-40d6-af21-caa85edab1d0": "CalendarAssistant",
	"4442858e-a9e3-4e80-b900-317a210cc15b": "UnifiedMessaging",
}

// tagKey is the key of a property tag, without padding.
func tagKey(tag string) (string, error) {
	base, digits := 10, tag
	if rest, ok := strings.CutPrefix(strings.ToLower(tag), "0x"); ok {
		base, digits = 16, rest
	}
	n, err := strconv.ParseUint(digits, base, 16)
	if err != nil {
		return "", fail("ErrorInvalidExtendedProperty", "%q is not a property tag.", tag)
	}
	return "0x" + strconv.FormatUint(n, 16), nil
}
