package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

// abandoned is when a request that was never answered is thought lost with the host that worked on it.
const abandoned = 15 * time.Minute

// once serves a request with an Idempotency-Key: the first is done, its repetitions get the same answer.
func (h *handler) once(w http.ResponseWriter, r *http.Request, route string) {
	key := r.Header.Get("Idempotency-Key")
	if h.Answers == nil || r.Method != http.MethodPost || key == "" || len(key) > 255 || !plain(key) {
		h.checked.ServeHTTP(w, r)
		return
	}
	print, err := fingerprint(r)
	if err != nil {
		h.refuse(w, r, malformed("the body did not arrive whole"))
		return
	}
	claim := store.Answer{Tenant: tenant(r.Context()), APIKey: keyID(r.Context()), Key: key, Fingerprint: print}
	mine, err := h.claim(w, r, claim)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	if mine {
		h.first(w, r, claim, route)
	}
}

// claim reports whether the request is to be done. If it is not, it has answered.
func (h *handler) claim(w http.ResponseWriter, r *http.Request, claim store.Answer) (bool, error) {
	ctx := r.Context()
	for range 2 {
		mine, err := h.Answers.BeginAnswer(ctx, claim)
		if err != nil || mine {
			return mine, err
		}
		a, found, err := h.Answers.Answer(ctx, claim.Tenant, claim.APIKey, claim.Key)
		switch {
		case err != nil:
			return false, err
		case !found, a.Status == 0 && h.Now().Sub(a.At) > abandoned:
			if err := h.Answers.DropAnswer(ctx, claim.Tenant, claim.APIKey, claim.Key); err != nil {
				return false, err
			}
			continue
		case !bytes.Equal(a.Fingerprint, claim.Fingerprint):
			return false, problem{
				kind: "idempotency-key", status: http.StatusUnprocessableEntity,
				detail: "this Idempotency-Key came with another request before: use a new key for each request",
			}
		case a.Status == 0:
			return false, problem{
				kind: "in-work", status: http.StatusConflict, retry: time.Second,
				detail: "the first request with this Idempotency-Key is still in work: repeat it in a moment",
			}
		default:
			replay(w, a)
			return false, nil
		}
	}
	return false, problem{
		kind: "in-work", status: http.StatusConflict, retry: time.Second,
		detail: "another request with this Idempotency-Key is in work: repeat it in a moment",
	}
}

func replay(w http.ResponseWriter, a store.Answer) {
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	if a.Location != "" {
		w.Header().Set("Location", a.Location)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the caller is gone if this fails
}

// first does the request and keeps its answer. What failed on our side is not kept: it may go well the next time.
func (h *handler) first(w http.ResponseWriter, r *http.Request, claim store.Answer, route string) {
	copied := &copier{recorder: recorder{ResponseWriter: w}}
	done := false
	defer func() {
		// The caller may be gone when the answer is there, and will ask again just then.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 30*time.Second)
		defer cancel()
		var err error
		switch status := copied.status; {
		case !done, status == 0, status >= 500, status == http.StatusTooManyRequests, copied.broken:
			err = h.Answers.DropAnswer(ctx, claim.Tenant, claim.APIKey, claim.Key)
		default:
			claim.Status, claim.Body = status, copied.body.Bytes()
			claim.ContentType, claim.Location = w.Header().Get("Content-Type"), w.Header().Get("Location")
			if route == keyCreation {
				claim.Body = withoutKey(claim.Body)
			}
			err = h.Answers.FinishAnswer(ctx, claim)
		}
		if err != nil {
			h.Log.Warn("the answer to a request with an Idempotency-Key could not be kept", "request_id", requestID(ctx), "error", err)
		}
	}()
	h.checked.ServeHTTP(copied, r)
	done = true
}

// keyCreation is the route whose answer holds what is stored nowhere.
const keyCreation = "POST /{tenant}/api/v1/apikeys"

func withoutKey(body []byte) []byte {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil || m["key"] == nil {
		return body
	}
	m["key"] = ""
	out, _ := json.Marshal(m) // it was JSON before
	return out
}

// copier keeps what is written through it.
type copier struct {
	recorder
	body   bytes.Buffer
	broken bool // the answer tells of a failure of ours though its status does not
}

// Write implements http.ResponseWriter.
func (c *copier) Write(b []byte) (int, error) {
	c.body.Write(b)
	return c.recorder.Write(b)
}

// spoil marks an answer that had begun well as not to be kept.
func spoil(w http.ResponseWriter) {
	for w != nil {
		if c, ok := w.(*copier); ok {
			c.broken = true
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// fingerprint tells requests apart. It leaves the body to be read again.
func fingerprint(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s\n%s\n%s\n", r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"))
	sum.Write(body)
	return sum.Sum(nil), nil
}
