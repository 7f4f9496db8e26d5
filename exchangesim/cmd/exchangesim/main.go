// Command exchangesim runs an in-memory Exchange server for tests and demonstrations.
//
//	exchangesim --listen 127.0.0.1:8080 --listen-tls 127.0.0.1:8443 --listen-online 127.0.0.1:8444 --cert-out cert.pem
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintln(os.Stderr, "exchangesim:", err)
		}
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	listen, listenTLS, listenOnline, certOut, host, people, tenants, record, pushCA string
	auth                                                                            []string
	copies                                                                          bool
	options                                                                         exchangesim.Options // those of scale and limits, as they are
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("exchangesim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.listen, "listen", "", "serve HTTP on `ADDR`, such as 127.0.0.1:8080 or 127.0.0.1:0")
	f.StringVar(&s.listenTLS, "listen-tls", "", "serve HTTPS on `ADDR` with a certificate made at start")
	f.StringVar(&s.listenOnline, "listen-online", "", "serve Exchange Online with its login server on `ADDR`, over HTTPS with the same certificate")
	f.StringVar(&s.certOut, "cert-out", "", "write the certificate that clients must trust to `FILE` (PEM)")
	f.StringVar(&s.host, "host", "", "`NAME` or address, besides localhost, that the certificate is for")
	f.StringVar(&s.people, "people", "", "read the accounts from `FILE` (JSON); without it: sample people")
	f.StringVar(&s.tenants, "tenants", "", "read the organizations of Exchange Online from `FILE` (JSON); without it: sample tenants")
	f.StringVar(&s.record, "record", "", "write every request and answer body to numbered files in `DIR`")
	f.StringVar(&s.pushCA, "push-ca", "", "trust the certificates in `FILE` (PEM) when sending notifications")
	f.Func("auth", "offer only these login `SCHEMES`, of negotiate, ntlm and basic, with commas between them", func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			scheme, ok := map[string]string{"negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}[strings.ToLower(name)]
			if !ok {
				return fmt.Errorf("%q is not a login scheme", name)
			}
			s.auth = append(s.auth, scheme)
		}
		return nil
	})
	scaleFlags(f, &s.options)
	f.BoolVar(&s.copies, "copy-to-attendees", false, "deliver meetings into the calendars of attendees")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is not an option; try --help", f.Arg(0))
	case s.listen == "" && s.listenTLS == "" && s.listenOnline == "":
		s.listen = "127.0.0.1:8080"
	}
	if s.certOut != "" && s.listenTLS == "" && s.listenOnline == "" {
		return s, errors.New("--cert-out needs --listen-tls or --listen-online")
	}
	return s, nil
}

// run serves until ctx is done. It prints the addresses in use to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	set, err := parse(args, stderr)
	if err != nil {
		return err
	}
	options := set.options
	options.RecordDir, options.CopyToAttendees, options.Schemes = set.record, set.copies, set.auth
	options.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	if options.Minute > 0 {
		options.RetryBase = options.Minute / 2 // 30 seconds, on the scale of the minutes
	}
	if options.People, err = list[exchangesim.Person]("people", set.people); err != nil {
		return err
	}
	if options.Tenants, err = list[exchangesim.Tenant]("tenants", set.tenants); err != nil {
		return err
	}
	if options.PushClient, err = pushClient(set.pushCA, options.PushConnections); err != nil {
		return err
	}
	sim, err := exchangesim.New(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	for _, l := range []struct {
		name, addr string
		start      func(string) (*exchangesim.Listener, error)
	}{
		{"http", set.listen, sim.Start},
		{"https", set.listenTLS, func(addr string) (*exchangesim.Listener, error) { return sim.StartTLS(addr, set.host) }},
		{"online", set.listenOnline, func(addr string) (*exchangesim.Listener, error) { return sim.StartOnlineTLS(addr, set.host) }},
	} {
		if l.addr == "" {
			continue
		}
		running, err := l.start(l.addr)
		if err != nil {
			return err
		}
		defer func() { _ = running.Close() }() // ends with the process
		if len(running.CertificatePEM) > 0 && set.certOut != "" {
			if err := os.WriteFile(set.certOut, running.CertificatePEM, 0o644); err != nil {
				return fmt.Errorf("write the certificate: %w", err)
			}
		}
		if _, err := fmt.Fprintf(stdout, "%s: EWS at %s/EWS/Exchange.asmx, control at %s/sim/\n", l.name, running.URL, running.URL); err != nil {
			return fmt.Errorf("print the address: %w", err)
		}
	}
	<-ctx.Done()
	return nil
}

// list reads people or tenants, as what says, from a JSON file.
func list[T any](what, file string) ([]T, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	defer f.Close()
	var list []T
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("read the %s in %s: %w", what, file, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("read the %s in %s: there are none", what, file)
	}
	return list, nil
}

// pushClient sends notifications, over so many connections, to servers whose certificates an authority in file issued; nil
// means the default.
func pushClient(file string, connections int) (*http.Client, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authorities for notifications: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the authorities for notifications: %s holds no certificate", file)
	}
	return &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
