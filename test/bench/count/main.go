// Command count is an auth plugin whose header says how many exchanges it has been asked for. The header is good for an
// hour, as an access token is.
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/serve"
)

type counter struct{ exchanges atomic.Int64 }

// Begin implements auth.Authenticator.
func (c *counter) Begin(context.Context, auth.Target) (auth.Exchange, error) {
	n := c.exchanges.Add(1)
	return func(context.Context, []string) (auth.Header, error) {
		return auth.Header{Value: fmt.Sprintf("Bearer %d", n), Expires: time.Now().Add(time.Hour)}, nil
	}, nil
}

func main() {
	serve.Auth(auth.Plugin[struct{}]{
		Name: "count", Version: "0.1.0", Schemes: []string{"Bearer"},
		Open: func(context.Context, struct{}, auth.Env) (auth.Authenticator, error) { return &counter{}, nil },
	})
}
