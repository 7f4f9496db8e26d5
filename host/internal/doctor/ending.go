package doctor

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/sunset"
)

// endings tells of sync modes whose servers' interface ends. Modes that nobody is in are passed over: several share their
// keys, so some are set up though nobody wants them.
func (d *Doctor) endings(ctx context.Context) []Finding {
	cfg := d.Config()
	used := d.used(ctx)
	var out []Finding
	for _, m := range cfg.SyncModes {
		end, ends := sunset.Of(m, cfg.SyncModes)
		if !ends || !used(m.Name) {
			continue
		}
		grave := warn
		if end.Over(d.Now()) {
			grave = bad
		}
		out = append(out, grave("server", m.Name, end.What(d.Now()), end.Remedy()))
	}
	return out
}
