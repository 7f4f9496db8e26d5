// Package backendtest examines a backend plugin: every rule of the contract (docs/plugins/contract.md) that shows from
// outside is a small check with a name of its own.
//
// An author runs it from go test against the plugin's binary:
//
//	func TestContract(t *testing.T) {
//		p, err := backendtest.Executable{Path: "roomwire-backend-mine", Settings: map[string]any{"tier": "test"}}.Start(t.Context())
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer p.Close()
//		backendtest.Run(t, backendtest.Fixture{
//			Open: p.Open, Restart: p.Restart, CutOff: p.CutOff,
//			Mailboxes: []backend.Mailbox{{Address: "a@example.com", URL: url}, {Address: "b@example.com", URL: url}},
//		})
//	}
package backendtest
