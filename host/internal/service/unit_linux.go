package service

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
)

// unitTemplate is configs/systemd/roomwire.service; a test compares the two.
//
//go:embed roomwire.service
var unitTemplate string

// written begins a unit that this program wrote, and may write anew.
const written = "# Written by `roomwire service install`.\n"

// logsTo begins the line of a unit that says where the log file is.
const logsTo = "# It logs to "

// unit renders the unit of the service called name. credentials are the names of the files in s.Credentials.
func (s Spec) unit(name string, credentials []string) string {
	quoted := []string{quoteUnit(s.Executable)}
	for _, a := range s.arguments() {
		quoted = append(quoted, strings.ReplaceAll(quoteUnit(a), "$", "$$")) // variables are for arguments only
	}
	caps := ""
	if s.LowPorts {
		caps = "CAP_NET_BIND_SERVICE"
	}
	values := map[string]string{
		"ExecStart":              strings.Join(quoted, " "),
		"User":                   s.User,
		"StateDirectory":         name,
		"WorkingDirectory":       stateDir(name),
		"ConfigurationDirectory": name,
		"ReadWritePaths":         s.writable(name),
		"AmbientCapabilities":    caps,
		"CapabilityBoundingSet":  caps,
	}
	var out strings.Builder
	out.WriteString(written)
	if s.LogFile != "" {
		out.WriteString(logsTo + s.LogFile + "\n")
	}
	for line := range strings.Lines(unitTemplate) {
		key, _, _ := strings.Cut(line, "=")
		switch value, ours := values[key]; {
		case strings.HasPrefix(key, "ConfigurationDirectory") && s.ConfigDir != "/etc/"+name: // systemd would make an empty one
		case ours:
			fmt.Fprintf(&out, "%s=%s\n", key, value)
		case strings.HasPrefix(line, "#   LoadCredential="):
			out.WriteString(line)
			for _, c := range credentials {
				fmt.Fprintf(&out, "LoadCredential=%s:%s\n", c, escapePercent(filepath.Join(s.Credentials, c)))
			}
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}

func stateDir(name string) string { return "/var/lib/" + name }

// writable lists what the service may write besides its state directory.
func (s Spec) writable(name string) string {
	var dirs []string
	add := func(dir string) {
		if dir != "" && !within(stateDir(name), dir) {
			dirs = append(dirs, quoteUnit(dir))
		}
	}
	add(s.DataDir)
	if s.LogFile != "" {
		add(filepath.Dir(s.LogFile))
	}
	return strings.Join(dirs, " ")
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// quoteUnit writes a word as systemd reads it back: quoted if need be, specifiers as plain text.
func quoteUnit(word string) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`).Replace(word)
	if strings.ContainsAny(word, " '\"\\;") {
		return `"` + word + `"`
	}
	return word
}

func escapePercent(path string) string { return strings.ReplaceAll(path, "%", "%%") }
