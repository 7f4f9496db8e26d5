package ews

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestEachCallLeavesOneLineWithTheServersId(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status     int
		body, code string
	}{
		{200, messageWith("ErrorItemNotFound", ""), "ErrorItemNotFound"},
		{500, faultWith("ErrorServerBusy", ""), "ErrorServerBusy"},
		{404, "", `"HTTP 404"`},
		{200, subscribed, "NoError"},
		{200, beat + closed, "NoError"},
	} {
		var out bytes.Buffer
		c := respond(tc.status, tc.body, "request-id", "r-1")
		c.Log = hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug})
		operation := "GetItem"
		switch {
		case tc.body == subscribed:
			operation = "Subscribe"
			_, _ = c.SubscribeStreaming(t.Context(), ada, Affinity{})
		case strings.HasPrefix(tc.body, beat):
			operation = "GetStreamingEvents"
			_, _ = listen(t.Context(), c)
		default:
			_, _ = c.GetItems(t.Context(), ada, []string{"A"}, nil)
		}
		line := out.String()
		for _, want := range []string{"[DEBUG]", "operation=" + operation, "mailbox=ada@example.com", "code=" + tc.code, "request-id=r-1", "took="} {
			if !strings.Contains(line, want) {
				t.Errorf("line %q lacks %s", line, want)
			}
		}
		if strings.Count(line, "\n") != 1 || strings.Contains(line, "secret") {
			t.Errorf("lines: %q", line)
		}
		out.Reset()
		c.Log.SetLevel(hclog.Info)
		_, _ = c.GetFolder(t.Context(), ada)
		if out.Len() > 0 {
			t.Errorf("above debug: %q", out.String())
		}
	}
}
