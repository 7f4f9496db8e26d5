package login

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // part of NTLMv2
	"crypto/rand"
	"crypto/rc4" // part of NTLMv2's key exchange
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/md4" // part of NTLMv2
)

// conn is what a server remembers of one TCP connection.
type conn struct {
	mu      sync.Mutex
	open    bool // a challenge was sent and not yet answered
	nonce   [8]byte
	offered []byte // the Type 1 message
	asked   []byte // the Type 2 message
	account Account
	logged  bool
}

// user returns whom the connection is authenticated as.
func (c *conn) user() (Account, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.account, c.logged
}

// forget ends the handshake and the identity.
func (c *conn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open, c.logged, c.account = false, false, Account{}
}

// begin starts a handshake; an identity that the connection had is gone.
func (c *conn) begin(n negotiate, domain string) []byte {
	c.forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = rand.Read(c.nonce[:]) // never fails
	c.open, c.offered = true, n.raw
	c.asked = challengeMessage(n, c.nonce, domain, filetime(time.Now()))
	return c.asked
}

var (
	errNoChallenge = errors.New("no challenge was sent on this connection")
	errPassword    = errors.New("the response does not fit the password")
	errIntegrity   = errors.New("the message integrity code is wrong")
)

// finish checks the answer to the open challenge and makes a the connection's identity.
func (c *conn) finish(m authenticate, a Account, b binding) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return errNoChallenge
	}
	c.open = false // one answer for one challenge
	blob, key, err := verifyResponse(m, c.nonce, a.Password)
	if err != nil {
		return err
	}
	attributes, err := parseAttributes(blob)
	if err != nil {
		return err
	}
	if err := b.check(attributes[avChannelBindings]); err != nil {
		return err
	}
	if f := attributes[avFlags]; len(f) == 4 && binary.LittleEndian.Uint32(f)&2 != 0 {
		if err := verifyIntegrity(m, key, c.offered, c.asked); err != nil {
			return err
		}
	}
	c.account, c.logged = a, true
	return nil
}

// filetime is the time in 100 ns since 1601.
func filetime(t time.Time) uint64 {
	return uint64(t.UnixNano()/100) + 116444736000000000
}

// responseKey is NTOWFv2 of MS-NLMP §3.3.2.
func responseKey(password, user, domain string) []byte {
	h := md4.New()
	_, _ = h.Write(utf16le(password))
	return hmacMD5(h.Sum(nil), utf16le(strings.ToUpper(user)+domain))
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// verifyResponse checks an NTLMv2 response and returns the client's AV pairs and the session base key.
// Responses of NTLMv1 are refused, as every supported Windows does.
func verifyResponse(m authenticate, nonce [8]byte, password string) (attributes, sessionKey []byte, err error) {
	const proof, fixed = 16, 28
	if len(m.NT) < proof+fixed {
		return nil, nil, fmt.Errorf("%w: NT response of %d bytes is not NTLMv2", errMalformed, len(m.NT))
	}
	blob := m.NT[proof:]
	if blob[0] != 1 || blob[1] != 1 {
		return nil, nil, fmt.Errorf("%w: NTLMv2 response of version %d", errMalformed, blob[0])
	}
	key := responseKey(password, m.User, m.Domain)
	if !hmac.Equal(m.NT[:proof], hmacMD5(key, nonce[:], blob)) {
		return nil, nil, errPassword
	}
	return blob[fixed:], hmacMD5(key, m.NT[:proof]), nil
}

// verifyIntegrity checks the MIC over the three messages. It lies after the version field.
func verifyIntegrity(m authenticate, key, offered, asked []byte) error {
	const at, size = 72, 16
	if m.payload < at+size {
		return fmt.Errorf("%w: announced, but missing", errIntegrity)
	}
	if m.Flags&flagKeyExchange != 0 {
		if len(m.SessionKey) != 16 {
			return fmt.Errorf("%w: session key of %d bytes", errMalformed, len(m.SessionKey))
		}
		cipher, err := rc4.NewCipher(key)
		if err != nil {
			return fmt.Errorf("session key: %w", err)
		}
		exported := make([]byte, len(m.SessionKey))
		cipher.XORKeyStream(exported, m.SessionKey)
		key = exported
	}
	blank := bytes.Clone(m.raw)
	clear(blank[at : at+size])
	if !hmac.Equal(m.raw[at:at+size], hmacMD5(key, offered, asked, blank)) {
		return errIntegrity
	}
	return nil
}
