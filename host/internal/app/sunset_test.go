package app

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestTheLogCountsDownOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		modes := []config.SyncMode{
			{Name: "O365", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx"},
			{Name: "O365Pull", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx"},
			{Name: "Exchange2013", Backend: "exchange2013"},
		}
		counts := []store.ModeCount{{Mode: "o365", Persons: 2}, {Mode: "O365", URL: "https://x", Persons: 3}, {Mode: "Exchange2013", Persons: 9}}
		start := time.Now()
		at := func() time.Time { return time.Date(2027, 3, 30, 10, 0, 0, 0, time.UTC).Add(time.Since(start)) }
		var out bytes.Buffer
		asked := 0
		done := make(chan error)
		go func() {
			done <- countDown(ctx, hclog.New(&hclog.LoggerOptions{Output: &out}), func(context.Context) ([]ending, error) {
				if asked++; asked == 2 {
					return nil, errors.New("the database rests")
				}
				return endingsOf(modes, counts), nil
			}, at)
		}()
		time.Sleep(49 * time.Hour)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, want := range [][]string{
			{"[WARN]", "mode=O365 persons=5", "in 2 days", "person move --to Microsoft365 --all-of O365"},
			{"[WARN]", "the database rests"},
			{"[ERROR]", "mode=O365 persons=5", "ended on 2027-04-01"},
		} {
			for _, w := range want {
				if len(lines) != 3 || !strings.Contains(lines[i], w) {
					t.Fatalf("line %d without %q in %d:\n%s", i, w, len(lines), out.String())
				}
			}
		}
	})
}
