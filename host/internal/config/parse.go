package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no zone database, and the check must be the same everywhere
)

// fault is what is wrong with a value, and what to do. The zero value is none.
type fault struct{ what, why, remedy string }

// check reads text as a says and returns it in the form it is kept in: string,
// bool, int, float64 or time.Duration. Secrets are any text.
func (a attr) check(text string) (any, fault) {
	switch a.kind {
	case kindBool:
		return a.checkBool(text)
	case kindInt:
		n, err := strconv.Atoi(text)
		if err != nil || float64(n) < a.min || float64(n) > a.max {
			return 0, fault{fmt.Sprintf("%q is not what %s takes", text, a.name), "",
				fmt.Sprintf("Write a whole number from %.0f to %.0f%s; the default is %s.", a.min, a.max, inUnit(a.unit), a.def)}
		}
		return n, fault{}
	case kindShare:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || f < a.min || f > a.max {
			return 0.0, fault{fmt.Sprintf("%q is not what %s takes", text, a.name), "",
				fmt.Sprintf("Write a number from %g to %g; the default is %s.", a.min, a.max, a.def)}
		}
		return f, fault{}
	case kindDuration:
		return a.checkDuration(text)
	case kindURL, kindProxy:
		return text, checkURL(a.name, text, a.kind == kindProxy)
	case kindStore:
		return text, checkStore(text)
	case kindAddr:
		return text, checkAddr(text)
	case kindChoice:
		for _, c := range a.choices {
			if strings.EqualFold(c, text) {
				return c, fault{}
			}
		}
		return "", fault{fmt.Sprintf("%s cannot be %q", a.name, text), "",
			didYouMean(text, a.choices) + "It is one of: " + strings.Join(a.choices, ", ") + "."}
	case kindSMTP:
		return text, checkSMTP(text)
	case kindMailbox:
		return text, checkMailbox(a.name, text)
	case kindName:
		return text, checkPluginName(text)
	case kindDay:
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return "", fault{fmt.Sprintf("%s is no day: %q", a.name, text), "", "Write year, month and day, e.g. \"2027-01-31\"."}
		}
		return text, fault{}
	case kindZone:
		return text, checkZone(text)
	case kindSecret:
		return text, fault{}
	default:
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fault{a.name + " contains a control character", "Line breaks and tabs come along when a value is copied from elsewhere.", "Write it on one line, without tabs."}
		}
		return text, fault{}
	}
}

func inUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return " (" + unit + ")"
}

func (a attr) checkBool(text string) (any, fault) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, fault{}
	case "false", "0":
		return false, fault{}
	}
	return false, fault{fmt.Sprintf("%s cannot be %q", a.name, text), "", "Write true or false."}
}

func (a attr) checkDuration(text string) (any, fault) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return time.Duration(0), fault{fmt.Sprintf("%q is no duration", text), "A number needs its unit.",
			"Write for example \"90s\", \"30m\" or \"4h\"; the default is \"" + a.def + "\"."}
	case d.Seconds() < a.min || d.Seconds() > a.max:
		return d, fault{fmt.Sprintf("%s cannot be %s", a.name, text), "",
			fmt.Sprintf("Write a duration from %s to %s; the default is %s.", secondsText(a.min), secondsText(a.max), a.def)}
	}
	return d, fault{}
}

// durationText prints d without the zero units that Go appends.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func secondsText(s float64) string { return durationText(time.Duration(s * float64(time.Second))) }

func checkURL(name, text string, proxy bool) fault {
	shown := hideURLPassword(text)
	const example = "Write it in full, e.g. "
	remedy := example + "https://rooms.example.com/Default."
	switch {
	case proxy:
		remedy = example + "http://proxy.example.com:3128."
	case name == "authority":
		remedy = example + "https://login.example.com, without the tenant."
	case name == "url":
		remedy = example + "https://mail.example.com/EWS/Exchange.asmx."
	case strings.HasPrefix(name, "Exchange"):
		remedy = example + "https://public.example.com/WebServices/SyncNotification.svc."
	}
	u, err := url.Parse(text)
	if err != nil {
		// The parser's own message may quote a password.
		return fault{fmt.Sprintf("%s is no valid URL", name), "It contains characters that a URL cannot have, or an odd port.", remedy}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fault{fmt.Sprintf("%s does not start with http:// or https://: %q", name, shown), "", remedy}
	case u.Hostname() == "":
		return fault{fmt.Sprintf("%s has no host: %q", name, shown), "", remedy}
	case strings.ContainsAny(text, " \t\r\n"):
		return fault{fmt.Sprintf("%s contains a blank: %q", name, shown), "", remedy}
	case !validPort(u):
		return fault{fmt.Sprintf("%s has a port outside 1 to 65535: %q", name, shown), "", remedy}
	case u.User != nil && !proxy:
		return fault{fmt.Sprintf("%s contains a user: %q", name, shown), "Names and passwords in URLs end up in logs.", "Leave it out of the URL; users and passwords have settings of their own."}
	case u.Fragment != "":
		return fault{fmt.Sprintf("%s contains a #: %q", name, shown), "What follows a # is never sent to a server.", remedy}
	case u.RawQuery != "" && (name == "url" || name == "root_url" || name == "authority"):
		return fault{fmt.Sprintf("%s contains a ?: %q", name, shown), "This URL has no query.", remedy}
	}
	return fault{}
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n >= 1 && n <= 65535
}

func checkStore(text string) fault {
	const remedy = "Write \"sqlite:data/roomwire.db\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"."
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case ok && scheme == "sqlite":
		path := strings.TrimPrefix(rest, "//")
		if path == "" || strings.ContainsAny(path, "\x00\n\r") || strings.ContainsAny(path, "?#") {
			return fault{"the store's URL names no file", "Options after ? are Roomwire's own business.", remedy}
		}
		return fault{}
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		u, err := url.Parse(text)
		if err != nil {
			return fault{"the store's URL is not valid", "Special characters of a password must be written as %XX in a URL (@ is %40, / is %2F, # is %23).", remedy}
		}
		if strings.Trim(u.Path, "/") == "" {
			return fault{"the store's URL names no database", "", remedy}
		}
		return fault{}
	}
	return fault{fmt.Sprintf("%q is no store Roomwire knows", hideURLPassword(text)), "It keeps its data in SQLite or PostgreSQL.",
		didYouMean(scheme, []string{"sqlite", "postgres"}) + remedy}
}

func checkAddr(text string) fault {
	const remedy = "Write HOST:PORT, e.g. \"127.0.0.1:8081\", or \":8080\" for every interface."
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fault{fmt.Sprintf("%q is no address", text), "", remedy}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fault{fmt.Sprintf("%q has no port from 0 to 65535", text), "", remedy}
	}
	return fault{}
}

var pluginName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

func checkPluginName(text string) fault {
	if pluginName.MatchString(text) {
		return fault{}
	}
	return fault{fmt.Sprintf("%q is no name of a plugin", text), "Plugins are called by the last part of their file's name: roomwire-backend-NAME, roomwire-auth-NAME.",
		"Write small letters, digits and hyphens only, e.g. exchange2013 or ntlm."}
}

func checkZone(text string) fault {
	const remedy = "Write an IANA name, e.g. Europe/Berlin, Europe/Vienna, Europe/Zurich or UTC."
	if text == "" || text == "Local" {
		return fault{"the machine's own time zone cannot be used", "It is another one in a container or on the next server, and bookings would move.", remedy}
	}
	if _, err := time.LoadLocation(text); err != nil {
		return fault{fmt.Sprintf("there is no time zone %q", text), "Windows names such as \"W. Europe Standard Time\" are not taken.", remedy}
	}
	return fault{}
}
