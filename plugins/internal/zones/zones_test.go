package zones

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEveryWindowsIDResolvesAndMapsBack(t *testing.T) {
	t.Parallel()
	n := 0
	for line := range strings.Lines(table) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), "=")
		n++
		zone, ok := IANA(id)
		if !ok {
			t.Errorf("%s has no zone", id)
			continue
		}
		if back, ok := Windows(zone); !ok || back != id {
			t.Errorf("%s → %s → %s", id, zone, back)
		}
		if location, err := Location(id); err != nil || location.String() != zone {
			t.Errorf("Location(%s) = %v, %v, want %s", id, location, err, zone)
		}
		for name := range strings.FieldsSeq(rest) {
			if back, ok := Windows(name); !ok || back != id {
				t.Errorf("%s → %s, want %s", name, back, id)
			}
			if _, err := Location(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n != 139 {
		t.Errorf("%d Windows ids, want the 139 of CLDR 48", n)
	}
}

func TestNoNameBelongsToTwoWindowsIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for line := range strings.Lines(table) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), "=")
		for name := range strings.FieldsSeq(rest) {
			if other, twice := seen[name]; twice {
				t.Errorf("%s belongs to %s and %s", name, other, id)
			}
			seen[name] = id
		}
	}
}

func TestWindowsKnowsLinksAndOldNames(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{
		"Europe/Berlin":        "W. Europe Standard Time",
		"Europe/Vienna":        "W. Europe Standard Time",
		"europe/berlin":        "W. Europe Standard Time",
		"Asia/Calcutta":        "India Standard Time",
		"Asia/Kolkata":         "India Standard Time",
		"Europe/Kiev":          "FLE Standard Time",
		"Europe/Kyiv":          "FLE Standard Time",
		"US/Eastern":           "Eastern Standard Time",
		"Etc/UTC":              "UTC",
		"UTC":                  "UTC",
		"GMT":                  "UTC",
		"Zulu":                 "UTC",
		"Europe/London":        "GMT Standard Time",
		"Atlantic/Reykjavik":   "Greenwich Standard Time",
		"America/Buenos_Aires": "Argentina Standard Time",
		"Asia/Kathmandu":       "Nepal Standard Time",
		"Australia/Lord_Howe":  "Lord Howe Standard Time",
		"Asia/Saigon":          "SE Asia Standard Time",
		"Etc/GMT-13":           "UTC+13",
	} {
		if got, ok := Windows(zone); !ok || got != want {
			t.Errorf("Windows(%s) = %q, want %q", zone, got, want)
		}
	}
	for _, zone := range []string{"", "Local", "Antarctica/Troll", "Europe/Atlantis", "W. Europe Standard Time"} {
		if got, ok := Windows(zone); ok {
			t.Errorf("Windows(%q) = %q, want none", zone, got)
		}
	}
}

func TestIANAGivesTheCurrentName(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"W. Europe Standard Time": "Europe/Berlin",
		"w. europe standard time": "Europe/Berlin",
		"India Standard Time":     "Asia/Kolkata",
		"FLE Standard Time":       "Europe/Kyiv",
		"UTC":                     "Etc/UTC",
		"tzone://Microsoft/Utc":   "Etc/UTC",
		"Romance Standard Time":   "Europe/Paris",
	} {
		if got, ok := IANA(id); !ok || got != want {
			t.Errorf("IANA(%s) = %q, want %q", id, got, want)
		}
	}
	for _, id := range []string{"", "Europe/Berlin", "tzone://Microsoft/Custom", "Customized Time Zone"} {
		if got, ok := IANA(id); ok {
			t.Errorf("IANA(%q) = %q, want none", id, got)
		}
	}
}

func TestLocationRefusesWhatDependsOnTheMachine(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "local", "Europe/Atlantis", "../etc/passwd", "tzone://Microsoft/Custom"} {
		if l, err := Location(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("Location(%q) = %v, %v, want ErrUnknown", name, l, err)
		}
	}
	if l, err := Location("Antarctica/Troll"); err != nil || l.String() != "Antarctica/Troll" {
		t.Errorf("a zone without Windows id: %v, %v", l, err)
	}
}

func TestClocksChangeWhenTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, utc, want string }{
		{"W. Europe Standard Time", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"},
		{"W. Europe Standard Time", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"W. Europe Standard Time", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00"},
		{"W. Europe Standard Time", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"},
		{"Eastern Standard Time", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59-05:00"},
		{"Eastern Standard Time", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"},
		{"Eastern Standard Time", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00"},
		{"AUS Eastern Standard Time", "2026-04-04T16:00:00Z", "2026-04-05T02:00:00+10:00"},
		{"Lord Howe Standard Time", "2026-10-03T15:30:00Z", "2026-10-04T02:30:00+11:00"},
		{"India Standard Time", "2026-07-01T00:00:00Z", "2026-07-01T05:30:00+05:30"},
		{"Nepal Standard Time", "2026-07-01T00:00:00Z", "2026-07-01T05:45:00+05:45"},
	} {
		location, err := Location(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		utc, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		if got := utc.In(location).Format(time.RFC3339); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.zone, c.utc, got, c.want)
		}
	}
}
