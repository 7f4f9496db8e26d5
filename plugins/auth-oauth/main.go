// Command roomwire-auth-oauth is the auth plugin for Exchange Online and Microsoft Graph: OAuth 2.0 client credentials, by
// client secret or certificate, from Entra ID. Secrets, keys and tokens stay in this process; the host and the backends see
// one Authorization header at a time.
package main

import (
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/serve"
)

// version is set by the linker.
var version = "dev"

// Settings are one app registration in one tenant.
type Settings struct {
	TenantID string `json:"tenant_id" required:"true" doc:"the directory (tenant) id, or a domain of the tenant"`
	AppID    string `json:"app_id" required:"true" doc:"the application (client) id"`

	ClientSecret         string `json:"client_secret" secret:"true" doc:"the client secret's value"`
	ClientSecret2        string `json:"client_secret_2" secret:"true" doc:"another client secret: the one that works is used"`
	ClientSecretExpires  string `json:"client_secret_expires" doc:"the day on which client_secret expires, YYYY-MM-DD, to be warned ahead"`
	ClientSecret2Expires string `json:"client_secret_2_expires" doc:"the same for client_secret_2"`

	CertificateFile     string `json:"certificate_file" doc:"PEM or PFX file with certificate and RSA key, in place of a secret or beside it"`
	CertificatePassword string `json:"certificate_password" secret:"true" doc:"the password of certificate_file"`

	Cloud     string `json:"cloud" doc:"global (default), usgov, usgov-dod, china, or custom"`
	Authority string `json:"authority" doc:"cloud custom: URL of the login server, without the tenant"`

	CAFile      string        `json:"ca_file" doc:"PEM file with further certificate authorities, for the login server"`
	Proxy       string        `json:"proxy" secret:"true" doc:"URL of the proxy by which the login server is reached"`
	RenewBefore time.Duration `json:"renew_before" doc:"how long before its end a token is renewed (default 20m)"`
}

func main() {
	serve.Auth(auth.Plugin[Settings]{
		// A token that the server refuses is replaced once, if it was not issued just now: hence the second attempt.
		Name: "oauth", Version: version, Schemes: []string{"Bearer"}, Attempts: 2, Open: open,
	})
}
