package supervise

import (
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
)

func TestCredentialsOfTheModesInUse(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2027, 1, day, 0, 0, 0, 0, time.UTC) }
	s := New(Options{})
	add := func(mode, account string, told ...auth.Expiry) *Backend {
		id := Identity{Plugin: "auth-oauth", Settings: map[string]any{"account": account}}
		var b *Backend
		for other := range s.handles { // a mode with several accounts
			if other.spec.Name == mode {
				b = other
			}
		}
		if b == nil {
			b = &Backend{s: s, spec: Instance{Name: mode}}
			s.handles[b] = true
		}
		b.spec.Identities = append(b.spec.Identities, id)
		a := &authenticator{}
		if told != nil {
			a.ends.Store(&told)
		}
		s.auths[identityKey(id)] = a
		return b
	}
	add("O365", "a", auth.Expiry{What: "client_secret", At: at(2)}, auth.Expiry{What: "client_secret_2"})
	add("O365", "b", auth.Expiry{What: "client_secret", At: at(1)}, auth.Expiry{What: "client_secret_2", At: at(9)})
	add("Microsoft365", "c", auth.Expiry{What: "certificate_file", At: at(3)})
	add("Exchange2013", "d") // not opened yet, or a plugin that does not tell
	add("Old", "e", auth.Expiry{What: "client_secret", At: at(4)}).Retire()
	want := []Credential{
		{"Microsoft365", "auth-oauth", "certificate_file", at(3)},
		{"O365", "auth-oauth", "client_secret", at(1)}, {"O365", "auth-oauth", "client_secret_2", at(9)},
	}
	if got := s.Credentials(); !slices.Equal(got, want) {
		t.Errorf("credentials %+v, want %+v", got, want)
	}
}
