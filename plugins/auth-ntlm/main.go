// Command roomwire-auth-ntlm is the auth plugin for NTLMv2, with channel binding where TLS gives one. The password stays
// in this process; a login authorizes one connection.
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
	User           string `json:"user" required:"true" doc:"user name, DOMAIN\\user or user@domain"`
	Password       string `json:"password" required:"true" secret:"true" doc:"the account's password"`
	Domain         string `json:"domain" doc:"domain of a user name that is given without one"`
	ChannelBinding string `json:"channel_binding" doc:"Extended Protection: off, auto (default: sent, and left out if refused) or require"`
}

func main() {
	serve.Auth(auth.Plugin[Settings]{
		Name: "ntlm", Version: version,
		Schemes: []string{"NTLM", "Negotiate"}, PerConnection: true, Attempts: 2,
		Open: open,
	})
}

func open(_ context.Context, s Settings, env auth.Env) (auth.Authenticator, error) {
	return newAccount(s, env.Log)
}

// Begin implements auth.Authenticator.
func (a *account) Begin(_ context.Context, target auth.Target) (auth.Exchange, error) {
	binding, err := a.bindingFor(target)
	if err != nil {
		return nil, err
	}
	scheme := ""
	return func(_ context.Context, challenge []string) (auth.Header, error) {
		if scheme == "" {
			scheme = schemeOf(challenge)
			value, err := negotiate(scheme)
			return auth.Header{Value: value, More: true}, err
		}
		value, err := a.answer(scheme, challenge, binding)
		return auth.Header{Value: value}, err
	}, nil
}
