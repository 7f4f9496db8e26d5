package exchangesim

import (
	"crypto/subtle"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestTokenRequest bounds the body of a token request.
const longestTokenRequest = 256 << 10

// serveToken answers a token request with the grant client_credentials.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, tenant string) {
	answer, refused := s.grant(w, r, tenant)
	if refused != nil {
		s.refusedToken(strconv.Itoa(refused.code))
		s.refuse(w, r, refused)
		return
	}
	s.mu.Lock()
	s.tokens.issued++
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// A tokenAnswer is the answer to a token request.
type tokenAnswer struct {
	Type         string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds, as are the others
	ExtExpiresIn int    `json:"ext_expires_in"`
	RefreshIn    int    `json:"refresh_in,omitempty"`
	Token        string `json:"access_token"`
}

// grant checks a token request, in the order of Entra ID: tenant, form, app, credential, resource.
func (s *Server) grant(w http.ResponseWriter, r *http.Request, tenant string) (*tokenAnswer, *aadError) {
	if r.Method != http.MethodPost {
		return nil, aad(900561, "The endpoint only accepts POST requests. Received a %s request.", r.Method)
	}
	t, refused := s.findTenant(tenant)
	if refused != nil {
		return nil, refused
	}
	r.Body = http.MaxBytesReader(w, r.Body, longestTokenRequest)
	if err := r.ParseForm(); err != nil {
		return nil, aad(9000410, "Malformed request: %v", err)
	}
	form := r.PostForm
	if id, secret, ok := r.BasicAuth(); ok && form.Get("client_secret") == "" { // RFC 6749 2.3.1
		form = url.Values{"grant_type": form["grant_type"], "scope": form["scope"], "client_id": {unescaped(id)}, "client_secret": {unescaped(secret)}}
	}
	resource, refused := checkForm(form)
	if refused != nil {
		return nil, refused
	}
	id := form.Get("client_id")
	a := t.app(id)
	if a == nil {
		return nil, aad(700016, "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has "+
			"not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your "+
			"authentication request to the wrong tenant.", id, t.shown())
	}
	if a.Disabled {
		return nil, aad(7000112, "Application '%s'(%s) is disabled.", a.ID, a.Name)
	}
	credential, refused := s.authenticate(r, t, a, form)
	if refused != nil {
		return nil, refused
	}
	if !isResource(resource, r.Host) {
		return nil, aad(500011, "The resource principal named %s was not found in the tenant named %s. This can happen if the application has "+
			"not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your "+
			"authentication request to the wrong tenant.", resource, t.shown())
	}
	token, settings, err := s.issue(t, a, resource, credential)
	if err != nil {
		return nil, aad(90033, "A transient error has occurred. %v", err)
	}
	seconds := int(time.Duration(settings.Lifetime)/time.Second) - 1
	return &tokenAnswer{
		Type: "Bearer", ExpiresIn: seconds, ExtExpiresIn: seconds, Token: token,
		RefreshIn: int(time.Duration(settings.RefreshIn) / time.Second),
	}, nil
}

func (t *Tenant) shown() string {
	if t.Name != "" {
		return t.Name
	}
	return t.ID
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// checkForm looks at the form of a token request and returns the resource that its scope names.
func checkForm(form url.Values) (resource string, refused *aadError) {
	switch g := form.Get("grant_type"); g {
	case "":
		return "", aadMissing("grant_type")
	case "client_credentials":
	default:
		return "", aad(70003, "The app requested an unsupported grant type '%s'.", g)
	}
	if form.Get("client_id") == "" {
		return "", aadMissing("client_id")
	}
	scopes := strings.Fields(form.Get("scope"))
	// MSAL adds scopes of OpenID for users; they mean nothing to an app.
	scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == "openid" || s == "profile" || s == "offline_access" })
	switch len(scopes) {
	case 0:
		return "", aadMissing("scope")
	case 1:
	default:
		return "", aad(70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. "+
			"The scope %s is not valid.", strings.Join(scopes, " "))
	}
	resource, ok := strings.CutSuffix(scopes[0], "/.default")
	if !ok {
		return "", aad(1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default "+
			"suffixed to the resource identifier (application ID URI).", scopes[0])
	}
	if resource == "" {
		return "", aad(70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. "+
			"The scope %s is not valid.", scopes[0])
	}
	return resource, nil
}

// authenticate checks the app's secret or assertion; credential says which it was, as tokens tell it.
func (s *Server) authenticate(r *http.Request, t *Tenant, a *App, form url.Values) (credential string, refused *aadError) {
	if assertion := form.Get("client_assertion"); assertion != "" {
		return "2", s.checkAssertion(r, t, a, form.Get("client_assertion_type"), assertion)
	}
	secret := form.Get("client_secret")
	if secret == "" {
		return "", aad(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	expired := false
	for _, known := range a.Secrets {
		if subtle.ConstantTimeCompare([]byte(known.Value), []byte(secret)) != 1 {
			continue
		}
		if known.Ends.IsZero() || s.now().Before(known.Ends) {
			return "1", nil
		}
		expired = true
	}
	if expired {
		return "", aad(7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: "+
			"https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", a.ID)
	}
	return "", aad(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client "+
		"secret ID, for a secret added to app '%s'.", a.ID)
}

// cloudHosts are those of Exchange Online and Graph in the clouds.
var cloudHosts = []string{
	"outlook.office365.com", "outlook.office.com", "graph.microsoft.com",
	"outlook.office365.us", "outlook-dod.office365.us", "graph.microsoft.us", "dod-graph.microsoft.us",
	"partner.outlook.cn", "microsoftgraph.chinacloudapi.cn",
}

// isResource reports whether a resource is one that exists here: a service of a cloud, or this server under any of its names.
func isResource(resource, host string) bool {
	if containsFold(resources[serviceEWS], resource) || containsFold(resources[serviceGraph], resource) {
		return true
	}
	u, err := url.Parse(resource)
	if err != nil || u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	name := u.Hostname()
	if containsFold(cloudHosts, u.Host) || strings.EqualFold(name, "localhost") || strings.EqualFold(u.Host, host) {
		return true
	}
	own, _, err := net.SplitHostPort(host)
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback() || err == nil && strings.EqualFold(name, own)
}

// jwk is the public key as JSON Web Key.
func (k *signing) jwk() map[string]string {
	e := big.NewInt(int64(k.key.E)).Bytes()
	return map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.kid, "x5t": k.kid,
		"n": base64.RawURLEncoding.EncodeToString(k.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(e),
	}
}
