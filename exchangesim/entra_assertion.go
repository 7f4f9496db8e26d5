package exchangesim

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionClaims are those of an assertion by which an app proves that it has a certificate's key (RFC 7523).
type assertionClaims struct {
	Audience  audience    `json:"aud"`
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Expires   numericDate `json:"exp"`
	NotBefore numericDate `json:"nbf"`
}

// checkAssertion checks an app's assertion; nil means that it is right.
func (s *Server) checkAssertion(r *http.Request, t *Tenant, a *App, kind, text string) *aadError {
	if kind != assertionType {
		if kind == "" {
			return aadMissing("client_assertion_type")
		}
		return aad(50027, "The client_assertion_type '%s' is not supported.", kind)
	}
	token, err := parseJWT(text)
	if err != nil {
		return aad(50027, "JWT token is invalid or malformed. %v", err)
	}
	certificate, thumbprint := a.certificate(token.header)
	if certificate == nil {
		return aad(700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key "+
			"was not found., Thumbprint of key used by client: '%s', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see "+
			"configured keys for app Id '%s'.]", thumbprint, a.ID)
	}
	now := s.now()
	if now.Before(certificate.NotBefore) || !now.Before(certificate.NotAfter) {
		return aad(700027, "The certificate with identifier used to sign the client assertion is expired on application. [Reason - The key used is "+
			"expired., Thumbprint of key used by client: '%s', Found key 'Start=%s, End=%s', Please visit the Azure Portal, Graph Explorer or "+
			"directly use MS Graph to see configured keys for app Id '%s'.]", thumbprint, usDate(certificate.NotBefore), usDate(certificate.NotAfter), a.ID)
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok || token.verify(key) != nil {
		return aad(700027, "Client assertion contains an invalid signature. [Reason - The key was found but use of the key to verify the signature "+
			"failed., Thumbprint of key used by client: '%s'.]", thumbprint)
	}
	return s.checkClaims(r, t, a, token.claims)
}

// checkClaims checks what a signed assertion says.
func (s *Server) checkClaims(r *http.Request, t *Tenant, a *App, data []byte) *aadError {
	var c assertionClaims
	if err := json.Unmarshal(data, &c); err != nil {
		return aad(50027, "JWT token is invalid or malformed. %v", err)
	}
	switch {
	case !strings.EqualFold(c.Issuer, a.ID) || !strings.EqualFold(c.Subject, a.ID):
		return aad(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	case !slices.ContainsFunc(c.Audience, func(aud string) bool { return isTokenEndpoint(aud, r.Host, t) }):
		return aad(700023, "Client assertion audience claim does not match Realm issuer. Review the documentation at "+
			"https://learn.microsoft.com/entra/identity-platform/certificate-credentials.")
	}
	now := s.now()
	if c.Expires == 0 || !now.Before(c.Expires.time().Add(leeway)) || c.NotBefore.time().After(now.Add(leeway)) {
		return aad(700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of "+
			"assertion %s.", now.UTC().Format(time.RFC3339), c.NotBefore.time().Format(time.RFC3339), c.Expires.time().Format(time.RFC3339))
	}
	return nil
}

// isTokenEndpoint reports whether an audience is the tenant's token endpoint, or the issuer of its tokens, at host.
func isTokenEndpoint(aud, host string, t *Tenant) bool {
	for _, name := range append([]string{t.ID}, t.Domains...) {
		base := "https://" + host + "/" + name
		if strings.EqualFold(aud, base+"/oauth2/v2.0/token") || strings.EqualFold(aud, base+"/v2.0") {
			return true
		}
	}
	return false
}

// certificate finds the app's certificate that an assertion's header names, or nil; thumbprint is how the client named it, in
// hexadecimal digits.
func (a *App) certificate(h jwtHeader) (found *x509.Certificate, thumbprint string) {
	named := decodeThumbprint(h.SHA256)
	if len(named) == 0 {
		named = decodeThumbprint(h.SHA1)
	}
	if len(named) == 0 {
		named, _ = hex.DecodeString(h.Key)
	}
	for _, c := range a.Certificates {
		short, long := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
		if string(named) == string(short[:]) || string(named) == string(long[:]) {
			found = c
		}
	}
	return found, strings.ToUpper(hex.EncodeToString(named))
}

// decodeThumbprint reads base64 in either alphabet, padded or not: clients differ.
func decodeThumbprint(text string) []byte {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return data
}

func usDate(t time.Time) string { return t.UTC().Format("01/02/2006 15:04:05") }
