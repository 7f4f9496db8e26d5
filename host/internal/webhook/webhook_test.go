package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

const tenant = "Default"

// rig is a service with its store, a clock, and a receiver that answers as it is told.
type rig struct {
	*testing.T
	url     string // of the store
	store   *store.Store
	service *Service
	server  *httptest.Server
	tls     *tls.Config

	mu     sync.Mutex
	time   time.Time
	got    []received
	answer func(n int) (status int, header http.Header)
	came   chan struct{}
}

type received struct {
	header http.Header
	body   []byte
}

func each(t *testing.T, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, url string) {
		r := &rig{T: t, url: url, time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), came: make(chan struct{}, 1000)}
		var err error
		if r.store, err = store.Open(t.Context(), store.Options{URL: url, Now: r.now}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.store.Close() })
		r.server = httptest.NewTLSServer(r)
		t.Cleanup(r.server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(r.server.Certificate())
		r.tls = &tls.Config{RootCAs: roots}
		r.service = r.host("a")
		f(r)
	})
}

func (r *rig) host(name string) *Service {
	s := New(Options{
		Store: r.store, Now: r.now, Holder: name, TLS: r.tls,
		Render: func(c store.ChangeRecord) (json.RawMessage, error) {
			return json.Marshal(map[string]any{"seq": c.Seq, "booking": c.Booking})
		},
	})
	s.spread = func() float64 { return 0 }
	return s
}

// ServeHTTP is the receiver.
func (r *rig) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.got = append(r.got, received{req.Header, body})
	n, answer := len(r.got), r.answer
	r.mu.Unlock()
	status := http.StatusNoContent
	if answer != nil {
		var h http.Header
		status, h = answer(n)
		for k, v := range h {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(status)
	r.came <- struct{}{}
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

func (r *rig) answers(f func(n int) (int, http.Header)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func status(code int) func(int) (int, http.Header) {
	return func(int) (int, http.Header) { return code, nil }
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) change(kinds ...string) {
	r.Helper()
	r.must(r.store.Tx(r.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, kind := range kinds {
			_, err := tx.AppendChange(ctx, store.ChangeRecord{Tenant: tenant, Kind: kind, Source: "api", Booking: "b1", Data: []byte("{}")})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (r *rig) create(change ...func(*Wish)) store.Webhook {
	r.Helper()
	want := Wish{Name: "test", URL: r.server.URL}
	for _, c := range change {
		c(&want)
	}
	w, err := r.service.Create(r.Context(), tenant, want)
	r.must(err)
	return w
}

// deliver makes one round of deliveries and returns the webhook after it.
func (r *rig) deliver(w store.Webhook) store.Webhook {
	r.Helper()
	if _, err := r.service.deliver(r.Context(), name{tenant, w.ID}); err != nil {
		r.Fatal(err)
	}
	w, err := r.service.Get(r.Context(), tenant, w.ID)
	r.must(err)
	return w
}

func (r *rig) received() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// seqs are the changes that were received, in order.
func (r *rig) seqs() string {
	r.Helper()
	var all []string
	for _, g := range r.received() {
		var m struct {
			Type string
			Data struct{ Seq int64 }
		}
		r.must(json.Unmarshal(g.body, &m))
		all = append(all, fmt.Sprintf("%s %d", strings.TrimPrefix(m.Type, "booking."), m.Data.Seq))
	}
	return strings.Join(all, ", ")
}

func TestChangesAreSentInOrderAndSigned(t *testing.T) {
	each(t, func(r *rig) {
		r.change("created")
		w := r.create()
		r.change("updated", "problem", "cancelled")
		w = r.deliver(w)
		if got, want := r.seqs(), "updated 2, problem 3, cancelled 4"; got != want {
			r.Errorf("received %s, want %s", got, want)
		}
		if w.Seq != 4 || !w.LastOK.Equal(r.now()) || w.Secret != "" {
			r.Errorf("webhook = %+v", w)
		}
		stored, _, err := r.store.Webhook(r.Context(), tenant, w.ID)
		r.must(err)
		v, err := standard.NewWebhook(stored.Secret)
		r.must(err)
		ids := map[string]bool{}
		for _, g := range r.received() {
			if err := v.VerifyIgnoringTimestamp(g.body, g.header); err != nil {
				r.Errorf("signature: %v", err)
			}
			if at := g.header.Get("webhook-timestamp"); at != strconv.FormatInt(r.now().Unix(), 10) {
				r.Errorf("timestamp = %s", at)
			}
			ids[g.header.Get("webhook-id")] = true
		}
		if len(ids) != 3 {
			r.Errorf("ids = %v", ids)
		}
		if r.deliver(w); len(r.received()) != 3 {
			r.Error("sent again")
		}
	})
}

func TestKindsAreChosen(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create(func(w *Wish) { w.Kinds = []string{"cancelled"} })
		r.change("created", "cancelled", "updated", "updated")
		if w = r.deliver(w); r.seqs() != "cancelled 2" || w.Seq != 4 {
			r.Errorf("received %s, cursor at %d", r.seqs(), w.Seq)
		}
	})
}

// Every wait is met, the message stays the same, and the one that follows it waits for it.
func TestMessageIsTriedForADayAndThenLaidAside(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created", "updated")
		r.answers(status(http.StatusInternalServerError))
		began := r.now()
		for n := 1; n <= len(waits); n++ {
			if w = r.deliver(w); w.Attempts != n || !w.NextAt.Equal(r.now().Add(waits[n-1])) || !w.Failing.Equal(began) || w.Seq != 0 {
				r.Fatalf("after try %d: %+v", n, w)
			}
			if again := r.deliver(w); again.Attempts != n {
				r.Fatalf("tried before its time: %+v", again)
			}
			r.later(waits[n-1])
		}
		if total := r.now().Sub(began); total < 22*time.Hour || total > 26*time.Hour {
			r.Errorf("tried for %v", total)
		}
		r.answers(func(n int) (int, http.Header) {
			if n == len(waits)+1 {
				return http.StatusBadGateway, nil
			}
			return http.StatusOK, nil
		})
		if w = r.deliver(w); w.Seq != 2 || w.Attempts != 0 || w.Problem != "" {
			r.Errorf("webhook = %+v", w)
		}
		dead, err := r.service.Dead(r.Context(), tenant, w.ID, Page{})
		r.must(err)
		if len(dead) != 1 || dead[0].Seq != 1 || dead[0].Attempts != len(waits)+1 || !strings.Contains(dead[0].Problem, "502") {
			r.Errorf("dead = %+v", dead)
		}
		all := r.received()
		if first, last := all[0], all[len(waits)]; first.header.Get("webhook-id") != last.header.Get("webhook-id") || string(first.body) != string(last.body) {
			r.Error("the message changed between two tries")
		}
		if s := r.service.Stats(); s != (Stats{Sent: 1, Failed: uint64(len(waits)) + 1, GivenUp: 1}) {
			r.Errorf("stats = %+v", s)
		}
	})
}

func TestDeadMessagesAreSentAgain(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created", "updated", "cancelled")
		r.answers(status(http.StatusNotFound))
		for w.Seq < 3 {
			w = r.deliver(w)
			r.later(24 * time.Hour)
		}
		if err := r.service.Resend(r.Context(), tenant, w.ID, 2); err == nil || !strings.Contains(err.Error(), "404") {
			r.Errorf("Resend = %v", err)
		}
		r.answers(nil)
		before := len(r.received())
		r.must(r.service.Resend(r.Context(), tenant, w.ID, 2))
		if err := r.service.Resend(r.Context(), tenant, w.ID, 2); !errors.Is(err, ErrNotFound) {
			r.Errorf("twice: %v", err)
		}
		if n, err := r.service.ResendAll(r.Context(), tenant, w.ID); n != 2 || err != nil {
			r.Errorf("ResendAll = %d, %v", n, err)
		}
		r.got = r.received()[before:]
		if got, want := r.seqs(), "updated 2, created 1, cancelled 3"; got != want {
			r.Errorf("received %s, want %s", got, want)
		}
		if dead, err := r.service.Dead(r.Context(), tenant, w.ID, Page{}); len(dead) != 0 || err != nil {
			r.Errorf("dead = %+v, %v", dead, err)
		}
	})
}

func TestReceiverSaysWhen(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		for header, want := range map[string]time.Duration{
			"120": 2 * time.Minute, "1": waits[0], "soon": waits[0], "99999999999": longestWait, "-5": waits[0],
			r.now().Add(time.Hour).Format(http.TimeFormat): time.Hour,
		} {
			r.answers(func(int) (int, http.Header) {
				return http.StatusServiceUnavailable, http.Header{"Retry-After": {header}}
			})
			_, err := r.service.Update(r.Context(), tenant, w.ID, Wish{URL: r.server.URL}) // tries it at once
			r.must(err)
			if w = r.deliver(w); w.NextAt.Sub(r.now()) != want {
				r.Errorf("Retry-After %s: waits %v, want %v", header, w.NextAt.Sub(r.now()), want)
			}
		}
	})
}

func TestGoneDisablesAndNothingIsLostOnceItIsBack(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		r.answers(status(http.StatusGone))
		if w = r.deliver(w); !w.Disabled || w.Seq != 0 || !strings.Contains(w.Problem, "410") {
			r.Errorf("webhook = %+v", w)
		}
		r.change("updated")
		r.answers(nil)
		if w = r.deliver(w); len(r.received()) != 1 {
			r.Error("sent while disabled")
		}
		_, err := r.service.Update(r.Context(), tenant, w.ID, Wish{URL: r.server.URL})
		r.must(err)
		r.deliver(w)
		if got, want := r.seqs(), "created 1, created 1, updated 2"; got != want {
			r.Errorf("received %s, want %s", got, want)
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		r.change("created")
		r.answers(func(int) (int, http.Header) {
			return http.StatusTemporaryRedirect, http.Header{"Location": {r.server.URL + "/elsewhere"}}
		})
		if w = r.deliver(w); len(r.received()) != 1 || !strings.Contains(w.Problem, "redirects") {
			r.Errorf("%d requests, %+v", len(r.received()), w)
		}
	})
}

func TestStrangeCertificateIsRefusedAndTheURLNotTold(t *testing.T) {
	each(t, func(r *rig) {
		r.tls = nil
		r.service = r.host("a")
		w := r.create(func(w *Wish) { w.URL += "/?token=hunter2" })
		err := r.service.Test(r.Context(), tenant, w.ID)
		if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "hunter2") || len(r.received()) != 0 {
			r.Errorf("err = %v, %d requests", err, len(r.received()))
		}
	})
}

func TestOldSecretIsGoodForADay(t *testing.T) {
	each(t, func(r *rig) {
		w := r.create()
		next, err := r.service.RotateSecret(r.Context(), tenant, w.ID)
		r.must(err)
		r.must(r.service.Test(r.Context(), tenant, w.ID))
		r.later(oldSecretFor)
		r.must(r.service.Test(r.Context(), tenant, w.ID))
		all := r.received()
		for i, want := range []bool{true, false} {
			for secret, good := range map[string]bool{w.Secret: want, next: true} {
				v, err := standard.NewWebhook(secret)
				r.must(err)
				if err := v.VerifyIgnoringTimestamp(all[i].body, all[i].header); (err == nil) != good {
					r.Errorf("message %d, new secret %v: %v", i, secret == next, err)
				}
			}
		}
		if !strings.Contains(string(all[0].body), `"type":"webhook.test"`) {
			r.Errorf("body = %s", all[0].body)
		}
	})
}

func TestWhatIsNoWebhookIsRefused(t *testing.T) {
	each(t, func(r *rig) {
		for field, list := range map[string][]Wish{
			"url": {
				{}, {URL: "example.com"}, {URL: "ftp://example.com"}, {URL: "http://example.com"}, {URL: "https://u:p@example.com"},
				{URL: "https://example.com/#x"}, {URL: "https://169.254.169.254/latest"}, {URL: "https://[::ffff:169.254.169.254]/"},
				{URL: "https://0.0.0.0/"}, {URL: "https://example.com/" + strings.Repeat("x", maxURL)}, {URL: "http://127.evil.example.com/"},
			},
			"kinds": {{URL: "https://example.com", Kinds: []string{"deleted"}}},
			"name":  {{URL: "https://example.com", Name: strings.Repeat("x", 101)}},
		} {
			for _, w := range list {
				_, err := r.service.Create(r.Context(), tenant, w)
				if e, ok := errors.AsType[*InvalidError](err); !ok || e.Field != field {
					r.Errorf("%+v: %v", w, err)
				}
			}
		}
		for _, url := range []string{"http://localhost:8080/x", "http://127.0.0.1/", "http://[::1]:1/", "https://example.com/hook?a=b"} {
			if _, err := r.service.Create(r.Context(), tenant, Wish{URL: url}); err != nil {
				r.Errorf("%s: %v", url, err)
			}
		}
		r.service.Plain = true
		if _, err := r.service.Create(r.Context(), tenant, Wish{URL: "http://example.com/"}); err != nil {
			r.Error(err)
		}
		for what, err := range map[string]error{
			"Delete": r.service.Delete(r.Context(), tenant, "x"),
			"Test":   r.service.Test(r.Context(), tenant, "x"),
			"Resend": r.service.Resend(r.Context(), tenant, "x", 1),
			"Get":    second(r.service.Get(r.Context(), tenant, "x")),
			"Rotate": second(r.service.RotateSecret(r.Context(), tenant, "x")),
			"Other":  second(r.service.Get(r.Context(), "other", r.create().ID)),
		} {
			if !errors.Is(err, ErrNotFound) {
				r.Errorf("%s: %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
