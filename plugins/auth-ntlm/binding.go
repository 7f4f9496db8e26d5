package main

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"

	"github.com/roomwire/roomwire/sdk/fault"
)

// The layout of a CHALLENGE message (MS-NLMP 2.2.1.2) as far as it is needed here.
const (
	maxToken       = 16 << 10
	fixedPart      = 48
	targetInfoAt   = 40 // length, allocated length (2 bytes each), offset (4)
	challengeType  = 2
	avEOL          = 0x0000
	avBindings     = 0x000A
	avHeader       = 4
	messageTypeAt  = 8
	targetOffsetAt = targetInfoAt + 4
)

// signature begins every NTLM message.
func signature() []byte { return []byte("NTLMSSP\x00") }

// checkChallenge reports why token is no CHALLENGE message that can be answered.
func checkChallenge(token []byte) error {
	switch {
	case !bytes.HasPrefix(token, signature()):
		return fmt.Errorf("the server answered Negotiate with something other than NTLM (Kerberos alone, perhaps): %w", fault.Unauthorized)
	case len(token) < fixedPart || len(token) > maxToken:
		return fmt.Errorf("the server's NTLM challenge has an impossible length of %d bytes: %w", len(token), fault.Unauthorized)
	case binary.LittleEndian.Uint32(token[messageTypeAt:]) != challengeType:
		return fmt.Errorf("the server answered NTLM with a message that is no challenge: %w", fault.Unauthorized)
	}
	return nil
}

// hasTargetInfo reports whether a checked challenge has target information at all: what has none checks no binding.
func hasTargetInfo(token []byte) bool { return binary.LittleEndian.Uint16(token[targetInfoAt:]) > 0 }

// withBinding returns the challenge with the channel binding among its target information, which the answer repeats
// and signs. hash is that of the server's certificate.
func withBinding(token, hash []byte) ([]byte, error) {
	if err := checkChallenge(token); err != nil {
		return nil, err
	}
	info, err := targetInfo(token)
	if err != nil {
		return nil, err
	}
	bound := bindingPair(hash)
	out := append(bytes.Clone(token), info...)
	out = append(out, bound...)
	out = binary.LittleEndian.AppendUint32(out, avEOL)
	length := len(info) + len(bound) + avHeader
	binary.LittleEndian.PutUint16(out[targetInfoAt:], uint16(length))
	binary.LittleEndian.PutUint16(out[targetInfoAt+2:], uint16(length))
	binary.LittleEndian.PutUint32(out[targetOffsetAt:], uint32(len(token)))
	return out, nil
}

// targetInfo returns the AV pairs of a challenge without the end mark, and without a binding that the server put there.
func targetInfo(token []byte) ([]byte, error) {
	broken := fmt.Errorf("the target information of the server's NTLM challenge is broken: %w", fault.Unauthorized)
	length := int(binary.LittleEndian.Uint16(token[targetInfoAt:]))
	offset := int(binary.LittleEndian.Uint32(token[targetOffsetAt:]))
	if length == 0 || offset > len(token)-length {
		return nil, broken
	}
	var out []byte
	for rest := token[offset : offset+length]; len(rest) >= avHeader; {
		id := binary.LittleEndian.Uint16(rest)
		size := avHeader + int(binary.LittleEndian.Uint16(rest[2:]))
		if id == avEOL {
			return out, nil
		}
		if size > len(rest) {
			return nil, broken
		}
		if id != avBindings {
			out = append(out, rest[:size]...)
		}
		rest = rest[size:]
	}
	return nil, broken
}

// bindingPair is MsvAvChannelBindings: the MD5 sum of gss_channel_bindings_struct (RFC 2744 3.11) with no addresses and
// with the RFC 5929 name and value as application data.
func bindingPair(hash []byte) []byte {
	data := append([]byte("tls-server-end-point:"), hash...)
	bindings := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
	sum := md5.Sum(append(bindings, data...))
	pair := binary.LittleEndian.AppendUint16(nil, avBindings)
	pair = binary.LittleEndian.AppendUint16(pair, md5.Size)
	return append(pair, sum[:]...)
}
