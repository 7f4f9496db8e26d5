package endpoint

import (
	"net/url"
	"strings"
)

// maxToken bounds what is looked up; ours are far shorter.
const maxToken = 256

// parseQuery reads "Default&k=TOKEN": the tenant is the first element without a value, the token is the value of k.
// Either may be missing. Order and percent-encoding do not matter, because proxies change both, and "Default=" is read
// as "Default" for the same reason. Two different tokens are none.
func parseQuery(raw string) (tenant, token string) {
	tokens := 0
	for element := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(element, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		value, err = url.QueryUnescape(value)
		switch {
		case err != nil:
		case name == "k" && value != "":
			if value != token {
				tokens++
			}
			token = value
		case name != "" && name != "k" && value == "" && tenant == "":
			tenant = name
		}
	}
	if tokens > 1 || len(token) > maxToken {
		token = ""
	}
	return tenant, token
}
