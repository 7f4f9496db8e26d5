// Package zones maps Windows time zone ids, which Exchange speaks, to IANA zones, which everybody else
// speaks, and back. It never looks at the machine's own zone.
//
// Many IANA zones share one Windows id, so a zone that travels through Exchange may come back as another
// one of the same Windows id: Europe/Vienna becomes "W. Europe Standard Time", which is Europe/Berlin.
// What stays the same is what Windows says about its clock.
package zones

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // Windows has no zone files
)

//go:generate go run ./gen -core=$CLDR_CORE -bcp47=$CLDR_BCP47 -out=table_gen.go

// ErrUnknown means that a name is neither a Windows id nor an IANA zone.
var ErrUnknown = errors.New("unknown time zone")

// outside are Windows ids that servers still use and CLDR does not list, with the zone that keeps their clock.
var outside = map[string]string{
	"Kamchatka Standard Time":    "Asia/Kamchatka",
	"Mid-Atlantic Standard Time": "Etc/GMT+2",
	"tzone://Microsoft/Utc":      "Etc/UTC",
}

// tables are keyed by lower-case names: servers and people differ in letter case.
type tables struct {
	iana    map[string]string // Windows id → IANA zone
	windows map[string]string // IANA zone or link → Windows id
	zones   map[string]string // IANA zone or link → the same in its proper letter case
}

var lookup = sync.OnceValue(func() tables {
	t := tables{iana: map[string]string{}, windows: map[string]string{}, zones: map[string]string{}}
	for line := range strings.Lines(table) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		for i, zone := range strings.Fields(rest) {
			if i == 0 {
				t.iana[strings.ToLower(id)] = zone
			}
			t.windows[strings.ToLower(zone)] = id
			t.zones[strings.ToLower(zone)] = zone
		}
	}
	for id, zone := range outside {
		t.iana[strings.ToLower(id)] = zone
	}
	return t
})

// IANA returns the zone that stands for a Windows id wherever in the world it is used (CLDR's territory 001),
// by its current IANA name.
func IANA(windowsID string) (string, bool) {
	zone, ok := lookup().iana[strings.ToLower(windowsID)]
	return zone, ok
}

// Windows returns the Windows id of an IANA zone, also by an old or alternative name of the zone
// (Asia/Calcutta, Europe/Kiev, US/Eastern, UTC). A few zones, such as Antarctica/Troll, have none.
func Windows(iana string) (string, bool) {
	id, ok := lookup().windows[strings.ToLower(iana)]
	return id, ok
}

// WindowsIDs returns the ids of CLDR, in alphabetical order.
func WindowsIDs() []string {
	var ids []string
	for line := range strings.Lines(table) {
		id, _, _ := strings.Cut(line, "=")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Location loads a zone by its Windows id or its IANA name. An empty name and "Local" are unknown, because
// what they mean depends on the machine.
func Location(windowsOrIANA string) (*time.Location, error) {
	name := windowsOrIANA
	if zone, ok := IANA(name); ok {
		name = zone
	} else if zone, ok := lookup().zones[strings.ToLower(name)]; ok {
		name = zone
	}
	if name == "" || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("%w %q", ErrUnknown, windowsOrIANA)
	}
	location, err := time.LoadLocation(name)
	if id, ok := Windows(name); err != nil && ok { // a link that the zone database has dropped
		name, _ = IANA(id)
		location, err = time.LoadLocation(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrUnknown, windowsOrIANA, err)
	}
	return location, nil
}
