package exchange

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// shared returns a path to material that lies beside the checkout and is not part of the project; it skips the test where
// it is missing.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
	path := filepath.Join(append([]string{root, "..", "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %s is not there", path)
	}
	return path
}

// TestAllTrafficIsValidByTheSchema lets the backend do everything it can and validates both directions.
func TestAllTrafficIsValidByTheSchema(t *testing.T) {
	t.Parallel()
	schema := shared(t, "ews-schema", "ews-all.xsd")
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: xmllint (libxml2-utils) is not installed")
	}
	for _, as := range []identity{service, bob} {
		dir := t.TempDir()
		sim, err := exchangesim.New(exchangesim.Options{RecordDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorldOf(t, sim, as)
		sim.SetDelegates("alice@example.com", "bob@example.com")
		everything(t, w, as.actsAs)
		files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
		if err != nil || len(files) < 20 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		args := append([]string{"--noout", "--nonet", "--schema", schema}, files...)
		out, err := exec.CommandContext(t.Context(), xmllint, args...).CombinedOutput()
		if n := strings.Count(string(out), " validates\n"); err != nil || n != len(files) {
			t.Errorf("%d of %d valid, %v\n%s", n, len(files), err, out)
		}
	}
}

func everything(t *testing.T, w *world, push bool) {
	t.Helper()
	e := desk()
	e.Subject = "R&D <\"1'> \x00\x0b\uFFFE\xff ü 👋 ]]>"
	if _, err := w.Probe(t.Context(), w.alice); err != nil {
		t.Error(err)
	}
	item := w.create(t, "bk-<&>", e)
	_, pages := w.pull(t, "")
	for _, f := range []calendar.Fields{calendar.FieldTime, calendar.AllFields} {
		for _, mail := range []calendar.Mail{calendar.MailNobody, calendar.MailAll, calendar.MailConcerned} {
			for _, event := range []calendar.Event{e, {Start: e.Start, End: e.End}} {
				if _, err := w.Apply(t.Context(), calendar.Mutation{
					Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: event, Fields: f, Mail: mail,
				}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref, Mail: calendar.MailAll}); err != nil {
		t.Error(err)
	}
	for i, rule := range []string{
		"FREQ=DAILY;INTERVAL=2", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=20", "FREQ=MONTHLY;BYMONTHDAY=6", "FREQ=MONTHLY;BYDAY=1TU;COUNT=9",
		"FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=6;COUNT=9", "FREQ=YEARLY;BYMONTH=10;BYDAY=1TU",
	} {
		series := tuesdays()
		series.Recurrence = rule
		master := w.create(t, fmt.Sprintf("bk-series-%d", i), series)
		series.Exceptions = []calendar.OccurrenceException{on(t, series, "2026-10-06", moved(time.Hour))}
		if i == 0 {
			series.Exceptions = append(series.Exceptions, on(t, series, "2026-10-10", nil))
		}
		for _, mail := range []calendar.Mail{calendar.MailNobody, calendar.MailAll} {
			master = w.mustUpdate(t, master, series, calendar.FieldRecurrence, mail)
			series.Exceptions = series.Exceptions[:1]
		}
		series.Recurrence, series.Exceptions = "", nil
		w.mustUpdate(t, master, series, calendar.FieldRecurrence, calendar.MailNobody)
	}
	w.pull(t, "")
	w.pull(t, cursor(pages))
	if push {
		if _, err := w.Subscribe(t.Context(), backend.SubscribeRequest{Mailbox: w.alice, URL: "http://127.0.0.1:1/?a&b"}); err != nil {
			t.Error(err)
		}
		watched := w.listenTo(t, backend.WayAsking, w.alice.Address)
		w.listenTo(t, backend.WayStreaming, w.alice.Address)
		w.appointment(t, w.alice.Address)
		if got, err := w.ask(t, watched); err != nil || kinds(got) != "alice:1" {
			t.Errorf("%s, %v", kinds(got), err)
		}
	}
}

// TestWhatRealServersToldCanBeWrittenAndReadAgain maps the items of recorded answers, creates them anew, and expects to
// read the same.
func TestWhatRealServersToldCanBeWrittenAndReadAgain(t *testing.T) {
	t.Parallel()
	var files []string
	for _, dir := range []string{shared(t, "traces", "exchange"), shared(t, "captures", "gromox")} {
		found, err := filepath.Glob(filepath.Join(dir, "*GetItem*.res.xml"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	w := newWorld(t, service)
	n := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range recordedItems(t, string(doc)) {
			mapped, err := w.fromEWS(w.alice, &item)
			if err == nil && mapped.Kind == calendar.Master && !ruled(&item, &mapped) {
				t.Errorf("%s: a series without a rule: %+v", filepath.Base(file), item.Series)
			}
			if item.Start.IsZero() { // a recording that asked for ids and subjects only
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
				continue
			}
			n++
			again := w.create(t, fmt.Sprintf("%s-%d", filepath.Base(file), i), mapped.Event)
			if got, want := written(again.Event), written(mapped.Event); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: written and read again\n%+v, want\n%+v", filepath.Base(file), got, want)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d items", n)
	}
}

// recordedItems decodes a recorded GetItem answer by asking for as many items as it holds.
func recordedItems(t *testing.T, doc string) []ews.CalendarItem {
	t.Helper()
	ids := make([]string, strings.Count(doc, "<m:GetItemResponseMessage "))
	c := &ews.Client{ActAs: true, HTTP: &http.Client{Transport: canned(doc)}}
	got, err := c.GetItems(t.Context(), backend.Mailbox{Address: "a@example.com", URL: "http://127.0.0.1/"}, ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	var items []ews.CalendarItem
	for _, g := range got {
		if g.Err == nil {
			items = append(items, g.Item)
		}
	}
	return items
}

// canned is a server that always says the same.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: -1,
	}, nil
}
