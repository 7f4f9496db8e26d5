package syncer_test

import (
	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// The engine's own tests cannot import what writes and reads the change feed. They use it all the same: a form of their own would keep
// what the host's loses.
func init() { syncer.SetFeed(api.Render, api.Parse) }
