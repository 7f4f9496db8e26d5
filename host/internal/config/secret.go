package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret holds a text that no log, error, page or answer may show. Every way of
// printing or encoding it gives "(set)" or "(not set)"; Reveal gives the text.
// The zero value is not set.
type Secret struct {
	text *string // a pointer, so that fmt cannot show it even inside an unexported field
}

// setText is what is shown in place of a secret.
const setText = "(set)"

// NewSecret hides text. An empty text is not set.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text. Call it where the text is handed to its plugin, and
// nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// Equal reports whether both hide the same text.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String says whether there is a text, not which.
func (s Secret) String() string {
	if s.IsSet() {
		return setText
	}
	return "(not set)"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format writes String, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON writes String.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText writes String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Settings are what a plugin is opened with. Values are string, bool, int64,
// float64, Secret, []any and map[string]any of these. Printing or encoding them
// shows no secret; Reveal gives what is sent to the plugin.
type Settings map[string]any

// Text returns a setting that is a text, and "" for one that is none or is not there. What only a plugin knows may be
// secret: it is not to be printed.
func (s Settings) Text(name string) string {
	text, _ := textOf(s[name])
	return text
}

// Reveal returns a copy in which every Secret is its text.
func (s Settings) Reveal() map[string]any {
	out := make(map[string]any, len(s))
	for name, value := range s {
		out[name] = reveal(value)
	}
	return out
}

func reveal(value any) any {
	switch v := value.(type) {
	case Secret:
		return v.Reveal()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = reveal(v[i])
		}
		return out
	case map[string]any:
		return Settings(v).Reveal()
	default:
		return v
	}
}
