package exchangesim

import (
	"net/http"
	"testing"
	"time"
)

// BenchmarkGraphFirstSync reads 10,000 events by delta, 200 a page.
func BenchmarkGraphFirstSync(b *testing.B) {
	s, err := New(Options{TokenLifetime: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Outlook("alice@example.com").CreateMany(Many{Count: 10_000, Start: noon, Every: Milliseconds(time.Hour)}); err != nil {
		b.Fatal(err)
	}
	tenant := SampleTenant()
	who := principal{tenant: &tenant, app: &tenant.Apps[0], roles: tenant.Apps[0].Roles}
	for b.Loop() {
		n := 0
		s.mu.Lock()
		g := &graphCall{
			call:         &call{Server: s, zoneID: "UTC", now: noon, edition: online, app: &who},
			graphRequest: graphRequest{method: http.MethodGet, who: who}, box: s.find("alice@example.com"), zone: time.UTC, zoneName: "UTC", immutable: true,
		}
		st := deltaState{Box: g.box.guid, Epoch: g.box.epoch, Start: noon, End: noon.AddDate(2, 0, 0), Upper: g.box.seq, Before: g.box.seq + 1}
		for done := false; !done; {
			var page []any
			page, st, done = g.deltaPage(st, 200)
			n += len(page)
		}
		s.mu.Unlock()
		if n != 10_000 {
			b.Fatalf("%d events", n)
		}
	}
}
