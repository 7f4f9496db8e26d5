package graph

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestWhatGraphsErrorsMean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		code   string
		kind   fault.Kind
		says   string
	}{
		{404, "MailboxNotEnabledForRESTAPI", fault.MailboxMoved, "on premises, or has no licence"},
		{404, "ErrorInvalidUser", fault.MailboxNotFound, "no user"},
		{404, "Request_ResourceNotFound", fault.MailboxNotFound, "no user"},
		{404, "ErrorItemNotFound", fault.NotFound, ""},
		{404, "erroritemnotfound", fault.NotFound, ""},
		{404, "UnknownError", fault.Unavailable, ""},
		{404, "", fault.Unavailable, ""},
		{403, "ErrorAccessDenied", fault.Forbidden, "Calendars.ReadWrite"},
		{403, "Authorization_RequestDenied", fault.Forbidden, "consent"},
		{403, "", fault.Forbidden, "Calendars.ReadWrite"},
		{401, "InvalidAuthenticationToken", fault.Unauthorized, "token"},
		{401, "", fault.Unauthorized, ""},
		{412, "ErrorIrresolvableConflict", fault.Conflict, ""},
		{412, "", fault.Unavailable, ""},
		{410, "", fault.Unavailable, ""},
		{400, "syncStateNotFound", fault.StateExpired, ""},
		{400, "ResyncRequired", fault.StateExpired, ""},
		{400, "ErrorInvalidIdMalformed", fault.Invalid, ""},
		{400, "", fault.Unavailable, ""},
		{429, "ApplicationThrottled", fault.Throttled, ""},
		{429, "", fault.Throttled, ""},
		{503, "", fault.Throttled, ""},
		{504, "", fault.Throttled, ""}, // as it says how long
		{500, "ErrorInternalServerError", fault.Unavailable, ""},
		{500, "MailboxConcurrency", fault.Throttled, ""},
		{200, "", fault.Unavailable, ""}, // where another status is success
	} {
		b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
			body := ""
			if tc.code != "" {
				body = fmt.Sprintf(`{"error":{"code":%q,"message":"It did not\r\n work.","innerError":{"request-id":"inner"}}}`, tc.code)
			}
			return answered(r, tc.status, body, "request-id", "outer", "Retry-After", "9"), nil
		})
		err := b.erase(t.Context(), m, "an-item")
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != tc.kind || e.Code != tc.code || e.ID != "outer" {
			t.Errorf("%d %s: %+v, want %s", tc.status, tc.code, err, tc.kind)
			continue
		}
		said := err.Error()
		if !strings.Contains(said, "alice@example.com") || !strings.Contains(said, tc.says) || tc.code != "" && strings.Count(said, tc.code) != 1 {
			t.Errorf("%d %s: %q", tc.status, tc.code, said)
		}
		if (e.Kind == fault.Throttled) != (e.After == 9*time.Second) && e.Kind != fault.Unavailable {
			t.Errorf("%d %s: wait %s", tc.status, tc.code, e.After)
		}
		if (e.Scope == fault.ScopeServer) != (e.Kind == fault.Unauthorized) {
			t.Errorf("%d %s: scope %d", tc.status, tc.code, e.Scope)
		}
	}
}

// What a filter asks for is quoted: a key is no part of the question.
func TestKeysAreQuoted(t *testing.T) {
	t.Parallel()
	var asked string
	b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
		asked = r.URL.Query().Get("$filter")
		return answered(r, 200, `{"value":[]}`), nil
	})
	if _, err := b.Find(t.Context(), m, backend.OurKey, "o'brien' or 1 eq 1&$top=1"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(asked, "and ep/value eq 'o''brien'' or 1 eq 1&$top=1')") {
		t.Errorf("asked %q", asked)
	}
	if _, err := b.Find(t.Context(), m, backend.ByUID, ""); fault.Of(err) != fault.Invalid {
		t.Errorf("an empty search: %v", err)
	}
	if _, err := b.Find(t.Context(), m, 9, "x"); fault.Of(err) != fault.Unsupported {
		t.Errorf("an unknown mark: %v", err)
	}
}

func TestFindByUID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	got, err := w.Find(t.Context(), w.alice, backend.ByUID, item.Event.UID)
	if err != nil || len(got) != 1 || got[0].Ref != item.Ref || got[0].Key != "bk-1" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatCannotBeSentIsToldWithoutItsURL(t *testing.T) {
	t.Parallel()
	refused := &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: "the secret has expired"}
	for name, tc := range map[string]struct {
		err  error
		kind fault.Kind
		want string
	}{
		"no login":       {refused, fault.Unauthorized, "reading the calendar of alice@example.com: the secret has expired"},
		"no connection":  {errors.New("connection refused"), fault.Unavailable, "reading the calendar of alice@example.com: talking to https://graph.example.com: connection refused"},
		"no certificate": {&tls.CertificateVerificationError{Err: errors.New("unknown authority")}, fault.Unavailable, "name its issuer in ca_file"},
	} {
		b, m := fakeBackend(t, func(*http.Request) (*http.Response, error) { return nil, tc.err })
		_, err := b.client.do(t.Context(), request{
			mailbox: m, doing: "reading the calendar", method: http.MethodGet, target: "/me?$deltatoken=of-the-server", ok: http.StatusOK}, nil)
		if !errors.Is(err, tc.err) || fault.Of(err) != tc.kind || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "of-the-server") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestIDsAreNoPathsOfTheirOwn(t *testing.T) {
	t.Parallel()
	var asked []string
	b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/calendar") {
			return answered(r, 200, `{"id":"calendar"}`), nil
		}
		asked = append(asked, r.URL.EscapedPath())
		return answered(r, 404, `{"error":{"code":"ErrorItemNotFound","message":"m"}}`), nil
	})
	for ref, want := range map[calendar.Ref]string{
		"a/../../b?c#d": "/v1.0/users/alice@example.com/events/a%2F..%2F..%2Fb%3Fc%23d", "AAkA+/=": "/v1.0/users/alice@example.com/events/AAkA+%2F=",
		"": "", ".": "", "..": "",
	} {
		asked = nil
		got, err := b.Fetch(t.Context(), m, []calendar.Ref{ref})
		if err != nil || len(got) != 1 || got[0].Err == nil {
			t.Errorf("%q: %+v, %v", ref, got, err)
		}
		if strings.Join(asked, " ") != want {
			t.Errorf("%q: asked %q, want %q", ref, asked, want)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s     Settings
		wrong string
	}{
		"none":             {},
		"in days":          {s: Settings{WindowBack: "60d", WindowAhead: "1000d", SubscriptionLifetime: "6d"}},
		"in hours":         {s: Settings{WindowBack: "720h", WindowAhead: "17520h", SubscriptionLifetime: "10065m"}},
		"no span":          {s: Settings{WindowBack: "a month"}, wrong: "window_back"},
		"no number":        {s: Settings{WindowAhead: "xd"}, wrong: "window_ahead"},
		"nothing":          {s: Settings{WindowAhead: "0d"}, wrong: "window_ahead"},
		"too wide":         {s: Settings{WindowBack: "900d", WindowAhead: "1000d"}, wrong: "1825"},
		"too long a life":  {s: Settings{SubscriptionLifetime: "7d"}, wrong: "subscription_lifetime"},
		"too short a life": {s: Settings{SubscriptionLifetime: "10m"}, wrong: "subscription_lifetime"},
	} {
		_, err := New(tc.s, backend.Env{HTTP: http.DefaultClient, Markers: backend.DefaultMarkers()}, "test")
		if tc.wrong == "" && err != nil || tc.wrong != "" && (fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), tc.wrong)) {
			t.Errorf("%s: %v, want one about %q", name, err, tc.wrong)
		}
	}
}

func TestMarkersThatCannotBe(t *testing.T) {
	t.Parallel()
	good := backend.DefaultMarkers()
	for name, m := range map[string]backend.Markers{
		"none":         {},
		"no such set":  {Key: good.Key, Foreign: backend.Property{Set: "MyStrings", Name: "AppointmentOid"}},
		"braces":       {Key: good.Key, Foreign: backend.Property{Set: "{" + good.Key.Set + "}", Name: "X"}},
		"no name":      {Key: good.Key, Foreign: backend.Property{Set: "PublicStrings"}},
		"same by GUID": {Key: backend.Property{Set: "00020329-0000-0000-C000-000000000046", Name: "appointmentoid"}, Foreign: good.Foreign},
	} {
		if _, err := New(Settings{}, backend.Env{Markers: m}, "test"); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}
