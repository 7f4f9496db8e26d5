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
		fmt.Fprintf(w, `{"said":%q}`, fmt.Sprintf("%s %s %s %s %s",
			r.Method, r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("Content-Type"), body))
	})
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{}, "GET    "},
		{Request{Method: http.MethodPatch, IfMatch: `"7"`, In: map[string]int{"a": 1}}, `PATCH "7"  application/json {"a":1}`},
		{Request{Method: http.MethodPut, IfNoneMatch: "*", In: []int{}}, `PUT  * application/json []`},
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
	words := map[string]fault.Kind{"no_calendar": fault.MailboxNotFound, "no_item": fault.NotFound, "full": fault.Forbidden}
	var out struct{ A int }
	for name, tc := range map[string]struct {
		r    Request
		want fault.Kind
	}{
		"busy":                   {Request{URL: answer(503, "")}, fault.Throttled},
		"broken":                 {Request{URL: answer(500, `{"error":"no_item"}`), Words: words}, fault.Unavailable},
		"a word of the server's": {Request{URL: answer(404, `{"error":"no_calendar"}`), Words: words}, fault.MailboxNotFound},
		"the first of two":       {Request{URL: answer(404, `{"a":{"n":1,"b":"no_item"},"c":"full"}`), Words: words}, fault.NotFound},
		"a word with any status": {Request{URL: answer(409, `["full"]`), Words: words}, fault.Forbidden},
		"no word":                {Request{URL: answer(412, `{"error":"changed"}`), Words: words}, fault.Conflict},
		"somebody else's 404":    {Request{URL: answer(404, `<a href="no_item">`), Words: words}, fault.Unavailable},
		"another 404":            {Request{URL: answer(404, `{"message":"no_items"}`), Words: words}, fault.Unavailable},
		"another 410":            {Request{URL: answer(410, ""), Words: words}, fault.Unavailable},
		"404 of the silent":      {Request{URL: answer(404, "")}, fault.NotFound},
		"no JSON":                {Request{URL: answer(200, "<html>"), Out: &out}, fault.Unavailable},
		"other JSON":             {Request{URL: answer(200, `{"a":"x"}`), Out: &out}, fault.Unavailable},
		"nothing":                {Request{URL: answer(200, ""), Out: &out}, fault.Unavailable},
		"nothing for Out":        {Request{URL: answer(201, ""), Out: &out}, fault.Unavailable},
		"a page, without Out":    {Request{URL: answer(201, "<html>")}, fault.Unavailable},
		"nothing, without Out":   {Request{URL: answer(200, "")}, fault.Unavailable},
		"any JSON, without Out":  {Request{URL: answer(200, "[]")}, ""},
		"created":                {Request{URL: answer(201, "")}, ""},
		"no content":             {Request{URL: answer(204, "")}, ""},
		"cut off":                {Request{URL: cut, Out: &out}, fault.Unavailable},
		"nobody there":           {Request{URL: gone.URL}, fault.Unavailable},
		"no URL":                 {Request{URL: "http://a b/"}, fault.Invalid},
		"what is no JSON":        {Request{URL: gone.URL, In: func() {}}, fault.Internal},
	} {
		if err := JSON(t.Context(), http.DefaultClient, tc.r); fault.Of(err) != tc.want {
			t.Errorf("%s: %v is %q, want %q", name, err, fault.Of(err), tc.want)
		}
	}
	for _, body := range []string{"", `{"error":"slow"}`} {
		r := Request{URL: answer(429, body), Words: map[string]fault.Kind{"slow": fault.Throttled}}
		if err := JSON(t.Context(), http.DefaultClient, r); fault.After(err) != 7*time.Second {
			t.Errorf("to be left alone for %s with %q", fault.After(err), body)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := JSON(ctx, http.DefaultClient, Request{URL: answer(200, "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestARefusalIsToldInTheServersWordsAlone(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"no_item","title":"Talk with the doctor"}`)
	})
	err := JSON(t.Context(), http.DefaultClient, Request{URL: url, Words: map[string]fault.Kind{"no_item": fault.NotFound}})
	if want := "the server answered HTTP 404 Not Found (no_item)"; err == nil || err.Error() != want {
		t.Errorf("told %v, want %s", err, want)
	}
}
