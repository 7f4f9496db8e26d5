package ews

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func calendarAt(url string) calendar.Mailbox {
	return calendar.Mailbox{Address: ada.Address, URL: url}
}

// serve returns a client whose server is f, from request body to answer.
func serve(t *testing.T, f func(body string) string) *Client {
	t.Helper()
	return &Client{ActAs: true, HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		return response(r, 200, f(string(body))), nil
	})}}
}

const answerHead = soapHead + `<m:%[1]sResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" ` +
	`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>%[2]s</m:ResponseMessages>` +
	`</m:%[1]sResponse></s:Body></s:Envelope>`

func message(op, content string) string {
	return fmt.Sprintf(`<m:%sResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>%s</m:%[1]sResponseMessage>`,
		op, content)
}

func failed(op, class, code string) string {
	return fmt.Sprintf(`<m:%sResponseMessage ResponseClass="%s"><m:ResponseCode>%s</m:ResponseCode><m:Items/></m:%[1]sResponseMessage>`,
		op, class, code)
}

func calendarItem(id string) string {
	return `<t:CalendarItem><t:ItemId Id="` + id + `" ChangeKey="k"/></t:CalendarItem>`
}

var askedIDs = regexp.MustCompile(`<t:ItemId Id="([^"]*)"`)

func asked(body string) []string {
	var ids []string
	for _, m := range askedIDs.FindAllStringSubmatch(body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func numbered(n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprint("i", i))
	}
	return ids
}

func TestGetItemsKeepsOrderWhateverTheServerManages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit int // what the server manages in one call
		how   string
	}{
		"tens":                                  {10, ""},
		"batches stop after three":              {3, "ErrorBatchProcessingStopped"},
		"batches of more than four time out":    {4, "fault"},
		"items after the second are timed out":  {2, "ErrorTimeoutExpired"},
		"only one at a time, else none is done": {1, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sizes []int
			c := serve(t, func(body string) string {
				ids := asked(body)
				sizes = append(sizes, len(ids))
				if tt.how == "fault" && len(ids) > tt.limit {
					return faultWith("ErrorTimeoutExpired", "")
				}
				var messages strings.Builder
				for i, id := range ids {
					switch {
					case id == "i7":
						messages.WriteString(failed("GetItem", "Error", "ErrorItemNotFound"))
					case tt.how == "none" && len(ids) > 1:
						messages.WriteString(failed("GetItem", "Warning", "ErrorBatchProcessingStopped"))
					case i >= tt.limit:
						messages.WriteString(failed("GetItem", "Warning", tt.how))
					default:
						messages.WriteString(message("GetItem", "<m:Items>"+calendarItem(id)+"</m:Items>"))
					}
				}
				return fmt.Sprintf(answerHead, "GetItem", messages.String())
			})
			ids := numbered(23)
			got, err := c.GetItems(t.Context(), ada, ids, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range got {
				if i == 7 {
					if fault.Of(g.Err) != fault.NotFound {
						t.Errorf("i7: %v, want NotFound", g.Err)
					}
				} else if g.Err != nil || g.Item.ID != ids[i] {
					t.Errorf("%s: %q, %v", ids[i], g.Item.ID, g.Err)
				}
			}
			if slices.Max(sizes) > 10 {
				t.Errorf("asked for %v at a time", sizes)
			}
		})
	}
}

func TestGetItemsFailsRatherThanLoopOrGuess(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"never gets round to a single item": failed("GetItem", "Warning", "ErrorBatchProcessingStopped"),
		"tells of more than was asked":      message("GetItem", "") + message("GetItem", ""),
		"tells of nothing":                  "",
	} {
		c := serve(t, func(string) string { return fmt.Sprintf(answerHead, "GetItem", answer) })
		if _, err := c.GetItems(t.Context(), ada, []string{"a"}, nil); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %v, want Unavailable", name, err)
		}
	}
}

func TestSyncGuardsItsPaging(t *testing.T) {
	t.Parallel()
	sync := func(state, last string) *Client {
		return serve(t, func(string) string {
			return fmt.Sprintf(answerHead, "SyncFolderItems", message("SyncFolderItems",
				"<m:SyncState>"+state+"</m:SyncState><m:IncludesLastItemInRange>"+last+"</m:IncludesLastItemInRange><m:Changes/>"))
		})
	}
	if _, err := sync("S1", "false").SyncFolderItems(t.Context(), ada, SyncRequest{State: "S1", Max: 1}); err == nil {
		t.Error("a state that does not advance is no error")
	}
	if _, err := sync("", "true").SyncFolderItems(t.Context(), ada, SyncRequest{Max: 1}); err == nil {
		t.Error("an answer without state is no error")
	}
	page, err := sync("S1", "true").SyncFolderItems(t.Context(), ada, SyncRequest{State: "S1", Max: 1})
	if err != nil || !page.Last {
		t.Errorf("nothing new: %+v, %v", page, err)
	}
}

func TestFindItemsPagesAndGuards(t *testing.T) {
	t.Parallel()
	item := func(id, value string) string {
		return `<t:CalendarItem><t:ItemId Id="` + id + `"/><t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="` +
			strings.ToUpper(marker.Set) + `" PropertyName="RoomwireBookingId" PropertyType="String"/><t:Value>` + value +
			`</t:Value></t:ExtendedProperty></t:CalendarItem>`
	}
	find := func(attrs string, items ...string) string {
		return fmt.Sprintf(answerHead, "FindItem", message("FindItem",
			"<m:RootFolder "+attrs+"><t:Items>"+strings.Join(items, "")+"</t:Items></m:RootFolder>"))
	}
	c := serve(t, func(body string) string {
		if strings.Contains(body, `Offset="0"`) {
			return find(`IndexedPagingOffset="2" IncludesLastItemInRange="false"`, item("a", "bk-1"), item("b", "BK-1"))
		}
		return find(`IncludesLastItemInRange="true"`, item("c", "bk-1"), item("d", "other"))
	})
	got, err := c.FindItems(t.Context(), ada, marker)
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[1].ID != "c" {
		t.Errorf("found %+v, %v; want a and c: only those with exactly the value", got, err)
	}
	for _, attrs := range []string{`IncludesLastItemInRange="false"`, `IndexedPagingOffset="0" IncludesLastItemInRange="false"`} {
		c := serve(t, func(string) string { return find(attrs) })
		if _, err := c.FindItems(t.Context(), ada, marker); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %v, want Unavailable", attrs, err)
		}
	}
	c = serve(t, func(string) string { return fmt.Sprintf(answerHead, "FindItem", message("FindItem", "")) })
	if got, err := c.FindItems(t.Context(), ada, marker); err != nil || got != nil {
		t.Errorf("an answer without RootFolder: %v, %v; want nothing", got, err)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	c := &Client{HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp := response(r, 200, "")
		resp.ContentLength = -1
		resp.Body = io.NopCloser(endless{})
		return resp, nil
	})}}
	if _, err := c.GetFolder(t.Context(), ada); fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
