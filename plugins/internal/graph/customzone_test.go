package graph

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// A series whose zone is none that has a name, as Graph tells those that came by iCalendar or have rules of their own
// ("tzone://Microsoft/Custom"), counts in a zone that nobody knows: taken for UTC, it would be an hour off for half of the year.
func TestTheRuleOfASeriesInAZoneWithoutANameIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := desk()
	e.End = e.Start.Add(time.Hour)
	e.Recurrence = "FREQ=DAILY;COUNT=60"
	item := w.create(t, "k", e)
	zone := regexp.MustCompile(`"(originalStartTimeZone|originalEndTimeZone|recurrenceTimeZone)":\s*"[^"]*"`)
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+w.line.token)
		resp, err := w.line.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		data, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		data = zone.ReplaceAll(data, []byte(`"$1":"tzone://Microsoft/Custom"`))
		resp.Body = io.NopCloser(bytes.NewReader(data))
		resp.ContentLength = int64(len(data))
		resp.Header.Del("Content-Length")
		return resp, nil
	})
	got, err := w.fetch(t, item.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Omits.Has(calendar.FieldRecurrence) || got.Event.Recurrence != "" {
		t.Errorf("it is told as %q in zone %q, omits %v", got.Event.Recurrence, got.Event.Zone, got.Omits)
	}
}
