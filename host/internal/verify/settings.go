package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/launch"
)

// ParseSettings reads settings written as NAME=VALUE, by what the plugin says that there is. A VALUE is a text, or JSON for
// a setting that is none; env:NAME and file:PATH take it from the environment and from a file. A secret must come from one
// of these two, as everybody on the machine can see the command line. No error repeats a value.
func ParseSettings(given []string, known []launch.Setting) (map[string]any, error) {
	out := map[string]any{}
	for _, one := range given {
		name, value, ok := strings.Cut(one, "=")
		if !ok {
			return nil, fmt.Errorf("a setting is written NAME=VALUE; there is one without =")
		}
		i := slices.IndexFunc(known, func(s launch.Setting) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the plugin has no setting %q (there are: %s)", name, strings.Join(namesOf(known), ", "))
		}
		text, shown, err := read(value)
		if err != nil {
			return nil, fmt.Errorf("the setting %q: %w", name, err)
		}
		if shown && known[i].Secret {
			return nil, fmt.Errorf("the setting %q is a secret, and the command line is seen by others: write %s=env:VARIABLE or %s=file:PATH", name, name, name)
		}
		if out[name], err = typed(text, known[i].Type); err != nil {
			return nil, fmt.Errorf("the setting %q must be a %s, written as in JSON", name, known[i].Type)
		}
	}
	return out, nil
}

func namesOf(known []launch.Setting) []string {
	out := make([]string, len(known))
	for i, s := range known {
		out[i] = s.Name
	}
	return out
}

// read gets a value; shown says that it stands on the command line.
func read(value string) (text string, shown bool, err error) {
	if name, ok := strings.CutPrefix(value, "env:"); ok {
		text, set := os.LookupEnv(name)
		if !set {
			return "", false, fmt.Errorf("the environment variable %s is not set", name)
		}
		return text, false, nil
	}
	if path, ok := strings.CutPrefix(value, "file:"); ok {
		raw, err := os.ReadFile(path)
		return strings.TrimRight(string(raw), "\r\n"), false, err
	}
	return value, true, nil
}

func typed(text, kind string) (any, error) {
	if kind == "string" || kind == "duration" {
		return text, nil
	}
	var v any
	err := json.Unmarshal([]byte(text), &v)
	return v, err
}

// A Mode is what the configuration says of a sync mode.
type Mode struct {
	fit     func(launch.Description) map[string]any // what the backend is opened with, by what it declares
	auth    []login
	may     func(url string) error // why the mode's accounts may not be used there
	Markers backend.Markers
	ActAs   bool
	URL     string
	CAFile  string
	Proxy   string
	Timeout time.Duration
}

// A login is an auth plugin of a sync mode.
type login struct {
	path string
	fit  func(launch.Description) map[string]any
}

// ModeOf takes a sync mode from the configuration. Its auth plugins get the real secrets, so they must be as they were pinned.
func ModeOf(cfg *config.Config, name string) (*Mode, error) {
	mode, found := cfg.Mode(name)
	if !found {
		return nil, fmt.Errorf("there is no sync mode %q in the configuration", name)
	}
	out := &Mode{
		fit: supervise.Fit(mode, "backend-"+mode.Backend), ActAs: mode.UseImpersonation, URL: mode.URL, Markers: backend.DefaultMarkers(),
		CAFile: mode.HTTP.CAFile, Proxy: mode.HTTP.Proxy, Timeout: mode.HTTP.Timeout,
	}
	out.may = func(url string) error {
		if problem := mode.CheckURL(url); problem != nil {
			return fmt.Errorf("sync mode %q may not log in at %s: %s", mode.Name, url, problem)
		}
		return nil
	}
	if mode.Markers.AppointmentOidName != "" {
		out.Markers.Foreign = backend.Property{Set: mode.Markers.AppointmentOidSet, Name: mode.Markers.AppointmentOidName}
	}
	entries, err := supervise.List(cfg.Plugins.Dir)
	if err != nil {
		return nil, err
	}
	for _, auth := range mode.Auth {
		i := slices.IndexFunc(entries, func(e supervise.Entry) bool { return e.Name == "auth-"+auth && e.State == supervise.StateGood })
		if i < 0 {
			return nil, fmt.Errorf("the auth plugin %q of sync mode %q is not in %s as it was pinned: see roomwire plugin list", auth, mode.Name, cfg.Plugins.Dir)
		}
		out.auth = append(out.auth, login{
			path: filepath.Join(cfg.Plugins.Dir, entries[i].File), fit: supervise.Fit(mode, "auth-"+auth),
		})
	}
	return out, nil
}
