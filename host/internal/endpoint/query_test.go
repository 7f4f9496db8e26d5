package endpoint

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{
		"":                                     {"", ""},
		"Default":                              {"Default", ""},
		"Default&k=abc":                        {"Default", "abc"},
		"k=abc&Default":                        {"Default", "abc"},
		"Default=&k=abc":                       {"Default", "abc"},
		"x=1&Default&k=abc":                    {"Default", "abc"},
		"Default&Other&k=abc":                  {"Default", "abc"},
		"%44efault&%6b=a%62c":                  {"Default", "abc"},
		"My%20Tenant&k=a":                      {"My Tenant", "a"},
		"My+Tenant&k=a":                        {"My Tenant", "a"},
		"Default&k=a&k=a":                      {"Default", "a"},
		"Default&k=a&k=b":                      {"Default", ""},
		"Default&k=":                           {"Default", ""},
		"k":                                    {"", ""},
		"K=abc":                                {"", ""},
		"%zz&Default&k=%zz":                    {"Default", ""},
		"&&Default&&k=abc&":                    {"Default", "abc"},
		"=x&=&Default":                         {"Default", ""},
		"k=" + strings.Repeat("a", maxToken+1): {"", ""},
	} {
		tenant, token := parseQuery(raw)
		if tenant != want[0] || token != want[1] {
			t.Errorf("parseQuery(%q) = %q, %q; want %q", raw, tenant, token, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"Default&k=abc", "k=a&k=b", "%zz", "a=b&c", "+&%20=", "k=%6b", "Default=&k=", "&=&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tenant, token := parseQuery(raw)
		if len(token) > maxToken {
			t.Errorf("token of %d bytes", len(token))
		}
		if tenant == "k" {
			t.Error("the token's name was taken for the tenant")
		}
		// What we make ourselves is read back, whatever the tenant is called.
		if raw != "" && raw != "k" {
			if got, key := parseQuery(url.QueryEscape(raw) + "&k=T"); got != raw || key != "T" {
				t.Errorf("tenant %q was read as %q with token %q", raw, got, key)
			}
		}
	})
}
