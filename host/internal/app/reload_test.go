package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

// writeCertificate writes a pair of files, the certificate with a number.
func writeCertificate(t *testing.T, dir string, number int64) config.Listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	l := config.Listener{Addr: "127.0.0.1:0", CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		l.CertFile: {Type: "CERTIFICATE", Bytes: der}, l.KeyFile: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// A configuration that is refused because of one listener's certificate leaves that of the other in force, too.
func TestCertificatesAreReplacedTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	one, two := t.TempDir(), t.TempDir()
	cfg := &config.Config{Listen: config.Listen{Notifications: writeCertificate(t, one, 1), API: writeCertificate(t, two, 2)}}
	a := &App{}
	var err error
	if a.notifications, err = listen("notifications", cfg.Listen.Notifications); err != nil {
		t.Fatal(err)
	}
	defer a.notifications.Close()
	if a.rest, err = listen("api", cfg.Listen.API); err != nil {
		t.Fatal(err)
	}
	defer a.rest.Close()
	inForce := func() [2]int64 {
		var numbers [2]int64
		for i, l := range []*listener{a.notifications, a.rest} {
			c, err := x509.ParseCertificate(l.cert.Load().Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			numbers[i] = c.SerialNumber.Int64()
		}
		return numbers
	}

	writeCertificate(t, one, 11)
	writeCertificate(t, two, 12)
	broken := *cfg
	broken.Listen.API.KeyFile = cfg.Listen.Notifications.KeyFile
	if err := a.certificates(&broken); err == nil {
		t.Error("a key that does not fit is accepted")
	}
	if got := inForce(); got != [2]int64{1, 2} {
		t.Errorf("certificates %v are in force, want those from before", got)
	}
	if err := a.certificates(cfg); err != nil || inForce() != [2]int64{11, 12} {
		t.Errorf("certificates %v are in force (%v), want the new ones", inForce(), err)
	}
}
