package exchangesim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The namespaces of EWS and SOAP 1.1, by the prefixes that this package writes.
var namespaces = []struct{ prefix, uri string }{
	{"s", "http://schemas.xmlsoap.org/soap/envelope/"},
	{"t", "http://schemas.microsoft.com/exchange/services/2006/types"},
	{"m", "http://schemas.microsoft.com/exchange/services/2006/messages"},
	{"e", "http://schemas.microsoft.com/exchange/services/2006/errors"},
}

const messagesNamespace = "http://schemas.microsoft.com/exchange/services/2006/messages"

// deepest bounds the nesting of a request.
const deepest = 200

// A node is an XML element, read or to be written. Elements are looked up by local name: clients disagree on prefixes and
// some put an element into the wrong namespace.
type node struct {
	prefix string // of namespaces; empty for a foreign namespace or none
	name   string
	attrs  []attr
	kids   []*node
	text   string
}

type attr struct{ name, value string }

// el builds an element to be written. Its name is prefix:local; parts are attributes, text and children.
func el(name string, parts ...any) *node {
	n := &node{name: name}
	if prefix, local, ok := strings.Cut(name, ":"); ok {
		n.prefix, n.name = prefix, local
	}
	for _, part := range parts {
		switch part := part.(type) {
		case attr:
			n.attrs = append(n.attrs, part)
		case []attr:
			n.attrs = append(n.attrs, part...)
		case string:
			n.text += part
		case *node:
			if part != nil {
				n.kids = append(n.kids, part)
			}
		case []*node:
			n.kids = append(n.kids, part...)
		default:
			panic(fmt.Sprintf("exchangesim: el(%q) with a %T", name, part)) // a programming error, found by any test
		}
	}
	return n
}

// child returns the first child with that local name, or nil. A nil node has no children.
func (n *node) child(names ...string) *node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		i := slices.IndexFunc(n.kids, func(k *node) bool { return k.name == name })
		if i < 0 {
			return nil
		}
		n = n.kids[i]
	}
	return n
}

// all returns the children with that local name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, k := range n.kids {
		if k.name == name {
			found = append(found, k)
		}
	}
	return found
}

// children is kids of a node that may be nil.
func (n *node) children() []*node {
	if n == nil {
		return nil
	}
	return n.kids
}

// value returns the trimmed text of a node that may be nil.
func (n *node) value() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// attr returns an attribute of a node that may be nil.
func (n *node) attr(name string) string {
	v, _ := n.lookAttr(name)
	return v
}

func (n *node) lookAttr(name string) (string, bool) {
	if n == nil {
		return "", false
	}
	for _, a := range n.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

// errDocumentType is a request that tries to define entities.
var errDocumentType = errors.New("document type definitions are not allowed")

// parseXML reads one document into a tree.
func parseXML(data []byte) (*node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := xml.NewDecoder(bytes.NewReader(data))
	var root *node
	var open []*node
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not well-formed: %w", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, errDocumentType
		case xml.StartElement:
			n := nodeFor(token)
			switch {
			case len(open) >= deepest:
				return nil, errors.New("elements are nested too deeply")
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.kids = append(parent.kids, n)
			case root != nil:
				return nil, errors.New("more than one root element")
			default:
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		}
	}
	if root == nil {
		return nil, errors.New("no element at all")
	}
	return root, nil
}

func nodeFor(e xml.StartElement) *node {
	n := &node{name: e.Name.Local}
	for _, ns := range namespaces {
		if e.Name.Space == ns.uri {
			n.prefix = ns.prefix
		}
	}
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		n.attrs = append(n.attrs, attr{a.Name.Local, a.Value})
	}
	return n
}

// document writes a tree with an XML declaration; the root declares every prefix.
func (n *node) document() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>`)
	root := *n
	root.attrs = slices.Clone(n.attrs)
	for _, ns := range namespaces[:3] {
		root.attrs = append(root.attrs, attr{"xmlns:" + ns.prefix, ns.uri})
	}
	root.write(&b)
	return b.Bytes()
}

func (n *node) write(b *bytes.Buffer) {
	name := n.name
	if n.prefix != "" {
		name = n.prefix + ":" + name
	}
	b.WriteByte('<')
	b.WriteString(name)
	for _, a := range n.attrs {
		b.WriteByte(' ')
		b.WriteString(a.name)
		b.WriteString(`="`)
		_ = xml.EscapeText(b, []byte(a.value))
		b.WriteByte('"')
	}
	if n.text == "" && len(n.kids) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	_ = xml.EscapeText(b, []byte(n.text))
	for _, k := range n.kids {
		k.write(b)
	}
	b.WriteString("</")
	b.WriteString(name)
	b.WriteByte('>')
}
