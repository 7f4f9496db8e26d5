package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// requestID returns the id under which a request is logged.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey).(string)
	return id
}

// record collects what is logged of one request: nothing of its key, query and body.
type record struct {
	h       *handler
	w       *recorder
	r       *http.Request
	began   time.Time
	pattern string
	who     caller
}

func (h *handler) begin(w http.ResponseWriter, r *http.Request) (*http.Request, *record) {
	id := rand.Text()[:16]
	r = r.WithContext(context.WithValue(r.Context(), requestKey, id))
	return r, &record{h: h, w: &recorder{ResponseWriter: w}, r: r, began: h.Now(), pattern: "none"}
}

func (l *record) writer() http.ResponseWriter { return l.w }
func (l *record) route(pattern string)        { l.pattern = pattern }
func (l *record) caller(who caller)           { l.who = who }

// end answers for a request that panicked and writes the log line. It must be deferred itself.
func (l *record) end() {
	v := recover()
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	if v != nil {
		p := problem{
			kind: "internal", status: http.StatusInternalServerError, cause: fmt.Errorf("panic: %v", v),
			detail: "the host failed to do this; its log says why under this request_id",
		}
		if l.w.status == 0 {
			l.h.refuse(l.w, l.r, p)
		} else {
			l.h.Log.Error("a request failed after its answer had begun", "request_id", requestID(l.r.Context()), "error", p.cause)
		}
	}
	level := hclog.Info
	if l.r.Method == http.MethodGet || l.r.Method == http.MethodHead {
		level = hclog.Debug
	}
	took := l.h.Now().Sub(l.began)
	if l.h.Observe != nil && l.w.status != 0 {
		l.h.Observe(l.pattern, l.w.status, took)
	}
	_, path, _ := strings.Cut(l.pattern, " ")
	l.h.Log.Log(level, "request", "request_id", requestID(l.r.Context()), "method", l.r.Method, "route", path,
		"tenant", l.who.tenant, "key", l.who.key, "status", l.w.status, "bytes", l.w.bytes, "took", took)
}

// recorder remembers how a request was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
