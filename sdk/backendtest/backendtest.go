package backendtest

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/conformance"
)

// A Fixture is the backend under examination, and where it may write.
type Fixture struct {
	// Open makes another instance with the same settings. The suite closes it if it is an io.Closer.
	Open func(ctx context.Context) (backend.Backend, error)
	// Restart ends the plugin's process and starts it anew; instances that Open made before are of no use then. Where it
	// is nil, a new instance stands for it.
	Restart func(ctx context.Context) error
	// CutOff makes an instance that reaches no server at all, as Open does while the network is down. Optional.
	CutOff func(ctx context.Context) (backend.Backend, error)

	// Mailboxes are the calendars that the suite may fill, and empties again. With two it also shows that they are kept
	// apart. What is in them already is not touched, and may change meanwhile.
	Mailboxes []backend.Mailbox
	// Absent is a mailbox that the server does not have. Optional.
	Absent *backend.Mailbox
	// Unreachable is a mailbox whose server does not answer. Where it is nil and the first mailbox has a URL, it is that
	// mailbox at a port of this machine on which nobody listens.
	Unreachable *backend.Mailbox
	// Notices is where the server can call the suite, for a backend.Pusher. Without it no notice is waited for.
	Notices *Notices

	// Attendees allows items with attendees, of example.com. A real server may send mail to them.
	Attendees bool
	// AtOnce says that the server itself refuses a second item with the same key, so that of creates made at the same
	// moment one makes the item. The contract does not ask for it: the host makes one Apply at a time.
	AtOnce bool
	// Lag is how long after a write Pull and Find may still show what was before; zero: not at all.
	Lag time.Duration
	// Patience is how long a notice, and a call that was cancelled, are waited for; zero: a minute.
	Patience time.Duration
	// Paging is how many items are made to see a pull in pages; zero: 30. Take more than fit on two of the backend's.
	Paging int
	// Only chooses checks by their names, such as Apply/CreateTwiceIsOnce; nil: all.
	Only func(name string) bool
}

// Notices is where the server can call the suite.
type Notices struct {
	Listener net.Listener // the suite closes it
	// URL is the address under which the server reaches the listener; a path that is a secret is appended to it. Empty:
	// http:// and the listener's address.
	URL string
}

// Run examines a backend. Every check is one of t, named after the rule that it shows; what cannot be checked is skipped
// and says why. What the suite made is removed at the end, whatever happens.
func Run[X conformance.T[X]](t X, f Fixture) {
	t.Helper()
	s, err := begin(t.Context(), f)
	if err != nil {
		t.Run("Begin", func(t X) { t.Fatalf("%v", err) })
		return
	}
	defer func() {
		left := s.end(t.Context())
		t.Run("End", func(t X) {
			t.Run("NothingIsLeft", func(t X) {
				for _, what := range left {
					t.Errorf("%s", what)
				}
			})
		})
	}()
	for _, g := range grouped(f.Only) {
		t.Run(g.name, func(t X) {
			for _, one := range g.checks {
				t.Run(one.name, func(t X) { s.show(t, one) })
			}
			s.leave(t)
		})
	}
}

// A group is the checks of one part of the contract.
type group struct {
	name   string
	checks []check
}

// grouped returns all checks that are wanted, in the order in which they are made.
func grouped(only func(string) bool) []group {
	var out []group
	for _, g := range []group{
		{"Open", openChecks()},
		{"Probe", probeChecks()},
		{"Pull", append(pullChecks(), everythingChecks()...)},
		{"Pages", pagesChecks()},
		{"Cursor", cursorChecks()},
		{"Fetch", fetchChecks()},
		{"Apply", append(createChecks(), changeChecks()...)},
		{"Update", updateChecks()},
		{"Event", eventChecks()},
		{"Series", seriesChecks()},
		{"Attendees", attendeeChecks()},
		{"Finder", finderChecks()},
		{"Pusher", pusherChecks()},
		{"Watcher", watcherChecks()},
		{"Responder", responderChecks()},
		{"DriftChecker", driftChecks()},
		{"FreeBusy", freeBusyChecks()},
		{"Groups", groupChecks()},
		{"Mailboxes", mailboxChecks()},
		{"Unavailable", unavailableChecks()},
		{"Cancellation", cancellationChecks()},
		{"Process", processChecks()},
	} {
		kept := group{name: g.name}
		for _, one := range g.checks {
			if only == nil || only(g.name+"/"+one.name) {
				kept.checks = append(kept.checks, one)
			}
		}
		if len(kept.checks) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// Checks lists the names of all checks, in the order in which they are made.
func Checks() []string {
	var names []string
	for _, g := range grouped(nil) {
		for _, one := range g.checks {
			names = append(names, strings.Join([]string{g.name, one.name}, "/"))
		}
	}
	return append(names, "End/NothingIsLeft")
}
