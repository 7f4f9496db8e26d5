package login

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5" // part of NTLM's channel bindings
	"crypto/x509"
	"encoding/binary"
	"errors"
)

// Protection is a mode of Extended Protection for Authentication.
type Protection int

// The modes that an administrator of Exchange can set.
const (
	None    Protection = iota // channel bindings are not looked at
	Allow                     // a client may send none; wrong or all-zero ones are refused
	Require                   // a client must send the right ones
)

// String returns the mode's name as Exchange's cmdlets spell it.
func (p Protection) String() string {
	switch p {
	case Allow:
		return "Allow"
	case Require:
		return "Require"
	default:
		return "None"
	}
}

// Binding returns the value of MsvAvChannelBindings for a TLS server that shows cert: the MD5 of the
// gss_channel_bindings with tls-server-end-point of RFC 5929.
func Binding(cert *x509.Certificate) []byte {
	hash := endPointHash(cert.SignatureAlgorithm)
	h := hash.New()
	_, _ = h.Write(cert.Raw)
	data := h.Sum([]byte("tls-server-end-point:"))
	b := make([]byte, 16, 20+len(data)) // no addresses of initiator and acceptor
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	sum := md5.Sum(append(b, data...))
	return sum[:]
}

// endPointHash is that of the certificate's signature, SHA-256 instead of MD5 and SHA-1. For signatures
// without a hash of their own RFC 5929 is silent; SHA-256 is what clients take.
func endPointHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}

// binding is what one connection demands of a client's channel bindings.
type binding struct {
	mode Protection
	want []byte // nil if the server's certificate is unknown: nothing is right then
}

// bindingFor says what o demands. Without TLS there is no channel to bind to.
func bindingFor(o Options, tls bool) binding {
	if !tls || o.Protection == None {
		return binding{}
	}
	b := binding{mode: o.Protection}
	if o.Certificate != nil {
		if cert := o.Certificate(); cert != nil {
			b.want = Binding(cert)
		}
	}
	return b
}

var errBinding = errors.New("channel binding is missing or wrong")

// check takes the value that the client sent, nil if it sent none.
func (b binding) check(got []byte) error {
	switch {
	case b.mode == None, b.mode == Allow && got == nil:
		return nil
	case b.want != nil && hmac.Equal(got, b.want):
		return nil
	default:
		return errBinding
	}
}
