package remedy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestWhatHelpsDependsOnTheLogin(t *testing.T) {
	t.Parallel()
	windows, oauth := []string{"ntlm", "basic"}, []string{"oauth"}
	all := func(k fault.Kind) error { return &fault.Error{Kind: k, Scope: fault.ScopeServer} }
	for name, tc := range map[string]struct {
		err      error
		auth     []string
		has, not string
	}{
		"a password that is refused":       {all(fault.Unauthorized), windows, "password", "app registration"},
		"a token that is refused":          {all(fault.Unauthorized), oauth, "app registration", "password"},
		"a mailbox out of scope":           {fault.Forbidden, windows, "ApplicationImpersonation", "full_access_as_app"},
		"a mailbox out of an app's scope":  {fmt.Errorf("opening: %w", fault.Forbidden), oauth, "full_access_as_app", "ApplicationImpersonation"},
		"an account without the role":      {all(fault.Forbidden), windows, "ApplicationImpersonation", "person move"},
		"a tenant without EWS":             {fmt.Errorf("opening: %w", all(fault.Forbidden)), oauth, "person move --to Microsoft365", "password"},
		"a mailbox without EWS":            {fmt.Errorf("opening: %w", &fault.Error{Kind: fault.Forbidden, Code: "EWSDisabled"}), oauth, "Set-CASMailbox -EwsEnabled $true", "consent"},
		"a mailbox that is not there":      {fault.MailboxNotFound, oauth, "on premises", "sync URL"},
		"a mailbox on its way":             {fault.MailboxMoved, windows, "Exchange Online", ""},
		"the same, of an unknown login":    {fault.Unauthorized, nil, "service account", ""},
		"what has nothing to do with them": {fault.Conflict, oauth, "", "a"},
	} {
		got := Of(tc.err, tc.auth)
		if !strings.Contains(got, tc.has) || tc.not != "" && strings.Contains(got, tc.not) {
			t.Errorf("%s: %q, want something with %q and without %q", name, got, tc.has, tc.not)
		}
	}
}
