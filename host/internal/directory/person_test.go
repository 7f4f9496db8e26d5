package directory

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/config"
)

func TestWhereAPersonsMailboxMayBe(t *testing.T) {
	t.Parallel()
	oauth := []string{"oauth"}
	modes := append(modes(),
		config.SyncMode{Name: "O365", Backend: "exchangeonline", Auth: oauth, URL: "https://outlook.office365.com/EWS/Exchange.asmx"},
		config.SyncMode{Name: "Microsoft365", Backend: "graph", Auth: oauth, URL: "https://graph.microsoft.com/v1.0"},
	)
	for name, tc := range map[string]struct {
		mode, url string
		want      string // the URL in the end
		fault     string // part of what is said of it
	}{
		"Graph needs no URL":                    {"microsoft365", "", "https://graph.microsoft.com/v1.0", ""},
		"an EWS URL left from before":           {"Microsoft365", "https://outlook.office365.com/EWS/Exchange.asmx", "https://outlook.office365.com/EWS/Exchange.asmx", "is not Microsoft Graph"},
		"EWS online needs none":                 {"O365", "", "https://outlook.office365.com/EWS/Exchange.asmx", ""},
		"Exchange Online by a password":         {"Exchange2013", "https://outlook.office365.com/EWS/Exchange.asmx", "https://outlook.office365.com/EWS/Exchange.asmx", "Microsoft365, which goes on"},
		"Exchange Online's other name":          {"EWS1", "https://mail.outlook.com/EWS/Exchange.asmx", "https://mail.outlook.com/EWS/Exchange.asmx", "ExchangeTenantId"},
		"Graph by a password":                   {"Exchange2013", "https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0", "does not speak EWS"},
		"a token for a server of somebody else": {"O365", "https://mail.example.com/EWS/Exchange.asmx", "https://mail.example.com/EWS/Exchange.asmx", "does not belong to Exchange Online"},
	} {
		p := Person{Tenant: "Default", ID: "alice", Email: "alice@example.com", SyncMode: tc.mode, SyncURL: tc.url}.Normalize(modes)
		var said []string
		for _, f := range p.Check(modes) {
			said = append(said, f.Error())
		}
		all := strings.Join(said, "\n")
		if p.SyncURL != tc.want || (tc.fault == "") != (all == "") || !strings.Contains(all, tc.fault) {
			t.Errorf("%s: %q, faults %q; want %q, %q", name, p.SyncURL, all, tc.want, tc.fault)
		}
	}
}
