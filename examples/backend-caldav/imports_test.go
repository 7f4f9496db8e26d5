package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestOfRoomwireOnlyTheSDKIsImported: whoever writes a plugin elsewhere has no more than that.
func TestOfRoomwireOnlyTheSDKIsImported(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}{{"\n"}}{{join .TestImports "\n"}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := []string{
		"github.com/roomwire/roomwire/sdk/", "github.com/roomwire/roomwire/examples/backend-caldav/internal/",
		"github.com/emersion/go-ical", "github.com/teambition/rrule-go", "github.com/hashicorp/go-hclog",
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.Contains(path, ".") && !slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(path, a) }) {
			t.Errorf("%s is imported", path)
		}
	}
}
