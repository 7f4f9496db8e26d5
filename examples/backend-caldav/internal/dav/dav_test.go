package dav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// serve answers everything in one way, and returns a client with the server's address.
func serve(t *testing.T, h http.HandlerFunc) (*Client, *url.URL) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/alice/work/")
	if err != nil {
		t.Fatal(err)
	}
	return New(s.Client(), "test", 1<<16), u
}

func TestRefusalsHaveKinds(t *testing.T) {
	t.Parallel()
	said := func(condition string) string {
		return `<?xml version="1.0"?><D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><` + condition + `/></D:error>`
	}
	for _, tc := range []struct {
		status int
		body   string
		want   fault.Kind
	}{
		{400, "", fault.Invalid},
		{401, "", fault.Unauthorized},
		{403, "", fault.Forbidden},
		{403, said("D:need-privileges"), fault.Forbidden},
		{403, said("D:valid-sync-token"), fault.StateExpired},
		{409, said("D:valid-sync-token"), fault.StateExpired},
		{403, said(`s:exception xmlns:s="http://sabredav.org/ns"/><D:valid-sync-token`), fault.StateExpired},
		{412, said(`s:exception xmlns:s="http://sabredav.org/ns"`), fault.Conflict},
		{403, said("D:supported-report"), fault.Unsupported},
		{403, said("C:supported-filter"), fault.Unsupported},
		{403, said("C:valid-calendar-data"), fault.Invalid},
		{403, said("C:no-uid-conflict"), fault.Conflict},
		{409, said("C:no-uid-conflict"), fault.Conflict},
		{404, "", fault.NotFound},
		{405, "", fault.Unsupported},
		{409, "", fault.Unavailable},
		{410, "", fault.NotFound},
		{412, "", fault.Conflict},
		{413, "", fault.Invalid},
		{423, "", fault.Unavailable},
		{429, "", fault.Throttled},
		{500, "<html>", fault.Unavailable},
		{503, "", fault.Throttled},
		{507, "", fault.Unavailable},
	} {
		c, u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		})
		_, err := c.Report(t.Context(), u, "0", Sync("", 10))
		if got := fault.Of(err); got != tc.want {
			t.Errorf("HTTP %d %s is %q: %v; want %q", tc.status, tc.body, got, err, tc.want)
		}
		if tc.want == fault.Throttled && fault.After(err) != 9*time.Second {
			t.Errorf("HTTP %d: wait %s, want what the server asks for", tc.status, fault.After(err))
		}
	}
}

func TestAnswersThatAreNoneAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a page":         "<html><body>log in</body></html>",
		"nothing":        "",
		"cut off":        `<D:multistatus xmlns:D="DAV:"><D:response>`,
		"other elements": `<multistatus/>`,
		"entities":       `<!DOCTYPE x [<!ENTITY a "b">]><D:multistatus xmlns:D="DAV:"><D:sync-token>&a;</D:sync-token></D:multistatus>`,
		"too long":       `<D:multistatus xmlns:D="DAV:">` + strings.Repeat(" ", 1<<16) + `</D:multistatus>`,
	} {
		c, u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusMultiStatus)
			_, _ = w.Write([]byte(body))
		})
		if ms, err := c.Propfind(t.Context(), u, "0", ETag); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %+v, %v; want unavailable", name, ms, err)
		}
	}
}

func TestRedirectsKeepTheRequestAndStayOnTheServer(t *testing.T) {
	t.Parallel()
	var seen []string
	c, u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" depth "+r.Header.Get("Depth"))
		switch r.URL.Path {
		case "/alice/work/":
			http.Redirect(w, r, "/dav/work/", http.StatusMovedPermanently)
		case "/dav/work/":
			w.WriteHeader(http.StatusMultiStatus)
			_, _ = w.Write([]byte(`<D:multistatus xmlns:D="DAV:"><D:response><D:href>a%20b.ics</D:href></D:response></D:multistatus>`))
		case "/round/":
			http.Redirect(w, r, "/round/", http.StatusFound)
		default:
			http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusTemporaryRedirect)
		}
	})
	ms, err := c.Propfind(t.Context(), u, "1", ETag)
	if err != nil || fmt.Sprint(seen) != "[PROPFIND /alice/work/ depth 1 PROPFIND /dav/work/ depth 1]" {
		t.Fatalf("%v, %v", seen, err)
	}
	if at, err := ms.Resolve(ms.Responses[0].Hrefs[0]); err != nil || at.Path != "/dav/work/a b.ics" {
		t.Errorf("the href leads to %v, %v", at, err)
	}
	if _, err := c.Propfind(t.Context(), u.JoinPath("/../../round/"), "0", ETag); fault.Of(err) != fault.Unavailable {
		t.Errorf("round and round: %v", err)
	}
	if _, err := c.Propfind(t.Context(), u.JoinPath("/../away/"), "0", ETag); !errors.Is(err, fault.MailboxMoved) {
		t.Errorf("to another server: %v", err)
	}
}

func TestPropertiesAreRead(t *testing.T) {
	t.Parallel()
	ms, err := Parse([]byte(`<?xml version="1.0" encoding="utf-8"?>
<multistatus xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/">
 <response><href>/alice/work/</href>
  <propstat><prop><displayname/></prop><status>HTTP/1.1 404 Not Found</status></propstat>
  <propstat><prop>
   <resourcetype><collection/><CAL:calendar/></resourcetype><CS:getctag>7</CS:getctag><sync-token>t1</sync-token>
   <current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>
   <supported-report-set><supported-report><report><CAL:calendar-query/></report></supported-report></supported-report-set>
   <CAL:supported-calendar-component-set><CAL:comp name="VTODO"/></CAL:supported-calendar-component-set>
   <CAL:calendar-home-set><href> /alice/ </href></CAL:calendar-home-set>
  </prop><status>HTTP/1.1 200 OK</status></propstat>
 </response>
 <response><href>/alice/work/gone.ics</href><status>HTTP/1.1 404 Not Found</status></response>
</multistatus>`))
	if err != nil {
		t.Fatal(err)
	}
	p := ms.Self()
	can, told := p.Syncs()
	if !p.IsCalendar() || !p.IsCollection() || p.HoldsEvents() || p.Writable() || can || !told || p.CTag != "7" || p.SyncToken != "t1" || p.Home.First() != "/alice/" {
		t.Errorf("the properties are %+v", p)
	}
	if _, found := ms.Responses[1].Found(); found || ms.Responses[1].Code() != 404 {
		t.Errorf("what is gone is %+v", ms.Responses[1])
	}
	var silent Prop
	if _, told := silent.Syncs(); told || !silent.HoldsEvents() || !silent.Writable() {
		t.Error("a server that does not tell is taken for one that cannot")
	}
}

func TestWhatIsAskedIsWellFormed(t *testing.T) {
	t.Parallel()
	const evil = `a"b<c>&'d`
	for name, body := range map[string][]byte{
		"sync": Sync(evil, 5), "multiget": Multiget([]string{evil}, nil), "marks": Multiget([]string{evil}, []string{evil}),
		"having": Having(evil, evil), "propfind": propfind([]Name{ETag, CTag, Home}),
	} {
		var ms struct{}
		if err := xml.Unmarshal(body, &ms); err != nil {
			t.Errorf("%s: %v\n%s", name, err, body)
		}
	}
	if s := string(Sync("", 0)); strings.Contains(s, "limit") || !strings.Contains(s, "<D:sync-token></D:sync-token>") {
		t.Errorf("a first question is %s", s)
	}
}

func FuzzMultistatus(f *testing.F) {
	f.Add([]byte(`<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a/b.ics</D:href><D:propstat><D:prop><D:getetag>"1"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response><D:sync-token>t</D:sync-token></D:multistatus>`))
	f.Add([]byte(`<multistatus xmlns="DAV:"><response><href>:</href><status>HTTP/1.1</status></response></multistatus>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		precondition(body)
		ms, err := Parse(body)
		if err != nil {
			if fault.Of(err) != fault.Unavailable {
				t.Errorf("the kind is %q: %v", fault.Of(err), err)
			}
			return
		}
		ms.URL = &url.URL{Scheme: "https", Host: "cal.example.com", Path: "/a/"}
		for _, r := range ms.Responses {
			for _, h := range r.Hrefs {
				if u, err := ms.Resolve(h); err == nil && (u.Scheme != "https" || u.Host != "cal.example.com") {
					t.Errorf("%q leads to %s", h, u)
				}
			}
			_, _ = r.Found()
			r.Code()
		}
		_, _ = ms.Self().Syncs()
	})
}
