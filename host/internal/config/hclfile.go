package config

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// written is a value as it was found, before it is checked.
type written struct {
	text   string
	list   []string // in place of text, for kindNames
	at     place
	faulty bool // it is there but could not be read; a finding says so
	rooms  bool // it is a ROOMS key's value, in place of the setting's own
}

// labelled is a block that has a label.
type labelled struct {
	label string
	at    place
}

// hclFile is what roomwire.hcl says.
type hclFile struct {
	src      *source
	ctx      *hcl.EvalContext
	values   map[string]written    // by key(path…)
	blocks   map[string]place      // every block that is there, by key
	labelled map[string][]labelled // by key of all but the label, in order
	free     map[string][]given    // free blocks, by key
	diags    Diagnostics
	unread   bool // the text is broken: what it says is not known
}

// key joins a path; labels cannot contain its separator.
func key(path ...string) string { return strings.Join(path, "\x1f") }

// parseHCL reads a whole file. It always returns a value to ask, even after
// faults.
func parseHCL(name string, data []byte, ctx *hcl.EvalContext) *hclFile {
	text, encoding := ToUTF8(data)
	parsed, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	free := freeValues(text)
	if diags.HasErrors() {
		free = append(free, freeLines(text)...)
	}
	f := &hclFile{
		src: newSource(name, text, append(hclSecrets(text), free...)), ctx: ctx,
		values: map[string]written{}, blocks: map[string]place{},
		labelled: map[string][]labelled{}, free: map[string][]given{},
	}
	f.src.free = free
	if encoding == "Windows-1252" {
		f.add(f.src.at(0, 0), Warning, "the file is not UTF-8; it was read as Windows-1252", "Letters with accents may have been misread.", "Save it as UTF-8.")
	}
	if diags.HasErrors() {
		f.addHCL(diags)
		f.unread = true
		return f
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		f.add(f.src.at(0, 0), Error, "the file has no body", "", "Start from the example, configs/roomwire.hcl.")
		return f
	}
	f.walk(body, schema(), nil)
	return f
}

func (f *hclFile) add(at place, s Severity, what, why, remedy string) {
	f.diags = f.diags.with(at.say(s, what, why, remedy))
}

func (f *hclFile) at(r hcl.Range) place { return f.src.at(r.Start.Byte, r.End.Byte) }

// walk reads the body of a block of kind b that stands at path.
func (f *hclFile) walk(body *hclsyntax.Body, b block, path []string) {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		attrs = append(attrs, a)
	}
	slices.SortFunc(attrs, func(x, y *hclsyntax.Attribute) int { return x.SrcRange.Start.Byte - y.SrcRange.Start.Byte })

	if b.free {
		f.walkFree(attrs, body.Blocks, path)
		return
	}
	for _, a := range attrs {
		spec, ok := b.attr(a.Name)
		if !ok {
			f.unknown(f.at(a.NameRange), "setting", a.Name, b, path)
			continue
		}
		value, ok := f.value(a.Expr)
		w := written{at: f.at(a.Expr.Range()), faulty: !ok}
		if ok {
			if value.IsNull() {
				continue
			}
			w.text, w.list, w.faulty = f.convert(spec, value, w.at)
		}
		f.values[key(append(slices.Clone(path), a.Name)...)] = w
	}
	for _, sub := range body.Blocks {
		f.walkBlock(sub, b, path)
	}
}

func (f *hclFile) walkBlock(sub *hclsyntax.Block, parent block, path []string) {
	at := f.at(sub.TypeRange)
	spec, ok := parent.block(sub.Type)
	if !ok {
		f.unknown(at, "block", sub.Type, parent, path)
		return
	}
	path = append(slices.Clone(path), sub.Type)
	switch {
	case spec.label == "" && len(sub.Labels) > 0:
		f.add(f.at(sub.LabelRanges[0]), Error, fmt.Sprintf("a %s block has no name", sub.Type), "", fmt.Sprintf("Write only: %s { … }", sub.Type))
		return
	case spec.label != "" && len(sub.Labels) != 1:
		f.add(at, Error, fmt.Sprintf("a %s block needs one name", sub.Type), "It is "+spec.label+".", fmt.Sprintf("Write: %s \"NAME\" { … }", sub.Type))
		return
	case spec.label != "":
		label, labelAt := sub.Labels[0], f.at(sub.LabelRanges[0])
		if !f.checkLabel(label, labelAt, sub.Type) {
			return
		}
		path = append(path, label)
		if f.twice(key(slices.Concat(path[:len(path)-1], []string{strings.ToLower(label)})...), labelAt, fmt.Sprintf("%s %q", sub.Type, label)) {
			return
		}
		list := key(path[:len(path)-1]...)
		f.labelled[list] = append(f.labelled[list], labelled{label, labelAt})
	default:
		if f.twice(key(path...), at, sub.Type) {
			return
		}
	}
	f.walk(sub.Body, spec, path)
}

// twice notes that a block is there, and complains when it was before.
func (f *hclFile) twice(k string, at place, what string) bool {
	first, again := f.blocks[k]
	if again {
		f.add(at, Error, fmt.Sprintf("%s is there twice, on lines %d and %d", what, first.line, at.line),
			"Which of them is meant cannot be known; upper and lower case make no difference in names.", "Put their settings into one block, or rename one.")
		return true
	}
	f.blocks[k] = at
	return false
}

func (f *hclFile) checkLabel(label string, at place, blockType string) bool {
	if blockType == "domain_override" {
		return f.checkDomain(label, at)
	}
	bad := label == "" || len(label) > 64 || strings.ContainsFunc(label, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
	if bad {
		f.add(at, Error, fmt.Sprintf("%q cannot name a %s", label, blockType), "Names become part of URLs, of settings' names and of files.",
			"Use letters, digits, hyphen, underscore and dot, at most 64.")
		return false
	}
	reserved := []string{"api", "webservices", "healthz", "metrics", "openapi.json", "static", "admin", "sim", ".", ".."}
	if blockType == "tenant" && slices.Contains(reserved, strings.ToLower(label)) {
		f.add(at, Error, fmt.Sprintf("a tenant cannot be called %q", label), "It is the first path element of the tenant's URLs, and that one is Roomwire's own.", "Choose another name.")
		return false
	}
	return true
}

// checkDomain complains of what cannot be the domain of mail addresses.
func (f *hclFile) checkDomain(label string, at place) bool {
	bad := len(label) > 253
	for part := range strings.SplitSeq(label, ".") {
		bad = bad || part == "" || len(part) > 63 || strings.ContainsFunc(part, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
		})
	}
	if bad {
		f.add(at, Error, fmt.Sprintf("%q is no mail domain", label), "It is compared with what stands after the @ of the mailboxes' addresses.",
			"Write it alone, without @ and without a star: domain_override \"subsidiary.example\" { … }")
	}
	return !bad
}

// unknown complains about a name that the block does not know.
func (f *hclFile) unknown(at place, what, name string, b block, path []string) {
	where := "at the top of the file"
	if len(path) > 0 {
		where = "in " + path[0]
		if len(path) > 2 {
			where = "in " + path[len(path)-1]
		}
	}
	_, isBlock := b.block(name)
	_, isAttr := b.attr(name)
	switch {
	case isBlock:
		f.add(at, Error, fmt.Sprintf("`%s` is a block, not a setting", name), "", fmt.Sprintf("Write it without the equals sign: %s { … }", name))
	case isAttr:
		f.add(at, Error, fmt.Sprintf("`%s` is a setting, not a block", name), "", fmt.Sprintf("Write it with an equals sign: %s = …", name))
	default:
		remedy := didYouMean(name, b.names()) + "Known are: " + strings.Join(b.names(), ", ") + "."
		if home := homeOf(name); home != "" && home != b.name {
			remedy = fmt.Sprintf("It belongs into a %s block. ", home) + remedy
		}
		f.add(at, Error, fmt.Sprintf("there is no %s `%s` %s", what, name, where), "A setting with a misspelt name would have no effect.", remedy)
	}
}

// homeOf returns the top-level block that has a setting or block called name.
func homeOf(name string) string {
	for _, b := range schema().blocks {
		if slices.Contains(b.names(), name) {
			return b.name
		}
	}
	return ""
}

// value evaluates an expression. Its own findings are added.
func (f *hclFile) value(expr hclsyntax.Expression) (cty.Value, bool) {
	v, diags := expr.Value(f.ctx)
	f.addHCL(diags)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return v, true
}

// convert brings v into the text form that attr.check reads.
func (f *hclFile) convert(a attr, v cty.Value, at place) (text string, list []string, faulty bool) {
	v, _ = v.UnmarkDeep()
	complain := func(remedy string) (string, []string, bool) {
		f.add(at, Error, fmt.Sprintf("%s cannot be a %s", a.name, v.Type().FriendlyName()), "", remedy)
		return "", nil, true
	}
	if a.kind == kindNames {
		remedy := fmt.Sprintf("Write a list of texts: %s = [\"ntlm\", \"basic\"]", a.name)
		if v.Type() == cty.String {
			return "", []string{v.AsString()}, false
		}
		if !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
			return complain(remedy)
		}
		list = []string{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.IsNull() || e.Type() != cty.String {
				return complain(remedy)
			}
			list = append(list, e.AsString())
		}
		return "", list, false
	}
	switch v.Type() {
	case cty.String:
		return v.AsString(), nil, false
	case cty.Number:
		if a.kind == kindDuration {
			f.add(at, Error, a.name+" needs a unit", "A bare number could mean seconds or minutes.", fmt.Sprintf("Write a text with the unit, e.g. %s = \"%s\"", a.name, a.def))
			return "", nil, true
		}
		if a.kind == kindInt || a.kind == kindShare || a.kind == kindBool {
			return v.AsBigFloat().Text('f', -1), nil, false
		}
		return complain(fmt.Sprintf("Write it in quotes, e.g. %s = %q", a.name, cmp.Or(a.def, "…")))
	case cty.Bool:
		if a.kind == kindBool {
			if v.True() {
				return "true", nil, false
			}
			return "false", nil, false
		}
	}
	if a.kind == kindBool {
		return complain("Write true or false.")
	}
	return complain("Write one text in quotes.")
}

// walkFree reads a block whose settings only its plugin knows.
func (f *hclFile) walkFree(attrs []*hclsyntax.Attribute, blocks hclsyntax.Blocks, path []string) {
	for _, b := range blocks {
		f.add(f.at(b.TypeRange), Error, "there are no blocks in "+path[len(path)-1], "", fmt.Sprintf("Write it as a value: %s = { … }", b.Type))
	}
	var settings []given
	for _, a := range attrs {
		v, ok := f.value(a.Expr)
		if !ok {
			continue
		}
		g := given{name: a.Name, nameAt: f.at(a.NameRange), at: f.at(a.Expr.Range())}
		shown, err := plainValue(a.Name, v, false)
		if err == nil {
			g.value, err = plainValue(a.Name, v, true)
		}
		if err != nil {
			f.add(g.at, Error, fmt.Sprintf("%s %s", a.Name, err), "", "Write a text, a number, true or false, a list or an object.")
			continue
		}
		if shown == nil {
			continue
		}
		if _, secret := shown.(Secret); !secret {
			g.literal = NewSecret(plainText(shown))
		}
		settings = append(settings, g)
	}
	f.free[key(path...)] = settings
}

// plainValue turns v into what encoding/json writes. A text is a Secret when it
// came through env or file, or when its name says so.
func plainValue(name string, v cty.Value, secret bool) (any, error) {
	v, marks := v.Unmark()
	_, marked := marks[secretMark]
	secret = secret || marked || namesSecret(name)
	switch t := v.Type(); {
	case v.IsNull():
		return nil, nil
	case t == cty.String && secret:
		return NewSecret(v.AsString()), nil
	case t == cty.String:
		return v.AsString(), nil
	case t == cty.Bool:
		return v.True(), nil
	case t == cty.Number:
		if n, acc := v.AsBigFloat().Int64(); acc == big.Exact {
			return n, nil
		}
		n, _ := v.AsBigFloat().Float64()
		return n, nil
	case t.IsObjectType() || t.IsMapType():
		out := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			p, err := plainValue(k.AsString(), e, secret)
			if err != nil {
				return nil, err
			}
			out[k.AsString()] = p
		}
		return out, nil
	case v.CanIterateElements():
		out := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			p, err := plainValue("", e, secret)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, nil
	default:
		return nil, errors.New("cannot be a " + t.FriendlyName())
	}
}
