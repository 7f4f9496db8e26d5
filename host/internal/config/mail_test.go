package config

import "testing"

func TestMailServerAndItsProtection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		hcl, server string
		tls         MailTLS
	}{
		{``, "", ""},
		{`smtp = "smtp://mail.example.com"`, "mail.example.com:25", MailTLSOffered},
		{`smtp = "smtp://mail.example.com:587"` + "\n user = \"hub\"\n password = \"x\"", "mail.example.com:587", MailTLSRequired},
		{`smtp = "smtps://mail.example.com"`, "mail.example.com:465", MailTLSImplicit},
		{`smtp = "smtps://[2001:db8::1]:4650"`, "[2001:db8::1]:4650", MailTLSImplicit},
	} {
		text := "mail {\n" + tc.hcl + "\n}\n"
		if tc.hcl != "" {
			text = "mail {\n from = \"Rooms <rooms@example.com>\"\n" + tc.hcl + "\n}\n"
		}
		m := mustLoad(t, map[string]string{"roomwire.hcl": text}).Mail
		if m.Server != tc.server || m.TLS != tc.tls || m.On() != (tc.server != "") {
			t.Errorf("%q: %+v", tc.hcl, m)
		}
	}
}
