package exchange

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A world is a running server, reached over TLS, and a backend that talks to it.
type world struct {
	*Backend
	sim   *exchangesim.Server
	at    *exchangesim.Listener
	url   string
	alice backend.Mailbox
}

// identity is who logs in, by Basic.
type identity struct {
	user   string
	actsAs bool
}

var (
	service = identity{`EXAMPLE\svc-rooms`, true}
	bob     = identity{`EXAMPLE\bob`, false} // by folder permission
)

func newWorld(t *testing.T, as identity) *world {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, sim, as)
}

func newWorldOf(t *testing.T, sim *exchangesim.Server, as identity) *world {
	t.Helper()
	at, err := sim.StartTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{sim: sim, at: at, url: at.URL + "/EWS/Exchange.asmx"}
	w.alice = w.mailbox("alice@example.com")
	w.Backend = w.open(t, as, at.CertificatePEM)
	t.Cleanup(func() {
		if err := at.Close(); err != nil {
			t.Error(err)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) mailbox(address string) backend.Mailbox {
	return backend.Mailbox{Address: address, URL: w.url}
}

// open returns a backend that trusts the given certificate and logs in by Basic.
func (w *world) open(t *testing.T, as identity, certificate []byte) *Backend {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	b, err := New(backend.Env{
		HTTP: &http.Client{Transport: basic{as.user, "secret", transport}}, ActAs: as.actsAs, Markers: backend.DefaultMarkers(),
	}, "test", OnPremises)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// basic authorizes as the host's client will.
type basic struct {
	user, password string
	next           http.RoundTripper
}

func (b basic) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(b.user, b.password)
	return b.next.RoundTrip(r)
}

func utc(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// desk is an event with something in every field that a create can write.
func desk() calendar.Event {
	return calendar.Event{
		Subject: "Desk 4.12 & <window>", Body: "first line\nsecond line", Location: "Building 4",
		Start: utc("2026-12-01 08:00"), End: utc("2026-12-01 16:00"), Zone: "Europe/Berlin",
		Busy: calendar.Tentative, Class: calendar.Private, Reminder: &calendar.Reminder{Before: 30 * time.Minute},
		Attendees: []calendar.Attendee{
			{Address: calendar.Address{Name: "Bob Brown", Email: "bob@example.com"}},
			{Address: calendar.Address{Name: "Carol Clark", Email: "carol@example.com"}, Role: calendar.Optional},
			{Address: calendar.Address{Name: "Room A", Email: "room-a@example.com"}, Role: calendar.Resource},
		},
	}
}

// written is what of an event we write; the rest is the server's.
func written(e calendar.Event) calendar.Event {
	e.UID, e.Organizer = "", calendar.Address{}
	return e
}

func (w *world) create(t *testing.T, key string, e calendar.Event) backend.Item {
	t.Helper()
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Create, Mailbox: w.alice, Key: key, ForeignKey: "oid-" + key, Event: e,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Item
}

// pull reads all pages from a cursor.
func (w *world) pull(t *testing.T, since backend.Cursor) ([]backend.Change, []backend.Page) {
	t.Helper()
	var changes []backend.Change
	var pages []backend.Page
	err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice, Since: since}, func(p backend.Page) error {
		changes, pages = append(changes, p.Changes...), append(pages, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changes, pages
}

func cursor(pages []backend.Page) backend.Cursor { return pages[len(pages)-1].Next }

// fetch reads one item.
func (w *world) fetch(t *testing.T, ref backend.Ref) (backend.Item, error) {
	t.Helper()
	got, err := w.Fetch(t.Context(), w.alice, []backend.Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Item, got[0].Err
}

func marked(i exchangesim.Appointment, key string) bool {
	for _, v := range i.Properties {
		if strings.EqualFold(v, key) {
			return true
		}
	}
	return false
}
