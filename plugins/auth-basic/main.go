// Command roomwire-auth-basic is the auth plugin for HTTP Basic: a user and a password in every request. It is for
// on-premises servers over TLS; whoever serves the backend sees the header, and the header is the password.
package main

import (
	"context"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/serve"
)

// version is set by the linker.
var version = "dev"

// Settings are one account.
type Settings struct {
	User     string `json:"user" required:"true" doc:"user name, DOMAIN\\user or user@domain"`
	Password string `json:"password" required:"true" secret:"true" doc:"the account's password"`
	Domain   string `json:"domain" doc:"domain of a user name that is given without one"`
}

type basic struct{ header auth.Header }

// Begin implements auth.Authenticator.
func (b basic) Begin(context.Context, auth.Target) (auth.Exchange, error) {
	return auth.Fixed(b.header), nil
}

func open(_ context.Context, s Settings, _ auth.Env) (auth.Authenticator, error) {
	value, err := header(s)
	if err != nil {
		return nil, err
	}
	return basic{auth.Header{Value: value}}, nil
}

func main() {
	serve.Auth(auth.Plugin[Settings]{Name: "basic", Version: version, Schemes: []string{"Basic"}, Open: open})
}
