// Command roomwire-backend-exchange2013 is the backend plugin for Exchange Server 2013, 2016, 2019 and Subscription
// Edition on premises, over Exchange Web Services.
package main

import (
	"context"

	"github.com/roomwire/roomwire/plugins/internal/ews/exchange"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/serve"
)

// version is set by the linker. It is part of the User-Agent, Roomwire/VERSION.
var version = "dev"

// Config is empty: how to log in is the auth plugin's affair, and each mailbox brings its server's URL.
type Config struct{}

func plugin() backend.Plugin[Config] {
	return backend.Plugin[Config]{
		Name:    "exchange2013",
		Version: version,
		Open: func(_ context.Context, _ Config, env backend.Env) (backend.Backend, error) {
			return exchange.New(env, version, exchange.OnPremises)
		},
	}
}

func main() { serve.Backend(plugin()) }
