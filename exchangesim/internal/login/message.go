package login

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// The flags of MS-NLMP §2.2.2.5 that matter here.
const (
	flagUnicode          = 0x00000001
	flagOEM              = 0x00000002
	flagRequestTarget    = 0x00000004
	flagSign             = 0x00000010
	flagSeal             = 0x00000020
	flagNTLM             = 0x00000200
	flagAlwaysSign       = 0x00008000
	flagTargetTypeDomain = 0x00010000
	flagExtendedSecurity = 0x00080000
	flagTargetInfo       = 0x00800000
	flagVersion          = 0x02000000
	flag128              = 0x20000000
	flagKeyExchange      = 0x40000000
	flag56               = 0x80000000

	// negotiable are those a server takes over from the client's offer.
	negotiable = flagSign | flagSeal | flagAlwaysSign | flagExtendedSecurity | flagVersion | flag128 | flagKeyExchange | flag56
)

const signature = "NTLMSSP\x00"

var errMalformed = errors.New("malformed NTLM message")

// negotiate is a Type 1 message.
type negotiate struct {
	Flags       uint32
	Domain      string
	Workstation string
	raw         []byte
}

// authenticate is a Type 3 message.
type authenticate struct {
	LM, NT      []byte
	Domain      string
	User        string
	Workstation string
	SessionKey  []byte // encrypted
	Flags       uint32
	payload     int // where the payload begins: the MIC lies before it
	raw         []byte
}

// header checks signature and type and returns the fields' reader.
func header(b []byte, kind uint32, least int) error {
	if len(b) < least {
		return fmt.Errorf("%w: %d bytes, want %d or more", errMalformed, len(b), least)
	}
	if !bytes.HasPrefix(b, []byte(signature)) {
		return fmt.Errorf("%w: no signature", errMalformed)
	}
	if got := binary.LittleEndian.Uint32(b[8:]); got != kind {
		return fmt.Errorf("%w: type %d, want %d", errMalformed, got, kind)
	}
	return nil
}

// field reads the length, maximum and offset at pos, and returns what they point at and where it begins.
func field(b []byte, pos, head int) ([]byte, int, error) {
	length := int(binary.LittleEndian.Uint16(b[pos:]))
	offset := int64(binary.LittleEndian.Uint32(b[pos+4:]))
	if length == 0 {
		return nil, len(b), nil
	}
	if offset < int64(head) || offset+int64(length) > int64(len(b)) {
		return nil, 0, fmt.Errorf("%w: %d bytes at %d lie outside the payload", errMalformed, length, offset)
	}
	return b[offset : offset+int64(length)], int(offset), nil
}

// parseNegotiate reads a Type 1 message, with or without the version field. That a client forgets to offer NTLM by its flag
// is no hindrance: Python's does, and IIS serves it.
func parseNegotiate(b []byte) (negotiate, error) {
	const head = 32
	if err := header(b, 1, head); err != nil {
		return negotiate{}, err
	}
	n := negotiate{Flags: binary.LittleEndian.Uint32(b[12:]), raw: bytes.Clone(b)}
	if n.Flags&(flagUnicode|flagOEM) == 0 {
		return negotiate{}, fmt.Errorf("%w: no character set offered", errMalformed)
	}
	domain, _, err := field(b, 16, head)
	if err != nil {
		return negotiate{}, fmt.Errorf("domain: %w", err)
	}
	workstation, _, err := field(b, 24, head)
	if err != nil {
		return negotiate{}, fmt.Errorf("workstation: %w", err)
	}
	n.Domain, n.Workstation = latin1(domain), latin1(workstation) // always OEM in this message
	return n, nil
}

// parseAuthenticate reads a Type 3 message.
func parseAuthenticate(b []byte) (authenticate, error) {
	const head = 64
	if err := header(b, 3, head); err != nil {
		return authenticate{}, err
	}
	m := authenticate{Flags: binary.LittleEndian.Uint32(b[60:]), payload: len(b), raw: bytes.Clone(b)}
	var domain, user, workstation []byte
	for _, f := range []struct {
		name string
		pos  int
		to   *[]byte
	}{
		{"LM response", 12, &m.LM},
		{"NT response", 20, &m.NT},
		{"domain", 28, &domain},
		{"user", 36, &user},
		{"workstation", 44, &workstation},
		{"session key", 52, &m.SessionKey},
	} {
		value, at, err := field(m.raw, f.pos, head)
		if err != nil {
			return authenticate{}, fmt.Errorf("%s: %w", f.name, err)
		}
		*f.to, m.payload = value, min(m.payload, at)
	}
	var err error
	if m.Domain, err = m.text(domain); err != nil {
		return authenticate{}, fmt.Errorf("domain: %w", err)
	}
	if m.User, err = m.text(user); err != nil {
		return authenticate{}, fmt.Errorf("user: %w", err)
	}
	if m.Workstation, err = m.text(workstation); err != nil {
		return authenticate{}, fmt.Errorf("workstation: %w", err)
	}
	return m, nil
}

// text decodes a name in the character set that the message declares.
func (m authenticate) text(b []byte) (string, error) {
	if m.Flags&flagUnicode == 0 {
		return latin1(b), nil
	}
	if len(b)%2 != 0 {
		return "", fmt.Errorf("%w: %d bytes of UTF-16", errMalformed, len(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units)), nil
}

// utf16le encodes text as NTLM does.
func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// The attributes of MS-NLMP §2.2.2.1.
const (
	avEOL             = 0
	avComputer        = 1
	avDomain          = 2
	avDNSComputer     = 3
	avDNSDomain       = 4
	avDNSTree         = 5
	avFlags           = 6
	avTimestamp       = 7
	avChannelBindings = 10
)

// parseAttributes reads the AV pairs up to their end mark, which must be there.
func parseAttributes(b []byte) (map[uint16][]byte, error) {
	pairs := map[uint16][]byte{}
	for len(b) >= 4 {
		id, length := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if id == avEOL {
			return pairs, nil
		}
		if length > len(b) {
			return nil, fmt.Errorf("%w: attribute %d is cut off", errMalformed, id)
		}
		if _, twice := pairs[id]; twice {
			return nil, fmt.Errorf("%w: attribute %d is there twice", errMalformed, id)
		}
		pairs[id], b = b[:length], b[length:]
	}
	return nil, fmt.Errorf("%w: attributes without end", errMalformed)
}

// appendAttribute adds one AV pair.
func appendAttribute(b []byte, id uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// challengeMessage builds the Type 2 message that answers n.
func challengeMessage(n negotiate, nonce [8]byte, domain string, filetime uint64) []byte {
	const head = 56
	flags := n.Flags&negotiable | flagRequestTarget | flagNTLM | flagTargetTypeDomain | flagTargetInfo
	target := utf16le(domain)
	if n.Flags&flagUnicode != 0 {
		flags |= flagUnicode
	} else {
		flags |= flagOEM
		target = []byte(strings.ToUpper(domain))
	}
	dns := strings.ToLower(domain) + ".example"
	info := appendAttribute(nil, avDomain, utf16le(domain))
	info = appendAttribute(info, avComputer, utf16le("EXCH1"))
	info = appendAttribute(info, avDNSDomain, utf16le(dns))
	info = appendAttribute(info, avDNSComputer, utf16le("exch1."+dns))
	info = appendAttribute(info, avDNSTree, utf16le(dns))
	info = appendAttribute(info, avTimestamp, binary.LittleEndian.AppendUint64(nil, filetime))
	info = appendAttribute(info, avEOL, nil)

	b := append([]byte(signature), 2, 0, 0, 0)
	b = appendField(b, len(target), head)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, nonce[:]...)
	b = append(b, make([]byte, 8)...)
	b = appendField(b, len(info), head+len(target))
	b = append(b, 10, 0, 0x7c, 0x4f, 0, 0, 0, 15) // Windows Server 2019
	b = append(b, target...)
	return append(b, info...)
}

// appendField adds length, maximum and offset.
func appendField(b []byte, length, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}
