package mail

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

const tenant = "Default"

// rig is a sender with its store and clock.
type rig struct {
	*testing.T
	store    *store.Store
	sender   *Sender
	server   *server
	settings config.Mail
	log      *bytes.Buffer

	mu   sync.Mutex
	time time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.time
}

func (r *rig) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.time = r.time.Add(d)
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func newRig(t *testing.T, url string, change func(*server)) *rig {
	t.Helper()
	r := &rig{T: t, time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), server: newServer(t, change), log: &bytes.Buffer{}}
	var err error
	r.store, err = store.Open(t.Context(), store.Options{URL: url, Now: r.now})
	r.must(err)
	t.Cleanup(func() { _ = r.store.Close() })
	r.settings = config.Mail{Server: r.server.listener.Addr().String(), TLS: config.MailTLSOffered, From: "Rooms <rooms@example.com>", ReplyTo: "it@example.com", CAFile: r.server.caFile}
	r.sender = New(Options{
		Store: r.store, Now: r.now, Settings: func() config.Mail { return r.settings },
		Log: hclog.New(&hclog.LoggerOptions{Output: r.log, Level: hclog.Trace}),
	})
	r.tx(func(ctx context.Context, tx *store.Tx) error {
		for _, p := range []directory.Person{
			{ID: "alice", Email: "alice@example.com", DisplayName: "Alice Ämter", MailOnError: true},
			{ID: "room-a", Email: "room-a@example.com", DisplayName: "Room A", Kind: directory.KindResource},
		} {
			p.Tenant = tenant
			if _, err := tx.PutPerson(ctx, p); err != nil {
				return err
			}
		}
		return tx.PutBooking(ctx, &booking.Booking{
			Tenant: tenant, ID: "b1", Version: 1, Title: "Redundancies", Notes: "for nobody's eyes", Organizer: "alice", Resources: []string{"room-a"},
			Start: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC), Zone: "Europe/Berlin",
			Busy: booking.Occupied, Class: booking.Public, Status: booking.Confirmed,
		})
	})
	return r
}

func each(t *testing.T, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) { f(newRig(t, url, nil)) })
}

func (r *rig) tx(f func(context.Context, *store.Tx) error) {
	r.Helper()
	r.must(r.store.Tx(r.Context(), f))
}

func (r *rig) queue(kind string) {
	r.Helper()
	r.tx(func(ctx context.Context, tx *store.Tx) error {
		return tx.AddMail(ctx, store.Mail{Tenant: tenant, Person: "alice", Booking: "b1", Kind: kind, Detail: "a resource is taken at that time by another booking\r\nBcc: x"})
	})
}

func (r *rig) round() {
	r.Helper()
	r.must(r.sender.round(r.Context()))
}

// due are the mails that still are to be sent at some time.
func (r *rig) due() []store.Mail {
	r.Helper()
	due, err := r.store.DueMails(r.Context(), r.now().AddDate(1, 0, 0), 100)
	r.must(err)
	return due
}

// A meeting that is not booked has no number, and nothing is told of the booking that has the room.
func TestMailAboutAMeetingWithoutABooking(t *testing.T) {
	for language, want := range map[string]string{
		config.English: "Why: the room Room A is taken by another booking at the time of your meeting, 2026-12-01 10:00 (Europe/Berlin).",
		config.German:  "Grund: der Raum Room A ist zur Zeit Ihrer Besprechung durch eine andere Buchung belegt, 2026-12-01 10:00 (Europe/Berlin).",
	} {
		t.Run(language, func(t *testing.T) {
			each(t, func(r *rig) {
				r.settings.Language = language
				r.tx(func(ctx context.Context, tx *store.Tx) error {
					return tx.AddMail(ctx, store.Mail{
						Tenant: tenant, Person: "alice", Booking: "outlook-0815/room-a", Kind: syncer.MailRoomConflict,
						Detail: "the room Room A is taken by another booking at the time of your meeting, 2026-12-01 10:00 (Europe/Berlin)",
					})
				})
				r.round()
				got := r.server.received()
				if len(got) != 1 {
					r.Fatalf("%d mails", len(got))
				}
				data, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(got[0].body)))
				r.must(err)
				body := strings.Join(strings.Fields(string(data)), " ")
				if !strings.Contains(body, want) || strings.Contains(body, "outlook-") || strings.Contains(body, "Booking:") || strings.Contains(body, "Buchung:") {
					r.Errorf("body:\n%s", data)
				}
			})
		})
	}
}

func TestMailSaysWhatHappenedAndNotWhatTheBookingIsAbout(t *testing.T) {
	each(t, func(r *rig) {
		kinds := []string{syncer.MailSyncDisabled, syncer.MailChangeRefused, syncer.MailChangeRejected, syncer.MailBookingCancelled}
		for _, kind := range kinds {
			r.queue(kind)
			r.round()
		}
		got := r.server.received()
		if len(got) != len(kinds) || len(r.due()) != 0 {
			r.Fatalf("%d mails, %d due", len(got), len(r.due()))
		}
		for i, d := range got {
			body, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(d.body)))
			r.must(err)
			for _, want := range []string{
				"Hello Alice Ämter,", "b1\n", "Tuesday, 1 December 2026, 10:00 to 11:00 (Europe/Berlin)", "Room A",
				"Why: a resource is taken at that time by another booking Bcc: x.", "What to do: ",
			} {
				if !strings.Contains(string(body), want) {
					r.Errorf("%s lacks %q:\n%s", kinds[i], want, body)
				}
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(d.msg.Header.Get("Subject"))
			if r.must(err); !strings.HasPrefix(subject, "Your booking of 1 December 2026 ") {
				r.Errorf("subject = %q", subject)
			}
			if all := subject + string(body); strings.Contains(all, "Redundancies") || strings.Contains(all, "nobody's eyes") {
				r.Errorf("%s tells too much:\n%s", kinds[i], all)
			}
			for header, want := range map[string]string{
				"From": `"Rooms" <rooms@example.com>`, "To": "<alice@example.com>", "Reply-To": "<it@example.com>",
				"Auto-Submitted": "auto-generated", "Bcc": "", "Date": "Sun, 22 Nov 2026 08:00:00 +0000",
			} {
				if v := d.msg.Header.Get(header); v != want {
					r.Errorf("%s = %q, want %q", header, v, want)
				}
			}
			if !strings.HasSuffix(d.msg.Header.Get("Message-Id"), "@example.com>") || d.to != "TO:<alice@example.com>" {
				r.Errorf("id %s to %s", d.msg.Header.Get("Message-Id"), d.to)
			}
		}
		r.round()
		if len(r.server.received()) != len(kinds) {
			r.Error("sent twice")
		}
	})
}

func TestMailThatIsNotTakenIsTriedForADay(t *testing.T) {
	each(t, func(r *rig) {
		r.queue(syncer.MailSyncDisabled)
		r.server.refuses(func(line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return "451 4.3.0 not now"
			}
			return ""
		})
		for n := 1; len(r.due()) > 0; n++ {
			m := r.due()[0]
			if m.Attempts != n-1 || n > 30 {
				r.Fatalf("mail = %+v", m)
			}
			r.later(m.NextAt.Sub(r.now()))
			r.round()
		}
		if d := r.now().Sub(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)); d < 24*time.Hour || d > 27*time.Hour {
			r.Errorf("given up after %v", d)
		}
		r.server.refuses(nil)
		r.later(24 * time.Hour)
		r.round()
		if len(r.server.received()) != 0 {
			r.Error("old news was sent")
		}
	})
}

func TestMailIsSentOnceTheServerIsBack(t *testing.T) {
	each(t, func(r *rig) {
		address := r.settings.Server
		r.settings.Server = "127.0.0.1:1"
		r.queue(syncer.MailSyncDisabled)
		r.queue(syncer.MailChangeRefused)
		r.round()
		for _, m := range r.due() {
			if m.Attempts != 1 || m.Problem == "" || !m.NextAt.Equal(r.now().Add(firstWait)) {
				r.Errorf("mail = %+v", m)
			}
		}
		r.settings.Server = address
		r.later(firstWait)
		r.round()
		if len(r.server.received()) != 2 || r.server.conns != 1 {
			r.Errorf("%d mails over %d connections", len(r.server.received()), r.server.conns)
		}
	})
}

func TestUnknownAddressIsNotTriedAgainAndHoldsNobodyUp(t *testing.T) {
	each(t, func(r *rig) {
		r.queue(syncer.MailSyncDisabled)
		r.queue(syncer.MailChangeRefused)
		first := true
		r.server.refuses(func(line string) string {
			if strings.HasPrefix(line, "RCPT") && first {
				first = false
				return "550 5.1.1 no such user"
			}
			return ""
		})
		r.round()
		if len(r.server.received()) != 1 || len(r.due()) != 0 {
			r.Errorf("%d mails, due: %+v", len(r.server.received()), r.due())
		}
	})
}

func TestNobodyIsMailedWhoNoLongerWantsIt(t *testing.T) {
	each(t, func(r *rig) {
		r.queue(syncer.MailSyncDisabled)
		r.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.PutPerson(ctx, directory.Person{Tenant: tenant, ID: "alice", Email: "alice@example.com"})
			return err
		})
		r.round()
		if len(r.server.received()) != 0 || len(r.due()) != 0 {
			r.Errorf("%d mails, due: %+v", len(r.server.received()), r.due())
		}
	})
}

func TestNothingIsSentWhileMailsAreOffOrAnotherHostSends(t *testing.T) {
	each(t, func(r *rig) {
		r.queue(syncer.MailSyncDisabled)
		on := r.settings
		r.settings = config.Mail{}
		r.round()
		r.settings = on
		r.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.TakeDuty(ctx, duty, "another", r.now().Add(time.Minute))
			return err
		})
		r.round()
		if len(r.server.received()) != 0 || len(r.due()) != 1 {
			r.Errorf("%d mails, due: %+v", len(r.server.received()), r.due())
		}
		r.later(time.Minute)
		r.round()
		if len(r.server.received()) != 1 {
			r.Error("not sent")
		}
	})
}

// With a slow server a round ends while nobody else may have the duty yet; else people would get mails twice.
func TestSlowServerDoesNotMakeARoundOutlastTheDuty(t *testing.T) {
	each(t, func(r *rig) {
		for range 5 {
			r.queue(syncer.MailSyncDisabled)
		}
		began := r.now()
		r.server.refuses(func(line string) string {
			if line == "DATA" {
				r.later(roundFor / 2)
			}
			return ""
		})
		r.round()
		if n, took := len(r.server.received()), r.now().Sub(began); n != 2 || took >= dutyFor {
			r.Errorf("%d mails in a round of %s", n, took)
		}
		r.round()
		r.round()
		if n := len(r.server.received()); n != 5 {
			r.Errorf("%d mails after three rounds", n)
		}
	})
}

func TestWaysToTheServer(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for name, tc := range map[string]struct {
		server  func(*server)
		tls     config.MailTLS
		user    string
		strange bool // the certificate is nobody's
		sent    bool
		secure  bool
	}{
		"Plain":              {nil, config.MailTLSOffered, "", false, true, false},
		"Offered":            {func(s *server) { s.offerTLS = true }, config.MailTLSOffered, "", false, true, true},
		"Implicit":           {func(s *server) { s.implicit = true }, config.MailTLSImplicit, "", false, true, true},
		"Login":              {func(s *server) { s.offerTLS, s.wantsTLS, s.login = true, true, "hub\x00"+password }, config.MailTLSRequired, "hub", false, true, true},
		"WrongPassword":      {func(s *server) { s.offerTLS, s.login = true, "hub\x00other" }, config.MailTLSRequired, "hub", false, false, true},
		"LoginWithoutTLS":    {func(s *server) { s.login = "hub\x00" + password }, config.MailTLSRequired, "hub", false, false, false},
		"StrangeCertificate": {func(s *server) { s.implicit = true }, config.MailTLSImplicit, "", true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, storetest.SQLite(t), tc.server)
			r.settings.TLS, r.settings.User = tc.tls, tc.user
			if tc.user != "" {
				r.settings.Password = config.NewSecret(password)
			}
			if tc.strange {
				r.settings.CAFile = ""
			}
			r.queue(syncer.MailSyncDisabled)
			r.round()
			got := r.server.received()
			if len(got) == 1 != tc.sent {
				t.Fatalf("%d mails; due: %+v", len(got), r.due())
			}
			if tc.sent && (got[0].tls != tc.secure || got[0].user != tc.user) {
				t.Errorf("mail = %+v", got[0])
			}
			if !tc.sent && (len(r.due()) != 1 || r.due()[0].Problem == "") {
				t.Errorf("due: %+v", r.due())
			}
			if strings.Contains(r.log.String(), password) || len(r.due()) > 0 && strings.Contains(r.due()[0].Problem, password) {
				t.Errorf("the password was told: %s %+v", r.log, r.due())
			}
		})
	}
}

func TestRunSendsWhatIsQueuedAndEnds(t *testing.T) {
	each(t, func(r *rig) {
		r.queue(syncer.MailSyncDisabled)
		ctx, cancel := context.WithCancel(r.Context())
		taken := make(chan struct{})
		r.server.refuses(func(line string) string {
			if line == "QUIT" {
				close(taken)
			}
			return ""
		})
		done := make(chan error)
		go func() { done <- r.sender.Run(ctx) }()
		<-taken
		cancel()
		if err := <-done; err != nil || len(r.server.received()) != 1 {
			r.Errorf("Run = %v, %d mails", err, len(r.server.received()))
		}
	})
}
