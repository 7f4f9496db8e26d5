package exchangesim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/roomwire/roomwire/exchangesim/internal/login"
)

// A Person is an account of the organization, mostly with a mailbox.
type Person struct {
	Name     string   `json:"name,omitempty"`    // display name; empty: the address's local part
	Address  string   `json:"address,omitempty"` // primary SMTP address, which is the UPN too
	User     string   `json:"user,omitempty"`    // DOMAIN\name; empty: the server's domain and the address's local part
	Password string   `json:"password,omitempty"`
	Aliases  []string `json:"aliases,omitempty"` // proxy addresses
	// Impersonation is the right to act as everybody (the role ApplicationImpersonation without a scope).
	Impersonation bool `json:"impersonation,omitempty"`
	NoMailbox     bool `json:"no_mailbox,omitempty"`
	Room          bool `json:"room,omitempty"`
	// Processing is how a room treats invitations; nil: as DefaultProcessing says.
	Processing *CalendarProcessing `json:"calendar_processing,omitempty"`
	TimeZone   string              `json:"time_zone,omitempty"` // Windows id; empty: W. Europe Standard Time
	Delegates  []string            `json:"delegates,omitempty"` // addresses or users who may open this person's calendar
	SID        string              `json:"sid,omitempty"`       // empty: made from the order in which people were added
	Place      string              `json:"place,omitempty"`     // where the mailbox lies: PlaceOnPremises, PlaceOnline, PlaceMoving or both
}

// SamplePeople are alice, bob and carol, two rooms, a service user with impersonation rights and one without; all passwords
// are "secret".
func SamplePeople() []Person {
	return []Person{
		{Name: "Alice Adams", Address: "alice@example.com", Password: "secret"},
		{Name: "Bob Brown", Address: "bob@example.com", Password: "secret", TimeZone: "GMT Standard Time"},
		{Name: "Carol Clark", Address: "carol@example.com", Password: "secret", TimeZone: "Eastern Standard Time"},
		{Name: "Room A", Address: "room-a@example.com", Password: "secret", Room: true},
		{Name: "Room B", Address: "room-b@example.com", Password: "secret", Room: true},
		{Name: "Rooms Service", Address: "svc-rooms@example.com", User: `EXAMPLE\svc-rooms`, Password: "secret", Impersonation: true, NoMailbox: true},
		{Name: "Plain Service", Address: "svc-plain@example.com", User: `EXAMPLE\svc-plain`, Password: "secret", NoMailbox: true},
	}
}

// domainSID is how the SIDs begin that people have unless they bring their own; firstRID is the first one's end.
const (
	domainSID = "S-1-5-21-1004336348-1177238915-682003330-"
	firstRID  = 1100
)

// generate adds n people.
func (s *Server) generate(n int) error {
	for i := range n {
		number := strconv.Itoa(i + 1)
		if err := s.AddPerson(Person{Name: "User " + number, Address: "user" + number + "@example.com", Password: "secret"}); err != nil {
			return err
		}
	}
	return nil
}

// AddPerson adds an account, and its mailbox unless it has none.
func (s *Server) AddPerson(p Person) error {
	local, _, ok := strings.Cut(p.Address, "@")
	if !ok || local == "" {
		return fmt.Errorf("person %q: %q is not an SMTP address", p.Name, p.Address)
	}
	if p.Name == "" {
		p.Name = local
	}
	if p.User == "" {
		p.User = s.opts.Domain + `\` + local
	}
	if p.TimeZone == "" {
		p.TimeZone = "W. Europe Standard Time"
	}
	if _, ok := zoneOf(p.TimeZone); !ok {
		return fmt.Errorf("person %s: time zone %q is not a Windows time zone known here", p.Address, p.TimeZone)
	}
	if err := checkPlace(p.Place); err != nil {
		return fmt.Errorf("person %s: %w", p.Address, err)
	}
	if p.Processing != nil {
		if err := p.Processing.check(); err != nil {
			return fmt.Errorf("person %s: %w", p.Address, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	address, user := strings.ToLower(p.Address), strings.ToLower(p.User)
	if s.users[address] != nil || s.users[user] != nil {
		return fmt.Errorf("person %s: the address or the user %s is taken", p.Address, p.User)
	}
	if p.SID == "" {
		p.SID = domainSID + strconv.Itoa(firstRID+len(s.people))
	}
	s.people = append(s.people, &p)
	s.users[address], s.users[user] = &p, &p
	if p.NoMailbox {
		return nil
	}
	b := newMailbox(s, &p)
	s.byID[b.guid] = b
	for _, address := range append([]string{p.Address}, p.Aliases...) {
		s.boxes[strings.ToLower(address)] = b
	}
	return nil
}

// People returns the accounts.
func (s *Server) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	var people []Person
	for _, p := range s.people {
		people = append(people, *p)
	}
	return people
}

// SetPassword changes a person's password. It reports whether there is such a person.
func (s *Server) SetPassword(address, password string) bool {
	return s.changePerson(address, func(p *Person) { p.Password = password })
}

// SetImpersonation grants or takes the right to act as others.
func (s *Server) SetImpersonation(address string, granted bool) bool {
	return s.changePerson(address, func(p *Person) { p.Impersonation = granted })
}

// SetDelegates says who may open the person's calendar.
func (s *Server) SetDelegates(address string, delegates ...string) bool {
	return s.changePerson(address, func(p *Person) { p.Delegates = delegates })
}

// Disconnect takes the mailbox away from a person, or gives it back, with its content.
func (s *Server) Disconnect(address string, gone bool) bool {
	return s.changePerson(address, func(p *Person) { p.NoMailbox = gone })
}

func (s *Server) changePerson(address string, change func(*Person)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.users[strings.ToLower(address)]
	if p == nil {
		return false
	}
	change(p)
	return true
}

// personBySID returns the account with that SID, or nil; s.mu is held.
func (s *Server) personBySID(sid string) *Person {
	if end, ours := strings.CutPrefix(sid, domainSID); ours { // almost always, and then nobody has to be searched for
		if n, err := strconv.Atoi(end); err == nil && n >= firstRID && n-firstRID < len(s.people) && s.people[n-firstRID].SID == sid {
			return s.people[n-firstRID]
		}
	}
	i := slices.IndexFunc(s.people, func(p *Person) bool { return strings.EqualFold(p.SID, sid) })
	if i < 0 {
		return nil
	}
	return s.people[i]
}

// account finds who logs in, as DOMAIN\user or as a UPN.
func (s *Server) account(user, domain string) (login.Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.rejects(user) {
		return login.Account{}, false
	}
	name := user // a UPN, which is the address
	if domain != "" {
		name = domain + `\` + user
	}
	p := s.users[strings.ToLower(name)]
	if p == nil {
		return login.Account{}, false
	}
	d, u, _ := strings.Cut(p.User, `\`)
	return login.Account{Domain: d, User: u, UPN: p.Address, Password: p.Password, Tag: p}, true
}

// grants reports whether caller may open the calendar of p.
func (p *Person) grants(caller *Person) bool {
	return slices.ContainsFunc(p.Delegates, func(d string) bool {
		return strings.EqualFold(d, caller.Address) || strings.EqualFold(d, caller.User)
	})
}

// guidOf makes a GUID that is always the same for the same text.
func guidOf(text string) string {
	h := sha256.Sum256([]byte(strings.ToLower(text)))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
