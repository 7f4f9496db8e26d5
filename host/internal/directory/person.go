// Package directory is who is synced: persons and resources, how each is
// reached, and the rules that hold for them. It does no I/O.
//
// Faults are for the administrator who made them: each names its field, says
// what is wrong, why it matters, and what to do.
package directory

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/roomwire/roomwire/host/internal/config"
)

// Kind tells people from rooms.
type Kind string

// The kinds.
const (
	KindPerson   Kind = "person"
	KindResource Kind = "resource"
)

// ConflictBehaviour says what happens to a calendar's change that the booking
// rules refuse.
type ConflictBehaviour string

// The conflict behaviours.
const (
	// Rollback resets the calendar's item to the booking.
	Rollback ConflictBehaviour = "rollback"
	// Cancel cancels the booking and lets the item go.
	Cancel ConflictBehaviour = "cancel"
)

// Person is somebody or a room with a mailbox. Without a sync mode nothing of
// it is synced.
type Person struct {
	Tenant            string
	ID                string // as the booking system knows it; unique in the tenant
	Email             string // primary SMTP address; unique in the tenant, whatever its case; empty for a desk without a mailbox
	DisplayName       string
	Kind              Kind
	SyncMode          string
	SyncURL           string // Normalize fills in the mode's when it is empty
	SyncDisabled      bool
	ConflictBehaviour ConflictBehaviour
	MailOnError       bool
	SyncMaster        bool // of a resource: a meeting that collides with a booking is declined in its calendar, else it stays there
	SyncOnRequest     bool // a new booking of the person's is synced only if its maker says so ("own bookings by default" off)
}

// Fault is what is wrong with one field.
type Fault struct {
	Field  string // as persons.csv names it
	What   string
	Why    string // may be empty
	Remedy string
}

// Error is all of it in one line.
func (f Fault) Error() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s: %s. %s %s", f.Field, f.What, f.Why, f.Remedy)), " ")
}

// FoldEmail is the form in which addresses are compared: Exchange ignores case.
func FoldEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Normalize trims texts and fills in what is empty: kind person, conflict
// behaviour rollback, the sync mode's own spelling and its URL.
func (p Person) Normalize(modes []config.SyncMode) Person {
	for _, text := range []*string{&p.ID, &p.Email, &p.DisplayName, &p.SyncMode, &p.SyncURL} {
		*text = strings.TrimSpace(*text)
	}
	p.Kind = Kind(strings.ToLower(strings.TrimSpace(string(p.Kind))))
	p.ConflictBehaviour = ConflictBehaviour(strings.ToLower(strings.TrimSpace(string(p.ConflictBehaviour))))
	if p.Kind == "" {
		p.Kind = KindPerson
	}
	if p.ConflictBehaviour == "" {
		p.ConflictBehaviour = Rollback
	}
	if m, ok := find(modes, p.SyncMode); ok {
		p.SyncMode = m.Name
		p.SyncURL = m.For(p.Email).MailboxURL(p.SyncURL)
	}
	return p
}

// Check returns every fault of p, which was normalized with the same modes, in
// the order of the fields. No fault means that p can be stored and, unless it
// has no mode or its sync is disabled, synced.
func (p Person) Check(modes []config.SyncMode) []Fault {
	var faults []Fault
	for _, check := range []func() []Fault{
		p.checkID, p.checkEmail, p.checkName, p.checkKind,
		func() []Fault { return p.checkMode(modes) }, p.checkConflict,
	} {
		faults = append(faults, check()...)
	}
	return faults
}

func (p Person) checkID() []Fault {
	const remedy = "Write the id that the booking system uses, e.g. its number or login name."
	switch {
	case p.ID == "":
		return []Fault{{"id", "the id is empty", "Bookings name their organizer by it.", remedy}}
	case utf8.RuneCountInString(p.ID) > 128:
		return []Fault{{"id", "the id is longer than 128 characters", "", remedy}}
	case strings.ContainsFunc(p.ID, unprintable) || strings.ContainsAny(p.ID, "/?#%\\") || !utf8.ValidString(p.ID) || p.ID == "." || p.ID == "..":
		return []Fault{{"id", fmt.Sprintf("the id %q has a character that no URL path element can have", p.ID), "It is part of this person's address in the REST interface.", "Leave out / ? # % \\ and control characters."}}
	}
	return nil
}

func (p Person) checkEmail() []Fault {
	const why = "It names the mailbox."
	const remedy = "Write the primary SMTP address alone, e.g. alice@example.com."
	if p.Email == "" && p.Kind == KindResource && p.SyncMode == "" {
		return nil // a desk: it is booked, and has no mailbox
	}
	if p.Email == "" {
		return []Fault{{"email", "the e-mail address is empty", why, remedy}}
	}
	bad := []Fault{{"email", fmt.Sprintf("%q is no e-mail address", p.Email), why, remedy}}
	if len(p.Email) > 254 || !utf8.ValidString(p.Email) || strings.ContainsFunc(p.Email, func(r rune) bool {
		return unprintable(r) || unicode.IsSpace(r) || strings.ContainsRune("<>()[],;:\\\"", r)
	}) {
		return bad
	}
	a, err := mail.ParseAddress(p.Email)
	if err != nil || a.Address != p.Email || a.Name != "" {
		return bad
	}
	local, domain, _ := strings.Cut(p.Email, "@")
	if len(local) > 64 {
		return bad
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") || strings.Contains(label, "_") {
			return bad
		}
	}
	return nil
}

func (p Person) checkName() []Fault {
	if utf8.RuneCountInString(p.DisplayName) > 256 || strings.ContainsFunc(p.DisplayName, unprintable) || !utf8.ValidString(p.DisplayName) {
		return []Fault{{"display_name", "the name is longer than 256 characters or has a control character", "", "Shorten it, and write it on one line."}}
	}
	return nil
}

func (p Person) checkKind() []Fault {
	if p.Kind == KindPerson || p.Kind == KindResource {
		return nil
	}
	return []Fault{{"kind", fmt.Sprintf("there is no kind %q", p.Kind), "", suggest(string(p.Kind), []string{string(KindPerson), string(KindResource)}) + "Write person, or resource for a room."}}
}

func (p Person) checkConflict() []Fault {
	if p.ConflictBehaviour == Rollback || p.ConflictBehaviour == Cancel {
		return nil
	}
	return []Fault{{"conflict_behaviour", fmt.Sprintf("there is no conflict behaviour %q", p.ConflictBehaviour), "", suggest(string(p.ConflictBehaviour), []string{string(Rollback), string(Cancel)}) + "Write rollback (the calendar is reset) or cancel (the booking is cancelled)."}}
}

func (p Person) checkMode(modes []config.SyncMode) []Fault {
	if p.SyncMode == "" {
		if p.SyncURL != "" {
			return []Fault{{"sync_mode", "there is a sync URL without a sync mode", "Nothing would be synced.", "Write the sync mode, " + list(modes) + ", or leave both empty."}}
		}
		return nil
	}
	m, ok := find(modes, p.SyncMode)
	if !ok {
		return []Fault{unknownMode(p.SyncMode, modes)}
	}
	if p.SyncURL == "" {
		if m.Backend == "graph" || !ews(m.Backend) {
			return nil
		}
		return []Fault{{"sync_url", fmt.Sprintf("the sync URL is empty, and sync mode %s has none of its own", m.Name), "It says on which server the mailbox is.",
			fmt.Sprintf("Write it, e.g. https://mail.example.com/EWS/Exchange.asmx, or set url in sync_mode %q { … } for all persons of this mode.", m.Name)}}
	}
	if pr := m.For(p.Email).CheckURL(p.SyncURL); pr != nil {
		return []Fault{{"sync_url", pr.What, pr.Why, pr.Remedy}}
	}
	return nil
}

// ews reports whether a backend that comes with Roomwire needs a server's URL.
// Other people's backends may need none.
func ews(backend string) bool { return backend == "exchange2013" || backend == "exchangeonline" }

// unknownMode tells a misspelt mode from one that is known but not set up.
func unknownMode(name string, modes []config.SyncMode) Fault {
	f := Fault{Field: "sync_mode", What: fmt.Sprintf("there is no sync mode %q", name), Why: "It says which server and which service user reach the mailbox."}
	for _, k := range config.KnownModes() {
		if strings.EqualFold(k.Name, name) {
			f.What = fmt.Sprintf("sync mode %s is not set up", k.Name)
			f.Remedy = k.HowToSetUp()
			return f
		}
	}
	var names []string
	for _, m := range modes {
		names = append(names, m.Name)
	}
	for _, k := range config.KnownModes() {
		names = append(names, k.Name)
	}
	f.Remedy = suggest(name, names) + "Set up: " + list(modes) + "."
	return f
}

func suggest(given string, known []string) string {
	if near := config.Nearest(given, known); near != "" {
		return "Did you mean " + near + "? "
	}
	return ""
}

// list names the modes that are set up.
func list(modes []config.SyncMode) string {
	if len(modes) == 0 {
		return "none yet"
	}
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

func find(modes []config.SyncMode, name string) (config.SyncMode, bool) {
	for _, m := range modes {
		if strings.EqualFold(m.Name, name) {
			return m, true
		}
	}
	return config.SyncMode{}, false
}

func unprintable(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

// Server returns the origin that serves the person, scheme://host:port in small
// letters, by which limits and failures are counted; empty without a URL.
func (p Person) Server() string {
	u, err := url.Parse(p.SyncURL)
	if err != nil || u.Host == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}
