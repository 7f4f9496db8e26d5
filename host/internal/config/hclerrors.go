package config

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// addHCL takes over the library's findings and adds what to do where the
// library only says what is wrong.
func (f *hclFile) addHCL(diags hcl.Diagnostics) {
	for _, d := range diags {
		severity := Error
		if d.Severity == hcl.DiagWarning {
			severity = Warning
		}
		at := place{src: f.src}
		if d.Subject != nil {
			at = f.at(*d.Subject)
		}
		summary, detail, remedy := lowerFirst(d.Summary), d.Detail, hclRemedy(d.Summary)
		// env and file say themselves what to do, after a line break.
		if what, do, ok := strings.Cut(strings.TrimSuffix(d.Detail, "."), "\n"); ok {
			if _, own, ok := strings.Cut(what, " parameter: "); ok {
				what = own
			}
			summary, detail, remedy = what, "", do+"."
		}
		f.add(at, severity, summary, detail, remedy)
	}
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func hclRemedy(summary string) string {
	switch s := strings.ToLower(summary); {
	case strings.Contains(s, "escape sequence"):
		return `Write every backslash of a text twice: "EXAMPLE\\svc-rooms".`
	case strings.Contains(s, "single-argument block"), strings.Contains(s, "missing newline"):
		return "Write each setting on a line of its own."
	case strings.Contains(s, "redefined"):
		return "Delete one of the two."
	case strings.Contains(s, "variable"):
		return `Texts stand in quotes: "text". For a variable of the environment write env("NAME").`
	case strings.Contains(s, "function"):
		return `There are two functions: env("NAME") and file("FILE").`
	case strings.Contains(s, "multi-line string"), strings.Contains(s, "unterminated"), strings.Contains(s, "unclosed"):
		return "Close what was opened on this line: a quote, a bracket or a brace."
	case strings.Contains(s, "character"):
		return `Use plain straight quotes ("), # for comments, and nothing that a word processor put in.`
	default:
		return "Compare the line with the example, configs/roomwire.hcl, and with docs/administrator/configuration.md."
	}
}

// secretName matches names of settings whose values are kept from every output.
var secretName = regexp.MustCompile(`(?i)passw|passphrase|secret|token|pwd|kennwort|credential|apikey|api_key|private|connectionstring|accesskey|access_key`)

// namesSecret reports whether a setting called name holds a secret, as far as
// the name tells. Files and times that secrets are about are none.
func namesSecret(name string) bool {
	if strings.HasSuffix(name, "_file") || strings.HasSuffix(name, "_expires") {
		return false
	}
	// A misspelt password is one, too.
	return secretName.MatchString(name) || Nearest(name, []string{"password", "client_secret", "certificate_password"}) != ""
}

// urlPassword finds user:password@ in anything that looks like a URL.
var urlPassword = regexp.MustCompile(`://[^:/\s"]*:([^"\s]*)@`)

// queryPassword finds …?password=….
var queryPassword = regexp.MustCompile(`(?i)[?&]password=([^&"\s]*)`)

func urlSecrets(text []byte) []span {
	var hidden []span
	for _, re := range []*regexp.Regexp{urlPassword, queryPassword} {
		for _, m := range re.FindAllSubmatchIndex(text, -1) {
			if m[3] > m[2] {
				hidden = append(hidden, span{m[2], m[3]})
			}
		}
	}
	return hidden
}

// secretLine finds what stands behind the equals sign of a secret setting, for
// files too broken for the scanner.
var secretLine = regexp.MustCompile(`(?im)^[^#\n]*?\b(\w*)"?[ \t]*[=:][ \t]*(\S[^\n\r]*)`)

// hclSecrets finds the values of secret settings, so that no finding shows the
// line with the value in it. It errs on the side of hiding.
func hclSecrets(text []byte) []span {
	hidden := urlSecrets(text)
	for _, m := range secretLine.FindAllSubmatchIndex(text, -1) {
		value := string(text[m[4]:m[5]])
		if namesSecret(string(text[m[2]:m[3]])) && !strings.HasPrefix(value, "env(") && !strings.HasPrefix(value, "file(") {
			hidden = append(hidden, span{m[4], m[5]})
		}
	}
	return append(hidden, hclTokenSecrets(text)...)
}

// hclTokenSecrets finds the literals of secret settings over several lines:
// here-documents, lists and objects. Names given to env and file are none.
func hclTokenSecrets(text []byte) []span {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	var hidden []span
	name, secret, depth, call := "", false, 0, 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenIdent:
			if !secret {
				name = string(t.Bytes)
			}
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
			if !secret {
				secret, depth, call = namesSecret(name), 0, 0
			}
		case hclsyntax.TokenOParen:
			depth++
			if i > 0 && (string(tokens[i-1].Bytes) == "env" || string(tokens[i-1].Bytes) == "file") {
				call = depth
			}
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCHeredoc, hclsyntax.TokenCParen:
			if depth == call {
				call = 0
			}
			if depth--; depth < 0 {
				secret, depth = false, 0
			}
		case hclsyntax.TokenNewline:
			if depth <= 0 {
				name, secret = "", false
			}
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			if !secret {
				name = string(t.Bytes)
			} else if call == 0 {
				hidden = append(hidden, span{t.Range.Start.Byte, t.Range.End.Byte})
			}
		}
	}
	return hidden
}
