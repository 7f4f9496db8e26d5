package config

import (
	"fmt"
	netmail "net/mail"
	"net/url"
	"os"
	"strings"
)

// Mail says how mails to people are sent. Without a Server none are.
type Mail struct {
	Server   string // host:port; empty: no mails
	TLS      MailTLS
	CAFile   string // absolute, PEM; in addition to the system's authorities
	User     string // empty: the server wants no login
	Password Secret
	From     string // an address, or a name with an address in angle brackets
	ReplyTo  string // likewise; empty: From
	// Language of the mails: English or German.
	Language string
	// Templates is the folder with letters of one's own, absolute; empty: the built-in ones.
	Templates string
}

// The languages in which there are letters.
const (
	English = "en"
	German  = "de"
)

// MailTLS says how the way to the mail server is protected.
type MailTLS string

// The ways.
const (
	MailTLSImplicit MailTLS = "implicit" // smtps: TLS from the first byte
	MailTLSRequired MailTLS = "required" // STARTTLS, or nothing is sent
	MailTLSOffered  MailTLS = "offered"  // STARTTLS if the server offers it
)

// On reports whether mails are sent.
func (m Mail) On() bool { return m.Server != "" }

func mailBlock() block {
	return block{
		name: "mail", doc: "Mails to people about trouble with the sync of their bookings. Without smtp none are sent, whatever mail_on_error says.",
		attrs: []attr{
			{name: "smtp", kind: kindSMTP, doc: "The mail server: `smtp://HOST:25` (TLS if the server offers it; with a user, only with TLS) or `smtps://HOST:465`."},
			{name: "user", kind: kindLabel, doc: "The user to log in with; without one, nobody logs in."},
			{name: "password", kind: kindSecret, doc: "The user's password."},
			{name: "from", kind: kindMailbox, doc: "The sender, e.g. `Rooms <rooms@example.com>`."},
			{name: "reply_to", kind: kindMailbox, doc: "Where answers go; without it, to the sender."},
			{name: "ca_file", kind: kindFile, doc: "PEM file with further certificate authorities to trust for the mail server."},
			{name: "language", kind: kindChoice, def: English, choices: []string{English, German}, doc: "The language of the mails: en or de."},
			{name: "templates", kind: kindFolder, doc: "A folder with letters of your own: what is in DIR/en or DIR/de goes before the built-in letter of the same name. `roomwire config mails --write DIR` writes those out."},
		},
	}
}

func (l *loader) mail(s section) Mail {
	smtp, at, written := s.get("smtp")
	user, userAt, _ := s.get("user")
	from, fromAt, _ := s.get("from")
	m := Mail{Password: NewSecret(s.text("password")), ReplyTo: s.text("reply_to"), Language: s.text("language"), Templates: l.letters(s)}
	m.CAFile, _, _ = s.file("ca_file")
	m.User, _ = user.(string)
	m.From, _ = from.(string)
	server, _ := smtp.(string)
	if server == "" {
		if !written && (m.From != "" || m.User != "") {
			l.add(firstPlace(fromAt, userAt), Error, "mail has no smtp", "Without a server nothing can be sent.", "Write smtp = \"smtp://mail.example.com:25\", or delete the block.")
		}
		return Mail{Language: m.Language, Templates: m.Templates}
	}
	if m.From == "" {
		l.add(at, Error, "mail has no from", "Every mail needs a sender.", "Write from = \"Rooms <rooms@example.com>\".")
	}
	if m.User != "" && !m.Password.IsSet() {
		l.add(userAt, Error, "mail has a user without a password", "The login would fail.", "Write password = env(\"NAME\"), or delete user if the server wants no login.")
	}
	u, err := url.Parse(server)
	if err != nil {
		return Mail{} // found faulty before
	}
	port := u.Port()
	switch {
	case u.Scheme == "smtps":
		m.TLS = MailTLSImplicit
		if port == "" {
			port = "465"
		}
	case m.User != "":
		m.TLS = MailTLSRequired
	default:
		m.TLS = MailTLSOffered
	}
	if port == "" {
		port = "25"
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	m.Server = host + ":" + port
	return m
}

// letters returns the folder with letters of one's own.
func (l *loader) letters(s section) string {
	v, at, written := s.get("templates")
	text, _ := v.(string)
	if !written || text == "" {
		return ""
	}
	dir := within(l.dir, text)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		l.add(at, Error, "mail.templates is no folder: "+dir, "The letters in it could not be read.",
			"Make it with roomwire config mails --write "+dir+", correct the path, or delete the setting. A relative path is meant from the folder of roomwire.hcl.")
		return ""
	}
	return dir
}

func checkSMTP(text string) fault {
	const remedy = "Write \"smtp://mail.example.com:25\", or \"smtps://mail.example.com:465\" for a server that speaks TLS from the start."
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fault{"smtp is no valid URL", "It contains characters that a URL cannot have, or an odd port.", remedy}
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return fault{fmt.Sprintf("smtp does not start with smtp:// or smtps://: %q", hideURLPassword(text)), "", remedy}
	case u.User != nil:
		return fault{"smtp contains a user", "Names and passwords in URLs end up in logs.", "Write them as user and password."}
	case u.Hostname() == "" || !validPort(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return fault{fmt.Sprintf("smtp is not a server: %q", text), "", remedy}
	}
	return fault{}
}

func checkMailbox(name, text string) fault {
	if _, err := netmail.ParseAddress(text); err != nil || strings.ContainsAny(text, "\r\n") {
		return fault{fmt.Sprintf("%s is no mail address: %q", name, text), "", "Write \"rooms@example.com\" or \"Rooms <rooms@example.com>\"."}
	}
	return fault{}
}
