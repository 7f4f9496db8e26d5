package ews

import (
	"slices"
	"strings"
	"testing"
)

// What a person reads in the recordings of real servers, an item or a fact a line.
const (
	gromox   = "Exchange 15.0.847.4040"
	online   = "Exchange 15.20.3370.16"
	premises = "Exchange 15.2.1748.10"

	// exchangelib's test items on gromox
	verify = `"Prüfung – ümläut & <tag>", Single, 2026-12-01T08:00:00-2026-12-01T09:00:00, ` + verifyRest
	// its second half
	verifyRest = `zone W. Europe Standard Time, Tentative, Private, at "Room 1", body "text body", state 1, meeting, ` +
		`by alice <alice@example.com>, with bob@example.com , PublicStrings:X-CalSync-SourceId=dest-42, `
	plain = `, zone W. Europe Standard Time, Busy, Normal, `

	// php-ews' test items on Exchange Online
	july   = `Single, 2015-07-01T08:00:00-2015-07-01T09:00:00, Busy, Normal, reminder 15, state 0, by Gareth Parker `
	gareth = "<garethp@garethp2.onmicrosoft.com>"

	// php-ews' test items on Exchange 2019
	team      = `"Weekly Team Meeting", `
	teamPlace = `Busy, Normal, at "Conference Room A", reminder 15, state 0, by test.user `
	teamSaved = ", modified 2025-07-05T16:15:07"
	reunion   = `ocqAAA/AzNjh9, "Réunion équipe - Café & Discusion", Single, 2025-07-01T16:00:00-2025-07-01T17:00:00, ` +
		`Busy, Normal, at "Salle de réunion #1", reminder 15, state 0, by test.user <>, modified 2025-07-05T16:15:02`
	zoneTest = `ocpAAA/AzNjht, "Timezone Test Meeting", Single, 2015-07-01T12:00:00-2015-07-01T13:00:00, ` +
		`Busy, Normal, reminder 15, state 0, by test.user <>, modified 2025-07-05T16:14:55`
)

var readings = map[string][]string{
	"exchangelib-gromox-002-GetFolder": {gromox, "Root Container AEAAAI"},
	"exchangelib-gromox-003-GetFolder": {gromox, "Calendar A8AAAI"},
	"exchangelib-gromox-004-SyncFolderItems": {
		gromox, "state 60 last true",
		"AYAAAM/AAAALA, " + verify + "modified 2026-11-22T19:10:10.5323333",
	},
	"exchangelib-gromox-005-SyncFolderItems": {gromox, "state 60 last true"},
	"exchangelib-gromox-006-CreateItem":      {gromox, "AcAAAM/AAAALQ, Single"},
	"exchangelib-gromox-007-CreateItem":      {gromox, "AgAAAM/AAAALg, Single"},
	"exchangelib-gromox-008-CreateItem": {
		gromox, "AkAAAM/AAAALw, Single", "AoAAAM/AAAAMA, Single", "AsAAAM/AAAAMQ, Single",
	},
	"exchangelib-gromox-009-CreateItem": {
		gromox, "AwAAAM/AAAAMg, RecurringMaster, kind 2 every 1 on [Tuesday] from 2026-12-01, 4 times, 0 modified, 0 deleted",
	},
	"exchangelib-gromox-011-GetItem": {
		gromox,
		"AYAAAM/AAAALA, " + verify + "modified 2026-11-22T19:10:10.5323333",
		"AcAAAM/AAAALQ, " + verify + "modified 2026-11-22T19:10:43.2032733",
		`AgAAAM/AAAALg, "all day", Single, 2026-12-01T23:00:00-2026-12-03T23:00:00, all-day` + plain +
			"modified 2026-11-22T19:10:43.2112896",
		`AkAAAM/AAAALw, "b0", Single, 2026-12-01T08:00:00-2026-12-01T09:00:00` + plain + "modified 2026-11-22T19:10:43.2196741",
		`AoAAAM/AAAAMA, "b1", Single, 2026-12-01T09:00:00-2026-12-01T10:00:00` + plain + "modified 2026-11-22T19:10:43.2225904",
		`AsAAAM/AAAAMQ, "b2", Single, 2026-12-01T10:00:00-2026-12-01T11:00:00` + plain + "modified 2026-11-22T19:10:43.2254911",
		`AwAAAM/AAAAMg, "weekly", RecurringMaster, 2026-12-01T08:00:00-2026-12-01T09:00:00` + plain +
			"kind 2 every 1 on [Tuesday] from 2026-12-01, 4 times, 0 modified, 0 deleted, modified 2026-11-22T19:10:43.2337919",
	},
	"exchangelib-gromox-012-FindItem": {gromox, "last true next 1", "AoAAAM/AAAAMA, Single"},
	"exchangelib-gromox-013-FindItem": {
		gromox, "last true next 2", "AYAAAM/AAAALA, Single", "AcAAAM/AAAALQ, Single",
	},
	"exchangelib-gromox-014-GetItem": {
		gromox,
		`AYAAAM/AAAALA, "Prüfung – ümläut & <tag>", Single, PublicStrings:X-CalSync-SourceId=dest-42`,
		`AcAAAM/AAAALQ, "Prüfung – ümläut & <tag>", Single, PublicStrings:X-CalSync-SourceId=dest-42`,
	},
	"exchangelib-gromox-015-GetItem":    {gromox, "AcAAAM/AAAALQ, " + verify + "modified 2026-11-22T19:10:43.2032733"},
	"exchangelib-gromox-016-UpdateItem": {gromox, "AcAAAM/AAAAMw, Single"},
	"exchangelib-gromox-017-SyncFolderItems": {
		gromox, "state 68 last true",
		`AcAAAM/AAAAMw, "changed", Single, 2026-12-01T09:00:00-2026-12-01T10:00:00, ` +
			strings.Replace(verifyRest, "dest-42", "dest-43", 1) + "modified 2026-11-22T19:10:43.3211327",
		`AwAAAM/AAAAMg, "weekly", RecurringMaster, 2026-12-01T08:00:00-2026-12-01T09:00:00` + plain +
			"kind 2 every 1 on [Tuesday] from 2026-12-01, 4 times, 0 modified, 0 deleted, modified 2026-11-22T19:10:43.2337919",
		`AsAAAM/AAAAMQ, "b2", Single, 2026-12-01T10:00:00-2026-12-01T11:00:00` + plain + "modified 2026-11-22T19:10:43.2254911",
		`AoAAAM/AAAAMA, "b1", Single, 2026-12-01T09:00:00-2026-12-01T10:00:00` + plain + "modified 2026-11-22T19:10:43.2225904",
		`AkAAAM/AAAALw, "b0", Single, 2026-12-01T08:00:00-2026-12-01T09:00:00` + plain + "modified 2026-11-22T19:10:43.2196741",
		`AgAAAM/AAAALg, "all day", Single, 2026-12-01T23:00:00-2026-12-03T23:00:00, all-day` + plain +
			"modified 2026-11-22T19:10:43.2112896",
	},
	"exchangelib-gromox-018-Subscribe":          {gromox, "subscription AQAAAAEAAAA="},
	"exchangelib-gromox-021-DeleteItem":         {gromox},
	"exchangelib-gromox-022-SyncFolderItems":    {gromox, "state 68 last true", "deleted AcAAAM"},
	"exchangelib-gromox-028-GetServerTimeZones": {"Exchange", "fault Server"},

	"APITest.testGetFolderByDistinguishedId.00.GetFolderResponse": {online, "Calendar ENAAAA"},
	"CalendarTest.testPickCalendar.04.GetFolderResponse":          {online, "Test YwAAAA"},
	"APITest.testDeleteItemsFail.02.DeleteItemResponse":           {online, "failed ErrorItemNotFound"},
	"APITest.testGetItems.00.CreateItemResponse":                  {online, "KAAAAA/ER7Bl4"},
	"APITest.testGetItems.01.GetItemResponse": {
		online, `KAAAAA/ER7Bl4, "Test Get Items", Single, 2020-09-10T14:15:09-2020-09-10T15:00:00, Busy, Normal, reminder 15, ` +
			"state 0, by Gareth Parker " + gareth + ", modified 2020-09-10T14:15:09",
	},
	"APITest.testListItemChanges.02.SyncFolderItemsResponse": {
		online, "state 440 last true",
		`crVAAA/ER7Bmo, "Test Sync Item Changes", Single, 2020-09-10T14:15:11-2020-09-10T15:00:00, Busy, Normal, reminder 15, ` +
			"state 0, by Gareth Parker " + gareth + ", modified 2020-09-10T14:15:11",
	},
	"APITest.testListItemChanges.03.SyncFolderItemsResponse": {online, "state 444 last true"},
	"CalendarTest.testGetCalendarItem.03.CreateItemResponse": {online, "crWAAA/ER7BnD", "crXAAA/ER7BnE"},
	"CalendarTest.testGetCalendarItem.04.GetItemResponse": {
		online, `crXAAA/ER7BnE, "Test Get Item 2", ` + july + gareth + ", modified 2020-09-10T14:15:14",
	},
	"CalendarTest.testGetCalendarItem.06.FindItemResponse": {
		online, "last true next 0",
		`crXAAA/ER7BnE, "Test Get Item 2", ` + july + "<>, modified 2020-09-10T14:15:14",
		`crWAAA/ER7BnD, "Test Get Item 1", ` + july + "<>, modified 2020-09-10T14:15:14",
	},
	"CalendarTest.testDeleteCalendarItem.04.CreateItemResponse": {online, "crZAAA/ER7BnZ"},
	"CalendarTest.testDeleteCalendarItem.05.FindItemResponse": {
		online, "last true next 0", `crZAAA/ER7BnZ, "Test Update Calendar Item", ` + july + "<>, modified 2020-09-10T14:15:16",
	},
	"CalendarTest.testDeleteCalendarItem.07.FindItemResponse":   {online, "last true next 0"},
	"CalendarTest.testUpdateCalendarItem.04.UpdateItemResponse": {online, "crYAAA/ER7BnR"},
	"CalendarTest.testUpdateCalendarItem.05.FindItemResponse": {
		online, "last true next 0", `crYAAA/ER7BnR, "Test Updated Calendar Item", ` + july + "<>, modified 2020-09-10T14:15:15",
	},
	"CalendarTest.testListChanges.03.SyncFolderItemsResponse":              {online, "state 420 last true"},
	"CalendarTest.testCalendarInternationalCharacters.04.FindItemResponse": {premises, "last true next 0", reunion},
	"CalendarTest.testCalendarTimezoneHandling.03.CreateItemResponse":      {premises, "ocpAAA/AzNjht"},
	"CalendarTest.testCalendarTimezoneHandling.04.FindItemResponse":        {premises, "last true next 0", zoneTest},
	"CalendarTest.testCalendarTimezoneHandling.07.DeleteItemResponse":      {premises},
	"CalendarTest.testRecurringEventSupport.04.GetItemResponse": {
		premises, "ocrAAA/AzNjiB, " + team + "RecurringMaster, 2025-07-02T10:00:00-2025-07-02T11:00:00, " + teamPlace +
			"<user@test.user.com>, kind 2 every 1 on [Wednesday] from 2025-07-02, 4 times, 0 modified, 0 deleted" + teamSaved,
	},
	"CalendarTest.testRecurringEventSupport.05.FindItemResponse": {
		premises, "last true next 0",
		reunion,
		"KwAAEA/AzNjiB, " + team + "Occurrence, 2025-07-02T10:00:00-2025-07-02T11:00:00, " + teamPlace + "<>" + teamSaved,
		`ob+AAA/AzNjNt, "Hey 👋🏼", Single, 2025-07-05T04:00:00-2025-07-06T04:00:00, all-day, Free, Normal, state 0, ` +
			"by test.user <>, modified 2025-07-04T22:18:13",
		"KwAAEA/AzNjiB, " + team + "Occurrence, 2025-07-09T10:00:00-2025-07-09T11:00:00, " + teamPlace + "<>" + teamSaved,
		"KwAAEA/AzNjiB, " + team + "Occurrence, 2025-07-16T10:00:00-2025-07-16T11:00:00, " + teamPlace + "<>" + teamSaved,
		"KwAAEA/AzNjiB, " + team + "Occurrence, 2025-07-23T10:00:00-2025-07-23T11:00:00, " + teamPlace + "<>" + teamSaved,
	},
}

func TestRecordedAnswersAreReadAsAPersonReadsThem(t *testing.T) {
	t.Parallel()
	all := recorded(t)
	for name, want := range readings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, ok := all[name]
			if !ok {
				t.Fatal("there is no such recording")
			}
			got, err := read(doc)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}
