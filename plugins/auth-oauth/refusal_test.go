package main

import (
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestRefusalsAreDecoded(t *testing.T) {
	t.Parallel()
	const trace = "0a0b0c0d-1111-2222-3333-444455556666"
	for name, tc := range map[string]struct {
		body string
		want refusal
	}{
		"Entra's": {`{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired. Trace ID: ` + trace +
			` Correlation ID: x Timestamp: 2026","error_codes":[7000222],"timestamp":"2026","trace_id":"` + trace + `","correlation_id":"99999999-1111-2222-3333-444455556666"}`,
			refusal{7000222, "invalid_client", "AADSTS7000222: The provided client secret keys are expired.", trace}},
		"with line ends": {`{"error":"invalid_scope","error_description":"AADSTS70011: No.\r\nTrace ID: ` + trace + `\r\nCorrelation ID: x"}`,
			refusal{70011, "invalid_scope", "AADSTS70011: No.", trace}},
		"codes as texts":     {`{"error":"x","error_codes":["50196"]}`, refusal{50196, "x", "", ""}},
		"another's":          {`{"error":"invalid_client","error_description":"no such client"}`, refusal{0, "invalid_client", "no such client", ""}},
		"of other types":     {`{"error":{"code":"x"},"error_codes":"7","trace_id":5}`, refusal{}},
		"a page":             {`<html>503</html>`, refusal{}},
		"nothing":            {``, refusal{}},
		"a list":             {`[1]`, refusal{}},
		"an absurd number":   {`{"error_codes":[99999999999999999999]}`, refusal{}},
		"control characters": {`{"error":"a\u0000\u001bb"}`, refusal{0, "a b", "", ""}},
	} {
		if got := refusalOf([]byte(tc.body)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// However much the login server says before it repeats the secret, no part of that is told.
func TestNoPartOfASecretIsTold(t *testing.T) {
	t.Parallel()
	e := &entra{secret: []string{"S3cr3t~123456"}}
	resp := &http.Response{StatusCode: http.StatusBadRequest}
	for pad := range maxDescription {
		said := strings.Repeat("x", pad)
		for _, body := range []string{
			`{"error":"odd","error_description":"` + said + ` S3cr3t~123456"}`, `{"error":"` + said + `S3cr3t~123456"}`,
		} {
			if f, _ := e.refused(resp, []byte(body), credential{}, "scope"); strings.Contains(f.Error(), "S3") {
				t.Fatalf("after %d letters: %s", pad, f)
			}
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"error":"invalid_client","error_description":"AADSTS7000215: x. Trace ID: 0a0b0c0d-1111-2222-3333-444455556666","error_codes":[7000215]}`))
	f.Add([]byte(`{"error_description":"\ud800 AADSTS1"}`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := refusalOf(body)
		if len(r.reason) > maxReason || len(r.description) > maxDescription || r.id != "" && !isGUID(r.id) || r.code != 0 && (r.code < 1000 || r.code > 999_999_999) {
			t.Errorf("out of bounds: %+v", r)
		}
		for _, s := range []string{r.reason, r.description, r.name()} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("unfit for a sentence: %q", s)
			}
		}
	})
}
