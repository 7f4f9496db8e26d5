package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// convert brings a value into the type that the setting is declared to have. A text may stand for most of them: variables
// have nothing else.
func (s PluginSetting) convert(value any) (any, bool) {
	text, isText := textOf(value)
	text = strings.TrimSpace(text)
	switch s.Type {
	case "string":
		return value, isText
	case "bool":
		if isText {
			b, f := attr{}.checkBool(text)
			return b, f.what == ""
		}
		_, ok := value.(bool)
		return value, ok
	case "integer":
		if isText {
			n, err := strconv.ParseInt(text, 10, 64)
			return n, err == nil
		}
		_, ok := value.(int64)
		return value, ok
	case "number":
		if isText {
			f, err := strconv.ParseFloat(text, 64)
			return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
		}
		switch value.(type) {
		case int64, float64:
			return value, true
		}
		return value, false
	case "duration":
		_, err := time.ParseDuration(text)
		return NewSecret(text), isText && err == nil
	case "list":
		if isText {
			return listOf(text), true
		}
		_, ok := value.([]any)
		return value, ok
	case "map":
		_, ok := value.(map[string]any)
		return value, ok
	default:
		return value, true // a type that a later release of the sdk knows
	}
}

// listOf cuts a text at its commas.
func listOf(text string) []any {
	out := []any{}
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, NewSecret(part))
		}
	}
	return out
}

// textOf returns a value that is a text, secret or not.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case Secret:
		return v.Reveal(), true
	case string:
		return v, true
	default:
		return "", false
	}
}

// emptyValue tells what counts as no value for a setting that is required.
func emptyValue(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case Secret:
		return !v.IsSet()
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// mustBe says of what type the setting is, in words for people.
func (s PluginSetting) mustBe() string {
	switch s.Type {
	case "bool":
		return "true or false"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "duration":
		return "a duration"
	case "list":
		return "a list"
	case "map":
		return "an object"
	default:
		return "a text"
	}
}

// is says of what type a value is, in words for people.
func is(value any) string {
	switch value.(type) {
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a text"
	}
}

// example is the setting as it may be written.
func (s PluginSetting) example() string {
	value := `"…"`
	switch {
	case s.Type == "bool":
		value = "true"
	case s.Type == "integer":
		value = "10"
	case s.Type == "number":
		value = "0.5"
	case s.Type == "list":
		value = `["…", "…"]`
	case s.Type == "map":
		value = `{ … = "…" }`
	case s.Secret:
		value = `env("…")`
	case s.Type == "duration":
		value = `"30s"`
	}
	return s.Name + " = " + value
}
