package wire

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/roomwire/roomwire/sdk/auth"
)

// BenchmarkHidingWhileTokensArrive hides a log line after each new token.
func BenchmarkHidingWhileTokensArrive(b *testing.B) {
	var s Secrets
	s.AddSetting("a password")
	var n atomic.Int64
	token := func() { s.AddHeader(auth.Header{Value: fmt.Sprintf("Bearer %0900d", n.Add(1))}) }
	for range maxRelayed {
		token()
	}
	for b.Loop() {
		token()
		s.Hide("reading the calendar of somebody@example.com: the server is busy")
	}
}
