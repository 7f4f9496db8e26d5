package booking

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound means that there is no such booking, person or resource; it is wrapped with which.
var ErrNotFound = errors.New("not found")

// Match is a precondition on the version of what is to be changed (If-Match, If-None-Match: *).
type Match struct {
	Set     bool  // Version must be the current one
	Version int64 // meaningful if Set
	Absent  bool  // there must be none yet
}

// An OverlapError refuses a booking because a resource is taken.
type OverlapError struct {
	Booking string
	Others  []string // ids of the bookings in the way, at least one
}

// Error implements error.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("booking %q overlaps on a resource with %s", e.Booking, strings.Join(e.Others, ", "))
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
