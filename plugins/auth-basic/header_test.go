package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestTheHeaderHoldsUserAndPassword(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s    Settings
		want string
	}{
		{Settings{User: "alice", Password: "secret"}, "alice:secret"},
		{Settings{User: "alice", Password: "a:b", Domain: "EXAMPLE"}, `EXAMPLE\alice:a:b`},
		{Settings{User: `OTHER\alice`, Password: "pässwörd", Domain: "EXAMPLE"}, `OTHER\alice:pässwörd`},
		{Settings{User: "alice@example.com", Password: "x", Domain: "EXAMPLE"}, "alice@example.com:x"},
	} {
		got, err := header(tc.s)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "Basic "))
		if err != nil || string(raw) != tc.want {
			t.Errorf("header of %q = %q, %v; want %q", tc.s.User, raw, err, tc.want)
		}
	}
}

func TestAnErrorNeverShowsThePassword(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{User: rapid.String().Draw(t, "user"), Password: "S3cr3t-" + rapid.String().Draw(t, "password")}
		got, err := header(s)
		if err == nil && strings.ContainsAny(got, "\r\n") {
			t.Fatalf("a header of more than one line: %q", got)
		}
		if err != nil && (fault.Of(err) != fault.Invalid || strings.Contains(err.Error(), "S3cr3t")) {
			t.Fatalf("error %v", err)
		}
	})
}
