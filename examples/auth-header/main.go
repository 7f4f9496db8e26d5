// Command auth-header is an example of an auth plugin: a token that never changes, sent as "Authorization: Bearer TOKEN".
// docs/plugins/tutorial.md tells of it.
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"
)

// Settings are one identity.
type Settings struct {
	Token string `json:"token" required:"true" secret:"true" doc:"the token that the server gave you"`
}

type bearer struct{ header auth.Header }

// Begin implements auth.Authenticator. Every login is one header, always the same.
func (b bearer) Begin(context.Context, auth.Target) (auth.Exchange, error) {
	return auth.Fixed(b.header), nil
}

func open(_ context.Context, s Settings, _ auth.Env) (auth.Authenticator, error) {
	if strings.ContainsAny(s.Token, " \t\r\n") {
		return nil, fmt.Errorf("the token holds a blank or a line end, perhaps from a file: %w", fault.Invalid)
	}
	return bearer{auth.Header{Value: "Bearer " + s.Token}}, nil
}

func main() {
	serve.Auth(auth.Plugin[Settings]{Name: "header", Version: "0.1.0", Schemes: []string{"Bearer"}, Open: open})
}
