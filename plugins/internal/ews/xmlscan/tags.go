package xmlscan

import "bytes"

// startTag takes a start tag and resolves its names.
func (s *Scanner) startTag() Token {
	if s.rooted && len(s.stack) == 0 {
		s.fail("a second document element")
		return EOF
	}
	if len(s.stack) == MaxDepth {
		s.fail("elements are nested deeper than %d", MaxDepth)
		return EOF
	}
	s.pos++
	raw := s.rawName()
	f := frame{raw: raw, bindings: len(s.bindings)}
	s.attrs = s.attrs[:0]
	for s.err == nil {
		s.blanks()
		if s.pos >= len(s.src) {
			s.fail("the document ends in a tag")
			return EOF
		}
		c := s.src[s.pos]
		if c == '>' {
			s.pos++
			break
		}
		if c == '/' {
			if s.pos+1 >= len(s.src) || s.src[s.pos+1] != '>' {
				s.fail("a stray / in <%s>", raw)
				return EOF
			}
			s.pos += 2
			s.closing = true
			break
		}
		s.attribute()
	}
	if s.err != nil {
		s.closing = false
		return EOF
	}
	if !s.recall(raw) {
		return EOF
	}
	s.rooted = true
	s.stack = append(s.stack, f)
	return Start
}

// seenNames is how many element names are kept at hand; documents of one kind have fewer.
const seenNames = 128

// A seenName is what an element's name meant in a scope.
type seenName struct {
	raw   []byte
	local string
	space Space
	scope int
}

// recall sets name and space of the element with the name raw; it reports whether that is a name.
func (s *Scanner) recall(raw []byte) bool {
	n := len(raw)
	known := &s.seen[(n*31+int(raw[n-1])*7+int(raw[n/2])*3+int(raw[n/4]))%seenNames]
	if known.scope != s.scope || !bytes.Equal(known.raw, raw) {
		prefix, local := s.split(raw)
		*known = seenName{raw: raw, local: s.intern(local), space: s.resolve(prefix), scope: s.scope}
		if s.err != nil {
			known.raw = nil
			return false
		}
	}
	s.name, s.space = known.local, known.space
	return true
}

// attribute takes one attribute; a namespace declaration becomes a binding.
func (s *Scanner) attribute() {
	raw := s.rawName()
	s.blanks()
	if s.err != nil {
		return
	}
	if s.pos >= len(s.src) || s.src[s.pos] != '=' {
		s.fail("attribute %.40s has no value", raw)
		return
	}
	s.pos++
	s.blanks()
	if s.pos >= len(s.src) || (s.src[s.pos] != '"' && s.src[s.pos] != '\'') {
		s.fail("the value of %.40s is not quoted", raw)
		return
	}
	quote := s.src[s.pos]
	s.pos++
	end := bytes.IndexByte(s.src[s.pos:], quote)
	if end < 0 {
		s.fail("the value of %.40s does not end", raw)
		return
	}
	value := s.src[s.pos : s.pos+end]
	s.pos += end + 1
	if bytes.IndexByte(value, '<') >= 0 {
		s.fail("the value of %.40s contains a <", raw)
		return
	}
	prefix, local := s.split(raw)
	switch {
	case string(prefix) == "xmlns":
		s.bind(local, value)
	case len(prefix) == 0 && string(local) == "xmlns":
		s.bind(nil, value)
	case len(s.attrs) == MaxAttributes:
		s.fail("an element has more than %d attributes", MaxAttributes)
	default:
		s.attrs = append(s.attrs, attr{prefix, local, value})
	}
}

// endTag takes an end tag.
func (s *Scanner) endTag() Token {
	s.pos += 2
	raw := s.rawName()
	s.blanks()
	switch {
	case s.err != nil:
	case s.pos >= len(s.src) || s.src[s.pos] != '>':
		s.fail("</%.40s is not closed", raw)
	case len(s.stack) == 0 || !bytes.Equal(s.stack[len(s.stack)-1].raw, raw):
		s.fail("</%.40s> closes nothing", raw)
	default:
		s.pos++
		s.pop()
		return End
	}
	return EOF
}

func (s *Scanner) pop() {
	top := len(s.stack) - 1
	if n := s.stack[top].bindings; n < len(s.bindings) {
		s.bindings = s.bindings[:n]
		s.scope++
	}
	s.stack = s.stack[:top]
}

func (s *Scanner) bind(prefix, uri []byte) {
	if len(s.bindings) == maxBindings {
		s.fail("more than %d namespaces in scope", maxBindings)
		return
	}
	space := Foreign
	if len(uri) == 0 {
		space = NoSpace
	} else {
		for i, k := range s.known {
			if string(uri) == k || (bytes.IndexByte(uri, '&') >= 0 && s.decode(uri) == k) {
				space = Space(i + 1)
				break
			}
		}
	}
	s.bindings = append(s.bindings, binding{prefix, space})
	s.scope++
}

// resolve returns the namespace bound to an element's prefix, which may be empty.
func (s *Scanner) resolve(prefix []byte) Space {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if bytes.Equal(s.bindings[i].prefix, prefix) {
			return s.bindings[i].space
		}
	}
	if len(prefix) == 0 {
		return NoSpace
	}
	return Foreign
}

// split separates a name at its colon.
func (s *Scanner) split(raw []byte) (prefix, local []byte) {
	i := bytes.IndexByte(raw, ':')
	if i < 0 {
		return nil, raw
	}
	if i == 0 || i == len(raw)-1 || bytes.IndexByte(raw[i+1:], ':') >= 0 {
		s.fail("%.40q is not a name", raw)
	}
	return raw[:i], raw[i+1:]
}

// rawName takes a name, without judging letters beyond ASCII.
func (s *Scanner) rawName() []byte {
	start := s.pos
	for s.pos < len(s.src) && nameByte[s.src[s.pos]] {
		s.pos++
	}
	if s.pos == start {
		s.fail("a name is missing")
	}
	return s.src[start:s.pos]
}

var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c == '_' || c == ':' || c == '-' || c == '.' ||
			'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	return t
}()

func (s *Scanner) blanks() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// intern returns b as a string; names that repeat cost nothing.
func (s *Scanner) intern(b []byte) string {
	if n, ok := s.names[string(b)]; ok {
		return n
	}
	n := string(b)
	if len(s.names) < maxInterned {
		s.names[n] = n
	}
	return n
}
