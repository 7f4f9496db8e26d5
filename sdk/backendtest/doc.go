// Package backendtest examines a backend plugin: every rule of the contract (docs/plugins/contract.md) that shows from
// outside is a small check with a name of its own, such as Apply/CreateTwiceIsOnce. A check that fails says what was seen,
// the rule, and where it is told.
//
// An author runs it against the plugin's binary from go test, beside a server to try things out on:
//
//	func TestContract(t *testing.T) {
//		p, err := backendtest.Executable{
//			Path:     "roomwire-backend-mine",
//			Settings: map[string]any{"tier": "test"},
//			Auth:     []backendtest.Auth{{Path: "roomwire-auth-basic", Settings: map[string]any{"user": "u", "password": "p"}}},
//			URLs:     []string{url},
//		}.Start(t.Context())
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer p.Close()
//		backendtest.Run(t, backendtest.Fixture{
//			Open: p.Open, Restart: p.Restart, CutOff: p.CutOff,
//			Mailboxes: []backend.Mailbox{{Address: "a@example.com", URL: url}, {Address: "b@example.com", URL: url}},
//		})
//	}
//
// Or without any code, and against a real server:
//
//	roomwire plugin verify --conformance roomwire-backend-mine --mailbox a@example.com --url https://…
//
// A backend can also be examined as a value: Fixture.Open returns it. The suite plays the host with one instance and, with
// another, somebody else's program that changes the same items. It keeps to what the host promises: for one mailbox it makes
// one Pull and one Apply at a time.
//
// The items that it makes are of the next year, bear keys that begin with "conformance-" and some that are new for each run,
// and are deleted again, also when checks fail or are called off; what could not be deleted is told. Items that it did not
// make are not touched, and may change meanwhile.
//
// What a backend does not claim is not demanded of it. A backend.ReadOnly is only read from; fields that a backend.Partial
// omits are not compared; without Fixture.Notices no message is waited for. All that is skipped, and says why. With a mailbox
// whose URL begins with http:// the suite also answers in the server's place, with all kinds of trouble.
//
// # What is not examined
//
// Some rules do not show from outside. That a person's own appointments are not read in full from the server, but their
// references told alone, shows in what Pull tells and not in what was asked. Nobody sees whether a process keeps files,
// retries by itself or logs secrets; that deletions go to a wastebasket; whether mail was sent, or held back with MailNobody;
// that a read that failed halfway makes a page fail; that an item was marked by hand, copied or moved to another folder; that
// a stream which falls silent ends after two minutes, or a subscription after its time. A backend's own tests have to show
// these.
package backendtest
