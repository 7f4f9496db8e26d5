package webhook

import (
	"testing"
	"time"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "120", "-1", "Mon, 23 Nov 2026 08:00:00 GMT", "99999999999999999999"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, now); d < 0 || d > longestWait {
			t.Errorf("retryAfter(%q) = %v", text, d)
		}
	})
}

func FuzzSecrets(f *testing.F) {
	f.Add("whsec_AAAA whsec_BBBB@1795766400")
	f.Add("whsec_AAAA @")
	f.Fuzz(func(t *testing.T, stored string) {
		if list := secrets(stored, time.Unix(0, 0)); len(list) < 1 || len(list) > 2 {
			t.Errorf("secrets(%q) = %q", stored, list)
		}
	})
}
