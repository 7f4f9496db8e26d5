// Command roomwire-backend-graph is the backend plugin for Exchange Online over Microsoft Graph.
package main

import (
	"context"

	"github.com/roomwire/roomwire/plugins/internal/graph"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/serve"
)

// version is set by the linker. It is part of the User-Agent, Roomwire/VERSION.
var version = "dev"

func plugin() backend.Plugin[graph.Settings] {
	return backend.Plugin[graph.Settings]{
		Name:    "graph",
		Version: version,
		Open: func(_ context.Context, s graph.Settings, env backend.Env) (backend.Backend, error) {
			return graph.New(s, env, version)
		},
	}
}

func main() { serve.Backend(plugin()) }
