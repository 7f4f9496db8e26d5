package exchangesim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// longestJWT bounds the tokens that are looked at.
const longestJWT = 64 << 10

// A jwt is a JSON Web Token in the compact form (RFC 7519), read but not verified.
type jwt struct {
	header    jwtHeader
	claims    []byte // JSON
	signed    string // what the signature covers
	signature []byte
}

// jwtHeader are the fields of the header that matter here.
type jwtHeader struct {
	Type      string `json:"typ,omitempty"`
	Algorithm string `json:"alg"`
	Key       string `json:"kid,omitempty"`
	SHA1      string `json:"x5t,omitempty"`      // base64 of the certificate's hash
	SHA256    string `json:"x5t#S256,omitempty"` // likewise
}

// parseJWT reads a token.
func parseJWT(text string) (*jwt, error) {
	if len(text) > longestJWT {
		return nil, errors.New("the token is too long")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("the token has %d parts, not 3", len(parts))
	}
	var raw [3][]byte
	for i, part := range parts {
		data, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return nil, fmt.Errorf("part %d of the token is not base64url: %w", i+1, err)
		}
		raw[i] = data
	}
	t := &jwt{claims: raw[1], signed: parts[0] + "." + parts[1], signature: raw[2]}
	if err := json.Unmarshal(raw[0], &t.header); err != nil {
		return nil, fmt.Errorf("the header of the token: %w", err)
	}
	if !json.Valid(t.claims) {
		return nil, errors.New("the claims of the token are not JSON")
	}
	return t, nil
}

// verify checks the signature, made with RS256 or PS256.
func (t *jwt) verify(key *rsa.PublicKey) error {
	digest := sha256.Sum256([]byte(t.signed))
	switch t.header.Algorithm {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], t.signature)
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], t.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return fmt.Errorf("the algorithm %q is not RS256 or PS256", t.header.Algorithm)
}

// signJWT makes a token with RS256.
func signJWT(key *rsa.PrivateKey, header jwtHeader, claims any) (string, error) {
	header.Type, header.Algorithm = "JWT", "RS256"
	var parts [2]string
	for i, v := range []any{header, claims} {
		data, err := json.Marshal(v)
		if err != nil {
			return "", fmt.Errorf("write the token: %w", err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(data)
	}
	signed := parts[0] + "." + parts[1]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// A numericDate is seconds since 1970, which some write with a fraction. Zero means that the claim is missing.
type numericDate float64

// time is the instant; a date beyond what can be told is the end of time.
func (d numericDate) time() time.Time {
	return time.Unix(int64(math.Max(0, math.Min(float64(d), 1<<40))), 0).UTC()
}

func dateOf(t time.Time) numericDate { return numericDate(t.Unix()) }

// An audience is one text, or a list of them.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}
