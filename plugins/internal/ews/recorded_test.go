package ews

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
)

// shared returns a folder of material that lies beside the checkout and is not part of the project; it skips the test
// where it is missing.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	path := filepath.Join(append([]string{root, "..", "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %s is not there", path)
	}
	return path
}

func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, dir := range []string{shared(t, "traces", "exchange"), shared(t, "captures", "gromox")} {
		files, err := filepath.Glob(filepath.Join(dir, "*.res.xml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no recordings in %s: %v", dir, err)
		}
		for _, f := range files {
			body, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimSuffix(filepath.Base(f), ".res.xml")] = body
		}
	}
	return all
}

// read decodes an answer with the decoder of its operation and writes it down, one line each.
func read(doc []byte) ([]string, error) {
	op := operation(doc)
	switch strings.TrimSuffix(op, "Response") {
	case "SyncFolderItems":
		return lines(doc, op, decodeSync, func(p SyncPage) []string {
			out := []string{fmt.Sprintf("state %d last %t", len(p.State), p.Last)}
			for _, c := range p.Changes {
				if c.Deleted {
					out = append(out, "deleted "+tail(c.Item.ID))
				} else {
					out = append(out, line(c.Item))
				}
			}
			return out
		})
	case "FindItem":
		return lines(doc, op, decodeFound, func(f found) []string {
			return append([]string{fmt.Sprintf("last %t next %d", f.last, f.next)}, itemLines(f.items)...)
		})
	case "GetItem", "CreateItem", "UpdateItem":
		return lines(doc, op, decodeItems, itemLines)
	case "GetFolder":
		return lines(doc, op, decodeFolder, func(f Folder) []string { return []string{f.Name + " " + tail(f.ID)} })
	case "Subscribe":
		return lines(doc, op, func(s *xmlscan.Scanner, child string, into *string) {
			if child == "SubscriptionId" {
				*into = s.Text()
			}
		}, func(id string) []string { return []string{"subscription " + id} })
	default:
		return lines(doc, op, func(*xmlscan.Scanner, string, *struct{}) {}, func(struct{}) []string { return nil })
	}
}

func lines[T any](doc []byte, op string, p payload[T], write func(T) []string) ([]string, error) {
	a, err := decode(doc, op, p)
	if err != nil {
		return nil, err
	}
	out := []string{a.version.String()}
	if a.fault.code != "" {
		return append(out, "fault "+a.fault.code), nil
	}
	if len(a.replies) == 0 {
		return nil, fmt.Errorf("no response message")
	}
	for _, r := range a.replies {
		if !r.status.ok() {
			out = append(out, "failed "+r.status.code)
			continue
		}
		out = append(out, write(r.value)...)
	}
	return out, nil
}

func itemLines(items []CalendarItem) []string {
	var out []string
	for _, i := range items {
		out = append(out, line(i))
	}
	return out
}

func tail(id string) string {
	id = strings.TrimRight(id, "=")
	return id[max(0, len(id)-6):]
}

// line writes down what is set of an item.
func line(i CalendarItem) string {
	parts := []string{tail(i.ID) + "/" + tail(i.ChangeKey)}
	add := func(yes bool, format string, args ...any) {
		if yes {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(i.Subject != "", "%q", i.Subject)
	add(i.Type != "", "%s", i.Type)
	add(!i.Start.IsZero(), "%s-%s", i.Start.Format("2006-01-02T15:04:05"), i.End.Format("2006-01-02T15:04:05"))
	add(i.AllDay, "all-day")
	add(i.StartZone.ID != "", "zone %s", i.StartZone.ID)
	add(i.FreeBusy != "", "%s", i.FreeBusy)
	add(i.Sensitivity != "", "%s", i.Sensitivity)
	add(i.Location != "", "at %q", i.Location)
	add(i.Body != "", "body %q", i.Body)
	add(i.ReminderSet, "reminder %d", i.ReminderLead)
	add(i.State.Known, "state %d", i.State.Bits)
	add(i.Meeting, "meeting")
	add(i.Organizer.Name != "", "by %s <%s>", i.Organizer.Name, i.Organizer.SMTP())
	for _, a := range i.Required {
		add(true, "with %s %s", a.SMTP(), a.Response)
	}
	if i.Series != nil {
		p := i.Series.Pattern
		add(true, "kind %d every %d on %v from %s, %d times, %d modified, %d deleted", p.Kind, p.Interval, p.Days, p.Start.Format(time.DateOnly),
			p.Count, len(i.Series.Modified), len(i.Series.Deleted))
	}
	seen := map[Property]bool{}
	for _, p := range i.Properties {
		add(!seen[p], "%s:%s=%s", p.Set, p.Name, p.Value)
		seen[p] = true
	}
	add(!i.Modified.IsZero(), "modified %s", i.Modified.Format("2006-01-02T15:04:05.999999999"))
	return strings.Join(parts, ", ")
}

// operation returns the name of the first element in the body, by a reader that is not ours.
func operation(doc []byte) string {
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	body := false
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		if e, ok := token.(xml.StartElement); ok {
			if body {
				return e.Name.Local
			}
			body = e.Name.Local == "Body"
		}
	}
}

// TestEveryRecordedAnswerDecodes compares each with what encoding/xml finds in it: codes, items and their ids.
func TestEveryRecordedAnswerDecodes(t *testing.T) {
	t.Parallel()
	for name, doc := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(doc)
			if err != nil {
				t.Fatal(err)
			}
			var envelope struct {
				Items []struct {
					ID struct {
						ID string `xml:"Id,attr"`
					} `xml:"ItemId"`
					Subject, Start string
				} `xml:"Body>SyncFolderItemsResponse>ResponseMessages>SyncFolderItemsResponseMessage>Changes>Create>CalendarItem"`
				Found []struct {
					ID struct {
						ID string `xml:"Id,attr"`
					} `xml:"ItemId"`
					Subject, Start string
				} `xml:"Body>FindItemResponse>ResponseMessages>FindItemResponseMessage>RootFolder>Items>CalendarItem"`
				Read []struct {
					ID struct {
						ID string `xml:"Id,attr"`
					} `xml:"ItemId"`
					Subject, Start string
				} `xml:"Body>GetItemResponse>ResponseMessages>GetItemResponseMessage>Items>CalendarItem"`
			}
			if err := xml.Unmarshal(doc, &envelope); err != nil {
				t.Fatal(err)
			}
			text := strings.Join(got, "\n")
			n := 0
			for _, list := range [][]struct {
				ID struct {
					ID string `xml:"Id,attr"`
				} `xml:"ItemId"`
				Subject, Start string
			}{envelope.Items, envelope.Found, envelope.Read} {
				for _, i := range list {
					n++
					want := tail(i.ID.ID) + "/"
					if !strings.Contains(text, want) || (i.Subject != "" && !strings.Contains(text, fmt.Sprintf("%q", i.Subject))) {
						t.Errorf("item %s %q is not in\n%s", want, i.Subject, text)
					}
					if start := strings.TrimSuffix(i.Start, "Z"); !strings.Contains(text, start) {
						t.Errorf("item %s starts at %s, which is not in\n%s", want, start, text)
					}
				}
			}
			if got := strings.Count(text, "Single") + strings.Count(text, "Occurrence") + strings.Count(text, "Master"); n > 0 && got != n {
				t.Errorf("%d items, want %d", got, n)
			}
		})
	}
}
