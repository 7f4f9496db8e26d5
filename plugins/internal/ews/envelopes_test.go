package ews

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// documents reads r to its end.
func documents(r io.Reader) ([]string, error) {
	e := newEnvelopes(r)
	var all []string
	for {
		doc, err := e.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return all, err
		}
		all = append(all, string(doc))
	}
}

func TestEnvelopesAreFoundWhereverTheyAreCut(t *testing.T) {
	t.Parallel()
	docs := []string{
		`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><a/></Envelope>`,
		`<soap:Envelope><x y='>"' z="/>'"/><!-- </soap:Envelope> --><b><![CDATA[</b></soap:Envelope>]]]]></b></soap:Envelope
		>`,
		`<e/>`,
		`<s:Envelope><?pi </s:Envelope>?><s:Envelope>` + strings.Repeat("<c>text</c>", 5000) + `</s:Envelope></s:Envelope>`,
	}
	stream := "\xef\xbb\xbf" + `<?xml version="1.0" encoding="utf-8"?>` + docs[0] + docs[1] + "\r\n\x00 " + docs[2] + `<?xml version="1.0"?><!-- x -->` + docs[3] + "\n"
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(stream), "halves": iotest.HalfReader(strings.NewReader(stream)),
		"bytes": iotest.OneByteReader(strings.NewReader(stream)), "with its end": iotest.DataErrReader(strings.NewReader(stream)),
	} {
		got, err := documents(r)
		if err != nil || !slices.Equal(got, docs) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAnEnvelopeIsThereWithItsLastByte(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	e := newEnvelopes(r)
	for range 3 {
		go func() { _, _ = w.Write([]byte("<e>x</e>")) }()
		if doc, err := e.next(); err != nil || string(doc) != "<e>x</e>" {
			t.Fatalf("%q, %v", doc, err)
		}
	}
	if cap(e.buf) > envelopeBuffer {
		t.Errorf("%d bytes are kept for a quiet stream", cap(e.buf))
	}
}

func TestWhatIsNoStreamOfEnvelopesIsAnError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stream string
		want   error
	}{
		"cut in a tag": {"<a><b", io.ErrUnexpectedEOF}, "cut in text": {"<a>text", io.ErrUnexpectedEOF},
		"cut in a comment": {"<a><!-- ", io.ErrUnexpectedEOF}, "DTD": {`<!DOCTYPE x>`, nil}, "DTD within": {`<a><!ENTITY x "y"></a>`, nil},
	} {
		_, err := documents(strings.NewReader(tc.stream))
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want an error (%v)", name, err, tc.want)
		}
	}
	endless := io.MultiReader(strings.NewReader("<a>"), zeros{})
	if _, err := documents(endless); err == nil {
		t.Error("an envelope without end was read")
	}
}

// zeros is endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// FuzzEnvelopes: what is found does not depend on how the stream is cut, whole documents are found again, and whatever
// they say harms nobody.
func FuzzEnvelopes(f *testing.F) {
	seeds(f, "captures/gromox/*Subscribe*.res.xml", "ews-samples/resp-*.xml")
	f.Add([]byte(`<?xml version="1.0"?><a b=">'"><![CDATA[</a>]]><!-- - --></a> <b/>`))
	f.Add([]byte("<a></a></a><!"))
	f.Add([]byte(beat + said("Error", "ErrorInvalidSubscription", `<m:ErrorSubscriptionIds><t:SubscriptionId>a</t:SubscriptionId></m:ErrorSubscriptionIds>`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err := documents(strings.NewReader(string(stream)))
		bytewise, err2 := documents(iotest.OneByteReader(strings.NewReader(string(stream))))
		if !slices.Equal(whole, bytewise) || (err == nil) != (err2 == nil) {
			t.Fatalf("whole %q, %v; by bytes %q, %v", whole, err, bytewise, err2)
		}
		again, err := documents(strings.NewReader(strings.Join(whole, "\n")))
		if err != nil || !slices.Equal(again, whole) {
			t.Fatalf("found %q, and in them %q, %v", whole, again, err)
		}
		_, _ = listen(t.Context(), respond(200, string(stream)))
	})
}
