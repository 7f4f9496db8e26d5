// Command roomwire-backend-caldav is a backend plugin for calendars on CalDAV servers (RFC 4791). It is an example of a
// complete backend in a module of its own: of Roomwire it imports nothing but sdk.
//
// The plugin keeps nothing but connections. What it knows of an event it reads from the server each time; an event that it
// made is found again by its UID, which holds the booking's key.
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
	"github.com/roomwire/roomwire/examples/backend-caldav/internal/ics"
)

const version = "0.1.0"

// Settings are those of one sync mode.
type Settings struct {
	CalendarPath string `json:"calendar_path" doc:"where a person's calendar is on the server, e.g. /{user}/{calendar}/; {address}, {user} and {domain} are those of the mail address; without it, it is found by asking the server"`
	Calendar     string `json:"calendar" doc:"the calendar's name: what {calendar} stands for, and which one is meant where the server has several"`
	TimeZone     string `json:"time_zone" doc:"IANA zone of events that name none; default UTC"`
	Batch        int    `json:"batch" doc:"how many events one request reads; default 100"`
	MaxAnswer    int64  `json:"max_answer" doc:"the largest answer that is read, in bytes; default 64 MiB"`
}

func open(_ context.Context, s Settings, env backend.Env) (backend.Backend, error) {
	if s.TimeZone == "" {
		s.TimeZone = "UTC"
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil || strings.EqualFold(s.TimeZone, "local") {
		return nil, fmt.Errorf("time_zone %q is no IANA time zone: %w", s.TimeZone, fault.Invalid)
	}
	if err := checkTemplate(s); err != nil {
		return nil, err
	}
	if s.Batch <= 0 {
		s.Batch = 100
	}
	if s.MaxAnswer <= 0 {
		s.MaxAnswer = 64 << 20
	}
	m := ics.Mapper{
		Key: ics.MarkerProperty(env.Markers.Key.Name), Foreign: ics.MarkerProperty(env.Markers.Foreign.Name),
		Floating: zone, Product: "-//Roomwire//CalDAV backend " + version + "//EN",
	}
	if m.Key == "" || m.Foreign == "" || m.Key == m.Foreign {
		return nil, fmt.Errorf("the markers %q and %q cannot be told apart as properties of iCalendar: %w",
			env.Markers.Key.Name, env.Markers.Foreign.Name, fault.Invalid)
	}
	return &caldav{
		settings: s, dav: dav.New(env.HTTP, "Roomwire-CalDAV/"+version, s.MaxAnswer), ics: m, log: env.Log, now: time.Now, limit: syncLimit,
	}, nil
}

func main() {
	serve.Backend(backend.Plugin[Settings]{Name: "caldav", Version: version, Open: open})
}
