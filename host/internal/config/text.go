package config

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// ToUTF8 returns data as UTF-8 without a byte order mark, and the name of the
// encoding it was found in: "UTF-8", "UTF-16" (by its mark), or "Windows-1252"
// when it is neither. Windows-1252 is what Windows programs write in western
// Europe when nobody told them otherwise; every byte has a meaning in it.
func ToUTF8(data []byte) (text []byte, encoding string) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return fromUTF16(data[2:], binary.LittleEndian), "UTF-16"
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return fromUTF16(data[2:], binary.BigEndian), "UTF-16"
	}
	if utf8.Valid(data) {
		return data, "UTF-8"
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil { // cannot happen: the table is total
		return bytes.ToValidUTF8(data, []byte("\uFFFD")), "Windows-1252"
	}
	return out, "Windows-1252"
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}
