package xmlscan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var known = []string{"urn:one", "urn:two"}

// events flattens a document into one line per token.
func events(doc string) ([]string, error) {
	s := New([]byte(doc), known...)
	var out []string
	text := ""
	flush := func() {
		if text != "" {
			out = append(out, fmt.Sprintf("text %q", text))
			text = ""
		}
	}
	for {
		switch s.Next() {
		case Chars:
			text += s.String()
		case Start:
			flush()
			line := fmt.Sprintf("start %d %s", s.Space(), s.Name())
			for _, a := range s.attrs {
				line += fmt.Sprintf(" %s=%q", a.local, s.decode(a.value))
			}
			out = append(out, line)
		case End:
			flush()
			out = append(out, "end")
		case EOF:
			return out, s.Err()
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		doc  string
		want string
	}{
		"prefixes of any name": {
			`<a:x xmlns:a="urn:one" xmlns:b="urn:two"><b:y/></a:x>`,
			"start 1 x|start 2 y|end|end",
		},
		"default namespace, undone": {
			`<x xmlns="urn:two"><y xmlns=""/><z/></x>`,
			"start 2 x|start 0 y|end|start 2 z|end|end",
		},
		"a binding ends with its element": {
			`<x><y xmlns="urn:one"/><y/></x>`,
			"start 0 x|start 1 y|end|start 0 y|end|end",
		},
		"unknown and undeclared prefixes are foreign": {
			`<x xmlns:f="urn:f"><f:a/><g:b/></x>`,
			"start 0 x|start -1 a|end|start -1 b|end|end",
		},
		"attributes, both quotes, blanks": {
			"<x a = 'say \"hi\"'\n\tb=\"it&apos;s\" />",
			`start 0 x a="say \"hi\"" b="it's"|end`,
		},
		"references": {`<x>&lt;&amp;&gt;&quot;&#65;&#x42;</x>`, `start 0 x|text "<&>\"AB"|end`},
		"CDATA":      {"<x>a<![CDATA[<&amp;>]]>b</x>", `start 0 x|text "a<&amp;>b"|end`},
		"line ends":  {"<x>a\r\nb\rc&#13;\nd</x>", `start 0 x|text "a\nb\nc\r\nd"|end`},
		"illegal characters become U+FFFD": {
			"<x>a\x0bb&#x1F;c&#xFFFE;d\xffe\xef\xbf\xbff&#0;g&#xD800;h&#x110000;</x>",
			`start 0 x|text "a�b�c�d�e�f�g�h�"|end`,
		},
		"illegal characters in CDATA": {"<x><![CDATA[\x00\r\n]]></x>", `start 0 x|text "�\n"|end`},
		"a huge reference does not wrap": {
			"<x>&#x10000000000000041;</x>", `start 0 x|text "�"|end`,
		},
		"declaration, comment, instruction, byte order mark": {
			"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><?p i?><x/>\n<!-- d -->",
			"start 0 x|end",
		},
		"letters beyond ASCII": {"<übung größe='1'>ä</übung>", `start 0 übung größe="1"|text "ä"|end`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := events(tt.doc)
			if err != nil {
				t.Fatal(err)
			}
			if g := strings.Join(got, "|"); g != tt.want {
				t.Errorf("\n got %s\nwant %s", g, tt.want)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"empty":                    "",
		"blanks only":              " \n",
		"no element":               "<!-- c -->",
		"text before":              "hello<x/>",
		"text after":               "<x/>hello",
		"two documents":            "<x/><y/>",
		"unclosed":                 "<x><y></y>",
		"crossed":                  "<x><y></x></y>",
		"end without start":        "</x>",
		"tag that does not end":    "<x",
		"attribute without value":  "<x a/>",
		"attribute without quotes": "<x a=b/>",
		"value that does not end":  "<x a='b/>",
		"tag in a value":           "<x a='<'/>",
		"no name":                  "< x/>",
		"bad name":                 "<:x/>",
		"comment that never ends":  "<x><!-- </x>",
		"CDATA that never ends":    "<x><![CDATA[ </x>",
		"UTF-16":                   "\xff\xfe<\x00x\x00/\x00>\x00",
		"another encoding":         `<?xml version="1.0" encoding="iso-8859-1"?><x/>`,
		"unknown entity":           "<x>&nbsp;</x>",
		"bare ampersand":           "<x>a & b</x>",
		"too deep":                 strings.Repeat("<x>", MaxDepth+1) + strings.Repeat("</x>", MaxDepth+1),
		"too many attributes":      "<x" + strings.Repeat(" a='1'", MaxAttributes+1) + "/>",
		"too many namespaces":      "<x" + strings.Repeat(" xmlns:a='1'", maxBindings+1) + "/>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := events(doc); err == nil {
				t.Errorf("accepted as %v", got)
			}
		})
	}
}

func TestDoctypeIsRefused(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		`<!DOCTYPE x SYSTEM "http://example.com/x.dtd"><x/>`,
		`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>`,
		`<x><!ENTITY a "b"></x>`,
	} {
		if _, err := events(doc); !errors.Is(err, ErrDTD) {
			t.Errorf("%s: %v, want ErrDTD", doc, err)
		}
	}
}

func TestChildrenPassOverWhatIsNotRead(t *testing.T) {
	t.Parallel()
	const doc = `<m:root xmlns:m="urn:one" xmlns:f="urn:f">
		<m:skipped><m:id>no</m:id></m:skipped>
		<f:id>no</f:id>
		<m:left><m:early/><m:id>no</m:id></m:left>
		<m:id a="1">yes<m:nested>no</m:nested>!</m:id>
		<m:last/>
	</m:root>`
	s := New([]byte(doc), known...)
	var ids, seen []string
	for root := range s.Children() {
		if root != "root" {
			t.Fatalf("document element %q", root)
		}
		for name := range s.Children() {
			seen = append(seen, name)
			switch name {
			case "left":
				for range s.Children() {
					break
				}
			case "id":
				ids = append(ids, s.Attr("a")+s.Text())
			}
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids, seen); got != "[1yes!] [skipped left id last]" {
		t.Errorf("read %s", got)
	}
}

func TestSkipLeavesTheElement(t *testing.T) {
	t.Parallel()
	s := New([]byte("<x><y><z>1</z></y>2</x>"))
	s.Next()
	s.Next()
	s.Skip()
	if tok := s.Next(); tok != Chars || s.String() != "2" || s.Depth() != 1 {
		t.Errorf("after Skip: %v %q at depth %d", tok, s.String(), s.Depth())
	}
}

func TestANameMeansWhatItsScopeSays(t *testing.T) {
	t.Parallel()
	s := New([]byte(`<r xmlns:p="urn:a"><p:x/><q xmlns:p="urn:b"><p:x/></q><p:x/><p:x xmlns:p="urn:else"/><p:x/></r>`), "urn:a", "urn:b")
	var got []Space
	for tok := s.Next(); tok != EOF; tok = s.Next() {
		if tok == Start && s.Name() == "x" {
			got = append(got, s.Space())
		}
	}
	if want := []Space{1, 2, 1, Foreign, 1}; !slices.Equal(got, want) || s.Err() != nil {
		t.Errorf("spaces %v, %v; want %v", got, s.Err(), want)
	}
}

func TestWordIsText(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{
		"", "true", " true\n", "a&amp;b", "ü", "a<!-- c -->b", "a<b>c</b>d", "<b/>x", "<![CDATA[x&amp;y]]>", "x<![CDATA[y]]>", strings.Repeat("long", 50),
		"12345678\x01", "1234567&amp;", "\r\nab",
	} {
		read := func(how func(*Scanner) string) (string, string, error) {
			s := New([]byte("<r><a>" + inner + "</a><b>next</b></r>"))
			s.Next()
			s.Next()
			text := how(s)
			s.Next()
			return text, s.Text(), s.Err()
		}
		text, after, err := read((*Scanner).Text)
		word, afterWord, errWord := read((*Scanner).Word)
		if word != text || afterWord != after || after != "next" || err != nil || errWord != nil {
			t.Errorf("%q: word %q and then %q, %v; text %q and then %q, %v", inner, word, afterWord, errWord, text, after, err)
		}
	}
}
