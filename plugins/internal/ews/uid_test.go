package ews

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
)

func TestGlobalIDIsThatOfOutlookOrWrapsAForeignUID(t *testing.T) {
	t.Parallel()
	const head, noDate = "040000008200e00074c5b7101a82e008", "00000000"
	const made = "a0b1c2d3e4f5c801" + "0000000000000000" + "10000000" + "00112233445566778899aabbccddeeff"
	for name, tc := range map[string]struct{ uid, want string }{
		"Outlook's":             {head + noDate + made, head + noDate + made},
		"in capitals":           {strings.ToUpper(head + noDate + made), head + noDate + made},
		"of an occurrence":      {head + "07ea0c01" + made, head + noDate + made},
		"of another product":    {"event-1@example.com", head + noDate + "0000000000000000" + "0000000000000000" + "20000000" + "7643616c2d55696401000000" + hex.EncodeToString([]byte("event-1@example.com")) + "00"},
		"hexadecimal by chance": {"deadbeef", head + noDate + "0000000000000000" + "0000000000000000" + "15000000" + "7643616c2d55696401000000" + hex.EncodeToString([]byte("deadbeef")) + "00"},
		"the head alone":        {head, head + noDate + "0000000000000000" + "0000000000000000" + "2d000000" + "7643616c2d55696401000000" + hex.EncodeToString([]byte(head)) + "00"},
	} {
		raw, err := base64.StdEncoding.DecodeString(globalID(tc.uid))
		if got := hex.EncodeToString(raw); err != nil || got != tc.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tc.want)
		}
	}
}

func TestSameUID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"the same":              {"x@y", "x@y", true},
		"hexadecimal, any case": {"04AB", "04ab", true},
		"text, other case":      {"X@y", "x@y", false},
		"another":               {"04ab", "04ac", false},
		"none":                  {"04ab", "", false},
	} {
		if got := SameUID(tc.a, tc.b); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func FuzzGlobalID(f *testing.F) {
	f.Add("event-1@example.com")
	f.Add("040000008200E00074C5B7101A82E008")
	f.Add("040000008200E00074C5B7101A82E00807EA0C01000000000000000000000000000000000000000000")
	f.Fuzz(func(t *testing.T, uid string) {
		raw, err := base64.StdEncoding.DecodeString(globalID(uid))
		if err != nil || len(raw) < globalIDData || string(raw[:16]) != string(globalIDHead) || string(raw[16:20]) != "\x00\x00\x00\x00" {
			t.Errorf("%q became %x, %v", uid, raw, err)
		}
	})
}

func TestAnAbsurdUIDIsNotAskedFor(t *testing.T) {
	t.Parallel()
	c := serve(t, func(string) string { t.Error("the server was asked"); return "" })
	if got, err := c.FindByUID(t.Context(), calendar.Mailbox{Address: "ada@example.com", URL: ada.URL}, strings.Repeat("x", maxUID+1)); err != nil || got != nil {
		t.Errorf("%v, %v; want nothing", got, err)
	}
}
