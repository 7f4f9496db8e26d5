package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// mark is what values of env and file bear, through every expression: they are
// where secrets come from.
type mark string

const secretMark mark = "secret"

// functions returns what expressions in roomwire.hcl may call.
func functions(dir string, env environment) *hcl.EvalContext {
	return &hcl.EvalContext{Functions: map[string]function.Function{
		"env":  textFunction("name", env.require),
		"file": textFunction("path", func(path string) (string, error) { return readText(within(dir, path)) }),
	}}
}

// textFunction makes a function from text to marked text. An error's text is
// what is wrong, a line break, and what to do.
func textFunction(param string, get func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := get(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(text).Mark(secretMark), nil
		},
	})
}

// within makes path absolute, relative ones from dir.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// readText returns a small text file without its last line break: editors add
// one, and no password ends in one.
func readText(path string) (string, error) {
	data, err := readBounded(path, 1<<20)
	if err != nil {
		return "", fmt.Errorf("%w\nWrite the path of a readable file; a relative one is meant from the folder of roomwire.hcl", err)
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("the file %s is no UTF-8 text\nSave it as UTF-8, or name the file in a setting that ends in _file", path)
	}
	text := strings.TrimPrefix(string(data), "\uFEFF")
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), nil
}

// readBounded reads a regular file of at most limit bytes. Its errors say what
// is wrong in words an administrator uses.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s%w", path, hideText(err))
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("the file %s may not be read by this user%w", path, hideText(err))
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path) // a pipe would block for ever
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("the file %s may not be read by this user%w", path, hideText(err))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be read: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("the file %s is larger than %d KiB", path, limit>>10)
	}
	return data, nil
}

// quiet wraps an error for errors.Is without repeating its text.
type quiet struct{ err error }

func hideText(err error) error { return quiet{err} }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.err }
