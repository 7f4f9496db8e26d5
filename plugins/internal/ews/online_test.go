package ews

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A tenant answers each mailbox with its own HTTP status; 200 unless said otherwise.
type tenant map[string]int

func (n tenant) client() *Client {
	return &Client{ActAs: true, Online: NewOnline(), HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		status, set := n[r.Header.Get("X-AnchorMailbox")]
		if all, everybody := n["*"]; everybody && !set {
			status, set = all, true
		}
		if set && status != 200 {
			return response(r, status, ""), nil
		}
		return response(r, 200, fmt.Sprintf(answerHead, "GetFolder", message("GetFolder", ""))), nil
	})}}
}

func user(i int) calendar.Mailbox {
	return calendar.Mailbox{Address: fmt.Sprintf("u%d@example.com", i), URL: ada.URL}
}

func ask(t *testing.T, c *Client, m calendar.Mailbox) *fault.Error {
	t.Helper()
	_, err := c.GetFolder(t.Context(), m)
	if err == nil {
		return nil
	}
	fe, ok := err.(*fault.Error)
	if !ok {
		t.Fatalf("%T %v", err, err)
	}
	return fe
}

func disabled(e *fault.Error) bool {
	return e != nil && e.Kind == fault.Forbidden && e.Scope == fault.ScopeServer && e.Code == CodeDisabled
}

func single(e *fault.Error) bool {
	return e != nil && e.Kind == fault.Forbidden && e.Scope == fault.ScopeMailbox && e.Code == "HTTP 403"
}

func TestARefusalOfEverybodyIsKnownFromThatOfOne(t *testing.T) {
	t.Parallel()
	t.Run("of a tenant from the start", func(t *testing.T) {
		t.Parallel()
		n := tenant{"*": 403}
		c := n.client()
		for i := range storm - 1 {
			if e := ask(t, c, user(i)); !single(e) {
				t.Errorf("mailbox %d: %+v, want that of one mailbox", i, e)
			}
			if e := ask(t, c, user(i)); !single(e) {
				t.Errorf("mailbox %d again: %+v, want that of one mailbox", i, e)
			}
		}
		for i := storm - 1; i < 20; i++ {
			e := ask(t, c, user(i))
			if !disabled(e) || strings.Contains(e.Message, "@") || !strings.Contains(e.Message, "EwsAllowedAppIDs") || !strings.Contains(e.Message, "2027-04-01") {
				t.Errorf("mailbox %d: %+v, want EWSDisabled", i, e)
			}
		}
		n["u3@example.com"] = 200 // it is on again
		if e := ask(t, c, user(3)); e != nil {
			t.Errorf("%v", e)
		}
		if e := ask(t, c, user(0)); !single(e) {
			t.Errorf("after a success: %+v, want that of one mailbox", e)
		}
	})
	t.Run("of a tenant that worked", func(t *testing.T) {
		t.Parallel()
		n := tenant{}
		c := n.client()
		for i := range 10 {
			ask(t, c, user(i))
		}
		n["*"] = 403
		for i := range 10 {
			if e := ask(t, c, user(i)); disabled(e) != (i >= storm-1) {
				t.Errorf("mailbox %d: %+v", i, e)
			}
		}
	})
	t.Run("of a few that were never let in", func(t *testing.T) {
		t.Parallel()
		n := tenant{"good@example.com": 200, "*": 403}
		c := n.client()
		ask(t, c, calendar.Mailbox{Address: "good@example.com", URL: ada.URL})
		for i := range 50 { // nobody else is active at night
			if e := ask(t, c, user(i)); !single(e) {
				t.Errorf("mailbox %d: %+v, want that of one mailbox", i, e)
			}
		}
	})
	t.Run("on premises it is that of one mailbox always", func(t *testing.T) {
		t.Parallel()
		c := tenant{"*": 403}.client()
		c.Online = nil
		for i := range 10 {
			if e := ask(t, c, user(i)); !single(e) {
				t.Errorf("mailbox %d: %+v", i, e)
			}
		}
	})
}

func TestOnlineSaysWhatToDoThere(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		kind fault.Kind
		text string
	}{
		"ErrorImpersonateUserDenied":     {fault.Forbidden, "Application EWS.AccessAsApp"},
		"ErrorImpersonationDenied":       {fault.Forbidden, "full_access_as_app"},
		"ErrorAccessDenied":              {fault.Forbidden, "full_access_as_app"},
		"ErrorNonExistentMailbox":        {fault.MailboxNotFound, "on premises"},
		"ErrorExceededSubscriptionCount": {fault.SubscriptionLost, "20"},
		"ErrorMailboxMoveInProgress":     {fault.MailboxMoved, "being moved"},
		"ErrorServerBusy":                {fault.Throttled, "pause"},
	} {
		c := respond(500, faultWith(code, ""))
		c.Online = NewOnline()
		e := ask(t, c, ada)
		if e == nil || e.Kind != want.kind || !strings.Contains(e.Message, want.text) || strings.Contains(e.Message, "service account") {
			t.Errorf("%s: %+v", code, e)
		}
		if e.Scope != meaningOf(code).scope {
			t.Errorf("%s reaches otherwise far than on premises", code)
		}
	}
	for code := range onlineTexts {
		if _, known := codes[code]; !known {
			t.Errorf("%s has a text and no kind", code)
		}
	}
	for code, text := range onlineTexts {
		if strings.Contains(text, "ApplicationImpersonation") || strings.Contains(text, "service account") {
			t.Errorf("%s speaks of what is not there: %s", code, text)
		}
	}
}

func TestTheReasonThatTheServerGivesIsSaid(t *testing.T) {
	t.Parallel()
	for reason, tc := range map[string]struct{ code, want string }{
		"EWS is disabled for this user or tenant":          {CodeDisabled, "(Get-OrganizationConfig, EwsEnabled)"},
		"EWS is blocked by policy for this user or tenant": {CodeDisabled, "-EwsAllowedAppIDs"},
		"": {"HTTP 403", "outside the scope of the application's role"},
	} {
		c := &Client{ActAs: true, Online: NewOnline(), HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp := response(r, 403, "")
			resp.Header.Set("X-EWS-Policy-Reason", reason)
			return resp, nil
		})}}
		if e := ask(t, c, ada); e == nil || e.Kind != fault.Forbidden || e.Scope != fault.ScopeMailbox || e.Code != tc.code || !strings.Contains(e.Message, tc.want) {
			t.Errorf("%q: %+v, want %s and a text with %q", reason, e, tc.code, tc.want)
		}
	}
}

func TestARefusedTokenIsNoWrongPassword(t *testing.T) {
	t.Parallel()
	c := respond(401, "")
	c.Online = NewOnline()
	if e := ask(t, c, ada); e == nil || e.Kind != fault.Unauthorized || e.Scope != fault.ScopeServer || !strings.Contains(e.Message, "token") {
		t.Errorf("%+v", e)
	}
}
