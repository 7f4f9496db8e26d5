package joining

import (
	"strings"
	"testing"
)

// What the add-ins write, shortened.
const (
	teamsText = "\n________________________________________________________________________________\nMicrosoft Teams meeting\n" +
		"Join: https://teams.microsoft.com/meet/123?p=abc\nMeeting ID: 123\n"
	skypeText = "\n.........................................................................................................................................\n" +
		"→ Join Skype Meeting\nhttps://meet.example.com/alice/ABCDEF12\n"
	zoomText = "\n──────────\n\nAlice is inviting you to a scheduled Zoom meeting.\n\nJoin Zoom Meeting\nhttps://example.zoom.us/j/123\n"
	pasted   = "\nAlice is inviting you to a scheduled Zoom meeting.\n\nJoin Zoom Meeting\nhttps://zoom.us/j/123\n"

	teamsPage = `<html><head></head><body><div class="elementToProof">Our words<br></div><div class="me-email-text"><div><span>________________________________________________________________________________</span></div>` +
		`<div><a href="https://teams.microsoft.com/meet/123?p=abc">Join the meeting now</a></div></div></body></html>`
	zoomPage = `<html><body><p>Our words</p><p>──────────</p><p>Alice is inviting you to a scheduled Zoom meeting.</p><a href="https://example.zoom.us/j/123">x</a></body></html>`
	pastPage = `<html><body><div>Our words</div><div>Alice is inviting you to a scheduled Zoom meeting.</div><div><a href="https://zoom.us/j/123">x</a></div></body></html>`
)

func TestOurWordsStandAbove(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text, own string
		known     bool
		part      bool
	}{
		"Teams":                     {"Our\nwords\n" + teamsText, "Our\nwords", false, true},
		"Skype":                     {"Our words" + skypeText, "Our words", false, true},
		"Zoom":                      {"Our words\n" + zoomText, "Our words", false, true},
		"nothing above":             {teamsText, "", false, true},
		"a line of ours":            {"One\n____________________\nTwo" + teamsText, "One", false, true},
		"a line and no meeting":     {"One\n________________________________________________\nTwo", "One\n________________________________________________\nTwo", false, false},
		"known, without an address": {"One\n________________________________________________\nTwo", "One", true, true},
		"known, without a line":     {"One", "One", true, false},
		"pasted by hand":            {"Our words" + pasted, "Our words" + pasted, false, false},
		"a mere link":               {"See https://zoom.us/j/1", "See https://zoom.us/j/1", false, false},
	} {
		if own, part := Above(tc.text, tc.known); own != tc.own || part != tc.part {
			t.Errorf("%s: %q, %t; want %q, %t", name, own, part, tc.own, tc.part)
		}
	}
}

func TestOurWordsAreReplacedAndTheMeetingStays(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"Teams": teamsPage, "Zoom": zoomPage, "pasted": pastPage} {
		if !In(page) {
			t.Errorf("%s: no meeting is seen in it", name)
		}
		got, ok := Within(page, "New <words>\nof ours", false)
		link := page[strings.Index(page, "https://"):]
		link = link[:strings.IndexByte(link, '"')]
		if !ok || strings.Contains(got, "Our words") || !strings.Contains(got, "New &lt;words&gt;<br>of ours") || !strings.Contains(got, link) {
			t.Errorf("%s: %t\n%s", name, ok, got)
		}
		again, ok := Within(got, "Third", false)
		if !ok || strings.Contains(again, "of ours") || !strings.Contains(again, link) || strings.Count(again, "<body") != 1 {
			t.Errorf("%s, once more: %t\n%s", name, ok, again)
		}
	}
	if page, ok := Within(`<html><body><a href="https://zoom.us/j/1">x</a></body></html>`, "text", false); ok {
		t.Errorf("a mere link was found to be a part of its own: %s", page)
	}
}

func FuzzWithin(f *testing.F) {
	for _, page := range []string{teamsPage, zoomPage, pastPage, teamsText, "<body", "____________________ https://zoom.us/j/1 </body>"} {
		f.Add(page, "text", true)
	}
	f.Fuzz(func(t *testing.T, page, text string, known bool) {
		got, ok := Within(page, text, known)
		if at := begin(page, known); ok && at != nil {
			if c := closing.FindStringIndex(page[at[1]:]); c == nil && !strings.Contains(got, page[at[0]:]) {
				t.Fatalf("of %q is left %q", page[at[0]:], got)
			}
		}
		if own, part := Above(page, known); part && !strings.HasPrefix(page, own) {
			t.Fatalf("%q does not begin with %q", page, own)
		}
	})
}
