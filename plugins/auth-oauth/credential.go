package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a certificate's name in Entra, not a signature
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A credential is one proof that the app is who it says.
type credential struct {
	setting     string    // that holds it
	ends        time.Time // zero if it is not known
	thumbprint  string    // of a certificate, as Entra shows it
	looksLikeID bool      // of a secret: it has the form of a secret's id
	proof       confidential.Credential
}

// maxCertificate bounds certificate_file.
const maxCertificate = 1 << 20

// credentialsOf reads what the settings hold, the preferred one first.
func credentialsOf(s Settings) ([]credential, error) {
	var out []credential
	if s.CertificateFile != "" {
		c, err := certificateOf(s.CertificateFile, s.CertificatePassword)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	} else if s.CertificatePassword != "" {
		return nil, fmt.Errorf("there is certificate_password without certificate_file: %w", fault.Invalid)
	}
	for _, x := range []struct{ setting, value, expires string }{
		{"client_secret", s.ClientSecret, s.ClientSecretExpires},
		{"client_secret_2", s.ClientSecret2, s.ClientSecret2Expires},
	} {
		c, err := secretOf(x.setting, x.value, x.expires)
		if err != nil {
			return nil, err
		}
		if x.value != "" {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the app has neither client_secret nor certificate_file, and cannot log in without: %w", fault.Invalid)
	}
	return out, nil
}

func secretOf(setting, value, expires string) (credential, error) {
	c := credential{setting: setting, looksLikeID: isGUID(value)}
	if expires != "" {
		var err error
		if c.ends, err = time.Parse(time.DateOnly, expires); err != nil {
			return c, fmt.Errorf("%s_expires is no day: write it as 2027-01-31: %w", setting, fault.Invalid)
		}
	}
	if value == "" {
		return c, nil
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return c, fmt.Errorf("%s holds a blank or a line end, which no secret has: it may have come along from a file: %w", setting, fault.Invalid)
	}
	var err error
	if c.proof, err = confidential.NewCredFromSecret(value); err != nil {
		return c, fmt.Errorf("%s cannot be used: %w", setting, fault.Invalid)
	}
	return c, nil
}

func certificateOf(path, password string) (credential, error) {
	c := credential{setting: "certificate_file"}
	f, err := os.Stat(path)
	if err == nil && f.Size() > maxCertificate {
		return c, fmt.Errorf("certificate_file %s is larger than %d KiB, which no certificate is: %w", path, maxCertificate>>10, fault.Invalid)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("certificate_file cannot be read: %w: %w", err, fault.Invalid)
	}
	certs, key, err := parseCertificate(raw, password)
	if err != nil {
		return c, fmt.Errorf("certificate_file %s: %w: %w", path, err, fault.Invalid)
	}
	if _, isRSA := key.(*rsa.PrivateKey); !isRSA {
		return c, fmt.Errorf("certificate_file %s: its key is %T, and Entra takes RSA keys only: make a certificate with an RSA key of 2048 bits or more: %w",
			path, key, fault.Invalid)
	}
	if c.proof, err = confidential.NewCredFromCert(certs, key); err != nil {
		return c, fmt.Errorf("certificate_file %s: the private key belongs to none of its certificates: %w", path, fault.Invalid)
	}
	for _, cert := range certs {
		if public, ok := cert.PublicKey.(*rsa.PublicKey); ok && public.Equal(key.(*rsa.PrivateKey).Public()) {
			sum := sha1.Sum(cert.Raw) //nolint:gosec // as above
			c.ends, c.thumbprint = cert.NotAfter, strings.ToUpper(hex.EncodeToString(sum[:]))
			break
		}
	}
	return c, nil
}

// parseCertificate reads PEM or PFX (PKCS #12), by what the file holds.
func parseCertificate(raw []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	if !bytes.Contains(raw, []byte("-----BEGIN ")) {
		key, cert, chain, err := pkcs12.DecodeChain(raw, password)
		switch {
		case errors.Is(err, pkcs12.ErrIncorrectPassword):
			return nil, nil, errors.New("certificate_password is not the file's password")
		case err != nil:
			return nil, nil, errors.New("it is neither PEM nor a PFX file with one certificate and its private key")
		}
		return append([]*x509.Certificate{cert}, chain...), key, nil
	}
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, nil, errors.New("the private key in a PEM file must not be encrypted: " +
				"make a PFX of it (openssl pkcs12 -export -in FILE.pem -out FILE.pfx) and set certificate_password, " +
				"or decrypt it (openssl pkcs8 -topk8 -nocrypt) and protect the file")
		}
	}
	certs, key, err := confidential.CertFromPEM(raw, "")
	if err != nil {
		return nil, nil, errors.New("a PEM file needs one certificate (BEGIN CERTIFICATE) and its private key (BEGIN PRIVATE KEY)")
	}
	return certs, key, nil
}

// expiry says when a credential ends, for the host.
func (c credential) expiry() auth.Expiry { return auth.Expiry{What: c.setting, At: c.ends} }

// isGUID reports whether s has the form of a GUID: tenants, apps and secrets' ids have.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return false
			}
		}
	}
	return true
}
