// Package sunset knows how long Exchange Web Services go on to serve Exchange Online. On premises they stay.
package sunset

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

// The dates of the worldwide cloud, as Microsoft published them on 2026-02-05 (message center MC1227454). For national clouds
// it published none.
var (
	Begins = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC) // tenants that set nothing are switched off, one after the other
	Ends   = time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)  // nobody can switch it on any more
)

// The backends that matter here.
const (
	online = "exchangeonline"
	graph  = "graph"
)

// day is how dates are written.
const day = "2006-01-02"

// An End is that of what a sync mode uses.
type End struct {
	Mode string    // the sync mode's name
	At   time.Time // the first day without it; zero: no date is known
	to   string    // the mode to move to
}

// Of returns the end of what a mode uses; false if it stays. modes are all that are configured.
func Of(m config.SyncMode, modes []config.SyncMode) (End, bool) {
	if m.Backend != online {
		return End{}, false
	}
	e := End{Mode: m.Name, to: "Microsoft365"}
	for _, other := range modes {
		if other.Backend == graph {
			e.to = other.Name
			break
		}
	}
	if worldwide(m) {
		e.At = Ends
	}
	return e, true
}

// Named is Of the mode called name, as persons name it.
func Named(name string, modes []config.SyncMode) (End, bool) {
	for _, m := range modes {
		if strings.EqualFold(m.Name, name) {
			return Of(m, modes)
		}
	}
	return End{}, false
}

// worldwide reports whether a mode's mailboxes are in the worldwide cloud, whose dates are known.
func worldwide(m config.SyncMode) bool {
	u, err := url.Parse(m.URL)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, domain := range []string{"office365.com", "outlook.office.com", "outlook.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// Over reports whether it has ended.
func (e End) Over(now time.Time) bool { return !e.At.IsZero() && !now.Before(e.At) }

// Days is how many days are left, 0 if it has ended. A date must be known.
func (e End) Days(now time.Time) int {
	today := now.UTC().Truncate(24 * time.Hour)
	return max(0, int(e.At.Sub(today)/(24*time.Hour)))
}

// What says in a sentence how things are.
func (e End) What(now time.Time) string {
	const ews = "EWS in Exchange Online"
	switch {
	case e.At.IsZero():
		return "Microsoft ends " + ews + "; when it does in this cloud is not known"
	case e.Over(now):
		return fmt.Sprintf("%s ended on %s; it is tried all the same", ews, e.At.Format(day))
	}
	left := fmt.Sprintf("in %d days", e.Days(now))
	if e.Days(now) == 1 {
		left = "tomorrow"
	}
	already := "from " + Begins.Format(day) + " on"
	if !now.Before(Begins) {
		already = "since " + Begins.Format(day)
	}
	return fmt.Sprintf("%s ends on %s, %s; tenants are switched off one after the other %s", ews, e.At.Format(day), left, already)
}

// Remedy says what to do about all persons of the mode.
func (e End) Remedy() string {
	return fmt.Sprintf("Move them to Microsoft Graph, which stays: roomwire person move --to %s --all-of %s.", e.to, e.Mode)
}

// Notice is all there is to say of one person.
func (e End) Notice(person string, now time.Time) string {
	return fmt.Sprintf("%s: move with roomwire person move --to %s %s", e.What(now), e.to, person)
}

// RoomNotice is Notice for a room, which has no items to be moved: its calendar is just read in another way.
func (e End) RoomNotice(room string, now time.Time) string {
	return fmt.Sprintf("%s: change with roomwire person set --mode %s %s", e.What(now), e.to, room)
}
