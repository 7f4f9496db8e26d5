package config

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// environment is what beats the files.
type environment struct {
	values map[string]string
	names  []string // sorted
}

func newEnvironment(environ []string) environment {
	e := environment{values: map[string]string{}}
	for _, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" { // Windows has entries like "=C:=C:\dir"
			continue
		}
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if _, again := e.values[name]; !again {
			e.names = append(e.names, name)
		}
		e.values[name] = value
	}
	slices.Sort(e.names)
	return e
}

// lookup returns a variable. An empty one counts as not set.
func (e environment) lookup(name string) (string, bool) {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	v := e.values[name]
	return v, v != ""
}

// require is the function env of roomwire.hcl.
func (e environment) require(name string) (string, error) {
	if v, ok := e.lookup(name); ok {
		return v, nil
	}
	return "", fmt.Errorf("the environment variable %s is not set\n%sSet it for the process that runs roomwire; for a service that is its unit file or its entry in the registry, not your shell", name, didYouMean(name, e.names))
}

// envName is the variable that overrides the setting at path.
func envName(path ...string) string { return "ROOMWIRE_" + envWord(strings.Join(path, "_")) }

// envWord is a name as it stands in those of variables.
func envWord(name string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name))
}
