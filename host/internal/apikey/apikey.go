// Package apikey makes and recognizes the credentials of the REST API.
//
// A key reads rw_ID_SECRET: the id is for people and logs, the secret holds 256 random bits. What is stored is the
// SHA-256 of the whole key, so that nobody who reads the store can use it.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

const prefix = "rw_"

// adminID is the id in the host's own key. Keys of tenants have ids of eight characters.
const adminID = "admin"

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Scope says what a key may do.
type Scope string

// The scopes. Each holds what those before it hold.
const (
	ScopeRead     Scope = "read"     // whatever only shows
	ScopeBookings Scope = "bookings" // what a booking system does
	ScopeAdmin    Scope = "admin"    // what an administrator does
)

// Allows reports whether a key with the scopes held may do what needs the given one.
func Allows(held []string, need Scope) bool {
	order := []Scope{ScopeRead, ScopeBookings, ScopeAdmin}
	at := slices.Index(order, need)
	return at >= 0 && slices.ContainsFunc(held, func(s string) bool { return slices.Index(order, Scope(s)) >= at })
}

// New makes a key for a tenant. The key is to be shown once and then forgotten; the row is to be stored.
func New(tenant, name string, scopes []Scope, now time.Time) (key string, row store.APIKey) {
	id := random(5)
	key = prefix + id + "_" + random(32)
	row = store.APIKey{Tenant: tenant, ID: id, Name: name, Hash: Hash(key), Created: now}
	for _, s := range scopes {
		row.Scopes = append(row.Scopes, string(s))
	}
	return key, row
}

// NewAdmin makes a key that opens every tenant. It is made anew at every start of the host and stored nowhere but in
// a file that only the host's user can read.
func NewAdmin() (key string, hash []byte) {
	key = prefix + adminID + "_" + random(32)
	return key, Hash(key)
}

// Hash returns what is stored of a key.
func Hash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// Valid reports whether key has the form of one. What has not need not be looked up.
func Valid(key string) bool {
	rest, ok := strings.CutPrefix(key, prefix)
	id, secret, found := strings.Cut(rest, "_")
	return ok && found && (len(id) == encoding.EncodedLen(5) || id == adminID) &&
		len(secret) == encoding.EncodedLen(32) && !strings.ContainsFunc(id+secret, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '2' || r > '7')
	})
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return encoding.EncodeToString(b)
}
