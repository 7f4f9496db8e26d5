package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

func TestPullKeysOfROOMSTakeEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		config.HCLFile: `sync { back_sync_delay = "1m" }`,
		config.RoomsFile: `<RoomsAppSettings>
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
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, diags := config.Load(config.Source{Dir: dir})
	if c == nil {
		t.Fatal(diags)
	}
	want := Limits{
		Delay: time.Minute, BatchGetEvents: 50, BatchSubscribe: 25, FailedGetEvents: 3, FailedSubscribe: 4,
		SubscribeInterval: 5 * time.Minute, TaskInterval: 15 * time.Second, SubscriptionTimeout: time.Hour,
	}
	if got := LimitsOf(c); got != want {
		t.Errorf("limits = %+v, want %+v", got, want)
	}
	if got, _ := config.Load(config.Source{}); LimitsOf(got) != DefaultLimits() {
		t.Errorf("without configuration: %+v", LimitsOf(got))
	}
}
