package demo

import "time"

// player is somebody or something in the demonstration.
type player struct {
	id, email, name, kind, mode string
	zone                        string // IANA: where the person's Outlook is
}

// The sync modes of Exchange Online.
const overEWS, overGraph = "O365", "Microsoft365"

// The players. The mailboxes of Dora and Emil are in Exchange Online; the desks have none.
var (
	alice = player{"alice", "alice@example.com", "Alice", "person", "Exchange2013", "Europe/Berlin"}
	bob   = player{"bob", "bob@example.com", "Bob", "person", "Exchange2013Basic", "Europe/London"}
	carol = player{"carol", "carol@example.com", "Carol", "person", "Exchange2013", "America/New_York"}
	dora  = player{"dora", "dora@example.com", "Dora", "person", overEWS, "Europe/Berlin"}
	emil  = player{"emil", "emil@example.com", "Emil", "person", overGraph, "Europe/Berlin"}
	// Fred comes later: another sync has kept his calendar.
	fred  = player{"fred", "fred@example.com", "Fred", "person", "Exchange2013", "Europe/Berlin"}
	roomA = player{id: "room-a", email: "room-a@example.com", name: "Room A", kind: "resource"}
	roomB = player{id: "room-b", email: "room-b@example.com", name: "Room B", kind: "resource"}
	roomC = player{id: "room-c", email: "room-c@example.com", name: "Room C", kind: "resource", mode: "Exchange2013"}
	desk1 = player{id: "desk-1", name: "Desk 1", kind: "resource"}
	desk2 = player{id: "desk-2", name: "Desk 2", kind: "resource"}
)

func cast() []player {
	return []player{alice, bob, carol, dora, emil, roomA, roomB, roomC, desk1, desk2}
}

// synced are the players who have a calendar that is kept in sync from the beginning.
func synced() []player { return []player{alice, bob, carol, dora, emil, roomC} }

// nameOf is what a mail address or an id is called in the output.
func nameOf(who string) string {
	for _, p := range append(cast(), fred) {
		if who == p.email && who != "" || who == p.id {
			return p.name
		}
	}
	return who
}

// home is the zone in which moments are shown.
const home = "Europe/Berlin"

// agenda makes the moments of the demonstration: days are counted from the next working day.
type agenda struct {
	first time.Time
	home  *time.Location
}

func newAgenda(now time.Time) (agenda, error) {
	loc, err := time.LoadLocation(home)
	if err != nil {
		return agenda{}, err
	}
	n := now.In(loc)
	first := time.Date(n.Year(), n.Month(), n.Day()+1, 0, 0, 0, 0, loc)
	for first.Weekday() == time.Saturday || first.Weekday() == time.Sunday {
		first = first.AddDate(0, 0, 1)
	}
	return agenda{first, loc}, nil
}

// at is a moment of a day.
func (a agenda) at(day, hour, minute int) time.Time {
	return time.Date(a.first.Year(), a.first.Month(), a.first.Day()+day, hour, minute, 0, 0, a.home)
}

// span is when something takes place. All-day ones have midnights in any zone; end is exclusive.
type span struct {
	start, end time.Time
	allDay     bool
}

func (a agenda) hours(day, from, to int) span {
	return span{a.at(day, from, 0), a.at(day, to, 0), false}
}

func (a agenda) days(from, to int) span { return span{a.at(from, 0, 0), a.at(to, 0, 0), true} }

// in moves an all-day span to the midnights of a zone; moments stay what they are.
func (s span) in(zone string) (span, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || !s.allDay {
		return s, err
	}
	midnight := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc) }
	return span{midnight(s.start), midnight(s.end), true}, nil
}

// String shows a span of moments in the zone home.
func (s span) String() string {
	const day = "Mon 2 Jan"
	if s.allDay {
		first, last := s.start, s.end.AddDate(0, 0, -1)
		if first.Equal(last) {
			return first.Format(day) + ", all day"
		}
		return first.Format(day) + " to " + last.Format(day) + ", all day"
	}
	loc, err := time.LoadLocation(home)
	if err != nil {
		loc = time.UTC
	}
	return s.start.In(loc).Format(day+" 15:04") + "-" + s.end.In(loc).Format("15:04")
}
