package appsettings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// flat is what a file says, one line for each setting.
func flat(settings []Setting) string {
	var b strings.Builder
	for _, s := range settings {
		if s.Null {
			fmt.Fprintf(&b, "%d %s is null\n", s.Line, s.Key())
			continue
		}
		fmt.Fprintf(&b, "%d %s=%q\n", s.Line, s.Key(), s.Text)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"nested":           {`{"A":{"B":"c"},"D":1}`, "1 A:B=\"c\"\n1 D=\"1\"\n"},
		"flattened":        {`{"A:B":"c","A":{"D":"e"}}`, "1 A:B=\"c\"\n1 A:D=\"e\"\n"},
		"comments":         {"// one\n{ /* two\n */ \"A\" : // three\n true, /**/ }\n// end", "4 A=\"true\"\n"},
		"trailing commas":  {"{\"A\":[1,\"b\",],\n}", "1 A:0=\"1\"\n1 A:1=\"b\"\n"},
		"no comment":       {`{"A":"https://x /* y"}`, "1 A=\"https://x /* y\"\n"},
		"empty and null":   {`{"A":null,"B":{},"C":[],"D":""}`, "1 A is null\n1 B is null\n1 C is null\n1 D=\"\"\n"},
		"escapes":          {`{"A":"\\\"\/\b\f\n\r\t\u00e4\uD83D\uDE00ä"}`, "1 A=\"\\\\\\\"/\\b\\f\\n\\r\\tä😀ä\"\n"},
		"numbers as is":    {`{"A":1.50,"B":-1e9,"C":123456789012345678901234567890}`, "1 A=\"1.50\"\n1 B=\"-1e9\"\n1 C=\"123456789012345678901234567890\"\n"},
		"lines":            {"{\r\n\"A\":1,\r\"B\":2,\n\"C\":3}", "2 A=\"1\"\n3 B=\"2\"\n4 C=\"3\"\n"},
		"byte order mark":  {"\uFEFF{\"A\":1}", "1 A=\"1\"\n"},
		"nothing":          {"{}", ""},
		"value beside sub": {`{"A":"1","A:B":"2"}`, "1 A=\"1\"\n1 A:B=\"2\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, guessed, err := Read("f", []byte(tc.text))
			if got := flat(settings); err != nil || guessed || got != tc.want {
				t.Errorf("got %v, %v\n%swant\n%s", err, guessed, got, tc.want)
			}
		})
	}
}

func TestReadInOtherEncodings(t *testing.T) {
	t.Parallel()
	units := utf16.Encode([]rune("\uFEFF{\"A\":\"ä\"}"))
	var wide bytes.Buffer
	for _, u := range units {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	for name, tc := range map[string]struct {
		data    []byte
		guessed bool
	}{
		"UTF-16": {wide.Bytes(), false}, "Windows-1252": {[]byte("{\"A\":\"\xe4\"}"), true},
	} {
		settings, guessed, err := Read("f", tc.data)
		if err != nil || guessed != tc.guessed || len(settings) != 1 || settings[0].Text != "ä" {
			t.Errorf("%s: %v, %v, %v", name, flat(settings), guessed, err)
		}
	}
}

func TestReadSaysWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "f:1:1: a settings file begins with {, not with the end of the file",
		"[1]":                         "f:1:1: a settings file begins with {, not with '['",
		"<x/>":                        "not with '<'",
		"{\"A\":1":                    "f:1:7: a comma or } was expected, not the end of the file",
		"{\n  \"A\" 1}":               "f:2:7: a colon was expected",
		"{\"A\":1 \"B\":2}":           "a comma or } was expected, not '\"'",
		"{A:1}":                       "a name in straight quotes or } was expected, not 'A'",
		"{,}":                         "a name in straight quotes",
		"{\"A\":}":                    "a value is missing before '}'",
		"{\"A\":[,]}":                 "a value is missing before ','",
		"{\"A\":'x'}":                 "is no value",
		"{\"A\":01}":                  "is no value",
		"{\"A\":\"EX\\svc\"}":         "f:1:9: a single backslash",
		"{\"A\":\"x\n\"}":             "the quote is not closed on its line",
		"{\"A\":\"x\ty\"}":            `must be written as \u0009`,
		"{\"A\":\"x":                  "the quote is not closed on its line",
		"{\"A\":\"\\ud83d\"}":         "half of a character",
		"{\"A\":1}}":                  "nothing may follow the last }, but '}' does",
		"{/* \"A\":1}":                "f:1:2: the comment that begins here has no */",
		"{\"A\":1,\n\"a\":2}":         "a is there twice, on lines 1 and 2",
		"{\"A\":{\"B\":1},\"a:b\":2}": "a:b is there twice",
		strings.Repeat(`{"A":`, 65):   "deeper than 64 levels",
	} {
		settings, _, err := Read("f", []byte(text))
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || settings != nil || !strings.Contains(err.Error(), want) || syntax.Line < 1 || syntax.Column < 1 {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	first, _, _ := Read("a", []byte(`{"A":{"B":"1","C":"2"}}`))
	second, _, _ := Read("b", []byte(`{"a:c":"3","D":"4"}`))
	if got, want := flat(Merge(first, second)), "1 A:B=\"1\"\n1 a:c=\"3\"\n1 D=\"4\"\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// leaves flattens what encoding/json reads, and reports whether a key is there twice.
func leaves(path []string, value any, into map[string]string) (twice bool) {
	text := "null"
	switch v := value.(type) {
	case map[string]any:
		for name, sub := range v {
			twice = leaves(append(slices.Clone(path), name), sub, into) || twice
		}
		if len(v) > 0 || len(path) == 0 {
			return twice
		}
	case []any:
		for i, sub := range v {
			twice = leaves(append(slices.Clone(path), fmt.Sprint(i)), sub, into) || twice
		}
		if len(v) > 0 {
			return twice
		}
	case nil:
	case string:
		text = "=" + v
	default:
		text = "=" + fmt.Sprint(v)
	}
	key := strings.ToUpper(strings.Join(path, ":"))
	_, again := into[key]
	into[key] = text
	return again || twice
}

// FuzzRead holds the reader against encoding/json: whatever that takes, it takes, with the same values.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"A":{"B":[1,true,null,"x"],"C:D":{}},"E":[]}`))
	f.Add([]byte("\xef\xbb\xbf{// c\n\"A\":\"\\u00e4\",/* */}"))
	f.Add([]byte(everything))
	f.Add([]byte(`{"A":1,"a":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, _, err := Read("f", data)
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok || strings.Count(err.Error(), "\n") > 0 {
				t.Fatalf("error %q", err)
			}
		}
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		// Half characters become U+FFFD there and a name that is there twice is lost: neither is comparable.
		if decoder.Decode(&object) != nil || object == nil || decoder.More() || bytes.Contains(data, []byte(`\u`)) || slices.Contains([]rune(string(data)), '\uFFFD') {
			return
		}
		if _, end := decoder.Token(); end == nil {
			return
		}
		want := map[string]string{}
		twice := leaves(nil, object, want)
		if err != nil {
			if !twice && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "deeper") && json.Valid(data) {
				t.Fatalf("refused what is JSON: %v", err)
			}
			return
		}
		got := map[string]string{}
		for _, s := range settings {
			got[s.folded()] = "=" + s.Text
			if s.Null {
				got[s.folded()] = "null"
			}
		}
		for key, text := range want {
			if got[key] != text {
				t.Errorf("%s is %q, want %q", key, got[key], text)
			}
		}
	})
}
