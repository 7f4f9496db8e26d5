package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Problem is why a value is refused: what is wrong, why it matters, what to do.
type Problem struct{ What, Why, Remedy string }

// Error is all three in one line.
func (p *Problem) Error() string {
	return strings.TrimSpace(p.What + ". " + strings.TrimSpace(p.Why+" "+p.Remedy))
}

// cloudURL is the EWS URL of a Microsoft cloud, empty when it has none.
func cloudURL(cloud string) string {
	host := map[string]string{
		"global": "outlook.office365.com", "usgov": "outlook.office365.us",
		"usgov-dod": "outlook-dod.office365.us", "china": "partner.outlook.cn",
	}[cloud]
	if host == "" {
		return ""
	}
	return "https://" + host + "/EWS/Exchange.asmx"
}

// IsExchangeOnline reports whether host belongs to Exchange Online, worldwide
// or in a national cloud.
func IsExchangeOnline(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range []string{"office365.com", "outlook.office.com", "outlook.com", "office365.us", "outlook.office365.us", "apps.mil", "outlook.cn", "outlook.office.de", "outlook.de"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// checkCombination refuses backends with auth plugins that do not go together.
func (m SyncMode) checkCombination() *Problem {
	has := func(name string) bool { return slices.Contains(m.Auth, name) }
	const rule = "The rule: OAuth 2.0 for Exchange Online only; NTLM, then Basic, on-premises only."
	switch m.Backend {
	case backendOnPremises:
		if has("oauth") {
			return &Problem{fmt.Sprintf("sync mode %s uses oauth with an on-premises server", m.Name), rule, `Write auth = ["ntlm", "basic"], or backend = "exchangeonline" for Exchange Online.`}
		}
	case backendOnline, backendGraph:
		for _, name := range []string{"ntlm", "basic"} {
			if has(name) {
				return &Problem{fmt.Sprintf("sync mode %s uses %s with Exchange Online", m.Name, name), rule + " Microsoft switched the others off.", `Write auth = ["oauth"], or backend = "exchange2013" for a server of your own.`}
			}
		}
	default:
		return nil
	}
	if len(m.Auth) == 0 {
		return &Problem{fmt.Sprintf("sync mode %s has no auth plugin", m.Name), "Exchange answers nobody it does not know.", fmt.Sprintf("Write auth = %s.", quoteList(defaultAuth(m.Backend)))}
	}
	return nil
}

// CheckURL returns why raw cannot be the URL of a mailbox of this mode, or nil.
// It refuses what the product forbids: passwords to Exchange Online, tokens to
// servers that are not, Basic without TLS.
func (m SyncMode) CheckURL(raw string) *Problem {
	if f := checkURL("url", raw, false); f.what != "" {
		return &Problem{f.what, f.why, f.remedy}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return &Problem{What: "the URL is not valid"}
	}
	has := func(name string) bool { return slices.Contains(m.Auth, name) }
	online, plain := IsExchangeOnline(u.Hostname()), u.Scheme == "http"
	cloud := m.AuthSettings["oauth"].Text("cloud")
	switch {
	case m.Backend == backendGraph:
		return nil // the backend knows its servers
	case online && (has("ntlm") || has("basic")):
		return &Problem{fmt.Sprintf("%s belongs to Exchange Online, which takes neither NTLM nor Basic", u.Hostname()), "Passwords sent there are refused, and may lock the account.", "Use a mode with backend exchangeonline or graph and auth oauth (O365, Microsoft365), or the URL of your own server."}
	case plain && has("basic"):
		return &Problem{"Basic over plain HTTP is refused", "The service user's password would travel readable for everybody on the way, and that user may open every calendar.",
			"Write https:// (http { ca_file } trusts a certificate of your own), or take basic out of auth."}
	case has("oauth") && m.Backend == backendOnline && !online && cloud != "custom":
		return &Problem{fmt.Sprintf("%s does not belong to Exchange Online, and OAuth is for Exchange Online only", u.Hostname()), "The token would let a stranger's server read every calendar.", "Correct the URL, use Exchange2013 for a server of your own, or set cloud = \"custom\" if this is a Microsoft cloud Roomwire does not know."}
	case plain && has("oauth") && cloud != "custom":
		return &Problem{"OAuth over plain HTTP is refused", "The token would travel readable for everybody on the way.", "Write https://."}
	case (m.Backend == backendOnPremises || m.Backend == backendOnline) && strings.Trim(u.Path, "/") == "":
		return &Problem{"the URL has no path", "EWS answers at a path of its own, not at the server's front page.", fmt.Sprintf("Write %s://%s/EWS/Exchange.asmx.", u.Scheme, u.Host)}
	}
	return nil
}
