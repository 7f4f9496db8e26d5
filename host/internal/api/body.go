package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a request's body must be, by its route.
const (
	noBody   = ""
	jsonBody = "application/json"
	csvBody  = "text/csv"
)

func bodyKind(r *http.Request) string {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/api/v1/persons/import"):
		return csvBody
	case r.Method == http.MethodPut, r.Method == http.MethodPost, r.Method == http.MethodPatch:
		return jsonBody
	}
	return noBody
}

// takeBody reads the body whole, within its bound, and sees that it is what it says. If it reports false, it has
// answered.
func (h *handler) takeBody(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	kind, limit := bodyKind(r), int64(MaxJSON)
	if kind == csvBody {
		limit = MaxCSV
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		h.refuse(w, r, problem{kind: "too-large", status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("at most %d bytes are taken here", limit)})
		return nil, false
	}
	if err != nil {
		h.refuse(w, r, malformed("the body did not arrive whole"))
		return nil, false
	}
	if len(data) > 0 && kind != noBody {
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		charset := params["charset"]
		if err != nil || media != kind || kind == jsonBody && charset != "" && !strings.EqualFold(charset, "utf-8") {
			h.refuse(w, r, problem{kind: "media-type", status: http.StatusUnsupportedMediaType, detail: fmt.Sprintf("send the body as Content-Type: %s", kind)})
			return nil, false
		}
	}
	if len(data) > 0 && kind == jsonBody {
		if why := jsonFault(data); why != "" {
			h.refuse(w, r, malformed("the body is no JSON document: %s", why))
			return nil, false
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.ContentLength = int64(len(data))
	if len(data) == 0 {
		r.Body = http.NoBody
	}
	return r, true
}

// accepts reports whether the caller asks for an answer of this type by name.
func accepts(ctx context.Context, media string) bool {
	lines, _ := ctx.Value(acceptKey).([]string)
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			got, params, err := mime.ParseMediaType(one)
			if weight, _ := strconv.ParseFloat(params["q"], 64); err == nil && got == media && (params["q"] == "" || weight > 0) {
				return true
			}
		}
	}
	return false
}

// jsonFault says where a document is damaged, without repeating it.
func jsonFault(data []byte) string {
	if !utf8.Valid(data) {
		return "it is not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(data))
	for values, depth := 0, 0; ; {
		token, err := d.Token()
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if !plain(t) {
				return "it holds the character U+0000"
			}
		}
		switch {
		case errors.Is(err, io.EOF) && values == 1 && depth == 0:
			return ""
		case err != nil:
			return fmt.Sprintf("it is damaged at byte %d, in line %d", d.InputOffset(), 1+bytes.Count(data[:d.InputOffset()], []byte("\n")))
		case depth == 0:
			if values++; values > 1 {
				return fmt.Sprintf("something follows its end, before byte %d", d.InputOffset())
			}
		}
	}
}

// plain reports whether a text can be stored.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// takeQuery sees that the query can be read. If it reports false, it has answered.
func (h *handler) takeQuery(w http.ResponseWriter, r *http.Request) bool {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.refuse(w, r, malformed("the query cannot be read: escape what is no letter or digit as %%XX"))
		return false
	}
	for name, list := range values {
		if !plain(name) || slices.ContainsFunc(list, func(v string) bool { return !plain(v) }) {
			h.refuse(w, r, malformed("the query is not UTF-8, or holds the character U+0000"))
			return false
		}
	}
	return true
}
