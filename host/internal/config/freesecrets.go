package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// freeBlocks are those whose settings only a plugin knows, and so which of them are secret.
var freeBlocks = []string{"auth_settings", "backend_settings"}

// freeValues finds the literals and comments in free blocks, and words that should have been literals. Names given to env
// and file are none.
func freeValues(text []byte) []span {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	var hidden []span
	hide := func(t hclsyntax.Token) {
		begin := t.Range.Start.Byte
		hidden = append(hidden, span{begin, begin + len(bytes.TrimRight(t.Bytes, "\r\n"))}) // comments have their line end
	}
	inside, value, depth, call := false, false, 0, 0
	for i, t := range tokens {
		if t.Type == hclsyntax.TokenComment {
			value = value && !bytes.HasSuffix(t.Bytes, []byte("\n"))
		}
		switch t.Type {
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
			value = true
		case hclsyntax.TokenNewline, hclsyntax.TokenComma:
			value = false
		case hclsyntax.TokenIdent:
			if inside && value && !slices.Contains([]string{"env", "file", "true", "false", "null"}, string(t.Bytes)) {
				hide(t)
			}
			if !inside && slices.Contains(freeBlocks, string(t.Bytes)) && i+1 < len(tokens) && tokens[i+1].Type != hclsyntax.TokenEqual {
				inside, depth, call = true, 0, 0
			}
		case hclsyntax.TokenOParen:
			depth++
			if i > 0 && (string(tokens[i-1].Bytes) == "env" || string(tokens[i-1].Bytes) == "file") {
				call = depth
			}
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateInterp:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCParen:
			if depth == call {
				call = 0
			}
			if depth--; depth <= 0 {
				inside = false
			}
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit, hclsyntax.TokenComment:
			if inside && depth > 0 && call == 0 {
				hide(t)
			}
		}
	}
	return hidden
}

// freeBlock matches the line that opens a free block.
var freeBlock = regexp.MustCompile(`^\s*"?(?:` + strings.Join(freeBlocks, "|") + `)\b[^={]*\{?`)

// freeLines does the same line by line, for files too broken to be read: what looks like a value in a free block.
func freeLines(text []byte) []span {
	var hidden []span
	inside, depth, end := false, 0, 0
	for line := range bytes.Lines(text) {
		begin := end
		end += len(line)
		from := len(freeBlock.Find(line))
		if from > 0 {
			inside, depth = true, 0
		}
		if !inside {
			continue
		}
		depth += bytes.Count(line, []byte("{")) - bytes.Count(line, []byte("}"))
		inside = depth > 0
		if equals := bytes.IndexByte(line[from:], '='); equals >= 0 {
			from += equals + 1
		}
		to := len(bytes.TrimRight(line, " \t\r\n"))
		for from < to && (line[from] == ' ' || line[from] == '\t') {
			from++
		}
		if value := string(line[min(from, to):to]); strings.Trim(value, "{} \t") != "" && !strings.HasPrefix(value, "env(") && !strings.HasPrefix(value, "file(") {
			hidden = append(hidden, span{begin + from, begin + to})
		}
	}
	return hidden
}
