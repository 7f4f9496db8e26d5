package sunset

import (
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func onlineAt(url string) config.SyncMode {
	return config.SyncMode{Name: "O365", Backend: "exchangeonline", URL: url}
}

const worldwideURL = "https://outlook.office365.com/EWS/Exchange.asmx"

func TestOnlyEWSInExchangeOnlineEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mode        config.SyncMode
		ends, dated bool
	}{
		"worldwide":                {onlineAt(worldwideURL), true, true},
		"worldwide, in capital":    {onlineAt("https://Outlook.Office365.COM./EWS/Exchange.asmx"), true, true},
		"US Government":            {onlineAt("https://outlook.office365.us/EWS/Exchange.asmx"), true, false},
		"US Department of Defense": {onlineAt("https://outlook-dod.office365.us/EWS/Exchange.asmx"), true, false},
		"China":                    {onlineAt("https://partner.outlook.cn/EWS/Exchange.asmx"), true, false},
		"a cloud of its own":       {onlineAt("https://localhost:8443/EWS/Exchange.asmx"), true, false},
		"no such host":             {onlineAt("https://notoutlook.com/EWS/Exchange.asmx"), true, false},
		"on premises":              {config.SyncMode{Name: "Exchange2013", Backend: "exchange2013", URL: "https://mail.example.com/EWS/Exchange.asmx"}, false, false},
		"Graph":                    {config.SyncMode{Name: "Microsoft365", Backend: "graph", URL: "https://graph.microsoft.com/v1.0"}, false, false},
		"of somebody else":         {config.SyncMode{Name: "Dav", Backend: "caldav"}, false, false},
	} {
		e, ends := Of(tc.mode, nil)
		if ends != tc.ends || !e.At.IsZero() != tc.dated {
			t.Errorf("%s: %+v, %t", name, e, ends)
		}
	}
}

func TestTheCountdown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		now, what string
		days      int
		over      bool
	}{
		"before it begins":   {"2026-09-30T23:59:59Z", "EWS in Exchange Online ends on 2027-04-01, in 183 days; tenants are switched off one after the other from 2026-10-01 on", 183, false},
		"since it began":     {"2026-11-29T16:00:00Z", "EWS in Exchange Online ends on 2027-04-01, in 123 days; tenants are switched off one after the other since 2026-10-01", 123, false},
		"the day before":     {"2027-03-31T12:00:00Z", "EWS in Exchange Online ends on 2027-04-01, tomorrow; tenants are switched off one after the other since 2026-10-01", 1, false},
		"in the last second": {"2027-03-31T23:59:59Z", "EWS in Exchange Online ends on 2027-04-01, tomorrow; tenants are switched off one after the other since 2026-10-01", 1, false},
		"it has come":        {"2027-04-01T00:00:00Z", "EWS in Exchange Online ended on 2027-04-01; it is tried all the same", 0, true},
		"long over":          {"2028-01-01T00:00:00+02:00", "EWS in Exchange Online ended on 2027-04-01; it is tried all the same", 0, true},
	} {
		e, _ := Of(onlineAt(worldwideURL), nil)
		now := at(tc.now)
		if got := e.What(now); got != tc.what || e.Days(now) != tc.days || e.Over(now) != tc.over {
			t.Errorf("%s: %q, %d days, over %t", name, got, e.Days(now), e.Over(now))
		}
	}
}

func TestWhereItIsNotKnownNothingIsOver(t *testing.T) {
	t.Parallel()
	e, _ := Of(onlineAt("https://partner.outlook.cn/EWS/Exchange.asmx"), nil)
	if e.Over(at("2030-01-01T00:00:00Z")) || !strings.Contains(e.What(at("2030-01-01T00:00:00Z")), "not known") {
		t.Errorf("%q", e.What(at("2030-01-01T00:00:00Z")))
	}
}

func TestThePersonIsToldWhereToGo(t *testing.T) {
	t.Parallel()
	modes := []config.SyncMode{onlineAt(worldwideURL), {Name: "Graph1", Backend: "graph"}}
	e, ends := Named("o365", modes)
	if !ends || !strings.HasSuffix(e.Notice("ada", at("2026-11-29T16:00:00Z")), "move with roomwire person move --to Graph1 ada") {
		t.Errorf("%q", e.Notice("ada", at("2026-11-29T16:00:00Z")))
	}
	if n := e.RoomNotice("room-a", at("2026-11-29T16:00:00Z")); !strings.HasSuffix(n, "change with roomwire person set --mode Graph1 room-a") {
		t.Errorf("%q", n)
	}
	if e, _ := Of(modes[0], modes[:1]); e.Remedy() != "Move them to Microsoft Graph, which stays: roomwire person move --to Microsoft365 --all-of O365." {
		t.Errorf("%q", e.Remedy())
	}
	if _, ends := Named("nobody's", modes); ends {
		t.Error("a mode that is not there ends")
	}
}
