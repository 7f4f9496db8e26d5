package launch

import "github.com/roomwire/roomwire/sdk/internal/wire"

// ErrStopping is what a call gets that comes after Stop. Nothing of it has reached the plugin, so whoever has another
// process may make it there. Its kind is fault.Unavailable.
var ErrStopping = wire.ErrStopping

// Hidden stands in errors and log lines where a plugin showed a secret: whoever sees it knows that the plugin has a defect.
const Hidden = wire.Hidden
