package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// A refusal is what the login server says of why there is no token (RFC 6749, 5.2, with Entra's own fields).
type refusal struct {
	code        int    // Entra's AADSTS number; 0 if it has none
	reason      string // OAuth's error, e.g. invalid_client
	description string // Entra's own sentence, without ids and time
	id          string // by which Microsoft finds the request: trace id, else correlation id
}

// The longest texts that are repeated.
const (
	maxReason      = 64
	maxDescription = 300
)

var (
	aadsts  = regexp.MustCompile(`AADSTS([0-9]{4,9})`)
	traceID = regexp.MustCompile(`(?i)Trace ID: ([0-9a-f-]{36})`)
)

// refusalOf decodes an answer that is no token. It may be anything: a proxy answers with a page.
func refusalOf(body []byte) refusal {
	var raw struct {
		Error       json.RawMessage `json:"error"`
		Description json.RawMessage `json:"error_description"`
		Codes       json.RawMessage `json:"error_codes"`
		Trace       json.RawMessage `json:"trace_id"`
		Correlation json.RawMessage `json:"correlation_id"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return refusal{}
	}
	text := func(m json.RawMessage) string {
		var s string
		_ = json.Unmarshal(m, &s) // what is no text counts as none
		return s
	}
	description := text(raw.Description)
	r := refusal{reason: shortened(text(raw.Error), maxReason)}
	var codes []json.Number
	if json.Unmarshal(raw.Codes, &codes) == nil && len(codes) > 0 {
		r.code = codeOf(codes[0].String())
	}
	if m := aadsts.FindStringSubmatch(description); r.code == 0 && m != nil {
		r.code = codeOf(m[1])
	}
	for _, id := range []string{text(raw.Trace), first(traceID.FindStringSubmatch(description)), text(raw.Correlation)} {
		if r.id == "" && isGUID(id) {
			r.id = id
		}
	}
	if at := strings.Index(description, "Trace ID:"); at >= 0 {
		description = description[:at]
	}
	description, _, _ = strings.Cut(description, "\r\n")
	r.description = shortened(description, maxDescription)
	return r
}

func first(match []string) string {
	if len(match) < 2 {
		return ""
	}
	return match[1]
}

// codeOf reads an AADSTS number; 0 if it is none.
func codeOf(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1000 || n > 999_999_999 {
		return 0
	}
	return n
}

// name is the code as Microsoft's documentation has it.
func (r refusal) name() string {
	if r.code != 0 {
		return fmt.Sprintf("AADSTS%d", r.code)
	}
	return r.reason
}

// shortened makes a text of a server fit for a sentence: one line, no control characters, at most limit bytes.
func shortened(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
	}
	return s
}
