package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNoticesSayHowChangesAreLearntOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ block, want, finding string }{
		{``, "push", ""},
		{`pull = true`, "pull", ""},
		{`notices = "streaming"`, "streaming", ""},
		{`notices = "pull"`, "pull", ""},
		{`notices = "poll"`, "poll", ""},
		{`use_impersonation = false`, "poll", "read by the clock"},
		{"use_impersonation = false\n  notices = \"poll\"", "poll", ""},
		{"use_impersonation = false\n  notices = \"push\"", "poll", "has no effect"},
		{"use_impersonation = false\n  pull = true", "poll", "read by the clock"},
		{"pull = true\n  notices = \"streaming\"", "streaming", "contradict"},
	} {
		t.Run(c.want+" for "+c.block, func(t *testing.T) {
			t.Parallel()
			hcl := "tenant \"Default\" {\n  root_url = \"https://rooms.example.com/Default\"\n}\nsync_mode \"Exchange2013\" {\n  user = \"svc\"\n  password = \"p\"\n  " + c.block + "\n}\n"
			cfg, diags, _ := loadFiles(t, map[string]string{HCLFile: hcl})
			if cfg == nil {
				t.Fatal(diags)
			}
			m, _ := cfg.Mode("Exchange2013")
			if m.Notices != c.want || m.Pull != (c.want == "pull") {
				t.Errorf("notices = %q, pull = %v; want %q", m.Notices, m.Pull, c.want)
			}
			if c.finding == "" && len(diags) > 0 || !strings.Contains(diags.String(), c.finding) {
				t.Errorf("findings:\n%s\nwant %q", diags, c.finding)
			}
		})
	}
}

func TestPullModesAndFurtherSlotsHaveTheirOwnServers(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, map[string]string{
		RoomsFile: `<RoomsAppSettings>
  <add key="Exchange2013ServiceUser" value="svc-2013"/>
  <add key="Exchange2013ServicePassword" value="p2013"/>
  <add key="Exchange2016ServiceUser" value="svc-2016"/>
  <add key="Exchange2016ServicePassword" value="p2016"/>
  <add key="BatchGetEventsSize" value="50"/>
  <add key="BatchSubscribeSize" value="25"/>
  <add key="FailedGetEventsTillDeactivate" value="3"/>
  <add key="FailedSubscribeTillDeactivate" value="4"/>
  <add key="IntervallSubscribeInMinutes" value="5"/>
  <add key="IntervallTaskInSeconds" value="15"/>
  <add key="SubscriptionTimeoutInMinutes" value="60"/>
</RoomsAppSettings>`,
		HCLFile: `sync_mode "EWS1" {
  url      = "https://one.example.com/EWS/Exchange.asmx"
  user     = "svc-one"
  password = "p1"
}
sync_mode "EWS2" {
  url      = "https://two.example.com/EWS/Exchange.asmx"
  user     = "svc-two"
  password = "p2"
  notices  = "streaming"
}
`,
	})
	got := map[string]string{}
	for _, m := range c.SyncModes {
		s := m.AuthSettings["ntlm"].Reveal()
		got[m.Name] = fmt.Sprintf("%s %s %s %v %v", m.Backend, m.Notices, m.URL, s["user"], s["password"])
	}
	want := map[string]string{
		"EWS1":             "exchange2013 push https://one.example.com/EWS/Exchange.asmx svc-one p1",
		"EWS2":             "exchange2013 streaming https://two.example.com/EWS/Exchange.asmx svc-two p2",
		"Exchange2013":     "exchange2013 push  svc-2013 p2013",
		"Exchange2016Pull": "exchange2013 pull  svc-2016 p2016",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("modes:\n%v\nwant:\n%v", got, want)
	}
	wantPull := Pull{50, 25, 3, 4, 5 * time.Minute, 15 * time.Second, 20 * time.Minute, time.Hour}
	if c.Pull != wantPull {
		t.Errorf("Pull = %+v, want %+v", c.Pull, wantPull)
	}
}
