package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The plugins that the usual site runs.
const (
	backendPlugin = "backend-exchange2013"
	authPlugin    = "auth-ntlm"
)

// pluginDir is a plugin folder of the site's own: what is swapped there is nobody else's. The file of each plugin goes
// there under the name given.
func (b *bench) pluginDir(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, from := range files {
		data, err := os.ReadFile(b.pluginFile(from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, executable("roomwire-"+name)), data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pluginFile(name string) string {
	return filepath.Join(b.bin, "plugins", executable("roomwire-"+name))
}

// anotherBuild writes a binary of a plugin that is another than the one installed: what follows a program is not read.
func (s *site) anotherBuild(name, mark string) (string, error) {
	data, err := os.ReadFile(s.b.pluginFile(name))
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.dir, "builds", mark, executable("roomwire-"+name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, append(data, mark...), 0o755)
}

// A pluginState is what the host says of a plugin.
type pluginState struct {
	Name     string    `json:"name"`
	Running  bool      `json:"running"`
	Since    time.Time `json:"since"` // when calls began to go to the process
	PID      int       `json:"pid"`
	Restarts int       `json:"restarts"`
}

func (s *site) pluginStates() ([]pluginState, error) {
	var host struct {
		Plugins []pluginState `json:"plugins"`
	}
	err := s.rest(http.MethodGet, "/host", nil, &host)
	return host.Plugins, err
}

func (s *site) pluginState(name string) (pluginState, error) {
	all, err := s.pluginStates()
	if err != nil {
		return pluginState{}, err
	}
	for _, p := range all {
		if p.Name == name {
			return p, nil
		}
	}
	return pluginState{}, fmt.Errorf("the host has no plugin %s", name)
}

// gone returns a channel that gets the moment at which a process is no more.
func gone(pid int) <-chan time.Time {
	ended := make(chan time.Time, 1)
	go func() {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
		ended <- time.Now()
	}()
	return ended
}

// hostFigures are what the host tells at /metrics, by series.
type hostFigures map[string]float64

func (s *site) metrics() (hostFigures, error) {
	resp, err := s.client.Get(s.api + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s: %w", resp.Status, err)
	}
	f := hostFigures{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if i := strings.LastIndexByte(line, ' '); i > 0 && !strings.HasPrefix(line, "#") {
			if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
				f[line[:i]] = v
			}
		}
	}
	return f, nil
}

// sum adds up the series of a name that bear the label, of the form `kind="busy"`; empty: all of them.
func (f hostFigures) sum(name, label string) float64 {
	total := 0.0
	for series, v := range f {
		if (series == name || strings.HasPrefix(series, name+"{")) && strings.Contains(series, label) {
			total += v
		}
	}
	return total
}
