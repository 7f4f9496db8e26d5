package appsettings

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/host/internal/config"
)

// kept reports whether the value is in the HCL or among the secrets, or is told of; a value may also be one that changes
// nothing.
func kept(s Setting, made Result) bool {
	hcl := strings.ToLower(string(made.HCL))
	quoted := strings.ToLower(string(hclwrite.TokensForValue(cty.StringVal(s.Text)).Bytes()))
	if strings.Contains(hcl, quoted) || strings.Contains(hcl, strings.ToLower(strings.Trim(strings.TrimSpace(s.Text), "@"))) {
		return true
	}
	for _, secret := range made.Secrets {
		if secret.Text.Reveal() == s.Text {
			return true
		}
	}
	for _, d := range made.Findings {
		if d.File == s.place() {
			return true
		}
		for n := len(s.Path); n > 1; n-- { // a whole section that was left out
			if d.Summary == strings.Join(s.Path[:n], ":")+" was not carried over" {
				return true
			}
		}
	}
	switch strings.ToUpper(s.Path[len(s.Path)-1]) {
	case "ENABLED", "USEIMPERSONATION", "EXCHANGEUSEIMPERSONATION", "AUTHMODE":
		return true
	case "STATUSFREQUENCYMINUTES":
		n, err := strconv.Atoi(s.Text)
		return err == nil && strings.Contains(hcl, fmt.Sprintf(`"%dm"`, n))
	}
	u, err := url.Parse(strings.TrimSpace(s.Text))
	return err == nil && u.Host != "" && (strings.Contains(hcl, strings.ToLower(u.Host)) || config.IsExchangeOnline(u.Hostname()))
}

// lost returns the settings of the section that are not kept. Two names for one thing may say the same.
func lost(settings []Setting, made Result) []Setting {
	var out []Setting
	for _, s := range settings {
		same := func(o Setting) bool {
			return o.Text == s.Text && slices.EqualFunc(o.Path[:len(o.Path)-1], s.Path[:len(s.Path)-1], strings.EqualFold) && kept(o, made)
		}
		if strings.EqualFold(s.Path[0], sectionName) && s.Text != "" && !slices.ContainsFunc(settings, same) {
			out = append(out, s)
		}
	}
	return out
}

// FuzzConvert holds Convert to its promise: no value of the section is left out in silence, and what is written can be read.
func FuzzConvert(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(online(`"ClientSecret":"s","DomainOverrides":[{"Domain":"a.example"},{"Domain":7}],"Url":"x"`)))
	f.Add([]byte(section1 + `"Graph":{"AppId":"a","AuthMode":"x","CallbackUrl":"https://a/b?c"},"Ews":{"Providers":{"Ews1":{"Enabled":false,"Url":"u"}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, _, err := Read("f", data)
		if err != nil {
			return
		}
		for _, o := range []Options{{}, {Secrets: "s"}} {
			made, err := Convert(settings, o)
			if err != nil {
				return
			}
			if _, diags := hclwrite.ParseConfig(made.HCL, "f", hcl.InitialPos); diags.HasErrors() {
				t.Fatalf("%v in\n%s", diags, made.HCL)
			}
			for _, s := range lost(settings, made) {
				t.Errorf("%v is lost; findings:\n%s\nfile:\n%s", s, made.Findings, made.HCL)
			}
		}
	})
}

// TestNoValueIsLost makes up sections of keys that are known, nearly known and unknown.
func TestNoValueIsLost(t *testing.T) {
	t.Parallel()
	places := []string{"Graph", "Ews", "Ews:Common", "Ews:Providers", "Ews:Providers:Ews1", "Ews:Providers:Ews2", "Ews:Providers:O365",
		"Ews:Providers:O365:DomainOverrides", "Ews:Providers:O365:DomainOverrides:b.example", "Ews:Providers:O365:DomainOverrides:0",
		"Ews:Providers:O365:DomainOverrides:1", "Graph:DomainOverrides:c.example", "Other"}
	names := slices.Concat(tenantNames, appNames, clientNames, thumbprintNames, urlNames, userNames, passwordNames, mailDomainNames, impersonateNames,
		[]string{"Enabled", "AuthMode", "ClientState", "CallbackUrl", "NotificationEndpointUrl", "RenewalThresholdMinutes", "StatusFrequencyMinutes", "Nonsense", "DomainOverrides"})
	texts := []string{"alpha-1", "beta-2", "https://outlook.office365.com/EWS/Exchange.asmx", "https://partner.outlook.cn/EWS/Exchange.asmx", "https://m.example.com/x?y",
		"https://p.example.com/WebServices/SyncNotification.svc?T", "30", "99999", "true", "false", "Delegated", "b.example", "*.b", "%X%", "line\nbreak", "", " "}
	rapid.Check(t, func(rt *rapid.T) {
		values := map[string]string{}
		var lines []string
		for range rapid.IntRange(1, 12).Draw(rt, "settings") {
			key := sectionName + ":" + rapid.SampledFrom(places).Draw(rt, "place") + ":" + rapid.SampledFrom(names).Draw(rt, "name")
			if _, again := values[strings.ToUpper(key)]; again {
				continue
			}
			text := rapid.SampledFrom(texts).Draw(rt, "text")
			values[strings.ToUpper(key)] = text
			encoded, err := json.Marshal(text)
			if err != nil {
				rt.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%q: %s,", key, encoded))
		}
		settings, _, err := Read("f", []byte("{\n"+strings.Join(lines, "\n")+"\n}"))
		if err != nil {
			rt.Fatal(err)
		}
		made, err := Convert(settings, Options{Secrets: rapid.SampledFrom([]string{"", "s"}).Draw(rt, "secrets")})
		if err != nil {
			rt.Fatal(err)
		}
		for _, s := range lost(settings, made) {
			rt.Errorf("%v is lost; findings:\n%s\nfile:\n%s", s, made.Findings, made.HCL)
		}
	})
}
