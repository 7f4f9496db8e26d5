package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

type rejecter func(ctx context.Context, seq int64, reason string) (string, error)

func (f rejecter) Reject(ctx context.Context, _ string, seq int64, reason string) (string, error) {
	return f(ctx, seq, reason)
}

func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	times := 0
	g.Rejecter = rejecter(func(_ context.Context, seq int64, reason string) (string, error) {
		times++
		switch {
		case reason == "unknown":
			return "", fmt.Errorf("change %d: %w", seq, booking.ErrNotFound)
		case reason == "broken":
			return "", fmt.Errorf("database is away")
		case reason == "panic":
			panic("at once")
		}
		return fmt.Sprintf("rolled back, %d", times), nil
	})
	h := New(g.Options)
	const path = changes + "/7/reject"
	send := func(key, reason string, headers ...string) answer {
		return g.call(t, h, "POST", path, `{"reason":"`+reason+`"}`, append(headers, "Idempotency-Key", key)...)
	}
	first, again := send("k1", "no"), send("k1", "no")
	if times != 1 || first.StatusCode != 200 || again.StatusCode != 200 || first.text != again.text {
		t.Errorf("done %d times: %s, %s", times, first.text, again.text)
	}
	if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v, %v", first.Header, again.Header)
	}
	if r := send("k1", "another"); r.StatusCode != 422 || r.problem.Type != urn+"idempotency-key" || times != 1 {
		t.Errorf("another request with the same key: %d %s", r.StatusCode, r.text)
	}
	if r := send("k2", "no"); r.StatusCode != 200 || times != 2 {
		t.Errorf("another key: %d %s", r.StatusCode, r.text)
	}
	if r := send("k1", "no", "Authorization", g.keyWith(t, "admin")); r.StatusCode != 200 || times != 3 {
		t.Errorf("the same key of another caller: %d, done %d times", r.StatusCode, times)
	}
	for range 2 {
		if r := send("k3", "unknown"); r.StatusCode != 404 || times != 4 {
			t.Errorf("a refusal: %d %s, done %d times", r.StatusCode, r.text, times)
		}
	}
	for _, reason := range []string{"broken", "panic"} {
		for range 2 {
			if r := send("k4"+reason, reason); r.StatusCode != 500 || r.Header.Get("Idempotency-Replayed") != "" {
				t.Errorf("a failure of ours: %d %s", r.StatusCode, r.text)
			}
		}
	}
	if times != 8 {
		t.Errorf("failures of ours are kept: done %d times", times)
	}
	if r := send(strings.Repeat("k", 256), "no"); r.StatusCode != 400 {
		t.Errorf("a key that is too long: %d", r.StatusCode)
	}
}

func TestARequestInWorkIsNotDoneTwice(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	began, finish := make(chan struct{}), make(chan struct{})
	g.Rejecter = rejecter(func(context.Context, int64, string) (string, error) {
		close(began)
		<-finish
		return "rolled back", nil
	})
	h := New(g.Options)
	done := make(chan answer)
	send := func() answer {
		return g.call(t, h, "POST", changes+"/7/reject", `{"reason":"no"}`, "Idempotency-Key", "k")
	}
	go func() { done <- send() }()
	<-began
	if r := send(); r.StatusCode != 409 || r.problem.Type != urn+"in-work" || r.Header.Get("Retry-After") == "" {
		t.Errorf("while it is in work: %d %s", r.StatusCode, r.text)
	}
	close(finish)
	if r := <-done; r.StatusCode != 200 {
		t.Errorf("the first: %d %s", r.StatusCode, r.text)
	}
	if r := send(); r.StatusCode != 200 || r.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("afterwards: %d %s", r.StatusCode, r.text)
	}
}

func TestARequestThatDiedWithItsHostIsDoneAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.Rejecter = rejecter(func(context.Context, int64, string) (string, error) { return "rolled back", nil })
	now := time.Now()
	g.Now = func() time.Time { return now }
	print := []byte("of the request that died")
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.BeginAnswer(ctx, store.Answer{Tenant: "Default", APIKey: g.key[3:11], Key: "k", Fingerprint: print})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h := New(g.Options)
	send := func() answer {
		return g.call(t, h, "POST", changes+"/7/reject", `{"reason":"no"}`, "Idempotency-Key", "k")
	}
	if r := send(); r.StatusCode != 422 {
		t.Errorf("soon: %d %s", r.StatusCode, r.text)
	}
	now = now.Add(abandoned + time.Minute)
	if r := send(); r.StatusCode != 200 {
		t.Errorf("later: %d %s", r.StatusCode, r.text)
	}
}

func TestAKeyIsNotKeptForARepeatedRequest(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	make := func() rest.NewAPIKey {
		r := g.call(t, h, "POST", "/Default/api/v1/apikeys", `{"name":"x"}`, "Authorization", "Bearer "+g.admin, "Idempotency-Key", "k")
		if r.StatusCode != 201 {
			t.Fatal(r.text)
		}
		return decode[rest.NewAPIKey](t, r.text)
	}
	first, again := make(), make()
	if first.Key == "" || again.Key != "" || first.ID != again.ID {
		t.Errorf("first there: %v, of %s, again %q of %s", first.Key != "", first.ID, again.Key, again.ID)
	}
	kept, found, err := g.store.Answer(t.Context(), "Default", "admin", "k")
	if err != nil || !found || strings.Contains(string(kept.Body), first.Key) {
		t.Errorf("what is kept: %v, %v, %s", found, err, kept.Body)
	}
}
