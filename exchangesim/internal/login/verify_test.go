package login

import (
	"bytes"
	"crypto/rc4"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// The example of MS-NLMP §4.2.4 (NTLMv2): user "User", domain "Domain", password "Password".
const exampleType3 = "4e544c4d5353500003000000180018006c00000054005400840000000c000c0048000000080008005400000010001000" +
	"5c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e0055007300650072004300" +
	"4f004d0050005500540045005200" + "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa" +
	"68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c00" +
	"44006f006d00610069006e0001000c005300650072007600650072000000000000000000" + "c5dad2544fc9799094ce1ce90bc9d03e"

var exampleNonce = [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPublishedExampleIsVerified(t *testing.T) {
	t.Parallel()
	m, err := parseAuthenticate(unhex(t, exampleType3))
	if err != nil {
		t.Fatal(err)
	}
	if m.User != "User" || m.Domain != "Domain" || m.Workstation != "COMPUTER" {
		t.Errorf("names = %q %q %q, want User Domain COMPUTER", m.User, m.Domain, m.Workstation)
	}
	key := responseKey("Password", m.User, m.Domain)
	if want := unhex(t, "0c868a403bfd7a93a3001ef22ef02e3f"); !bytes.Equal(key, want) {
		t.Errorf("ResponseKeyNT = %x, want %x", key, want)
	}
	client := bytes.Repeat([]byte{0xaa}, 8)
	if got, want := append(hmacMD5(key, exampleNonce[:], client), client...), unhex(t, "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"); !bytes.Equal(got, want) || !bytes.Equal(m.LM, want) {
		t.Errorf("LMv2 = %x, message holds %x, want %x", got, m.LM, want)
	}
	if got, want := m.NT[:16], unhex(t, "68cd0ab851e51c96aabc927bebef6a1c"); !bytes.Equal(got, want) {
		t.Errorf("NTProofStr = %x, want %x", got, want)
	}
	attributes, session, err := verifyResponse(m, exampleNonce, "Password")
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "8de40ccadbc14a82f15cb0ad0de95ca3"); !bytes.Equal(session, want) {
		t.Errorf("SessionBaseKey = %x, want %x", session, want)
	}
	cipher, err := rc4.NewCipher(session)
	if err != nil {
		t.Fatal(err)
	}
	exported := make([]byte, 16)
	cipher.XORKeyStream(exported, m.SessionKey)
	if want := bytes.Repeat([]byte{0x55}, 16); !bytes.Equal(exported, want) {
		t.Errorf("exported session key = %x, want %x", exported, want)
	}
	pairs, err := parseAttributes(attributes)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(pairs[avDomain]); got != string(utf16le("Domain")) {
		t.Errorf("domain in the target info = %q", got)
	}
}

func TestResponseOfAnotherPasswordNonceOrNameIsRefused(t *testing.T) {
	t.Parallel()
	parse := func() authenticate {
		m, err := parseAuthenticate(unhex(t, exampleType3))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if _, _, err := verifyResponse(parse(), exampleNonce, "password"); !errors.Is(err, errPassword) {
		t.Errorf("other password: %v, want errPassword", err)
	}
	if _, _, err := verifyResponse(parse(), [8]byte{}, "Password"); !errors.Is(err, errPassword) {
		t.Errorf("other nonce: %v, want errPassword", err)
	}
	m := parse()
	m.Domain = "Other"
	if _, _, err := verifyResponse(m, exampleNonce, "Password"); !errors.Is(err, errPassword) {
		t.Errorf("other domain: %v, want errPassword", err)
	}
	m = parse()
	m.NT = m.NT[:24] // the length of an NTLMv1 response
	if _, _, err := verifyResponse(m, exampleNonce, "Password"); !errors.Is(err, errMalformed) {
		t.Errorf("NTLMv1: %v, want errMalformed", err)
	}
}

// withIntegrity builds a Type 3 message that announces and carries a MIC, with a key exchange.
func withIntegrity(t *testing.T, c *conn, user, domain, password string) []byte {
	t.Helper()
	info := appendAttribute(nil, avFlags, []byte{2, 0, 0, 0})
	info = appendAttribute(info, avEOL, nil)
	blob := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, make([]byte, 8)...)
	blob = append(blob, "clientch"...)
	blob = append(blob, 0, 0, 0, 0)
	blob = append(blob, info...)
	key := responseKey(password, user, domain)
	proof := hmacMD5(key, c.nonce[:], blob)
	exported := bytes.Repeat([]byte{0x55}, 16)
	cipher, err := rc4.NewCipher(hmacMD5(key, proof))
	if err != nil {
		t.Fatal(err)
	}
	encrypted := make([]byte, 16)
	cipher.XORKeyStream(encrypted, exported)

	payload := [][]byte{make([]byte, 24), append(proof, blob...), utf16le(domain), utf16le(user), nil, encrypted}
	b := append([]byte(signature), 3, 0, 0, 0)
	at := 88
	for _, p := range payload {
		b = appendField(b, len(p), at)
		at += len(p)
	}
	b = binary.LittleEndian.AppendUint32(b, flagUnicode|flagNTLM|flagKeyExchange|flagVersion)
	b = append(b, make([]byte, 8+16)...)
	for _, p := range payload {
		b = append(b, p...)
	}
	copy(b[72:], hmacMD5(exported, c.offered, c.asked, b))
	return b
}

func TestMessageIntegrityIsVerifiedWhenAnnounced(t *testing.T) {
	t.Parallel()
	offer := negotiate{Flags: flagUnicode | flagNTLM | flagKeyExchange, raw: []byte("the type 1 message")}
	for _, tamper := range []bool{false, true} {
		c := &conn{}
		c.begin(offer, "EXAMPLE")
		b := withIntegrity(t, c, "alice", "EXAMPLE", "secret")
		if tamper {
			b[72] ^= 1
		}
		m, err := parseAuthenticate(b)
		if err != nil {
			t.Fatal(err)
		}
		err = c.finish(m, Account{User: "alice", Password: "secret"}, binding{})
		if _, in := c.user(); tamper != errors.Is(err, errIntegrity) || in == tamper {
			t.Errorf("tampered %t: %v, logged in %t", tamper, err, in)
		}
	}
}

func TestFiletimeCountsFrom1601(t *testing.T) {
	t.Parallel()
	if got := filetime(time.Unix(0, 0)); got != 116444736000000000 {
		t.Errorf("filetime of 1970 = %d", got)
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	t.Parallel()
	type1 := func(change func([]byte)) []byte {
		b := append([]byte(signature), 1, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, flagUnicode|flagNTLM)
		b = appendField(appendField(b, 0, 0), 0, 0)
		change(b)
		return b
	}
	if _, err := parseNegotiate(type1(func([]byte) {})); err != nil {
		t.Fatalf("good Type 1 of 32 bytes: %v", err)
	}
	for name, b := range map[string][]byte{
		"short":                  type1(func([]byte) {})[:31],
		"no signature":           type1(func(b []byte) { b[0] = 'n' }),
		"other type":             type1(func(b []byte) { b[8] = 2 }),
		"no character set":       type1(func(b []byte) { b[12] = 0 }),
		"domain in the header":   type1(func(b []byte) { b[16], b[20] = 1, 8 }),
		"domain beyond the end":  type1(func(b []byte) { b[16], b[20] = 1, 32 }),
		"workstation far beyond": type1(func(b []byte) { copy(b[24:], bytes.Repeat([]byte{0xff}, 8)) }),
	} {
		if _, err := parseNegotiate(b); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v, want errMalformed", name, err)
		}
	}
	good := unhex(t, exampleType3)
	for at := 12; at < 60; at += 8 {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)))
		if _, err := parseAuthenticate(b); !errors.Is(err, errMalformed) {
			t.Errorf("field at %d beyond the end: %v, want errMalformed", at, err)
		}
	}
	odd := bytes.Clone(good)
	odd[36]--
	if _, err := parseAuthenticate(odd); !errors.Is(err, errMalformed) {
		t.Errorf("user of odd length: %v, want errMalformed", err)
	}
	for name, b := range map[string][]byte{"no end": {1, 0, 0, 0}, "cut off": {1, 0, 9, 0}, "twice": {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}} {
		if _, err := parseAttributes(b); !errors.Is(err, errMalformed) {
			t.Errorf("attributes, %s: %v, want errMalformed", name, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(unhex(f, exampleType3))
	f.Add(append([]byte(signature), 1, 0, 0, 0, 7, 0x82, 8, 0xa2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 15))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseNegotiate(b); err == nil {
			if _, err := parseAuthenticate(b); err == nil {
				t.Fatal("one message is Type 1 and Type 3")
			}
			c := &conn{}
			if len(n.Domain) > len(b) || !bytes.HasPrefix(c.begin(n, "EXAMPLE"), []byte(signature)) {
				t.Fatal("no challenge for a message that was accepted")
			}
			return
		}
		m, err := parseAuthenticate(b)
		if err != nil {
			return
		}
		c := &conn{}
		c.begin(negotiate{Flags: flagUnicode}, "EXAMPLE")
		if c.finish(m, Account{Password: "a password that no fuzzer finds"}, binding{}) == nil {
			t.Fatal("logged in without the password")
		}
		if attributes, _, err := verifyResponse(m, exampleNonce, "Password"); err == nil {
			_, _ = parseAttributes(attributes)
			_ = verifyIntegrity(m, exampleNonce[:], b, b)
		}
	})
}

func TestType1OfPythonsClientIsUnderstood(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString("4e544c4d5353500001000000329088e20700070028000000000000002f0000000601b11d0000000f4558414d504c45")
	if err != nil {
		t.Fatal(err)
	}
	n, err := parseNegotiate(raw)
	if err != nil || n.Domain != "EXAMPLE" {
		t.Errorf("parseNegotiate = %+v, %v", n, err)
	}
}
