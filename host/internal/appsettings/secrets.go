package appsettings

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/roomwire/roomwire/host/internal/config"
)

// placeholder matches what stands in the place of a secret that is kept elsewhere.
var placeholder = regexp.MustCompile(`^(@Microsoft\.KeyVault\(.*\)|#\{.*\}#?|\$\{.*\}|\$\(.*\)|%\w+%|<.*>|\*{3,}|__\w+__)$`)

// secret refers to a secret. A text that is none, or that could not be read back as it is, is left to be put there by hand.
func (c *converter) secret(b *modeBlock, mode, domain, name string, at Setting, text string) {
	if text == "" && name != "certificate_password" {
		return
	}
	s := Secret{Setting: fmt.Sprintf("sync_mode %q %s", mode, name)}
	env := []string{"sync_mode", mode, name}
	if domain != "" {
		s.Setting = fmt.Sprintf("sync_mode %q domain_override %q %s", mode, domain, name)
		env = []string{"sync_mode", mode, "domain_override", domain, name}
	}
	if c.options.Secrets == "" {
		s.Env = c.variable(env)
	} else {
		s.File = path.Join(c.options.Secrets, fileWord(mode, domain)+"-"+strings.ReplaceAll(name, "_", "-"))
	}
	where := s.File
	if s.Env != "" {
		where = s.Env
	}
	switch {
	case text == "":
	case placeholder.MatchString(text):
		c.warn(at, fmt.Sprintf("%s stands for a secret that is kept elsewhere", at.Key()), "ROOMS gets the secret from there; Roomwire cannot.", fmt.Sprintf("Put the secret itself into %s.", where))
	case strings.ContainsFunc(text, unicode.IsControl) || strings.HasPrefix(text, "\uFEFF"):
		c.warn(at, fmt.Sprintf("the secret in %s was not carried over", at.Key()), "It holds line breaks or other characters that cannot be seen, which is mostly a mistake of copying.",
			fmt.Sprintf("Put it into %s by hand.", where))
	default:
		s.Text = config.NewSecret(text)
	}
	c.secrets = append(c.secrets, s)
	b.attrs = append(b.attrs, attribute{name: name, secret: &s})
}

// variable returns the name by which the setting can come from the environment anyway; a second one whose name would be the
// same has a number.
func (c *converter) variable(parts []string) string {
	base := "ROOMWIRE_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.Join(parts, "_")))
	name := base
	for i := 2; c.envs[name]; i++ {
		name = fmt.Sprintf("%s__%d", base, i) // one underscore more than in the variable of client_secret_2
	}
	c.envs[name] = true
	return name
}

// fileWord begins the names of a mode's files.
func fileWord(mode, domain string) string {
	if domain == "" {
		return strings.ToLower(mode)
	}
	return strings.ToLower(mode) + "-" + domain
}
