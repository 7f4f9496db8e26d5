// Command roomwire-backend-exchangeonline is the backend plugin for Exchange Online over Exchange Web Services, which
// Microsoft ends on 2027-04-01; roomwire-backend-graph is what stays.
package main

import (
	"context"

	"github.com/roomwire/roomwire/plugins/internal/ews/exchange"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/serve"
)

// version is set by the linker. It is part of the User-Agent, Roomwire/VERSION.
var version = "dev"

// Config is empty: how to log in is the auth plugin's affair, and the URL comes with each mailbox.
type Config struct{}

func plugin() backend.Plugin[Config] {
	return backend.Plugin[Config]{
		Name:    "exchangeonline",
		Version: version,
		Open: func(_ context.Context, _ Config, env backend.Env) (backend.Backend, error) {
			return exchange.New(env, version, exchange.Online)
		},
	}
}

func main() { serve.Backend(plugin()) }
