// Command auth is an auth plugin for the tests of package launch. It logs in by two legs: "Nonce hello", answered by a
// nonce, and "Nonce USER:NONCE:PASSWORD".
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"
)

// Settings are one account.
type Settings struct {
	User     string        `json:"user" required:"true" doc:"who"`
	Password string        `json:"password" required:"true" secret:"true" doc:"the password"`
	Count    int           `json:"count" doc:"a number"`
	Strict   bool          `json:"strict"`
	Wait     time.Duration `json:"wait"`
	List     []string      `json:"list"`
}

type nonce struct{ s Settings }

// Begin implements auth.Authenticator.
func (n nonce) Begin(_ context.Context, target auth.Target) (auth.Exchange, error) {
	leg := 0
	return func(ctx context.Context, challenge []string) (auth.Header, error) {
		switch leg++; {
		case n.s.User == "hang":
			<-ctx.Done()
			return auth.Header{}, ctx.Err()
		case leg == 1:
			return auth.Header{Value: "Nonce hello", More: true}, nil
		}
		for _, c := range challenge {
			if v, ok := strings.CutPrefix(c, "Nonce "); ok {
				return auth.Header{Value: "Nonce " + n.s.User + ":" + v + ":" + n.s.Password}, nil
			}
		}
		return auth.Header{}, fmt.Errorf("no nonce from %s: %w", target.Origin, fault.Unauthorized)
	}, nil
}

func main() {
	serve.Auth(auth.Plugin[Settings]{
		Name: "nonce", Version: "0.1.0", Schemes: []string{"Nonce"},
		Open: func(_ context.Context, s Settings, env auth.Env) (auth.Authenticator, error) {
			env.Log.Info("opened", "user", s.User)
			return nonce{s}, nil
		},
	})
}
