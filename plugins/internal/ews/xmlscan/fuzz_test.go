package xmlscan

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// byEncodingXML reads doc with encoding/xml. ok is false for what the two readers rightly see differently: several document
// elements, text outside of them, names with stray colons, and declarations of other encodings.
func byEncodingXML(doc string) (out []string, directive, ok bool) {
	d := xml.NewDecoder(strings.NewReader(doc))
	depth, roots, text := 0, 0, ""
	flush := func() {
		if text != "" {
			out = append(out, fmt.Sprintf("text %q", text))
			text = ""
		}
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, directive, roots == 1
		}
		if err != nil {
			return nil, directive, false
		}
		switch token := token.(type) {
		case xml.Directive:
			directive = true
		case xml.ProcInst:
			if token.Target == "xml" && strings.Contains(string(token.Inst), "encoding") {
				return nil, directive, false
			}
		case xml.CharData:
			cdata := strings.HasSuffix(doc[:d.InputOffset()], "]]>")
			if depth == 0 && (cdata || strings.Trim(string(token), " \t\r\n") != "") {
				return nil, directive, false
			}
			if depth > 0 {
				text += string(token)
			}
		case xml.StartElement:
			flush()
			if depth++; depth == 1 {
				roots++
			}
			space := slices.Index(known, token.Name.Space) + 1
			if space == 0 && token.Name.Space != "" {
				space = int(Foreign)
			}
			line := fmt.Sprintf("start %d %s", space, token.Name.Local)
			if strings.Contains(token.Name.Local, ":") || depth > MaxDepth || len(token.Attr) > MaxAttributes {
				return nil, directive, false
			}
			for _, a := range token.Attr {
				if strings.Contains(a.Name.Local, ":") {
					return nil, directive, false
				}
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					line += fmt.Sprintf(" %s=%q", a.Name.Local, a.Value)
				}
			}
			out = append(out, line)
		case xml.EndElement:
			flush()
			depth--
			out = append(out, "end")
		}
	}
}

// FuzzAgainstEncodingXML demands that the scanner reads every document that encoding/xml takes, and reads the same.
func FuzzAgainstEncodingXML(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0"?><a:x xmlns:a="urn:one" b="1">t&amp;&#x41;<!-- c --><![CDATA[d]]><y xmlns="urn:two"/></a:x>`,
		"<x a='&quot;\r\n'>\r\n\r&#13;</x>", "<x><y></y>ä</x >", "<x xmlns='urn:one'><y xmlns=''/></x>",
		`<!DOCTYPE x><x/>`, "<x>\x0b</x>", "<x>&#x1F;</x>", "<p:x/>", "<x xml:lang='en'/>", "<x/><y/>", "<x a='1'b='2'/>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got, err := events(doc)
		want, directive, ok := byEncodingXML(doc)
		if directive {
			if err == nil {
				t.Fatalf("a directive was accepted: %q", doc)
			}
			return
		}
		if !ok {
			return
		}
		if err != nil {
			t.Fatalf("refused what encoding/xml reads: %v\n%q", err, doc)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\n got %q\nwant %q", doc, got, want)
		}
	})
}
