package booking

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNotFound means that there is no such booking, person or resource; it is wrapped with which.
var ErrNotFound = errors.New("not found")

// Match is a precondition on the version of what is to be changed (If-Match, If-None-Match: *).
type Match struct {
	Set     bool  // Version must be the current one
	Version int64 // meaningful if Set
	Absent  bool  // there must be none yet
}

// A Conflict is a resource that others have at the time of an occurrence.
type Conflict struct {
	Occurrence time.Time // as in Exception; zero of a single booking
	Name       string    // of the occurrence, see Occurrence.Name
	Start, End time.Time // of the occurrence, in the form of a booking's
	AllDay     bool
	Resource   string
	Others     []string // ids of the bookings in the way, sorted, at least one
}

// OnConflict says what becomes of the occurrences of a series for which a resource is taken.
type OnConflict string

// What may become of them.
const (
	Refuse OnConflict = "refuse" // nothing is saved; so for single bookings in any case
	Skip   OnConflict = "skip"   // they are left out
)

// Saved is what became of a booking that was put.
type Saved struct {
	Booking *Booking
	Created bool       // there was none
	Skipped []Conflict // occurrences left out because of a conflict
	// Dropped are exceptions that the booking had and that fit to no occurrence any more; see Rebase.
	Dropped []Exception
}

// An OccurrenceChange says what is to be different about one occurrence of a series.
type OccurrenceChange struct {
	Tenant, Booking string
	Exception       Exception // in full: what is nil is as in the series
	Match           Match
}

// An OverlapError refuses a booking because a resource is taken.
type OverlapError struct {
	Booking   string
	Others    []string   // ids of the bookings in the way, sorted, at least one
	Conflicts []Conflict // by time and resource; may be empty where only the others are known
}

// Overlapped makes the error of conflicts, of which there is at least one.
func Overlapped(id string, conflicts []Conflict) *OverlapError {
	return &OverlapError{Booking: id, Others: OthersOf(conflicts), Conflicts: conflicts}
}

// OthersOf returns the ids of the bookings in the way, sorted, each once.
func OthersOf(conflicts []Conflict) []string {
	var ids []string
	for _, c := range conflicts {
		ids = append(ids, c.Others...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Error implements error.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("booking %q overlaps on a resource with %s", e.Booking, e.Where())
}

// most is how many of a kind are named.
const most = 3

// Where names the bookings in the way, and of a series when they are.
func (e *OverlapError) Where() string {
	others := some(e.Others, most)
	if times := e.Times(); times != "" {
		return others + ", at " + times
	}
	return others
}

// Times says at which occurrences of a series which resource is taken; empty for a single booking.
func (e *OverlapError) Times() string {
	var times []string
	for _, c := range e.Conflicts {
		if c.Occurrence.IsZero() {
			continue
		}
		when := c.Start.Format("2006-01-02 15:04 UTC")
		if c.AllDay {
			when = c.Start.Format(time.DateOnly)
		}
		if text := fmt.Sprintf("%s (%s)", when, c.Resource); !slices.Contains(times, text) {
			times = append(times, text)
		}
	}
	return some(times, most)
}

func some(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// A VersionError refuses a change because the booking is not at the version the caller knows.
type VersionError struct {
	Booking string
	Current int64 // 0 if there is no such booking
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("booking %q is at version %d now: read it again and repeat the change on top of it", e.Booking, e.Current)
}

// An InvalidError refuses a booking that breaks rules by itself.
type InvalidError struct {
	Booking    string
	Violations []Violation // at least one
}

// Error implements error.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = v.Field + " " + v.Reason
	}
	return fmt.Sprintf("booking %q is not valid: %s", e.Booking, strings.Join(parts, "; "))
}
