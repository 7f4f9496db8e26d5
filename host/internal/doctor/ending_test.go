package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestEWSInExchangeOnlineIsCountedDown(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{SyncModes: []config.SyncMode{
		{Name: "O365", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx"},
		{Name: "O365Pull", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx"},
		{Name: "Government", Backend: "exchangeonline", URL: "https://outlook.office365.us/EWS/Exchange.asmx"},
		{Name: "Exchange2013", Backend: "exchange2013"},
		{Name: "Microsoft365", Backend: "graph"},
	}}
	inUse := []store.ModeCount{{Mode: "o365", Persons: 3}, {Mode: "Government", Persons: 1}, {Mode: "Exchange2013", Persons: 2}, {Mode: "Microsoft365", Persons: 1}}
	for name, tc := range map[string]struct {
		now  time.Time
		want []string
	}{
		"before": {time.Date(2026, 11, 29, 16, 0, 0, 0, time.UTC), []string{
			"warning O365 EWS in Exchange Online ends on 2027-04-01, in 123 days", "warning Government Microsoft ends EWS",
		}},
		"after": {time.Date(2027, 4, 2, 0, 0, 0, 0, time.UTC), []string{
			"error O365 EWS in Exchange Online ended on 2027-04-01", "warning Government Microsoft ends EWS",
		}},
	} {
		d := New(Options{
			Config: func() *config.Config { return cfg }, Store: &site{modes: inUse}, Now: func() time.Time { return tc.now },
		})
		found := d.endings(t.Context())
		if len(found) != len(tc.want) {
			t.Fatalf("%s: %+v", name, found)
		}
		for i, f := range found {
			line := string(f.Level) + " " + f.Name + " " + f.What
			if !strings.HasPrefix(line, tc.want[i]) || !strings.Contains(f.Remedy, "person move --to Microsoft365 --all-of "+f.Name) {
				t.Errorf("%s: %q, %q; want %q", name, line, f.Remedy, tc.want[i])
			}
		}
	}
}
