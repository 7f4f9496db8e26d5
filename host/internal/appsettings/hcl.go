package appsettings

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// file writes all that was gathered.
func (c *converter) file() []byte {
	f := hclwrite.NewEmptyFile()
	comment(f.Body(), "# Made by roomwire config import. It said what it could not carry over.\n")
	if c.tenant != nil {
		b := block(f.Body(), "tenant", c.tenant.name)
		b.SetAttributeValue("root_url", cty.StringVal(c.tenant.rootURL))
	}
	if c.status != "" {
		block(f.Body(), "sync").SetAttributeValue("status_frequency", cty.StringVal(c.status))
	}
	for _, m := range c.blocks {
		c.mode(block(f.Body(), "sync_mode", m.name), m)
	}
	return hclwrite.Format(f.Bytes())
}

func (c *converter) mode(body *hclwrite.Body, m modeBlock) {
	for _, a := range m.attrs {
		switch {
		case a.secret != nil && a.secret.Env != "":
			body.SetAttributeRaw(a.name, call("env", a.secret.Env))
		case a.secret != nil:
			body.SetAttributeRaw(a.name, call("file", a.secret.File))
		case a.off:
			body.SetAttributeValue(a.name, cty.False)
		default:
			body.SetAttributeValue(a.name, cty.StringVal(a.text))
		}
	}
	for _, o := range m.overrides {
		c.mode(block(body, "domain_override", o.name), o)
	}
}

// block appends a block after an empty line.
func block(body *hclwrite.Body, kind string, labels ...string) *hclwrite.Body {
	body.AppendNewline()
	return body.AppendNewBlock(kind, labels).Body()
}

func call(function, argument string) hclwrite.Tokens {
	return hclwrite.TokensForFunctionCall(function, hclwrite.TokensForValue(cty.StringVal(argument)))
}

func comment(body *hclwrite.Body, text string) {
	body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(text)}})
}
