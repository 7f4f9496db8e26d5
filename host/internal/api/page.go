package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
)

// A page is the description for people: one HTML document that needs nothing else.
type page struct {
	body   []byte
	policy string
}

// newPage renders the description.
func newPage(spec *openapi3.T) (page, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"text": paragraphs, "line": spans}).Parse(pageText)
	if err != nil {
		return page{}, fmt.Errorf("the template of the API's page: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Title": spec.Info.Title, "About": spec.Info.Description, "Style": template.CSS(pageStyle), //nolint:gosec // our own file
		"Tags": tagsOf(spec), "Schemas": schemasOf(spec),
	})
	if err != nil {
		return page{}, fmt.Errorf("the API's page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageStyle))
	return page{
		body: b.Bytes(),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}, nil
}

func (h *handler) showPage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, r, problem{kind: "method", status: http.StatusMethodNotAllowed, detail: "the page can be read only"})
		return
	}
	w.Header().Set("Content-Security-Policy", h.page.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(h.page.body) // the caller is gone if this fails
}

type pageTag struct {
	Name, About string
	Operations  []pageOperation
}

type pageOperation struct {
	ID, Method, Path, Summary, About, Scope string
	Parameters                              []pageField
	Body                                    []pageContent
	Answers                                 []pageAnswer
	Curl                                    string
}

type pageField struct {
	Name, In, Type, Ref, About string
	Required                   bool
}

type pageContent struct{ Media, Type, Ref, Example string }

type pageAnswer struct {
	Status, About string
	Content       []pageContent
}

type pageSchema struct {
	Name, About, Type string
	Values            []string
	Fields            []pageField
	Example           string
}

// tagsOf lists the operations by tag, in the order of the description.
func tagsOf(spec *openapi3.T) []pageTag {
	tags := make([]pageTag, len(spec.Tags))
	for i, t := range spec.Tags {
		tags[i] = pageTag{Name: t.Name, About: t.Description}
		for _, path := range spec.Paths.InMatchingOrder() {
			item := spec.Paths.Find(path)
			for method, op := range item.Operations() {
				if slices.Contains(op.Tags, t.Name) {
					tags[i].Operations = append(tags[i].Operations, operationOf(method, path, item, op))
				}
			}
		}
		slices.SortFunc(tags[i].Operations, func(a, b pageOperation) int {
			methods := []string{"GET", "PUT", "POST", "PATCH", "DELETE"}
			return cmp.Or(cmp.Compare(a.Path, b.Path), slices.Index(methods, a.Method)-slices.Index(methods, b.Method))
		})
	}
	return tags
}

func operationOf(method, path string, item *openapi3.PathItem, op *openapi3.Operation) pageOperation {
	scope, _ := op.Extensions["x-scope"].(string)
	out := pageOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, About: op.Description, Scope: scope}
	for _, p := range append(append(openapi3.Parameters{}, item.Parameters...), op.Parameters...) {
		if p.Value.Name == "tenant" {
			continue
		}
		f := fieldOf(p.Value.Name, p.Value.Schema)
		f.In, f.Required = p.Value.In, p.Value.Required
		f.About = strings.TrimSpace(p.Value.Description + " " + f.About)
		out.Parameters = append(out.Parameters, f)
	}
	if op.RequestBody != nil {
		out.Body = contentOf(op.RequestBody.Value.Content)
	}
	for status, r := range op.Responses.Map() {
		if status == "default" {
			continue
		}
		out.Answers = append(out.Answers, pageAnswer{Status: status, About: or(r.Value.Description, ""), Content: contentOf(r.Value.Content)})
	}
	slices.SortFunc(out.Answers, func(a, b pageAnswer) int { return cmp.Compare(a.Status, b.Status) })
	out.Curl = curlOf(&out)
	return out
}

func contentOf(c openapi3.Content) []pageContent {
	var list []pageContent
	for media, m := range c {
		f := fieldOf("", m.Schema)
		one := pageContent{Media: media, Type: f.Type, Ref: f.Ref}
		if f.Ref != "" {
			one.Example = exampleJSON(m.Schema)
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b pageContent) int { return cmp.Compare(a.Media, b.Media) })
	return list
}

// curlOf writes a command to try an operation with.
func curlOf(op *pageOperation) string {
	path := strings.NewReplacer("{tenant}", "Default", "{id}", "ID", "{seq}", "42", "{occurrence}", "2026-12-08T09:00:00Z", "{run}", "RUN").Replace(op.Path)
	var b strings.Builder
	b.WriteString(`curl -sS -H "Authorization: Bearer $KEY"`)
	if op.Method != http.MethodGet {
		b.WriteString(" -X " + op.Method)
	}
	for _, c := range op.Body {
		switch {
		case c.Media == csvBody:
			b.WriteString(` -H "Content-Type: text/csv" --data-binary @people.csv`)
		case c.Example != "":
			b.WriteString(" \\\n  -H \"Content-Type: application/json\" -d '" + strings.ReplaceAll(c.Example, "'", `'\''`) + "'")
		}
	}
	b.WriteString(" \\\n  http://127.0.0.1:8081" + path)
	return b.String()
}

func schemasOf(spec *openapi3.T) []pageSchema {
	var list []pageSchema
	for name, ref := range spec.Components.Schemas {
		s := pageSchema{Name: name, About: ref.Value.Description, Type: typeOf(ref.Value), Fields: fieldsOf(ref.Value), Values: valuesOf(ref.Value)}
		if len(s.Fields) > 0 {
			s.Example = exampleJSON(ref)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b pageSchema) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func fieldsOf(s *openapi3.Schema) []pageField {
	var list []pageField
	for name, ref := range s.Properties {
		f := fieldOf(name, ref)
		f.Required = slices.Contains(s.Required, name)
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b pageField) int {
		if a.Required != b.Required {
			if a.Required {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return list
}

// fieldOf says of what type something is, and where that type is described.
func fieldOf(name string, ref *openapi3.SchemaRef) pageField {
	f := pageField{Name: name, Type: typeOf(ref.Value), About: ref.Value.Description}
	of := ref
	if ref.Value.Items != nil {
		of = ref.Value.Items
	}
	if d := ref.Value.Default; d != nil {
		f.About = strings.TrimSpace(fmt.Sprintf("%s Default `%v`.", f.About, d))
	}
	if _, schema, found := strings.Cut(of.Ref, "#/components/schemas/"); found {
		f.Ref = schema
		if of == ref {
			f.About = "" // it stands at the schema
		}
	} else if values := valuesOf(ref.Value); len(values) > 0 {
		f.About = strings.TrimSpace(f.About + " One of `" + strings.Join(values, "`, `") + "`.")
	}
	return f
}

func typeOf(s *openapi3.Schema) string {
	switch {
	case s.Type == nil:
		return "anything"
	case s.Type.Is("array"):
		return "list of " + typeOf(s.Items.Value)
	case s.Format == "date-time":
		return "moment"
	}
	return strings.Join(s.Type.Slice(), " or ")
}

func valuesOf(s *openapi3.Schema) []string {
	values := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		values[i] = fmt.Sprint(v)
	}
	return values
}

// exampleJSON makes up a value of a schema.
func exampleJSON(ref *openapi3.SchemaRef) string {
	data, err := json.MarshalIndent(example(ref.Value), "", "  ")
	if err != nil {
		return ""
	}
	return string(data)
}

func example(s *openapi3.Schema) any {
	switch {
	case s.Example != nil:
		return s.Example
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == nil:
		return nil
	case s.Type.Is("object"):
		m := map[string]any{}
		for name, ref := range s.Properties {
			if slices.Contains(s.Required, name) || ref.Value.Example != nil {
				m[name] = example(ref.Value)
			}
		}
		return m
	case s.Type.Is("array"):
		return []any{example(s.Items.Value)}
	case s.Type.Is("boolean"):
		return true
	case s.Type.Is("integer"), s.Type.Is("number"):
		return 1
	case s.Format == "date-time":
		return "2026-12-01T09:00:00Z"
	}
	return "…"
}

// A span is a piece of a text: plain or code.
type span struct {
	Text string
	Code bool
}

// paragraphs reads the little Markdown that descriptions hold.
func paragraphs(text string) [][]span {
	var all [][]span
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if p != "" {
			all = append(all, spans(p))
		}
	}
	return all
}

func spans(text string) []span {
	var list []span
	for i, piece := range strings.Split(text, "`") {
		if piece != "" {
			list = append(list, span{Text: piece, Code: i%2 == 1})
		}
	}
	return list
}
