package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDashboardAsksForWhatThereIs holds the dashboard and the alerts against the names of the figures.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, file := range []string{"metrics.go", "states.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	named := regexp.MustCompile(`roomwire_[a-z_]+`)
	known := map[string]bool{}
	for _, name := range named.FindAllString(source.String(), -1) {
		known[name] = true
	}
	used := map[string]bool{}
	for _, file := range []string{"../../../configs/grafana/roomwire.json", "../../../configs/grafana/alerts.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
		for _, name := range named.FindAllString(string(text), -1) {
			for _, end := range []string{"_bucket", "_count", "_sum"} {
				if base := strings.TrimSuffix(name, end); known[base] {
					name = base
				}
			}
			used[name] = true
			if !known[name] {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
	}
	for name := range known {
		if !used[name] && name != "roomwire_scrape_failed" {
			t.Errorf("nothing shows %s", name)
		}
	}
}
