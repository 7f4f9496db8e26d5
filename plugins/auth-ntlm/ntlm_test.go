package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/md4"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// challengeToken is a challenge with the given AV pairs, laid out by hand.
func challengeToken(pairs []byte) []byte {
	t := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	t = append(t, make([]byte, 8)...)                             // no target name
	t = binary.LittleEndian.AppendUint32(t, 0xa2898201)           // flags: Unicode, NTLM, target info, …
	t = append(t, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef) // the server's challenge
	t = append(t, make([]byte, 8)...)
	t = binary.LittleEndian.AppendUint16(t, uint16(len(pairs)))
	t = binary.LittleEndian.AppendUint16(t, uint16(len(pairs)))
	t = binary.LittleEndian.AppendUint32(t, 56)
	t = append(t, make([]byte, 8)...) // version
	return append(t, pairs...)
}

func unicode(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func avPair(id uint16, value []byte) []byte {
	p := binary.LittleEndian.AppendUint16(nil, id)
	p = binary.LittleEndian.AppendUint16(p, uint16(len(value)))
	return append(p, value...)
}

func samplePairs() []byte {
	return bytes.Join([][]byte{avPair(2, unicode("EXAMPLE")), avPair(1, unicode("EXCH1")), avPair(7, make([]byte, 8)), {0, 0, 0, 0}}, nil)
}

// field reads one of the variable fields of an AUTHENTICATE message.
func field(t *testing.T, m []byte, at int) []byte {
	t.Helper()
	length, offset := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
	if offset+length > len(m) {
		t.Fatalf("field at %d reaches beyond the message", at)
	}
	return m[offset : offset+length]
}

// proves checks an NTLMv2 answer as a server does, by MS-NLMP 3.3.2 alone.
func proves(t *testing.T, message []byte, user, domain, password string) (ok bool, blob []byte) {
	t.Helper()
	h := md4.New()
	h.Write(unicode(password))
	key := hmac.New(md5.New, h.Sum(nil))
	key.Write(unicode(strings.ToUpper(user) + domain))
	answer := field(t, message, 20)
	proof := hmac.New(md5.New, key.Sum(nil))
	proof.Write([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef})
	proof.Write(answer[16:])
	return hmac.Equal(answer[:16], proof.Sum(nil)), answer[16:]
}

func begin(t *testing.T, s Settings, target auth.Target) auth.Exchange {
	t.Helper()
	a, err := newAccount(s, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := a.Begin(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return exchange
}

// legs carries out an exchange against a server that answers with token, and returns both messages.
func legs(t *testing.T, exchange auth.Exchange, scheme string, offered []string, token []byte) (first, last []byte) {
	t.Helper()
	var out [2][]byte
	for i, challenge := range [][]string{offered, {scheme + " " + base64.StdEncoding.EncodeToString(token)}} {
		h, err := exchange(t.Context(), challenge)
		if err != nil {
			t.Fatalf("leg %d: %v", i+1, err)
		}
		if h.More != (i == 0) {
			t.Errorf("leg %d: More = %v", i+1, h.More)
		}
		value, ok := strings.CutPrefix(h.Value, scheme+" ")
		if !ok {
			t.Fatalf("leg %d does not answer in %s", i+1, scheme)
		}
		if out[i], err = base64.StdEncoding.DecodeString(value); err != nil {
			t.Fatal(err)
		}
	}
	return out[0], out[1]
}

func TestTheAnswerProvesThePasswordAndTheBinding(t *testing.T) {
	t.Parallel()
	hash := bytes.Repeat([]byte{7}, 32)
	for _, tc := range []struct {
		name         string
		s            Settings
		user, domain string
		target       auth.Target
		bound        bool
	}{
		{"domain in the name", Settings{User: `EXAMPLE\alice`, Password: "secret"}, "alice", "EXAMPLE", auth.Target{ChannelBinding: hash}, true},
		{"domain apart", Settings{User: "alice", Domain: "EXAMPLE", Password: "pässwörd"}, "alice", "EXAMPLE", auth.Target{}, false},
		{"principal name", Settings{User: "alice@example.com", Domain: "EXAMPLE", Password: "x"}, "alice@example.com", "", auth.Target{ChannelBinding: hash}, true},
		{"off", Settings{User: `E\a`, Password: "x", ChannelBinding: "off"}, "a", "E", auth.Target{ChannelBinding: hash}, false},
		{"second try", Settings{User: `E\a`, Password: "x"}, "a", "E", auth.Target{ChannelBinding: hash, Retry: 1}, false},
		{"require", Settings{User: `E\a`, Password: "x", ChannelBinding: "require"}, "a", "E", auth.Target{ChannelBinding: hash}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			first, last := legs(t, begin(t, tc.s, tc.target), "NTLM", []string{"Negotiate", "NTLM"}, challengeToken(samplePairs()))
			if len(first) != 40 {
				t.Errorf("the first message has %d bytes, want 40", len(first))
			}
			ok, blob := proves(t, last, tc.user, tc.domain, tc.s.Password)
			if !ok {
				t.Error("the answer does not prove the password")
			}
			if got := bytes.Contains(blob, bindingPair(hash)); got != tc.bound {
				t.Errorf("bound = %v, want %v", got, tc.bound)
			}
			if got := string(field(t, last, 36)); got != string(unicode(tc.user)) {
				t.Errorf("user = %q", got)
			}
		})
	}
}

func TestRawNTLMTravelsInNegotiateWhereThatIsAllThatIsOffered(t *testing.T) {
	t.Parallel()
	legs(t, begin(t, Settings{User: "a", Password: "x"}, auth.Target{}), "Negotiate", []string{"Negotiate"}, challengeToken(samplePairs()))
}

// The structure is laid out here by hand: sixteen zero bytes for the absent addresses, the length of the data (53), the data.
func TestTheBindingIsTheSumOfTheBindingsStructure(t *testing.T) {
	t.Parallel()
	hash, err := hex.DecodeString("ea05fefecc6b0bd571db5bc5aace12d6fe0ac5d2c4cd0bb0ee4e0b0e8ec3fbd8")
	if err != nil {
		t.Fatal(err)
	}
	data := append([]byte("tls-server-end-point:"), hash...)
	want := md5.Sum(append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 0, 0, 0}, data...))
	if got := bindingPair(hash); !bytes.Equal(got, append([]byte{0x0a, 0, 16, 0}, want[:]...)) {
		t.Errorf("pair = %x", got)
	}
}

func TestASecondExchangeThatWouldBeTheSameIsRefusedWithAdvice(t *testing.T) {
	t.Parallel()
	hash := bytes.Repeat([]byte{7}, 32)
	for _, tc := range []struct {
		binding string
		target  auth.Target
		kind    fault.Kind
		advice  string
	}{
		{"off", auth.Target{Origin: "https://mail", ChannelBinding: hash, Retry: 1}, fault.Unauthorized, "Extended Protection"},
		{"require", auth.Target{Origin: "https://mail", ChannelBinding: hash, Retry: 1}, fault.Unauthorized, "another certificate"},
		{"auto", auth.Target{Origin: "http://mail", Retry: 1}, fault.Unauthorized, "https"},
		{"auto", auth.Target{Origin: "https://mail", ChannelBinding: hash, Retry: 2}, fault.Unauthorized, "check the user"},
		{"require", auth.Target{Origin: "http://mail"}, fault.Invalid, "no TLS certificate"},
	} {
		a, err := newAccount(Settings{User: "alice", Password: "S3cr3t", ChannelBinding: tc.binding}, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Begin(t.Context(), tc.target)
		if fault.Of(err) != tc.kind || !strings.Contains(err.Error(), tc.advice) || strings.Contains(err.Error(), "S3cr3t") {
			t.Errorf("%s, try %d: %v; want %s with %q", tc.binding, tc.target.Retry, err, tc.kind, tc.advice)
		}
	}
	if _, err := newAccount(Settings{ChannelBinding: "maybe"}, nil); fault.Of(err) != fault.Invalid {
		t.Errorf("an unknown channel_binding: %v", err)
	}
}

func TestAChallengeWithoutTargetInformationIsAnsweredUnbound(t *testing.T) {
	t.Parallel()
	hash := make([]byte, 32)
	_, last := legs(t, begin(t, Settings{User: `EXAMPLE\alice`, Password: "secret"}, auth.Target{ChannelBinding: hash}), "NTLM", nil, challengeToken(nil))
	if ok, _ := proves(t, last, "alice", "EXAMPLE", "secret"); !ok {
		t.Error("the answer does not prove the password")
	}
	require := &account{user: "a", password: "x", binding: bindRequire}
	_, err := require.answer("NTLM", []string{"NTLM " + base64.StdEncoding.EncodeToString(challengeToken(nil))}, hash)
	if fault.Of(err) != fault.Unauthorized || !strings.Contains(err.Error(), "no place") {
		t.Errorf("require: %v, want unauthorized with the reason", err)
	}
}

func TestAServerThatDoesNotTakeItUpIsUnauthorized(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string][]string{
		"nothing":   nil,
		"no token":  {"NTLM", "Negotiate"},
		"no base64": {"NTLM !!!"},
		"kerberos":  {"NTLM " + base64.StdEncoding.EncodeToString([]byte("\x60\x82 something else entirely"))},
		"short":     {"NTLM " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x02\x00\x00\x00"))},
		"long":      {"NTLM " + strings.Repeat("A", 2*maxToken)},
		"type 1":    {"NTLM " + base64.StdEncoding.EncodeToString(append([]byte("NTLMSSP\x00\x01"), make([]byte, 60)...))},
	} {
		exchange := begin(t, Settings{User: "a", Password: "x"}, auth.Target{})
		if _, err := exchange(context.Background(), []string{"NTLM"}); err != nil {
			t.Fatal(err)
		}
		if _, err := exchange(context.Background(), challenge); fault.Of(err) != fault.Unauthorized {
			t.Errorf("%s: %v, want unauthorized", name, err)
		}
	}
}

// recorded returns challenges of real servers.
func recorded(t testing.TB) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "traces", "ntlm-challenges.txt"))
	if err != nil {
		t.Skipf("SKIPPED, no recorded challenges of real servers here: %v", err)
	}
	return strings.Fields(string(raw))
}

func TestRecordedChallengesOfRealServersAreAnswered(t *testing.T) {
	t.Parallel()
	tokens := recorded(t)
	for i, token := range tokens {
		for _, hash := range [][]byte{nil, make([]byte, 32)} {
			exchange := begin(t, Settings{User: `EXAMPLE\alice`, Password: "secret"}, auth.Target{ChannelBinding: hash})
			if _, err := exchange(t.Context(), []string{"NTLM"}); err != nil {
				t.Fatal(err)
			}
			h, err := exchange(t.Context(), []string{"NTLM " + token})
			if err != nil {
				t.Errorf("challenge %d: %v", i+1, err)
				continue
			}
			message, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Value, "NTLM "))
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Contains(field(t, message, 20), bindingPair(make([]byte, 32))); got != (hash != nil) {
				t.Errorf("challenge %d: bound = %v with hash %x", i+1, got, hash)
			}
		}
	}
	if len(tokens) == 0 {
		t.Error("the file holds no challenge")
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(challengeToken(samplePairs()))
	f.Add(challengeToken(nil))
	f.Add(challengeToken(avPair(10, make([]byte, 16))))
	a := &account{user: `EXAMPLE\alice`, password: "secret", binding: bindAuto, log: hclog.NewNullLogger()}
	f.Fuzz(func(t *testing.T, token []byte) {
		challenge := []string{"NTLM " + base64.StdEncoding.EncodeToString(token)}
		if _, err := a.answer("NTLM", challenge, nil); err != nil && fault.Of(err) != fault.Unauthorized {
			t.Errorf("error %v of kind %s", err, fault.Of(err))
		}
		if _, err := a.answer("NTLM", challenge, make([]byte, 32)); err != nil && fault.Of(err) != fault.Unauthorized {
			t.Errorf("with a binding: error %v of kind %s", err, fault.Of(err))
		}
		if bound, err := withBinding(token, make([]byte, 32)); err == nil {
			if _, err := targetInfo(bound); err != nil {
				t.Errorf("the bound challenge is broken: %v", err)
			}
		}
	})
}
