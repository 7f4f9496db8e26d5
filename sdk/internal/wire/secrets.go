package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
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
	// relayedAfter is how long one is remembered that is over: clocks differ, and it is told of later.
	relayedAfter = 10 * time.Minute
)

// Secrets are the texts that nothing which comes from a process may show. They are replaced wherever they stand, as they
// are and as they are usually written (base64, also in the middle of it, URL, JSON, XML), and so is whatever looks like a
// credential. The zero value is ready; a nil *Secrets hides nothing.
type Secrets struct {
	mu       sync.RWMutex
	settings map[string]bool
	relayed  []relayedSecret // the oldest first
	exact    index
	runs     index // of base64, whatever stands before and behind the secret

	bearing sync.Map // by message: whether it can hold a fault
}

// A relayedSecret is a credential that was relayed to the process.
type relayedSecret struct {
	text  string
	until time.Time // it may be forgotten then; zero: not by the clock
	forms secretForms
}

// A secretForms is all that is looked for because of one secret. It is made before Secrets is locked.
type secretForms struct{ exact, runs []string }

func formsOf(secret string) secretForms {
	f := secretForms{exact: written(secret)}
	if len(secret) <= maxFragmented {
		f.runs = fragments(secret)
	}
	return f
}

// AddSetting adds a setting's value: a text, a number, or a list or map of them.
func (s *Secrets) AddSetting(value any) {
	for _, text := range texts(value) {
		if len(text) >= minSecret {
			s.addSetting(text, formsOf(text))
		}
	}
}

func (s *Secrets) addSetting(text string, f secretForms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings[text] {
		return
	}
	if s.settings == nil {
		s.settings = map[string]bool{}
	}
	s.settings[text] = true
	s.look(f)
}

// AddHeader adds what an Authorization header is good for more than once with: Basic's password, a bearer's token. A leg
// of another scheme is worthless once it is used. Of a header that says when it ends, it is forgotten some time after that.
func (s *Secrets) AddHeader(h auth.Header) {
	if s == nil {
		return
	}
	var until time.Time
	if !h.Expires.IsZero() {
		until = h.Expires.Add(relayedAfter)
	}
	scheme, credential, _ := strings.Cut(h.Value, " ")
	credential = strings.TrimSpace(credential)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		s.relay(credential, until)
	case strings.EqualFold(scheme, "Basic"):
		s.relay(credential, until)
		if pair, err := base64.StdEncoding.DecodeString(credential); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			s.relay(password, until)
		}
	}
}

// relay remembers one as the newest, in the place of what is over and of the oldest.
func (s *Secrets) relay(text string, until time.Time) {
	if len(text) < minSecret {
		return
	}
	one, now := relayedSecret{text, until, formsOf(text)}, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.relayed[:0]
	for i, r := range s.relayed {
		again, ended := r.text == text, !r.until.IsZero() && now.After(r.until)
		if again || ended || len(s.relayed) == maxRelayed && i == 0 {
			s.forget(r.forms)
		} else {
			kept = append(kept, r)
		}
	}
	clear(s.relayed[len(kept):])
	s.relayed = append(kept, one)
	s.look(one.forms)
}

// look and forget are called with s.mu held.
func (s *Secrets) look(f secretForms) {
	for _, form := range f.exact {
		s.exact.add(form)
	}
	for _, form := range f.runs {
		s.runs.add(form)
	}
}

func (s *Secrets) forget(f secretForms) {
	for _, form := range f.exact {
		s.exact.remove(form)
	}
	for _, form := range f.runs {
		s.runs.remove(form)
	}
}

// Hide returns text without secrets.
func (s *Secrets) Hide(text string) string {
	if s == nil || text == "" {
		return text
	}
	s.mu.RLock()
	text = s.hideKnown(text)
	s.mu.RUnlock()
	return hideCredentials(text)
}

// HideCut is Hide for a text that may have been cut off in the middle of a secret.
func (s *Secrets) HideCut(text string) string {
	if s == nil || text == "" {
		return text
	}
	s.mu.RLock()
	text = s.hideKnown(s.hideEnd(text))
	s.mu.RUnlock()
	return hideCredentials(text)
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
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(f string) bool { return len(f) < minSecret })
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
	slices.Sort(all)
	return slices.Compact(all)
}

// credentials finds what looks like one: what follows the name of a scheme, and a token in the form of a JWT.
var credentials = regexp.MustCompile(`\b((?i:basic|bearer|negotiate|ntlm))([ \t]+|%20|\+)([^\s"'<>,;()\[\]{}]{4,})|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)

// hideKnown hides the secrets that are known. s.mu is held.
func (s *Secrets) hideKnown(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); i++ {
		if n := s.exact.longest(text[i:]); n > 0 {
			b.WriteString(text[done:i] + hidden)
			done, i = i+n, i+n-1
		}
	}
	return s.hideRuns(b.String() + text[done:])
}

// hideRuns hides every run of base64 that holds a secret.
func (s *Secrets) hideRuns(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); i++ {
		n := s.runs.longest(text[i:])
		if n == 0 {
			continue
		}
		begin, end := i, i+n
		for begin > done && inBase64(text[begin-1]) {
			begin--
		}
		for end < len(text) && (inBase64(text[end]) || text[end] == '=') {
			end++
		}
		b.WriteString(text[done:begin] + hidden)
		done, i = end, end-1
	}
	return b.String() + text[done:]
}

func hideCredentials(text string) string {
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

func inBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}

// word is what people and servers write behind a scheme's name that is no credential: "NTLM authentication failed.",
// "Basic realm=…".
var word = regexp.MustCompile(`^([A-Z]?[a-z-]{0,15}[.:!?]*|[a-z_]+=)$`)

// hideEnd hides the beginning of a secret with which text ends. s.mu is held.
func (s *Secrets) hideEnd(text string) string {
	for i := range len(text) {
		if s.exact.begins(text[i:]) {
			return text[:i] + hidden
		}
	}
	return text
}
