// Package roomwire holds no code of its own: this file checks that the rooms of the house import only whom they may.
package roomwire

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/roomwire/roomwire/"

// allowed says, for a package path within the module (the longest prefix wins), which other paths of the module it may
// import. Its own subtree is always allowed; what is listed allows its subtree as well unless it ends in "$".
var allowed = map[string][]string{
	"":                          {},
	"proto":                     {},
	"sdk/calendar":              {},
	"sdk/fault":                 {},
	"sdk/recurrence":            {},
	"sdk/auth":                  {"sdk/fault"},
	"sdk/backend":               {"sdk/calendar", "sdk/fault"},
	"sdk/internal/wire":         {"sdk/internal/httpauth", "proto", "sdk/calendar", "sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/internal/httpauth":     {"sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/serve":                 {"proto", "sdk/internal", "sdk/calendar", "sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/launch":                {"proto", "sdk/internal", "sdk/calendar", "sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/launch/testplugin":     {"sdk/serve", "sdk/calendar", "sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/launch/testplugin/bad": {"proto", "sdk/internal/wire", "sdk/calendar", "sdk/fault", "sdk/backend"}, // it lies on the wire
	"sdk/backendtest/memcal":    {},
	"sdk/conformance":           {},
	"sdk/ask":                   {"sdk/fault"},
	"sdk/authtest":              {"sdk/conformance", "sdk/launch", "sdk/internal/httpauth", "sdk/fault", "sdk/auth", "sdk/backend"},
	"sdk/authtest/testplugin":   {"sdk/serve", "sdk/auth"},
	"sdk/backendtest":           {"sdk/calendar", "sdk/recurrence", "sdk/fault", "sdk/backend", "sdk/conformance", "sdk/launch"},
	"sdk":                       {"sdk"},
	"plugins":                   {"sdk", "plugins/internal"},
	"exchangesim":               {},
	"host":                      {"host/internal"},
	"host/internal/config":      {},
	"host/internal/appsettings": {"host/internal/config"},
	"host/internal/directory":   {"host/internal/config"},
	"host/internal/booking":     {"sdk/recurrence"},
	"host/internal/apikey":      {"host/internal/store"},
	"host/internal/webhook":     {"host/internal/store"},
	"host/internal/mail":        {"host/internal/syncer", "host/internal/booking", "host/internal/store", "host/internal/config"},
	"host/internal/store":       {"host/internal/booking", "host/internal/directory", "host/internal/config", "sdk/calendar", "sdk/fault"},
	"host/internal/supervise":   {"host/internal/config", "sdk"},
	"host/internal/syncer/plan": {"sdk/calendar", "sdk/recurrence"},
	"host/internal/syncer": {
		"host/internal/booking", "host/internal/directory", "host/internal/store", "host/internal/supervise", "host/internal/remedy", "sdk",
	},
	"host/internal/remedy":     {"sdk/fault"},
	"host/internal/sunset":     {"host/internal/config"},
	"host/internal/roompolicy": {},
	"host/internal/schedule":   {"host/internal/syncer", "host/internal/store", "host/internal/directory"},
	"host/internal/looptest":   {"host/internal/syncer", "host/internal/booking", "host/internal/store", "host/internal/remedy", "sdk"},
	"host/internal/watch": {
		"host/internal/config", "host/internal/syncer", "host/internal/store", "host/internal/directory", "host/internal/remedy", "sdk",
	},
	"host/internal/freebusy": {"host/internal/syncer", "host/internal/booking", "host/internal/directory", "host/internal/store", "sdk"},
	"host/internal/endpoint": {"host/internal/syncer", "host/internal/store", "host/internal/config", "sdk"},
	"host/internal/api": {
		"host/internal/syncer", "host/internal/booking", "host/internal/directory", "host/internal/store", "host/internal/freebusy",
		"host/internal/config", "host/internal/apikey", "host/internal/sunset", "host/internal/roompolicy", "sdk/fault",
	},
	"host/internal/doctor": {
		"host/internal/config", "host/internal/directory", "host/internal/store", "host/internal/supervise", "host/internal/remedy",
		"host/internal/sunset", "sdk/backend", "sdk/fault",
	},
	"host/internal/metrics":  {"host/internal/store", "host/internal/supervise", "sdk/fault"},
	"host/internal/scaffold": {},
	"host/internal/soak":     {},
	"host/internal/verify":   {"host/internal/config", "host/internal/supervise", "sdk"},
	"host/internal/app":      {"host/internal", "sdk"},
	"host/internal/demo":     {"host/internal", "sdk", "exchangesim$"},
	"examples":               {"sdk"},
	"test/bench":             {"sdk", "proto"},
}

// noIO are packages that decide and must not reach anything outside: no store, no clock, no network.
var noIO = []string{"host/internal/booking", "host/internal/roompolicy", "host/internal/syncer/plan", "sdk/calendar", "sdk/recurrence"}

// thirdParty says which packages of others only certain rooms may use.
var thirdParty = map[string][]string{
	"github.com/hashicorp/go-plugin":                             {"sdk/internal", "sdk/serve", "sdk/launch", "test/bench"},
	"google.golang.org/grpc":                                     {"proto", "sdk/internal", "sdk/serve", "sdk/launch", "test/bench"},
	"github.com/riverqueue/river":                                {"host/internal/schedule", "host/internal/store"},
	"github.com/Azure/go-ntlmssp":                                {"plugins/auth-ntlm"},
	"github.com/AzureAD/microsoft-authentication-library-for-go": {"plugins/auth-oauth"},
	"software.sslmate.com/src/go-pkcs12":                         {"plugins/auth-oauth"},
	"github.com/teambition/rrule-go":                             {"sdk/recurrence"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && !mayImport(from, to) {
				t.Errorf("%s imports %s: who may import whom is told in imports_test.go", from, to)
			}
			for lib, rooms := range thirdParty {
				if under(imp, lib) && !anyUnder(from, rooms) {
					t.Errorf("%s imports %s: only %v may", from, imp, rooms)
				}
			}
			for _, pure := range noIO {
				if from == pure && (under(imp, "net/http") || imp == "os" || under(imp, "database/sql")) {
					t.Errorf("%s imports %s: it does no I/O", from, imp)
				}
			}
		}
	}
}

func mayImport(from, to string) bool {
	best := ""
	for prefix := range allowed {
		if under(from, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	if best != "" && under(to, best) || under(to, from) {
		return true
	}
	for _, a := range allowed[best] {
		if exact, only := strings.CutSuffix(a, "$"); only && to == exact || !only && under(to, a) {
			return true
		}
	}
	return false
}

func under(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func anyUnder(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if under(path, p) {
			return true
		}
	}
	return false
}
