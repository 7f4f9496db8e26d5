package main

import (
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
)

// TestContract has every rule of the contract shown against a server that nobody here wrote.
func TestContract(t *testing.T) {
	t.Parallel()
	r := newRadicale(t, "alice", "bob")
	p := r.plugin(map[string]any{"batch": 10}, "svc")
	absent := backend.Mailbox{Address: "nobody@example.com", URL: r.url + "/nobody/work/"}
	backendtest.Run(t, backendtest.Fixture{
		Open: p.Open, Restart: p.Restart, CutOff: p.CutOff,
		Mailboxes: []backend.Mailbox{r.mailbox("alice"), r.mailbox("bob")}, Absent: &absent,
		Attendees: true, AtOnce: true, Paging: 25,
	})
}
