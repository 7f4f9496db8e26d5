package ews

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// BenchmarkDecodeGetItem reads what an answer of 5,000 meetings would be.
func BenchmarkDecodeGetItem(b *testing.B) {
	var all strings.Builder
	for i := range 5000 {
		all.WriteString(message("GetItem", fmt.Sprintf(`<m:Items><t:CalendarItem><t:ItemId Id="AAMkADllMTlhYmUx%d" ChangeKey="DwAAABYA"/>`+
			`<t:Subject>Prüfung &amp; Test %[1]d</t:Subject><t:Sensitivity>Normal</t:Sensitivity><t:Body BodyType="Text">%s</t:Body>`+
			`<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>`+
			`<t:LastModifiedTime>2026-11-22T19:10:10.532333300Z</t:LastModifiedTime><t:UID>040000008200E00074C5B7101A82E008</t:UID>`+
			`<t:Start>2026-12-01T08:00:00Z</t:Start><t:End>2026-12-01T09:00:00Z</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent>`+
			`<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>Room 5</t:Location><t:RequiredAttendees>%s</t:RequiredAttendees>`+
			`<t:StartTimeZone Id="W. Europe Standard Time" Name="(UTC+01:00) Berlin"/></t:CalendarItem></m:Items>`,
			i, strings.Repeat("Some text of a body. ", 30), strings.Repeat(`<t:Attendee><t:Mailbox><t:Name>Bob</t:Name>`+
				`<t:EmailAddress>bob@example.com</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox>`+
				`<t:ResponseType>Accept</t:ResponseType></t:Attendee>`, 3))))
	}
	doc := []byte(fmt.Sprintf(answerHead, "GetItem", all.String()))
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := decode(doc, "GetItemResponse", decodeItems); err != nil || len(a.replies) != 5000 {
			b.Fatal(err, len(a.replies))
		}
	}
}

// BenchmarkDecodeSync reads a recorded page of 512 changes.
func BenchmarkDecodeSync(b *testing.B) {
	doc, err := os.ReadFile(shared(b, "captures", "gromox", "sync-512-items.res.xml"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if a, err := decode(doc, "SyncFolderItemsResponse", decodeSync); err != nil || len(a.replies[0].value.Changes) != 512 {
			b.Fatal(err)
		}
	}
}
