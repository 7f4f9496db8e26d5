// Package mail tells people by mail of trouble with the sync of their bookings. The engine queues the mails in the same
// transaction as the trouble; a Sender sends them. A mail may come twice, with the same Message-ID, if a host dies while
// it sends.
package mail

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	gomail "github.com/wneessen/go-mail"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	lookAgain   = 15 * time.Second
	dutyFor     = 5 * time.Minute
	dialTimeout = 30 * time.Second
	roundFor    = 2 * time.Minute // no mail is begun after that; far less than dutyFor
	batch       = 50
	giveUpAfter = 24 * time.Hour // older news is no use
	firstWait   = time.Minute
	longestWait = 2 * time.Hour
	duty        = "mail"
)

// Options makes a Sender.
type Options struct {
	Store *store.Store
	Log   hclog.Logger
	Now   func() time.Time
	// Holder names this host among those that share the store. Empty: a random name.
	Holder string
	// Settings returns those in force. Nothing is sent while they are not On.
	Settings func() config.Mail
}

// A Sender sends the queued mails.
type Sender struct{ Options }

// New returns a Sender. Store and Settings are required.
func New(o Options) *Sender {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Holder == "" {
		b := make([]byte, 8)
		_, _ = rand.Read(b) // never fails
		o.Holder = hex.EncodeToString(b)
	}
	return &Sender{o}
}

// Run sends what is queued until ctx ends. Of several hosts on one store one sends at a time.
func (s *Sender) Run(ctx context.Context) error {
	for {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("mails to people cannot be sent", "error", err)
		}
		t := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// round sends what is due. Its error is one of the store.
func (s *Sender) round(ctx context.Context) error {
	settings := s.Settings()
	if !settings.On() {
		return nil
	}
	due, err := s.Store.DueMails(ctx, s.Now(), batch)
	if err != nil || len(due) == 0 {
		return err
	}
	mine := false
	err = s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		mine, err = tx.TakeDuty(ctx, duty, s.Holder, tx.Now().Add(dutyFor))
		return err
	})
	if err != nil || !mine {
		return err
	}
	// Another host may have sent some of them before it lost the duty.
	if due, err = s.Store.DueMails(ctx, s.Now(), batch); err != nil {
		return err
	}
	letters := s.letters(settings)
	work, cancel := context.WithTimeout(ctx, roundFor)
	defer cancel()
	client, failed := dial(work, settings)
	if client != nil {
		defer func() { _ = client.Close() }()
	}
	over := s.Now().Add(roundFor)
	for _, m := range due {
		if ctx.Err() != nil || !s.Now().Before(over) { // the server is slow: what is left must not be sent without the duty
			return nil
		}
		if err := s.one(ctx, m, attempt{settings: settings, letters: letters, client: client, failed: failed}); err != nil {
			return err
		}
	}
	return nil
}

// letters returns those in force. A mail in plain words is better than none, so faulty files give way to the built-in ones.
func (s *Sender) letters(settings config.Mail) *Letters {
	l, err := LoadLetters(settings)
	if err == nil {
		return l
	}
	s.Log.Error("the letters of the folder mail.templates cannot be used; the built-in ones are sent. \"roomwire config mails\" shows them", "error", err)
	settings.Templates = ""
	if l, err = LoadLetters(settings); err != nil {
		panic(err) // embedded, and tested
	}
	return l
}

// An attempt is a connection to the mail server, or why there is none.
type attempt struct {
	settings config.Mail
	letters  *Letters
	client   *gomail.Client
	failed   error
}

// one sends a mail, or puts it off, and stores which.
func (s *Sender) one(ctx context.Context, m store.Mail, a attempt) error {
	now := s.Now()
	log := s.Log.With("tenant", m.Tenant, "person", m.Person, "booking", m.Booking, "kind", m.Kind)
	msg, unwanted, err := s.compose(ctx, m, a.settings, a.letters)
	if err != nil {
		return err
	}
	sent := false
	switch age := now.Sub(m.Created); {
	case unwanted != "":
		m.NextAt, m.Problem = time.Time{}, unwanted
	case age > giveUpAfter:
		m.NextAt = time.Time{}
		if m.Problem == "" {
			m.Problem = "it waited for longer than a day"
		}
		log.Warn("a mail was given up", "error", m.Problem)
	default:
		failed := a.failed
		if failed == nil {
			failed = a.client.Send(msg)
		}
		m.Attempts++
		m.Problem = ""
		m.NextAt = time.Time{}
		if sent = failed == nil; sent {
			log.Debug("mail sent")
			break
		}
		m.Problem = plain(failed.Error())
		if refused(failed) {
			log.Warn("a mail was refused for good", "error", m.Problem)
			break
		}
		m.NextAt = now.Add(wait(m.Attempts))
		log.Info("a mail was not sent", "error", m.Problem, "again", m.NextAt)
	}
	if sent {
		ctx = context.WithoutCancel(ctx) // a stop must not have it sent twice
	}
	return s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.SaveMail(ctx, m) })
}

func wait(attempts int) time.Duration { return min(firstWait<<min(attempts-1, 10), longestWait) }

// refused reports whether the server will never take this mail: it does not know the address, for instance.
func refused(err error) bool {
	e, ok := errors.AsType[*gomail.SendError](err)
	return ok && !e.IsTemp() && e.ErrorCode() >= 500 && e.Reason == gomail.ErrSMTPRcptTo
}

func dial(ctx context.Context, m config.Mail) (*gomail.Client, error) {
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if m.CAFile != "" {
		if trust.RootCAs, err = authorities(m.CAFile); err != nil {
			return nil, err
		}
	}
	options := []gomail.Option{gomail.WithPort(number), gomail.WithTimeout(dialTimeout), gomail.WithTLSConfig(trust)}
	switch m.TLS {
	case config.MailTLSImplicit:
		options = append(options, gomail.WithSSL())
	case config.MailTLSOffered:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.User), gomail.WithPassword(m.Password.Reveal()))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server %s: %w", m.Server, err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return nil, fmt.Errorf("mail server %s: %w", m.Server, err)
	}
	return client, nil
}

func authorities(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("mail ca_file: %w", err)
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("mail ca_file %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// compose makes the mail; unwanted says why nobody wants it any more.
func (s *Sender) compose(ctx context.Context, m store.Mail, settings config.Mail, letters *Letters) (msg *gomail.Msg, unwanted string, err error) {
	p, found, err := s.Store.Person(ctx, m.Tenant, m.Person)
	switch {
	case err != nil:
		return nil, "", err
	case !found, p.Email == "", !p.MailOnError:
		return nil, "the person is gone, or no longer wants such mails", nil
	}
	l, err := s.letter(ctx, m, p, letters.language)
	if err != nil {
		return nil, "", err
	}
	subject, body, err := letters.Write(l)
	if err != nil {
		return nil, "the letter cannot be written: " + err.Error(), nil
	}
	from, err := netmail.ParseAddress(settings.From)
	if err != nil {
		return nil, "the sender's address is not valid", nil
	}
	msg = gomail.NewMsg()
	msg.FromMailAddress(from)
	if err := msg.To(p.Email); err != nil {
		return nil, "the person's mail address is not valid", nil
	}
	if settings.ReplyTo != "" {
		if err := msg.ReplyTo(settings.ReplyTo); err != nil {
			return nil, "the address for answers is not valid", nil
		}
	}
	msg.Subject(subject)
	msg.SetDateWithValue(s.Now())
	msg.SetMessageIDWithValue(messageID(m, from.Address))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence is told in answer
	msg.SetBodyString(gomail.TypeTextPlain, body)
	return msg, "", nil
}

// messageID is the same in every try.
func messageID(m store.Mail, from string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%d", m.Tenant, m.Person, m.ID, m.Created.UnixMilli()))
	_, domain, _ := strings.Cut(from, "@")
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// plain leaves out what would break a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
