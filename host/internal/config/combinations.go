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

// cloudHosts are the hosts of the Microsoft clouds, by the name of the cloud: of EWS and of Graph.
var cloudHosts = map[string][2]string{
	"global":    {"outlook.office365.com", "graph.microsoft.com"},
	"usgov":     {"outlook.office365.us", "graph.microsoft.us"},
	"usgov-dod": {"outlook-dod.office365.us", "dod-graph.microsoft.us"},
	"china":     {"partner.outlook.cn", "microsoftgraph.chinacloudapi.cn"},
}

// cloudURL is the URL of a backend in a Microsoft cloud: of EWS, or the root of Graph. It is empty when there is none, as in
// cloud "custom".
func cloudURL(backend, cloud string) string {
	hosts, known := cloudHosts[orGlobal(cloud)]
	switch {
	case known && backend == backendOnline:
		return "https://" + hosts[0] + "/EWS/Exchange.asmx"
	case known && backend == backendGraph:
		return "https://" + hosts[1] + "/v1.0"
	}
	return ""
}

func orGlobal(cloud string) string {
	if cloud == "" {
		return "global"
	}
	return cloud
}

// isGraph reports whether host is Microsoft Graph's in a cloud that is known.
func isGraph(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, hosts := range cloudHosts {
		if host == hosts[1] {
			return true
		}
	}
	return false
}

// IsExchangeOnline reports whether host belongs to Exchange Online, worldwide
// or in a national cloud.
func IsExchangeOnline(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range []string{"office365.com", "outlook.office.com", "outlook.com", "office365.us", "outlook.office365.us", "apps.mil", "outlook.cn", "outlook.office.de", "outlook.de", "outlook.sovcloud.fr", "outlook.sovcloud.de"} {
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
	case online && (m.Backend == backendOnPremises || has("ntlm") || has("basic")):
		return &Problem{fmt.Sprintf("%s belongs to Exchange Online, which takes neither NTLM nor Basic", u.Hostname()), "Passwords sent there are refused, and may lock the account.",
			"Use a mode with backend exchangeonline or graph and auth oauth: O365, or Microsoft365, which goes on when EWS in Exchange Online ends on 2027-04-01. Both log in as an app " +
				"(ExchangeTenantId, ExchangeAppId, ExchangeClientSecret). Or write the URL of your own server."}
	case plain && has("basic"):
		return &Problem{"Basic over plain HTTP is refused", "The service user's password would travel readable for everybody on the way, and that user may open every calendar.",
			"Write https:// (http { ca_file } trusts a certificate of your own), or take basic out of auth."}
	case plain && has("oauth"):
		return &Problem{"OAuth over plain HTTP is refused", "The token would travel readable for everybody on the way.", "Write https://."}
	case m.Backend == backendGraph:
		return m.checkGraphURL(u, cloud)
	case (m.Backend == backendOnPremises || m.Backend == backendOnline) && isGraph(u.Hostname()):
		return &Problem{fmt.Sprintf("%s is Microsoft Graph, which does not speak EWS", u.Hostname()), "", "Use a mode with backend graph: Microsoft365. It needs no URL."}
	case has("oauth") && m.Backend == backendOnline && !online && cloud != "custom":
		return &Problem{fmt.Sprintf("%s does not belong to Exchange Online, and OAuth is for Exchange Online only", u.Hostname()), "The token would let a stranger's server read every calendar.", "Correct the URL, use Exchange2013 for a server of your own, or set cloud = \"custom\" if this is a Microsoft cloud Roomwire does not know."}
	case (m.Backend == backendOnPremises || m.Backend == backendOnline) && strings.Trim(u.Path, "/") == "":
		return &Problem{"the URL has no path", "EWS answers at a path of its own, not at the server's front page.", fmt.Sprintf("Write %s://%s/EWS/Exchange.asmx.", u.Scheme, u.Host)}
	}
	return nil
}

// checkGraphURL checks the root of Graph: the cloud's own, or any in cloud "custom".
func (m SyncMode) checkGraphURL(u *url.URL, cloud string) *Problem {
	want := cloudURL(backendGraph, cloud)
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	switch {
	case slices.Contains(m.Auth, "oauth") && cloud != "custom" && host != cloudHosts[orGlobal(cloud)][1]:
		return &Problem{fmt.Sprintf("%s is not Microsoft Graph of the cloud %s", u.Hostname(), orGlobal(cloud)), "The token would let a stranger's server read every calendar.",
			fmt.Sprintf("Leave the URL out: it is %s. For another Microsoft cloud set cloud, which may be \"custom\".", want)}
	case strings.Trim(u.Path, "/") == "":
		return &Problem{"the URL has no path", "The root of Graph is followed by the version of its interface.", fmt.Sprintf("Write %s://%s/v1.0.", u.Scheme, u.Host)}
	}
	return nil
}
