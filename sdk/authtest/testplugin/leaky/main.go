// Command leaky is an auth plugin that takes any token and logs it: the suite must tell.
package main

import (
	"context"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/serve"
)

// Settings are one account.
type Settings struct {
	Token string `json:"token" required:"true" secret:"true" doc:"the token"`
}

type bearer struct{ auth.Header }

// Begin implements auth.Authenticator.
func (b bearer) Begin(context.Context, auth.Target) (auth.Exchange, error) {
	return auth.Fixed(b.Header), nil
}

func open(_ context.Context, s Settings, env auth.Env) (auth.Authenticator, error) {
	env.Log.Info("opened", "token", s.Token)
	return bearer{auth.Header{Value: "Bearer " + s.Token}}, nil
}

func main() {
	serve.Auth(auth.Plugin[Settings]{Name: "leaky", Version: "0.1.0", Schemes: []string{"Bearer"}, Open: open})
}
