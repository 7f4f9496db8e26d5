package ews

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
)

// seeds adds recordings of real servers, where they are at hand, to the corpus.
func seeds(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", pattern))
		for _, file := range files {
			if doc, err := os.ReadFile(file); err == nil && len(doc) < 64<<10 {
				f.Add(doc)
			}
		}
	}
}

// FuzzEnvelope: no answer makes the client panic or claim success without a response code that says so.
func FuzzEnvelope(f *testing.F) {
	seeds(f, "captures/gromox/*Subscribe*.res.xml", "ews-samples/resp-*.xml", "captures/gromox/*-028-*.res.xml")
	f.Add([]byte(faultWith("ErrorServerBusy", `<MessageXml><Value Name="BackOffMilliseconds">1</Value></MessageXml>`)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, _ = read(doc)
		err := respond(200, string(doc)).DeleteItem(t.Context(), ada, "A", Nobody)
		if err == nil {
			a, derr := decode(doc, "DeleteItemResponse", func(*xmlscan.Scanner, string, *struct{}) {})
			if derr != nil || len(a.replies) == 0 || !a.replies[0].status.ok() {
				t.Fatalf("success without saying so: %q", doc)
			}
		}
	})
}

// FuzzGetItem: as many answers as questions, or an error.
func FuzzGetItem(f *testing.F) {
	seeds(f, "captures/gromox/*GetItem*.res.xml", "traces/exchange/*GetItemResponse.res.xml")
	f.Add([]byte(messageWith("NoError", "")))
	f.Add([]byte(messageWith("NoError", `<Items><CalendarItem><Recurrence><RelativeYearlyRecurrence><DaysOfWeek>Weekday</DaysOfWeek>`+
		`<DayOfWeekIndex>Last</DayOfWeekIndex><Month>June</Month></RelativeYearlyRecurrence><EndDateRecurrence><StartDate>2026-06-30Z</StartDate>`+
		`<EndDate>2030-01-01</EndDate></EndDateRecurrence></Recurrence><ModifiedOccurrences><Occurrence><ItemId Id="A"/></Occurrence>`+
		`</ModifiedOccurrences><DeletedOccurrences><DeletedOccurrence><Start>x</Start></DeletedOccurrence></DeletedOccurrences></CalendarItem></Items>`)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := respond(200, string(doc)).GetItems(t.Context(), ada, []string{"a", "b"}, []Property{marker})
		if err == nil && len(got) != 2 {
			t.Fatalf("%d answers to 2 questions", len(got))
		}
	})
}

// FuzzSyncFolderItems: a page that is not the last has a state to go on from.
func FuzzSyncFolderItems(f *testing.F) {
	seeds(f, "captures/gromox/*SyncFolderItems*.res.xml", "traces/exchange/*SyncFolderItemsResponse.res.xml",
		"ews-samples/resp-sync-response.xml")
	f.Fuzz(func(t *testing.T, doc []byte) {
		page, err := respond(200, string(doc)).SyncFolderItems(t.Context(), ada, SyncRequest{State: "S", Max: 10})
		if err == nil && (page.State == "" || (!page.Last && page.State == "S")) {
			t.Fatalf("page %+v does not lead on", page)
		}
	})
}

// FuzzSendNotification: whatever strangers post, at worst it is refused.
func FuzzSendNotification(f *testing.F) {
	seeds(f, "ews-samples/resp-send-notification*.xml")
	f.Add(notification(`<m:SendNotificationResponseMessage ResponseClass="Error"/>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if all, err := DecodeNotification(doc); err != nil && all != nil {
			t.Fatal("an error and content at once")
		}
	})
}
