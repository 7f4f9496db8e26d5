package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestWhatCanNeverWorkIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, data)
		return path
	}
	cert := newCertificate(t, testKey(), time.Now().Add(time.Hour))
	pfx, err := pkcs12.Modern.Encode(testKey(), cert, nil, "S3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := Settings{TenantID: testTenant, AppID: testApp, ClientSecret: "S3cr3t~value"}
	for name, tc := range map[string]struct {
		change func(*Settings)
		want   string
	}{
		"no proof at all":          {func(s *Settings) { s.ClientSecret = "" }, "neither client_secret nor certificate_file"},
		"a line end":               {func(s *Settings) { s.ClientSecret += "\r\n" }, "line end"},
		"an app that is a name":    {func(s *Settings) { s.AppID = "Roomwire" }, "app_id is no id"},
		"every tenant":             {func(s *Settings) { s.TenantID = "common" }, "one tenant"},
		"a tenant that is a path":  {func(s *Settings) { s.TenantID = "a.b/../c" }, "neither an id"},
		"a day that is none":       {func(s *Settings) { s.ClientSecret2Expires = "31.1.2027" }, "client_secret_2_expires is no day"},
		"a cloud that is none":     {func(s *Settings) { s.Cloud = "moon" }, "there is no cloud"},
		"custom without a server":  {func(s *Settings) { s.Cloud = customCloud }, "needs authority"},
		"a server without TLS":     {func(s *Settings) { s.Cloud, s.Authority = customCloud, "http://login.example.com" }, "https://"},
		"a server with a path":     {func(s *Settings) { s.Cloud, s.Authority = customCloud, "https://login.example.com/oauth2" }, "without the tenant"},
		"a server for a known one": {func(s *Settings) { s.Authority = "https://login.example.com" }, "custom"},
		"no such CA file":          {func(s *Settings) { s.CAFile = filepath.Join(dir, "none") }, "ca_file"},
		"a CA file of nothing":     {func(s *Settings) { s.CAFile = file("empty.pem", nil) }, "no certificate"},
		"a proxy that is none":     {func(s *Settings) { s.Proxy = "me:S3cr3t@proxy" }, "proxy must be a URL"},
		"a password for nothing":   {func(s *Settings) { s.CertificatePassword = "S3cr3t" }, "without certificate_file"},
		"no such certificate":      {func(s *Settings) { s.CertificateFile = filepath.Join(dir, "none.pfx") }, "cannot be read"},
		"a file that is neither":   {func(s *Settings) { s.CertificateFile = file("x.pfx", []byte("hello")) }, "neither PEM nor a PFX"},
		"a wrong password": {func(s *Settings) { s.CertificateFile, s.CertificatePassword = file("w.pfx", pfx), "S3cr3t-wrong" },
			"not the file's password"},
		"a certificate alone": {func(s *Settings) {
			s.CertificateFile = file("c.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
		}, "its private key"},
		"an encrypted key": {func(s *Settings) {
			s.CertificateFile = file("e.pem", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}))
		}, "must not be encrypted"},
		"a key of another": {func(s *Settings) {
			s.CertificateFile = file("o.pem", pemOf(t, newCertificate(t, curve, time.Now()), testKey()))
		}, "belongs to none"},
		"a key that is not RSA": {func(s *Settings) {
			s.CertificateFile = file("ec.pem", pemOf(t, newCertificate(t, curve, time.Now()), curve))
		}, "RSA keys only"},
	} {
		s := good
		tc.change(&s)
		_, err := open(t.Context(), s, auth.Env{Log: hclog.NewNullLogger()})
		if fault.Of(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), tc.want) || strings.Contains(fmt.Sprint(err), "S3cr3t") {
			t.Errorf("%s: %v, want invalid with %q", name, err, tc.want)
		}
	}
}

func TestTokensAreForServersOfTheCloudAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cloud, origin string
		scope, fault  string // one of the two
	}{
		"EWS":                    {"", "https://outlook.office365.com:443", "https://outlook.office365.com/.default", ""},
		"EWS's other names":      {"global", "https://mail.OUTLOOK.office.com:443", "https://outlook.office365.com/.default", ""},
		"Graph":                  {"global", "https://graph.microsoft.com:443", "https://graph.microsoft.com/.default", ""},
		"US government":          {"usgov", "https://outlook.office365.us:443", "https://outlook.office365.us/.default", ""},
		"its Graph":              {"usgov", "https://graph.microsoft.us:443", "https://graph.microsoft.us/.default", ""},
		"US defence":             {"usgov-dod", "https://outlook-dod.office365.us:443", "https://outlook-dod.office365.us/.default", ""},
		"its other name":         {"usgov-dod", "https://webmail.apps.mil:443", "https://outlook-dod.office365.us/.default", ""},
		"its Graph too":          {"usgov-dod", "https://dod-graph.microsoft.us:443", "https://dod-graph.microsoft.us/.default", ""},
		"China":                  {"china", "https://partner.outlook.cn:443", "https://partner.outlook.cn/.default", ""},
		"China's Graph":          {"china", "https://microsoftgraph.chinacloudapi.cn:443", "https://microsoftgraph.chinacloudapi.cn/.default", ""},
		"another cloud's":        {"global", "https://outlook.office365.us:443", "", `belongs to the cloud "usgov"`},
		"a stranger's":           {"global", "https://mail.example.com:443", "", "is no server of the cloud"},
		"a name alike":           {"global", "https://graph.microsoft.com.example.com:443", "", "is no server of the cloud"},
		"a name that ends alike": {"global", "https://notoutlook.com:443", "", "is no server of the cloud"},
		"no TLS":                 {"global", "http://graph.microsoft.com:80", "", "not encrypted"},
		"a free host":            {"custom", "https://mail.example.com:443", "https://mail.example.com/.default", ""},
		"with a port":            {"custom", "https://localhost:8443", "https://localhost:8443/.default", ""},
		"free, no TLS":           {"custom", "http://localhost:8080", "", "not encrypted"},
		"no origin":              {"custom", "localhost", "", "no origin"},
	} {
		s := Settings{TenantID: testTenant, Cloud: tc.cloud}
		if tc.cloud == customCloud {
			s.Authority = "https://login.example.com/" + testTenant
		}
		c, err := cloudOf(s)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := c.serviceAt(tc.origin)
		if got.scope != tc.scope || (tc.fault == "") != (err == nil) || tc.fault != "" && (fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), tc.fault)) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got.scope, err, tc.scope, tc.fault)
		}
	}
}
