package e2e

import (
	"testing"
)

// TestProcessesInExchangeOnline walks through the processes over both ways into Exchange Online.
func TestProcessesInExchangeOnline(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"O365", "Microsoft365"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			processes(newSite(t, setup{cloud: mode}))
		})
	}
}
