package verify

import (
	"regexp"
	"strings"

	"github.com/roomwire/roomwire/sdk/launch"
)

// flagFor says in the words of the command line what the suites say in those of their packages.
var flagFor = strings.NewReplacer(
	"there is only one mailbox in Fixture.Mailboxes", "--mailbox is given only once",
	"Fixture.Absent is not set", "--absent is not given",
	"Fixture.Notices is not set", "--notices-listen is not given",
	"Fixture.Unreachable is not set", "--url is not given",
	"the mailbox has no URL that could lead elsewhere", "--url is not given",
	"the mailbox's URL is not http,", "--url is not one with http://,",
	"there is no server to log in to: Fixture.URL", "--url is not given",
	"Fixture.URL and OtherURL", "Fixture.OtherURL",
	"Fixture.Attendees", "--allow-attendees",
	"Fixture.Mailboxes", "--mailbox",
	"Fixture.URL", "--url",
	"Executable.URLs", "--url",
	" (Executable.PlainHTTP)", "",
)

// fieldOnly is a field that no flag sets.
var fieldOnly = regexp.MustCompile(`\bFixture(\.[A-Z]\w*)+`)

// inFlags returns what a check said, for somebody who has the command and no Go test.
func inFlags(said []string, kind launch.Kind) []string {
	suite := "sdk/backendtest"
	if kind == launch.AuthPlugin {
		suite = "sdk/authtest"
	}
	var out []string
	for _, one := range said {
		out = append(out, fieldOnly.ReplaceAllString(flagFor.Replace(one), "a Go test can set $0 of "+suite))
	}
	return out
}
