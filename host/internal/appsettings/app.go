package appsettings

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// credentials are those of an application; secret is the text, which is shown nowhere.
type credentials struct{ tenant, app, secret, thumbprint string }

// String hides the secret.
func (credentials) String() string { return "credentials{redacted}" }

// GoString is String.
func (c credentials) GoString() string { return c.String() }

// application writes the application's credentials into the block. What is not there is taken from inherited. domain is
// the mail domain of an override, empty for a mode.
func (c *converter) application(s section, b *modeBlock, mode, domain string, inherited credentials) credentials {
	first, _ := s.first()
	_, tenant := s.get(tenantNames...)
	_, app := s.get(appNames...)
	secretAt, secret := s.get(clientNames...)
	printAt, thumbprint := s.get(thumbprintNames...)
	own := credentials{tenant, app, secret, thumbprint}
	if own == (credentials{}) && domain == "" {
		return own
	}
	if own.tenant == "" {
		own.tenant = inherited.tenant
	}
	if own.app == "" {
		own.app = inherited.app
	}
	// A secret belongs to its application: it is taken over with it only.
	if secret == "" && thumbprint == "" && own.app == inherited.app {
		own.secret, own.thumbprint = inherited.secret, inherited.thumbprint
		secretAt, printAt = first, first
		if own.tenant != inherited.tenant && own.secret+own.thumbprint != "" {
			c.warn(first, fmt.Sprintf("%s has no secret of its own; the one of %s was taken", whose(mode, domain), mode),
				"That is right only for an application that is registered for several tenants and was consented to in this one.",
				fmt.Sprintf("If the other tenant has an application of its own, correct app_id and client_secret in domain_override %q.", domain))
		}
	}
	b.set("tenant_id", own.tenant)
	b.set("app_id", own.app)
	missing := map[string]string{"TenantId": own.tenant, "AppId": own.app}
	switch {
	case own.secret != "":
		c.secret(b, mode, domain, "client_secret", secretAt, own.secret)
		if thumbprint != "" {
			c.note(printAt, printAt.Key()+" was not carried over", "There is a client secret beside it, and that one was taken.",
				"If the certificate is what is meant, write certificate_file and certificate_password in place of client_secret: docs/administrator/exchange-online.md says how to export it.")
		}
	case own.thumbprint != "":
		c.certificate(b, mode, domain, printAt, own.thumbprint)
	default:
		missing["ClientSecret"] = ""
	}
	c.missing(first, whose(mode, domain), missing)
	return own
}

func whose(mode, domain string) string {
	if domain == "" {
		return mode
	}
	return mode + ", domain " + domain
}

// certificate refers to the file that the certificate has yet to be exported to.
func (c *converter) certificate(b *modeBlock, mode, domain string, at Setting, thumbprint string) {
	file := "certs/" + fileWord(mode, domain) + ".pfx"
	b.set("certificate_file", file)
	c.secret(b, mode, domain, "certificate_password", at, "")
	thumbprint = strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.ASCII_Hex_Digit, r) {
			return r
		}
		return -1 // blanks, and the invisible mark that the Windows dialogue puts before it
	}, thumbprint))
	password := c.secrets[len(c.secrets)-1]
	where := "the file " + password.File
	if password.Env != "" {
		where = "the environment variable " + password.Env
	}
	c.warn(at, fmt.Sprintf("the certificate of %s has to be exported", whose(mode, domain)),
		"A thumbprint names a certificate in the Windows store; Roomwire reads certificates from files, on every system.",
		fmt.Sprintf("In an administrator's PowerShell on the ROOMS server:\n  Export-PfxCertificate -Cert Cert:\\LocalMachine\\My\\%s -FilePath %s -Password (Read-Host -AsSecureString)\n"+
			"Put the file into the folder of roomwire.hcl as %s, and the password into %s. If its key may not be exported, make a new certificate: docs/administrator/exchange-online.md.",
			thumbprint, strings.TrimPrefix(file, "certs/"), file, where))
}

// overrides makes a domain_override of each entry of DomainOverrides: an object by mail domain, or a list of objects that
// name theirs.
func (c *converter) overrides(s section, b *modeBlock, mode string, app credentials) {
	all := s.sub("DomainOverrides")
	for _, name := range all.children() {
		one := all.sub(name)
		first, there := one.first()
		if !there {
			continue
		}
		domain := name
		if number(name) {
			at, text := one.get(mailDomainNames...)
			if text == "" {
				c.warn(first, one.key()+" was not carried over", "It does not say which mail domain it is for.", fmt.Sprintf("Write domain_override \"DOMAIN\" { … } into sync_mode %q.", mode))
				one.drop()
				continue
			}
			first, domain = at, text
		} else if at, text := one.get(mailDomainNames...); text != "" && !strings.EqualFold(text, domain) {
			c.warn(at, at.Key()+" was not carried over", "The entry's own name says another mail domain, and that one was taken.", fmt.Sprintf("Correct the name of domain_override %q if the other one is meant.", domain))
		}
		domain = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(domain), "@"))
		switch {
		case !mailDomain(domain):
			c.warn(first, one.key()+" was not carried over", "It is for no mail domain that Roomwire could tell: letters, digits, hyphens and dots, no wildcard.",
				fmt.Sprintf("Write a domain_override \"DOMAIN\" { … } for each domain into sync_mode %q.", mode))
			one.drop()
			continue
		case slices.ContainsFunc(b.overrides, func(o modeBlock) bool { return o.name == domain }):
			c.warn(first, one.key()+" was not carried over", "There is an entry for "+domain+" before it.", "Which of them is meant cannot be known: delete one and import again.")
			one.drop()
			continue
		}
		o := modeBlock{name: domain}
		c.application(one, &o, mode, domain, app)
		if mode == "O365" {
			at, address := one.get(urlNames...)
			c.cloud(&o, at, address)
		}
		b.overrides = append(b.overrides, o)
	}
}

func number(name string) bool {
	return name != "" && strings.Trim(name, "0123456789") == ""
}

// mailDomain reports whether domain can name a domain_override block.
func mailDomain(domain string) bool {
	if len(domain) > 253 || !strings.Contains(domain, ".") {
		return false
	}
	for part := range strings.SplitSeq(domain, ".") {
		if part == "" || len(part) > 63 || strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' }) {
			return false
		}
	}
	return true
}
