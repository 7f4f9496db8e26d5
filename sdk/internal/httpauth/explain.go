package httpauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// explain gives an error of a connection its kind, and one of TLS a sentence that says what to do.
func explain(ctx context.Context, u *url.URL, err error) error {
	if err == nil || ended(ctx, err) {
		return err
	}
	if _, known := errors.AsType[fault.Kind](err); known {
		return err
	}
	if sentence := aboutTLS(originOf(u), err); sentence != "" {
		return &fault.Error{Kind: fault.Unavailable, Scope: fault.ScopeServer, Message: sentence}
	}
	return fmt.Errorf("talking to %s: %w: %w", originOf(u), err, fault.Unavailable)
}

func aboutTLS(origin string, err error) string {
	const trust = `put the certificate of the issuing CA into a file and name it in the sync mode: http { ca_file = "…" }`
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Sprintf("the certificate of %s is signed by an authority that is not trusted here: %s", origin, trust)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		names := append([]string{}, e.Certificate.DNSNames...)
		for _, ip := range e.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		return fmt.Sprintf("the certificate of %s is for %s, not for this name: use one of those names in the URL, "+
			"or give the server a certificate for this one", origin, nameList(names))
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return fmt.Sprintf("the certificate of %s is not valid at this time (valid from %s to %s): renew it, and check "+
				"the clocks of both machines", origin, day(e.Cert, true), day(e.Cert, false))
		}
		return fmt.Sprintf("the certificate of %s is not acceptable: %v; if it is self-signed, %s", origin, e, trust)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("the certificate of %s cannot be verified: %v; %s", origin, e.Err, trust)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("%s does not speak TLS on this port: check the port, or whether the URL should begin with http:", origin)
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return fmt.Sprintf("%s ended the TLS handshake: %v; check which TLS versions it allows (1.2 at least)", origin, e)
	}
	return ""
}

func nameList(names []string) string {
	if len(names) == 0 {
		return "no name at all"
	}
	if len(names) > 5 {
		names = append(names[:5:5], "…")
	}
	return strings.Join(names, ", ")
}

func day(c *x509.Certificate, begin bool) string {
	if begin {
		return c.NotBefore.UTC().Format("2006-01-02")
	}
	return c.NotAfter.UTC().Format("2006-01-02")
}
