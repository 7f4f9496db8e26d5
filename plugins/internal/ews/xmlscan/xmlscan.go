// Package xmlscan reads XML that servers and strangers send: a pull scanner over a byte slice, an order of magnitude
// faster than encoding/xml and kinder to real servers. It never fails for characters that XML forbids (they become
// U+FFFD, written raw or as a reference), normalises line ends, resolves namespace prefixes to the few namespaces it is
// told of, and refuses DOCTYPE, unreasonable depth, and unreasonable numbers of attributes.
//
// A decoder walks down with Children; whatever the body of the loop leaves unread is passed over, and elements of
// unknown namespaces are not shown at all:
//
//	s := xmlscan.New(body, known)
//	for name := range s.Children() { // the document element
//		for child := range s.Children() {
//			switch child {
//			case "ItemId":
//				id = s.Attr("Id")
//			case "Subject":
//				subject = s.Text()
//			}
//		}
//	}
//	return s.Err()
package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
)

// The limits of a document. What exceeds them is refused with an error.
const (
	MaxDepth      = 128 // nested elements
	MaxAttributes = 256 // attributes of one element
	maxBindings   = 512 // namespace declarations in scope
	maxInterned   = 2048
	maxWord       = 32 // bytes of a text that Word remembers
)

// ErrDTD is returned for a document that declares a document type. Such a document is never read.
var ErrDTD = errors.New("xml: document type declarations are not accepted")

// Space is a namespace the scanner was told of, by its position in the list given to New, starting at 1.
type Space int

// The spaces of names that belong to none of the known namespaces.
const (
	NoSpace Space = 0  // no namespace at all
	Foreign Space = -1 // a namespace that was not given to New, or a prefix that was never declared
)

// Token is what Next came upon.
type Token int

// The tokens.
const (
	EOF   Token = iota // the end of the document, or an error; see Err
	Start              // a start tag; Name, Space and Attr tell of it
	End                // an end tag; also after a self-closing element
	Chars              // character data between two tags; String tells it
)

// A Scanner reads one document. It keeps references into the document until it is dropped; the strings it returns are
// copies.
type Scanner struct {
	src   []byte
	pos   int
	known []string
	err   error

	stack    []frame
	bindings []binding
	scope    int // counts the changes of bindings
	attrs    []attr
	rooted   bool // the document element was met
	closing  bool // the last start tag closed itself

	name  string
	space Space
	chars []byte
	cdata bool
	names map[string]string
	seen  [seenNames]seenName
}

type frame struct {
	raw      []byte // the name as written, for the end tag
	bindings int    // how many were in scope before
}

type binding struct {
	prefix []byte
	space  Space
}

type attr struct {
	prefix, local, value []byte
}

// New returns a scanner for doc. known lists the namespace URIs whose elements the caller understands.
func New(doc []byte, known ...string) *Scanner {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	return &Scanner{src: doc, known: known, names: make(map[string]string, 64)}
}

// Err returns what made the scanner stop before the end; nil if the document was well-formed as far as it was read.
func (s *Scanner) Err() error { return s.err }

// Depth returns the number of open elements.
func (s *Scanner) Depth() int { return len(s.stack) }

// Name returns the local name of the last start tag.
func (s *Scanner) Name() string { return s.name }

// Space returns the namespace of the last start tag.
func (s *Scanner) Space() Space { return s.space }

// Attr returns the value of the attribute without namespace named local of the last start tag; empty if it is absent.
func (s *Scanner) Attr(local string) string {
	for i := range s.attrs {
		if a := &s.attrs[i]; len(a.prefix) == 0 && string(a.local) == local {
			return s.decode(a.value)
		}
	}
	return ""
}

// Children returns the child elements of the innermost open element, or the document element, by local name. The body
// of the loop may read the child with Text, Children or Next; what it leaves unread is passed over. Elements of foreign
// namespaces are passed over unseen. After a loop that was left early the rest of the parent is still to be read.
func (s *Scanner) Children() iter.Seq[string] {
	return func(yield func(string) bool) { s.children(yield) }
}

func (s *Scanner) children(yield func(string) bool) {
	depth := len(s.stack)
	for {
		switch s.Next() {
		case Start:
			if s.space != Foreign && !yield(s.name) {
				return
			}
			s.passTo(depth)
		case End, EOF:
			return
		case Chars:
		}
	}
}

// Text returns the character data of the innermost open element, without that of its children, and leaves the element.
func (s *Scanner) Text() string {
	depth := len(s.stack)
	return s.collect("", depth, s.Next())
}

// Word is Text for what has few different values, such as "true" or "SMTP": a value that repeats costs nothing.
func (s *Scanner) Word() string {
	depth := len(s.stack)
	t := s.Next()
	if t != Chars || s.cdata || len(s.chars) > maxWord || !plain(s.chars) {
		return s.collect("", depth, t)
	}
	word := s.chars
	if t = s.Next(); t == End {
		return s.intern(word)
	}
	return s.collect(string(word), depth, t)
}

// collect adds the character data from token t on to text, and leaves the element that is the depth-th.
func (s *Scanner) collect(text string, depth int, t Token) string {
	for ; ; t = s.Next() {
		switch t {
		case Chars:
			if text == "" {
				text = s.String()
			} else {
				text += s.String()
			}
		case Start:
			s.passTo(depth)
		case End, EOF:
			return text
		}
	}
}

// Skip leaves the innermost open element and everything in it.
func (s *Scanner) Skip() { s.passTo(len(s.stack) - 1) }

// passTo reads on until no more than depth elements are open.
func (s *Scanner) passTo(depth int) {
	for len(s.stack) > depth && s.Next() != EOF {
	}
}

// String returns the character data that Next came upon.
func (s *Scanner) String() string {
	if s.cdata {
		return clean(s.chars)
	}
	return s.decode(s.chars)
}

// Next reads the next token.
func (s *Scanner) Next() Token {
	if s.err != nil {
		return EOF
	}
	if s.closing {
		s.closing = false
		s.pop()
		return End
	}
	for s.pos < len(s.src) {
		if s.src[s.pos] != '<' {
			if s.text() {
				return Chars
			}
		} else if t := s.markup(); t != EOF {
			return t
		}
		if s.err != nil {
			return EOF
		}
	}
	switch {
	case len(s.stack) > 0:
		s.fail("the document ends inside <%s>", s.stack[len(s.stack)-1].raw)
	case !s.rooted:
		s.fail("there is no document element")
	}
	return EOF
}

// text takes the characters up to the next tag; it reports whether they belong to an element.
func (s *Scanner) text() bool {
	end := bytes.IndexByte(s.src[s.pos:], '<')
	if end < 0 {
		end = len(s.src) - s.pos
	}
	s.chars, s.cdata = s.src[s.pos:s.pos+end], false
	s.pos += end
	if len(s.stack) > 0 {
		return true
	}
	if len(bytes.Trim(s.chars, " \t\r\n")) > 0 {
		s.fail("text outside of the document element")
	}
	return false
}

// markup takes what begins with '<'; EOF means that it was nothing to report, or an error.
func (s *Scanner) markup() Token {
	rest := s.src[s.pos:]
	switch {
	case len(rest) < 2:
		s.fail("the document ends in a tag")
	case rest[1] == '/':
		return s.endTag()
	case rest[1] == '?':
		s.instruction(rest)
	case rest[1] != '!':
		return s.startTag()
	case bytes.HasPrefix(rest, []byte("<!--")):
		end := bytes.Index(rest[4:], []byte("-->"))
		if end < 0 {
			s.fail("a comment does not end")
			break
		}
		s.pos += 4 + end + 3
	case bytes.HasPrefix(rest, []byte("<![CDATA[")) && len(s.stack) > 0:
		end := bytes.Index(rest[9:], []byte("]]>"))
		if end < 0 {
			s.fail("a CDATA section does not end")
			break
		}
		s.chars, s.cdata = rest[9:9+end], true
		s.pos += 9 + end + 3
		return Chars
	default:
		s.err = ErrDTD
	}
	return EOF
}

// instruction passes over a processing instruction and looks at the encoding that the document claims.
func (s *Scanner) instruction(rest []byte) {
	end := bytes.Index(rest, []byte("?>"))
	if end < 2 {
		s.fail("a processing instruction does not end")
		return
	}
	if s.pos == 0 && bytes.HasPrefix(rest, []byte("<?xml ")) {
		if e := encoding(rest[5:end]); !bytes.EqualFold(e, []byte("utf-8")) && !bytes.EqualFold(e, []byte("us-ascii")) {
			s.fail("encoding %.20q is not supported", e)
		}
	}
	s.pos += end + 2
}

// encoding returns the encoding named in an XML declaration, utf-8 if none is.
func encoding(decl []byte) []byte {
	_, after, found := bytes.Cut(decl, []byte("encoding"))
	after = bytes.TrimLeft(after, " \t\r\n=")
	if !found || len(after) == 0 {
		return []byte("utf-8")
	}
	value, _, _ := bytes.Cut(after[1:], after[:1])
	return value
}

func (s *Scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("xml: byte %d: %s", s.pos, fmt.Sprintf(format, args...))
	}
}
