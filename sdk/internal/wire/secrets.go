package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// hidden stands where a secret was.
	hidden = "(secret)"
	// minSecret is the length below which a value is not looked for: hiding it would hide half of every text.
	minSecret = 4
	// maxFragmented is the length up to which a secret is looked for in the middle of base64: a password, not a token.
	maxFragmented = 256
	// maxRelayed is how many credentials that were relayed to a process are remembered; the oldest is forgotten first.
	maxRelayed = 256
)

// Secrets are the texts that nothing which comes from a process may show. They are replaced wherever they stand, as they
// are and as they are usually written (base64, also in the middle of it, URL, JSON, XML), and so is whatever looks like a
// credential. The zero value is ready; a nil *Secrets hides nothing.
type Secrets struct {
	mu       sync.Mutex
	settings map[string]bool
	relayed  []string
	current  *hiding // nil when it must be made anew

	bearing sync.Map // by message: whether it can hold a fault
}

// A hiding is what is looked for, made ready for looking.
type hiding struct {
	exact     *strings.Replacer
	fragments []string // of base64, whatever stands before and behind the secret
	prefixes  []string // the secrets themselves, for texts that were cut in the middle of one
}

// AddSetting adds a setting's value: a text, a number, or a list or map of them.
func (s *Secrets) AddSetting(value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings == nil {
		s.settings = map[string]bool{}
	}
	for _, text := range texts(value) {
		if len(text) >= minSecret && !s.settings[text] {
			s.settings[text] = true
			s.current = nil
		}
	}
}

// AddHeader adds what an Authorization header is good for more than once with: Basic's password, a bearer's token. A leg
// of another scheme is worthless once it is used.
func (s *Secrets) AddHeader(header string) {
	if s == nil {
		return
	}
	scheme, credential, _ := strings.Cut(header, " ")
	credential = strings.TrimSpace(credential)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		s.relay(credential)
	case strings.EqualFold(scheme, "Basic"):
		s.relay(credential)
		if pair, err := base64.StdEncoding.DecodeString(credential); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			s.relay(password)
		}
	}
}

func (s *Secrets) relay(text string) {
	if len(text) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.relayed, text) {
		return
	}
	if len(s.relayed) >= maxRelayed {
		s.relayed = slices.Delete(s.relayed, 0, 1)
	}
	s.relayed = append(s.relayed, text)
	s.current = nil
}

// Hide returns text without secrets.
func (s *Secrets) Hide(text string) string {
	if s == nil || text == "" {
		return text
	}
	return s.looking().hide(text)
}

// HideCut is Hide for a text that may have been cut off in the middle of a secret.
func (s *Secrets) HideCut(text string) string {
	if s == nil || text == "" {
		return text
	}
	h := s.looking()
	return h.hide(h.hideEnd(text))
}

func (s *Secrets) looking() *hiding {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		s.current = newHiding(slices.Collect(maps.Keys(s.settings)), s.relayed)
	}
	return s.current
}

func newHiding(settings, relayed []string) *hiding {
	secrets := append(settings, relayed...)
	h := &hiding{prefixes: secrets}
	forms := map[string]bool{}
	for _, secret := range secrets {
		for _, form := range written(secret) {
			forms[form] = true
		}
		if len(secret) > maxFragmented {
			continue
		}
		for _, f := range fragments(secret) {
			if !slices.Contains(h.fragments, f) {
				h.fragments = append(h.fragments, f)
			}
		}
	}
	// At one place the longest counts: a secret may be the beginning of another.
	ordered := slices.SortedFunc(maps.Keys(forms), func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range ordered {
		pairs = append(pairs, form, hidden)
	}
	h.exact = strings.NewReplacer(pairs...)
	return h
}

// texts collects what a value says.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case nil, bool:
	case string:
		all = append(all, v, strings.TrimSpace(v))
		// A key of many lines reaches a log line by line.
		for line := range strings.Lines(v) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				all = append(all, line)
			}
		}
	case json.Number:
		all = append(all, v.String())
	case []any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	case map[string]any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	default:
		all = append(all, texts(plain(v))...)
	}
	return all
}

// plain returns a value as JSON has it; what is none is a text as Go prints it.
func plain(value any) any {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	return v
}

// written returns the ways in which a secret may stand in a text.
func written(secret string) []string {
	quoted := strconv.Quote(secret)
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1]}
	if raw, err := json.Marshal(secret); err == nil {
		forms = append(forms, string(raw[1:len(raw)-1]))
	}
	var b bytes.Buffer
	if xml.EscapeText(&b, []byte(secret)) == nil {
		forms = append(forms, b.String())
	}
	return slices.DeleteFunc(forms, func(f string) bool { return len(f) < minSecret })
}

// fragments returns what base64 makes of secret at each of the three places at which it may begin, without the characters
// that depend on what stands before and behind it.
func fragments(secret string) []string {
	var all []string
	for before := range 3 {
		padded := append(make([]byte, before), secret...)
		first, end := (before*8+5)/6, len(padded)*8/6
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if f := alphabet.EncodeToString(padded)[first:end]; len(f) >= minSecret {
				all = append(all, f)
			}
		}
	}
	return all
}

// credentials finds what looks like one: what follows the name of a scheme, and a token in the form of a JWT.
var credentials = regexp.MustCompile(`\b((?i:basic|bearer|negotiate|ntlm))([ \t]+|%20|\+)([^\s"'<>,;()\[\]{}]{4,})|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)

func (h *hiding) hide(text string) string {
	text = h.exact.Replace(text)
	for _, f := range h.fragments {
		text = hideRun(text, f)
	}
	return credentials.ReplaceAllStringFunc(text, func(found string) string {
		m := credentials.FindStringSubmatch(found)
		switch {
		case m[1] == "":
			return hidden
		case word.MatchString(m[3]):
			return found
		default:
			return m[1] + m[2] + hidden
		}
	})
}

// hideRun hides every run of base64 that holds fragment.
func hideRun(text, fragment string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, fragment)
		if i < 0 {
			return b.String() + text
		}
		begin, end := i, i+len(fragment)
		for begin > 0 && inBase64(text[begin-1]) {
			begin--
		}
		for end < len(text) && (inBase64(text[end]) || text[end] == '=') {
			end++
		}
		b.WriteString(text[:begin] + hidden)
		text = text[end:]
	}
}

func inBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}

// word is what people and servers write behind a scheme's name that is no credential: "NTLM authentication failed.",
// "Basic realm=…".
var word = regexp.MustCompile(`^([A-Z]?[a-z-]{0,15}[.:!?]*|[a-z_]+=)$`)

// hideEnd hides the beginning of a secret with which text ends.
func (h *hiding) hideEnd(text string) string {
	longest := 0
	for _, secret := range h.prefixes {
		for n := min(len(secret)-1, len(text)); n >= minSecret && n > longest; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return text[:len(text)-longest] + hidden
}
