package ask

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestWhatIsSentAndReadIsJSON(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"said":%q}`, fmt.Sprintf("%s %s %s %s", r.Method, r.Header.Get("If-Match"), r.Header.Get("Content-Type"), body))
	})
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{}, "GET   "},
		{Request{Method: http.MethodPatch, IfMatch: `"7"`, In: map[string]int{"a": 1}}, `PATCH "7" application/json {"a":1}`},
	} {
		var got struct{ Said string }
		tc.r.URL, tc.r.Out = url, &got
		if err := JSON(t.Context(), http.DefaultClient, tc.r); err != nil || got.Said != tc.want {
			t.Errorf("said %q, %v; want %q", got.Said, err, tc.want)
		}
		tc.r.Out = nil
		if err := JSON(t.Context(), http.DefaultClient, tc.r); err != nil {
			t.Errorf("without Out: %v", err)
		}
	}
}

func TestTroubleHasTheRightKind(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{}`)
	})
	own := func(status int, body []byte) error {
		if status == http.StatusNotFound && string(body) == "no such calendar" {
			return fault.MailboxNotFound
		}
		return nil
	}
	var out struct{ A int }
	for name, tc := range map[string]struct {
		r    Request
		want fault.Kind
	}{
		"busy":            {Request{URL: answer(503, "")}, fault.Throttled},
		"broken":          {Request{URL: answer(500, ""), Refused: own}, fault.Unavailable},
		"an own meaning":  {Request{URL: answer(404, "no such calendar"), Refused: own}, fault.MailboxNotFound},
		"no own meaning":  {Request{URL: answer(404, "?"), Refused: own}, fault.NotFound},
		"no JSON":         {Request{URL: answer(200, "<html>"), Out: &out}, fault.Unavailable},
		"other JSON":      {Request{URL: answer(200, `{"a":"x"}`), Out: &out}, fault.Unavailable},
		"nothing":         {Request{URL: answer(200, ""), Out: &out}, fault.Unavailable},
		"cut off":         {Request{URL: cut, Out: &out}, fault.Unavailable},
		"nobody there":    {Request{URL: gone.URL}, fault.Unavailable},
		"no URL":          {Request{URL: "http://a b/"}, fault.Invalid},
		"what is no JSON": {Request{URL: gone.URL, In: func() {}}, fault.Internal},
	} {
		if err := JSON(t.Context(), http.DefaultClient, tc.r); fault.Of(err) != tc.want {
			t.Errorf("%s: %v is %q, want %q", name, err, fault.Of(err), tc.want)
		}
	}
	if err := JSON(t.Context(), http.DefaultClient, Request{URL: answer(429, "")}); fault.After(err) != 7*time.Second {
		t.Errorf("to be left alone for %s", fault.After(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := JSON(ctx, http.DefaultClient, Request{URL: answer(200, "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
