// Package authtest examines an auth plugin: every rule of the contract (docs/plugins/contract.md) that shows from outside
// is a small check with a name of its own.
//
// An author runs it from go test against the plugin's binary:
//
//	func TestContract(t *testing.T) {
//		p, err := authtest.Executable{
//			Path: "roomwire-auth-mine", Settings: map[string]any{"token": "t0ken"}, Other: map[string]any{"token": "other"},
//		}.Start(t.Context())
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer p.Close()
//		authtest.Run(t, p.Fixture())
//	}
//
// With the URL of a server that demands the login, such as an httptest.Server's, it also logs in for real.
package authtest
