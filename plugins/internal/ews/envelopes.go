package ews

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxEnvelope is the longest envelope that is read from a stream: 200 subscriptions with many events each have room.
const maxEnvelope = 8 << 20

// envelopeBuffer is what is kept of memory for a stream that is quiet, and it is quiet nearly always.
const envelopeBuffer = 4 << 10

// An envelopes reader finds complete XML documents in a byte stream, one after the other, as soon as the last byte of
// each is there. What stands between them is passed over. It looks at no more than is needed to tell where a document
// ends; whether it is well-formed is for whoever reads it.
type envelopes struct {
	r     io.Reader
	buf   []byte // from the beginning of the current document
	at    int    // how far buf was looked at
	open  int    // where the current markup began
	depth int    // of elements
	in    part
	quote byte   // in a start tag: the quote that an attribute's value ends with, or 0
	until string // in a passage: what ends it
}

// A part of a document is where the reader stands in it.
type part int

const (
	inText part = iota
	inMarkup
	inStartTag
	inEndTag
	inPassage // a comment, a CDATA section or an instruction
)

func newEnvelopes(r io.Reader) *envelopes {
	return &envelopes{r: r, buf: make([]byte, 0, envelopeBuffer)}
}

// next returns the next document, which is valid until next is called again. io.EOF means that the stream ended between
// two documents, io.ErrUnexpectedEOF that it ended within one.
func (e *envelopes) next() ([]byte, error) {
	for {
		done, err := e.scan()
		if err != nil {
			return nil, err
		}
		if done {
			doc := e.buf[:e.at]
			e.rest()
			return doc, nil
		}
		if e.depth == 0 && e.in == inText {
			e.buf, e.at = e.buf[:0], 0
		}
		if len(e.buf) > maxEnvelope {
			return nil, fmt.Errorf("an envelope is longer than %d MiB", maxEnvelope>>20)
		}
		if len(e.buf) == cap(e.buf) {
			e.buf = append(e.buf, 0)[:len(e.buf)]
		}
		n, err := e.r.Read(e.buf[len(e.buf):cap(e.buf)])
		e.buf = e.buf[:len(e.buf)+n]
		if err != nil && n == 0 {
			if errors.Is(err, io.EOF) && (e.depth > 0 || e.in != inText) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// rest begins anew behind the document that was found. A buffer that had to grow is given back.
func (e *envelopes) rest() {
	left := e.buf[e.at:]
	e.buf = append(make([]byte, 0, max(envelopeBuffer, len(left))), left...)
	e.at = 0
}

// scan looks at what was read and reports whether a document is complete: it ends at e.at then.
func (e *envelopes) scan() (bool, error) {
	for e.at < len(e.buf) {
		rest := e.buf[e.at:]
		switch e.in {
		case inText:
			i := bytes.IndexByte(rest, '<')
			if i < 0 {
				e.at = len(e.buf)
				return false, nil
			}
			if e.depth == 0 { // what stands between documents belongs to none
				e.buf, i = e.buf[e.at+i:], 0
				e.at = 0
			}
			e.open = e.at + i
			e.at = e.open + 1
			e.in = inMarkup
		case inMarkup:
			if known, err := e.markup(e.buf[e.open:]); err != nil || !known {
				return false, err
			}
		case inStartTag:
			e.startTag(rest)
		case inEndTag:
			i := bytes.IndexByte(rest, '>')
			if i < 0 {
				e.at = len(e.buf)
				return false, nil
			}
			e.at += i + 1
			e.depth--
			e.in = inText
		case inPassage:
			if !e.passage() {
				return false, nil
			}
			continue // a passage alone is no document
		}
		if e.in == inText && e.depth <= 0 && e.at > 0 {
			e.depth = 0
			return true, nil
		}
	}
	return false, nil
}

// markup tells what begins at rest; it reports whether enough of it is there.
func (e *envelopes) markup(rest []byte) (bool, error) {
	begins := func(intro, until string) bool {
		if !bytes.HasPrefix(rest, []byte(intro)) {
			return false
		}
		e.in, e.until, e.at = inPassage, until, e.open+len(intro)
		return true
	}
	switch {
	case rest[1] == '/':
		e.in = inEndTag
	case begins("<?", "?>"), begins("<!--", "-->"), begins("<![CDATA[", "]]>"):
	case rest[1] != '!':
		e.in, e.quote = inStartTag, 0
	case len(rest) < len("<![CDATA[") &&
		(bytes.HasPrefix([]byte("<!--"), rest) || bytes.HasPrefix([]byte("<![CDATA["), rest)):
		e.at = e.open + 1
		return false, nil
	default:
		return false, errors.New("document type declarations are not accepted")
	}
	return true, nil
}

// startTag goes on to the end of a start tag; a > in an attribute's value is none.
func (e *envelopes) startTag(rest []byte) {
	for i, c := range rest {
		switch {
		case e.quote != 0:
			if c == e.quote {
				e.quote = 0
			}
		case c == '"' || c == '\'':
			e.quote = c
		case c == '>':
			e.at += i + 1
			if e.buf[e.at-2] != '/' {
				e.depth++
			}
			e.in = inText
			return
		}
	}
	e.at = len(e.buf)
}

// passage goes on to the end of a passage and reports whether it is there.
func (e *envelopes) passage() bool {
	i := bytes.Index(e.buf[e.at:], []byte(e.until))
	if i < 0 {
		e.at = max(e.at, len(e.buf)-len(e.until)+1)
		return false
	}
	e.at += i + len(e.until)
	e.in = inText
	return true
}
