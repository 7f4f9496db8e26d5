package ews

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// roundTrip is a server made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// respond returns a client whose every call is answered with status and body.
func respond(status int, body string, header ...string) *Client {
	return &Client{ActAs: true, UserAgent: "Roomwire/test", HTTP: &http.Client{
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return response(r, status, body, header...), nil
		}),
	}}
}

func response(r *http.Request, status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Request: r,
		Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

var (
	ada     = calendar.Mailbox{Address: "ada@example.com", URL: "https://mail.example.com/EWS/Exchange.asmx"}
	marker  = Property{Set: "6b2f0c1e-93d4-4f7a-8c55-1d0e7a9b42f3", Name: "RoomwireBookingId", Value: "bk-1"}
	foreign = Property{Set: "PublicStrings", Name: "AppointmentOid", Value: "4711"}
)

// everyPattern has each kind of pattern and of end.
func everyPattern() []series.Pattern {
	start := time.Date(2026, 10, 6, 0, 0, 0, 0, time.UTC)
	workdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	return []series.Pattern{
		{Kind: series.Daily, Interval: 3, Start: start, Count: 999},
		{Kind: series.Weekly, Interval: 2, Days: []time.Weekday{time.Tuesday, time.Sunday}, FirstDay: time.Sunday, Start: start, Until: start.AddDate(1, 0, 0)},
		{Kind: series.AbsoluteMonthly, Interval: 24, Day: 31, Start: start},
		{Kind: series.RelativeMonthly, Interval: 1, Days: workdays, Ordinal: -1, Start: start},
		{Kind: series.AbsoluteYearly, Interval: 1, Day: 29, Month: time.February, Start: start},
		{Kind: series.RelativeYearly, Interval: 1, Days: []time.Weekday{time.Thursday}, Ordinal: 4, Month: time.November, Start: start},
	}
}

// everyRequest makes each kind of request that the client can produce, and returns their bodies by name.
func everyRequest(t *testing.T) map[string][]byte {
	t.Helper()
	const awkward = "R&D <\"1'> \r\n\x00\x0b\uFFFE\xff ü 👋 ]]>"
	people := []Address{{Name: awkward, Email: "bob@example.com"}, {Email: "o'neil@example.com"}}
	at := time.Date(2026, 12, 1, 8, 0, 0, 500, time.FixedZone("", 3600))
	full := []Field{
		EndTimeZone("W. Europe Standard Time"), StartTimeZone("W. Europe Standard Time"), Location(awkward), Subject(awkward),
		Body(awkward), Sensitivity("Private"), ReminderMinutes(15), ReminderIsSet(true), Named(marker), Named(foreign),
		Start(at), End(at.Add(time.Hour)), IsAllDayEvent(true), LegacyFreeBusyStatus("WorkingElsewhere"),
		RequiredAttendees(people), OptionalAttendees(people), Resources(people),
	}
	none := []Field{Location(""), RequiredAttendees(nil), OptionalAttendees(nil), Resources(nil), Subject(""), Body("")}
	id := ItemID{ID: "AAMk+/=", ChangeKey: "DwAAAA=="}

	all := map[string][]byte{}
	for _, actAs := range []bool{true, false} {
		name := ""
		c := &Client{ActAs: actAs, UserAgent: "Roomwire/1.0", HTTP: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if _, twice := all[name]; twice || err != nil {
					t.Errorf("%s was sent twice, or not at all: %v", name, err)
				}
				all[name] = body
				return response(r, http.StatusInternalServerError, ""), nil
			}),
		}}
		for op, call := range map[string]func(context.Context) error{
			"GetFolder": func(ctx context.Context) error { _, err := c.GetFolder(ctx, ada); return err },
			"Sync-first": func(ctx context.Context) error {
				_, err := c.SyncFolderItems(ctx, ada, SyncRequest{Max: 9999})
				return err
			},
			"Sync-next": func(ctx context.Context) error {
				_, err := c.SyncFolderItems(ctx, ada, SyncRequest{State: "H4sI<&>", Max: 0, Properties: []Property{marker, foreign}})
				return err
			},
			"GetItem": func(ctx context.Context) error {
				_, err := c.GetItems(ctx, ada, []string{"A", "B<"}, []Property{marker, foreign})
				return err
			},
			"FindItem-guid":   func(ctx context.Context) error { _, err := c.FindItems(ctx, ada, marker); return err },
			"FindItem-public": func(ctx context.Context) error { _, err := c.FindItems(ctx, ada, foreign); return err },
			"FindItem-uid":    func(ctx context.Context) error { _, err := c.FindByUID(ctx, ada, "{a<b>}@example.com"); return err },
			"CreateItem":      func(ctx context.Context) error { _, err := c.CreateItem(ctx, ada, full, Nobody); return err },
			"CreateItem-bare": func(ctx context.Context) error { _, err := c.CreateItem(ctx, ada, none, All); return err },
			"UpdateItem":      func(ctx context.Context) error { _, err := c.UpdateItem(ctx, ada, id, full, Nobody); return err },
			"UpdateItem-gone": func(ctx context.Context) error {
				_, err := c.UpdateItem(ctx, ada, ItemID{ID: "A"}, none, Concerned)
				return err
			},
			"UpdateItem-all": func(ctx context.Context) error { _, err := c.UpdateItem(ctx, ada, id, none, All); return err },
			"UpdateItem-series": func(ctx context.Context) error {
				var all []OccurrenceChange
				for i, p := range everyPattern() {
					all = append(all, OccurrenceChange{OccurrenceID{Master: "A<", Index: i + 1}, []Field{StartTimeZone("UTC"), Recurrence(p)}})
				}
				_, err := c.UpdateOccurrences(ctx, ada, append(all, OccurrenceChange{OccurrenceID{Master: "A", Index: 9}, []Field{NoRecurrence()}}), Concerned)
				return err
			},
			"UpdateItem-guarded": func(ctx context.Context) error {
				_, err := c.UpdateOccurrences(ctx, ada, []OccurrenceChange{{OccurrenceID{"A", "DwAAAA==", 3}, []Field{Subject(awkward)}}}, All)
				return err
			},
			"CreateItem-series": func(ctx context.Context) error {
				_, err := c.CreateItem(ctx, ada, append(slices.Clone(full), Recurrence(everyPattern()[0])), All)
				return err
			},
			"DeleteItem-occurrences": func(ctx context.Context) error {
				_, err := c.DeleteOccurrences(ctx, ada, []OccurrenceID{{"A<", "DwAAAA==", 1}, {"A<", "", 999}}, All)
				return err
			},
			"DeleteItem":        func(ctx context.Context) error { return c.DeleteItem(ctx, ada, "A", Nobody) },
			"DeleteItem-cancel": func(ctx context.Context) error { return c.DeleteItem(ctx, ada, "A", All) },
			"Subscribe": func(ctx context.Context) error {
				_, err := c.SubscribePush(ctx, ada, PushRequest{URL: "https://h.example.com/S.svc?Default&k=t", StatusMinutes: 30})
				return err
			},
			"Subscribe-streaming": func(ctx context.Context) error {
				_, err := c.SubscribeStreaming(ctx, ada, Affinity{})
				return err
			},
			"Subscribe-pull": func(ctx context.Context) error {
				_, err := c.SubscribePull(ctx, ada, PullRequest{Minutes: 5000, Affinity: Affinity{Anchor: "a@example.com", Cookie: "c"}})
				return err
			},
			"GetEvents": func(ctx context.Context) error {
				_, err := c.GetEvents(ctx, ada, EventsRequest{ID: "id<&>", Watermark: "AQ=="})
				return err
			},
			"GetStreamingEvents": func(ctx context.Context) error {
				return c.GetStreamingEvents(ctx, ada, StreamRequest{IDs: []string{"a<", "b"}, Minutes: 99}, func([]Notification) error { return nil })
			},
		} {
			name = fmt.Sprintf("%s-%t", op, actAs)
			if err := call(t.Context()); err == nil {
				t.Errorf("%s: an answer of 500 is no error", name)
			}
		}
	}
	return all
}

// xmllint validates documents against one of Microsoft's schemas.
func xmllint(t *testing.T, schema string, docs map[string][]byte) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: xmllint (libxml2-utils) is not installed")
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for name, doc := range docs {
		file := filepath.Join(dir, name+".xml")
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := strings.Count(string(out), " validates\n"); got != len(docs) {
		t.Errorf("%d of %d documents validate", got, len(docs))
	}
}

func TestEveryRequestIsValidByTheSchema(t *testing.T) {
	t.Parallel()
	docs := everyRequest(t)
	docs["reply-ok"], docs["reply-unsubscribe"] = NotificationReply(true), NotificationReply(false)
	t.Run("schema of 2013 and later", func(t *testing.T) {
		t.Parallel()
		xmllint(t, shared(t, "ews-schema", "ews-all.xsd"), docs)
	})
	t.Run("schema of Exchange 2016", func(t *testing.T) {
		t.Parallel()
		of2016 := map[string][]byte{}
		for name, doc := range docs { // this schema fixes the version
			of2016[name] = bytes.Replace(doc, []byte(Version), []byte("Exchange2016"), 1)
		}
		xmllint(t, shared(t, "ews-schema-2016", "ews2016-all.xsd"), of2016)
	})
}

func TestRequestCarriesWhatExchangeNeeds(t *testing.T) {
	t.Parallel()
	for _, actAs := range []bool{true, false} {
		var got *http.Request
		var body []byte
		c := &Client{ActAs: actAs, UserAgent: "Roomwire/1.0", HTTP: &http.Client{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				got = r
				body, _ = io.ReadAll(r.Body)
				again, err := r.GetBody() // the authorizing client sends it more than once
				if err != nil {
					t.Error(err)
				}
				if b, _ := io.ReadAll(again); !bytes.Equal(b, body) {
					t.Error("the body cannot be replayed")
				}
				return response(r, 500, ""), nil
			}),
		}}
		_, _ = c.GetFolder(t.Context(), ada)
		for name, want := range map[string]string{
			"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "User-Agent": "Roomwire/1.0",
			"X-AnchorMailbox": "ada@example.com", "return-client-request-id": "true",
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
			}
		}
		if id := got.Header.Get("client-request-id"); len(id) != 36 {
			t.Errorf("client-request-id %q", id)
		}
		impersonated := bytes.Contains(body, []byte("<t:PrimarySmtpAddress>ada@example.com</t:PrimarySmtpAddress>"))
		named := bytes.Contains(body, []byte("<t:Mailbox><t:EmailAddress>ada@example.com</t:EmailAddress></t:Mailbox>"))
		if impersonated != actAs || named == actAs {
			t.Errorf("ActAs %t: impersonated %t, folder by mailbox %t", actAs, impersonated, named)
		}
	}
}

func TestUpdateWritesOnePropertyAtATimeInOrder(t *testing.T) {
	t.Parallel()
	doc := everyRequest(t)["UpdateItem-true"]
	if sets := bytes.Count(doc, []byte("<t:SetItemField>")); sets != 17 || bytes.Count(doc, []byte("<t:CalendarItem>")) != sets {
		t.Errorf("%d SetItemFields, want 17 with one property each", sets)
	}
	gone := everyRequest(t)["UpdateItem-gone-true"]
	if n := bytes.Count(gone, []byte("<t:DeleteItemField>")); n != 4 {
		t.Errorf("%d DeleteItemFields, want 4", n)
	}
	if i, j := bytes.Index(doc, []byte("StartTimeZone")), bytes.Index(doc, []byte("calendar:Start\"")); i > j {
		t.Error("the zone comes after the start")
	}
}

func TestTextIsEscapedAndStrippedOfWhatXMLForbids(t *testing.T) {
	t.Parallel()
	var w writer
	w.text("a", "<&>\"\r\n\t\x00\x1f\uFFFE\uFFFF\xff\uFFFDü", "b", "\"<")
	const want = "<a b=\"&quot;&lt;\">&lt;&amp;&gt;&quot;&#xD;\n\t\uFFFDü</a>"
	if got := string(w.b); got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
