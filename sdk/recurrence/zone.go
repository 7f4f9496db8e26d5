package recurrence

import (
	"sync"
	"time"
)

// read are the zones that were read before, by name: of the few hundred there are.
var read sync.Map

// Zone returns the time zone of an IANA name as time.LoadLocation does, but reads each only once: every decision about a series
// asks for its zone dozens of times, and reading it anew costs more than all the rest. The error is that of time.LoadLocation.
func Zone(name string) (*time.Location, error) {
	if at, ok := read.Load(name); ok {
		return at.(*time.Location), nil
	}
	at, err := time.LoadLocation(name)
	if err == nil {
		read.Store(name, at)
	}
	return at, err
}
