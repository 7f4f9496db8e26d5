package e2e

import (
	"strings"
	"testing"
)

// TestSettingsOfPluginsAreChecked has every command and the host itself say what a plugin would refuse: with the plugin,
// the block and the line. Who does not use that plugin's sync mode notices nothing.
func TestSettingsOfPluginsAreChecked(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{stopped: true})
	const wrong, right, slip = "channel_binding = 5", "channel_binding = \"off\"", "chanel_binding = \"off\""
	s.appendHCL(s.otherMode("Other", "svc-rooms", password, "auth_settings \"ntlm\" {\n    "+wrong+"\n    password = "+`"`+escapedHCL(password)+`"`+"\n  }"))
	s.must("person", "set", "carol", "--mode", "Other", "--url", s.exchange)
	told := []string{"sync mode Other: the setting `channel_binding` of the plugin auth-ntlm must be a text", "roomwire.hcl:", "    channel_binding = ", "^", `auth_settings "ntlm" { … } of sync_mode "Other"`}
	refused := func(said string) {
		t.Helper()
		for _, part := range told {
			if !strings.Contains(said, part) {
				t.Errorf("it is not said %q, but:\n%s", part, said)
			}
		}
	}

	refused(fails(s, "config", "check"))
	refused(fails(s, "config", "apply"))

	// The host goes on for the others, and says why not for these.
	s.serve()
	rest := []string{"alice", "bob", "dave"}
	s.settleOnly(rest...)
	s.eventually("the log tells", func() error {
		return yes(s.inLog("settings of plugins are wrong") > 0 && s.inLog(told[0]) > 0, "it does not")
	})
	s.eventually("carol's state tells", func() error {
		st := s.state("carol")
		return yes(st.Status == "attention" && st.Kind == "invalid" && strings.Contains(st.Reason, "channel_binding"), "%+v", st)
	})

	// Put right, it is taken over, and refused when it is wrong again.
	s.replace("roomwire.hcl", wrong, right)
	s.apply("auth_settings", right)
	s.settleOnly("carol")
	out := strings.Join(strings.Fields(s.must("config", "show")), " ")
	if !strings.Contains(out, right+" #") || !strings.Contains(out, `auth_settings "ntlm" {`) || strings.Contains(out, "password = \"") {
		t.Errorf("config show says:\n%s", out)
	}
	s.untouched(func() {
		s.replace("roomwire.hcl", right, "domain = 5")
		s.hangUp("the changed configuration is refused")
		if s.inLog("the setting `domain` of the plugin auth-ntlm must be a text") == 0 {
			t.Error("the log does not tell why")
		}
	}, people...)

	// A setting that the plugin does not know, as the next version may, is said and is no fault.
	s.replace("roomwire.hcl", "domain = 5", slip)
	_, said, err := s.roomwire("config", "apply")
	for _, part := range []string{"Warning: sync mode Other: the plugin auth-ntlm has no setting `chanel_binding`", "Did you mean `channel_binding`?", "roomwire plugin swap"} {
		if err != nil || !strings.Contains(said, part) {
			t.Errorf("config apply does not say %q, but %v:\n%s", part, err, said)
		}
	}
	if s.inLog("has no setting `chanel_binding`") == 0 {
		t.Error("the host does not tell of a setting without effect")
	}
	s.settleOnly("carol")

	// A variable goes before the file, and a folder with a fault is not installed.
	s.replace("roomwire.hcl", slip, "domain = \"EXAMPLE\"")
	s.stop()
	s.serve("ROOMWIRE_SYNC_MODE_OTHER_AUTH_SETTINGS_NTLM_PASSWORD=mistyped")
	s.eventually("carol's password is another", func() error {
		s.must("sync", "now", "carol")
		st := s.state("carol")
		return yes(st.Status == "attention" && st.Kind == "unauthorized", "%+v", st)
	})
	before := s.read("roomwire.hcl")
	dir := strings.TrimSuffix(s.write("new/roomwire.hcl", strings.Replace(before, "domain = \"EXAMPLE\"", wrong, 1)), "roomwire.hcl")
	errs := fails(s, "config", "apply", dir)
	refused(errs)
	if !strings.Contains(errs, "Nothing was installed") || s.read("roomwire.hcl") != before {
		t.Errorf("it was installed:\n%s", errs)
	}
}
