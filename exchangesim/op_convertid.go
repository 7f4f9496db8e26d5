package exchangesim

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

const instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

// An idFormat writes what lies behind an EWS id in another form, and reads it back.
type idFormat struct {
	write func(id string) string
	read  func(text string) (id string, err error)
}

// entryHead begins a MAPI entry id where an EWS id has idHead.
var entryHead = []byte{0, 0, 0, 0}

// storeHead begins the id of an item in a store, which holds the entry id.
var storeHead = []byte{0x46, 0, 0, 0}

// idFormats are the formats of ConvertId. What matters is that each reads its own alone.
func idFormats() map[string]idFormat {
	bytesOf := func(id string) []byte {
		raw, _ := base64.StdEncoding.DecodeString(id) // ids were checked when they came in
		return raw[len(idHead):]
	}
	// framed is a format of bytes with a head of its own.
	framed := func(head []byte, encode func([]byte) string, decode func(string) ([]byte, error)) idFormat {
		return idFormat{
			write: func(id string) string { return encode(append(append([]byte{}, head...), bytesOf(id)...)) },
			read: func(text string) (string, error) {
				raw, err := decode(text)
				rest, ok := strings.CutPrefix(string(raw), string(head))
				if err != nil || !ok {
					return "", fail("ErrorInvalidIdMalformed", "Id is malformed.")
				}
				return base64.StdEncoding.EncodeToString(append(append([]byte{}, idHead...), rest...)), nil
			},
		}
	}
	to64, from64 := base64.StdEncoding.EncodeToString, base64.StdEncoding.DecodeString
	return map[string]idFormat{
		"EwsId":       {write: func(id string) string { return id }, read: func(text string) (string, error) { return text, nil }},
		"EwsLegacyId": framed([]byte{0x01}, to64, from64),
		"EntryId":     framed(entryHead, to64, from64),
		"HexEntryId":  framed(entryHead, func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }, hex.DecodeString),
		"StoreId":     framed(append(append([]byte{}, storeHead...), entryHead...), to64, from64),
		"OwaId":       {write: url.QueryEscape, read: url.QueryUnescape},
	}
}

// convertID turns ids into other formats. It looks at their form, not at whether there is such an item.
func (c *call) convertID() (*node, error) {
	formats := idFormats()
	target := c.req.attr("DestinationFormat")
	to, ok := formats[target]
	if !ok {
		return nil, fail("ErrorSchemaValidation", "%q is not a valid DestinationFormat.", target)
	}
	var messages []*node
	for _, source := range c.req.child("SourceIds").children() {
		converted, owner, err := c.convertOne(formats, source)
		if err != nil {
			messages = append(messages, failure("ConvertId", err))
			continue
		}
		messages = append(messages, success("ConvertId", el("m:AlternateId",
			attr{"xmlns:xsi", instanceNamespace}, attr{"xsi:type", "t:AlternateIdType"},
			attr{"Format", target}, attr{"Id", to.write(converted)}, attr{"Mailbox", owner})))
	}
	if len(messages) == 0 {
		return nil, fail("ErrorSchemaValidation", "SourceIds is empty.")
	}
	return response("ConvertId", messages...), nil
}

// convertOne returns the EWS id behind one source, and the address of the mailbox it belongs to. The id knows its mailbox; the
// one in the request only counts where the id's is unknown. A Java client learns so whose mailbox it is in.
func (c *call) convertOne(formats map[string]idFormat, source *node) (id, owner string, err error) {
	from, ok := formats[source.attr("Format")]
	switch {
	case !ok:
		return "", "", fail("ErrorSchemaValidation", "%q is not a valid Format.", source.attr("Format"))
	case source.name != "AlternateId":
		return "", "", fail("ErrorUnsupportedTypeForConversion", "There are no public folders.")
	}
	if id, err = from.read(source.attr("Id")); err != nil {
		return "", "", fail("ErrorInvalidIdMalformed", "Id is malformed.")
	}
	parsed, err := parseID(id)
	if err != nil {
		return "", "", err
	}
	b := c.byID[parsed.box]
	if b == nil {
		if b, err = c.mailboxFor(source.attr("Mailbox")); err != nil {
			return "", "", err
		}
	}
	return id, b.owner.Address, nil
}
