package syncer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// memory is a calendar server in memory, as a backend: every mailbox with a log of changes that a cursor points into.
type memory struct {
	mu     sync.Mutex
	boxes  map[string]*box
	mails  []string
	told   []string // rooms that heard of a silent write: + who is invited, - who is called off
	calls  map[string]int
	writes int      // that had an effect
	made   []string // these, with their fields and whom they mail
	// before is asked before each call and may make it fail; after, once a write has had its effect.
	before, after func(call string) error
	unread        string // whose items cannot be fetched
	page          int    // changes per page
	next          int
	noPush        error
	subscribed    []backend.SubscribeRequest
	omits         calendar.Fields // of a partial calendar: neither told nor written
	cut           int             // how many exceptions of series are written until a write breaks off; 0: it does not
	cutBy         fault.Kind      // as what it breaks off then; empty: the server is not reached any more
	loud          bool            // whatever is done to an item with attendees mails them, as Microsoft Graph does
	// quiet makes subscriptions as Microsoft Graph has them: nothing is heard of one until something changes, it lives until
	// it is unsubscribed from, and it is renewed in place. living holds the URLs of those that live.
	quiet   bool
	living  map[string]string
	noUnsub error
}

type box struct {
	items map[calendar.Ref]*calendar.Item
	log   []calendar.Ref // in order; a ref that is not in items is a deletion
	// lives counts how often the server forgot its history: cursors of former lives are worth nothing.
	lives int
}

// cursor writes a position in the log of a life; position reads it, ok only if it is of this life.
func (b *box) cursor(at int) calendar.Cursor {
	return calendar.Cursor(fmt.Sprintf("%d/%d", b.lives, at))
}

func (b *box) position(c calendar.Cursor) (at int, ok bool) {
	if c == "" {
		return 0, true
	}
	var life int
	if _, err := fmt.Sscanf(string(c), "%d/%d", &life, &at); err != nil {
		return 0, false
	}
	return at, life == b.lives && at <= len(b.log)
}

func newMemory() *memory {
	return &memory{boxes: map[string]*box{}, living: map[string]string{}, calls: map[string]int{}, page: 3}
}

func (m *memory) box(address string) *box {
	if m.boxes[address] == nil {
		m.boxes[address] = &box{items: map[calendar.Ref]*calendar.Item{}}
	}
	return m.boxes[address]
}

// enter and leave run without the lock, so that a test may have somebody else act between two calls.
func (m *memory) enter(call string) error {
	m.mu.Lock()
	m.calls[call]++
	m.mu.Unlock()
	if m.before != nil {
		return m.before(call)
	}
	return nil
}

func (m *memory) leave(call string) error {
	if m.after != nil {
		return m.after(call)
	}
	return nil
}

func (m *memory) put(address string, it calendar.Item) calendar.Item {
	if it.Event.Recurrence != "" {
		it.Kind = calendar.Master
	}
	m.next++
	it.Revision = "r" + strconv.Itoa(m.next)
	if it.Ref == "" {
		it.Ref = calendar.Ref(fmt.Sprintf("i%06d", m.next))
	}
	b := m.box(address)
	b.items[it.Ref] = &it
	b.log = append(b.log, it.Ref)
	return it
}

// edit, add, remove and items are what a person does in Outlook.
func (m *memory) edit(address string, ref calendar.Ref, change func(*calendar.Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it := *m.box(address).items[ref]
	old := it.Event
	it.Event = cloned(it.Event)
	change(&it.Event)
	it.Event = settledEvent(old, it.Event)
	if old.Recurrence != it.Event.Recurrence {
		it.Kind = kindOf(it.Event)
	}
	m.put(address, it)
}

func (m *memory) add(address string, it calendar.Item) calendar.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(address, it).Ref
}

func (m *memory) remove(address string, ref calendar.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	delete(b.items, ref)
	b.log = append(b.log, ref)
}

// untold takes back that the last change was told.
func (m *memory) untold(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	b.log = b.log[:len(b.log)-1]
}

// mark gives an item the id of a booking, as if it had borne it all along: nobody is told of a change.
func (m *memory) mark(address string, ref calendar.Ref, foreign string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.box(address).items[ref].ForeignKey = foreign
}

// identify gives an item its UID, as if it had had it all along.
func (m *memory) identify(address string, ref calendar.Ref, uid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.box(address).items[ref].Event.UID = uid
}

// move takes an item out of the calendar and back, which gives it another reference.
func (m *memory) move(address string, ref calendar.Ref) calendar.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	it := *b.items[ref]
	delete(b.items, ref)
	b.log = append(b.log, ref)
	it.Ref = ""
	return m.put(address, it).Ref
}

// migrate moves a whole mailbox to another server, where every item has another reference.
func (m *memory) migrate(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	refs := slices.Sorted(maps.Keys(b.items))
	old := b.items
	b.items, b.log = map[calendar.Ref]*calendar.Item{}, nil
	b.lives++
	for _, ref := range refs {
		it := *old[ref]
		it.Ref = ""
		m.put(address, it)
	}
}

// forget has the server lose its history: cursors are worth nothing, and what exists is all that a full read tells.
func (m *memory) forget(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(address)
	b.lives++
	b.log = nil
	for ref := range b.items {
		b.log = append(b.log, ref)
	}
	slices.Sort(b.log)
}

func (m *memory) items(address string) []calendar.Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []calendar.Item
	for _, it := range m.box(address).items {
		all = append(all, *it)
	}
	slices.SortFunc(all, func(a, b calendar.Item) int { return strings.Compare(string(a.Ref), string(b.Ref)) })
	return all
}

func (m *memory) Probe(context.Context, backend.Mailbox) (backend.Status, error) {
	return backend.Status{Server: "memory"}, m.enter("probe")
}

func (m *memory) Pull(_ context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	for since := req.Since; ; {
		if err := m.enter("pull"); err != nil {
			return err
		}
		m.mu.Lock()
		b := m.box(req.Mailbox.Address)
		at, ok := b.position(since)
		if !ok {
			m.mu.Unlock()
			return fmt.Errorf("cursor %q: %w", since, fault.StateExpired)
		}
		end := min(at+m.page, len(b.log))
		page := backend.Page{Full: req.Since == "", Last: end == len(b.log), Next: b.cursor(end)}
		for _, ref := range b.log[at:end] {
			it := b.items[ref]
			switch {
			case it == nil:
				page.Changes = append(page.Changes, backend.Change{Ref: ref, Deleted: true})
			case it.Key == "" && it.ForeignKey == "" && !req.Everything:
				page.Changes = append(page.Changes, backend.Change{Ref: ref})
			default:
				c := m.tell(*it)
				page.Changes = append(page.Changes, backend.Change{Ref: ref, Item: &c})
			}
		}
		m.mu.Unlock()
		if err := emit(page); err != nil || page.Last {
			return err
		}
		since = page.Next
	}
}

func (m *memory) PullsEverything() bool { return true }

func (m *memory) Fetch(_ context.Context, mb backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	if err := m.enter("fetch"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unread == mb.Address && mb.Address != "" {
		return nil, fmt.Errorf("the mailbox of %s cannot be read: %w", mb.Address, fault.Unavailable)
	}
	got := make([]backend.Fetched, len(refs))
	for i, ref := range refs {
		if it := m.box(mb.Address).items[ref]; it != nil {
			got[i].Item = m.tell(*it)
		} else {
			got[i].Err = fmt.Errorf("item %q: %w", ref, fault.NotFound)
		}
	}
	return got, nil
}

func (m *memory) Find(_ context.Context, mb backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if err := m.enter("find"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(mb.Address, by, value), nil
}

func (m *memory) find(address string, by backend.Marker, value string) []backend.Item {
	var found []backend.Item
	for _, it := range m.box(address).items {
		if by == backend.OurKey && it.Key == value || by == backend.ForeignKey && it.ForeignKey == value ||
			by == backend.ByUID && it.Event.UID == value {
			found = append(found, m.tell(*it))
		}
	}
	slices.SortFunc(found, func(a, b calendar.Item) int { return strings.Compare(string(a.Ref), string(b.Ref)) })
	return found
}

func (m *memory) Apply(_ context.Context, mu calendar.Mutation) (backend.Result, error) {
	if err := m.enter("apply"); err != nil {
		return backend.Result{}, err
	}
	res, err := m.apply(mu)
	if err != nil || res.Repeated {
		return res, err
	}
	return res, m.leave("apply")
}

// tell returns an item as a partial calendar tells of it.
func (m *memory) tell(it calendar.Item) calendar.Item {
	it.Event, it.Omits = overwrite(it.Event, calendar.Event{}, m.omits), m.omits
	return it
}

func (m *memory) apply(mu calendar.Mutation) (backend.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if wrong := mu.Fields & m.omits; wrong != 0 {
		panic(broken(fmt.Sprintf("%s of item %s is written, which the calendar does not keep", wrong, mu.Key)))
	}
	mu.Event = overwrite(mu.Event, calendar.Event{}, m.omits)
	res, err := m.write(mu)
	res.Item = m.tell(res.Item)
	return res, err
}

func (m *memory) write(mu calendar.Mutation) (backend.Result, error) {
	b := m.box(mu.Mailbox.Address)
	res := backend.Result{}
	if m.loud && !mu.Remark && mu.Mail == calendar.MailNobody {
		invited := mu.Event.Attendees
		if it := b.items[mu.Ref]; it != nil {
			invited = slices.Concat(invited, it.Event.Attendees)
		}
		invited = slices.DeleteFunc(slices.Clone(invited), func(a calendar.Attendee) bool { return slices.Contains(mu.Rooms, strings.ToLower(a.Email)) })
		if len(invited) > 0 && (mu.Op != calendar.Create || len(m.find(mu.Mailbox.Address, backend.OurKey, mu.Key)) == 0) {
			return res, fmt.Errorf("its attendees would be mailed: %w", fault.Unsupported)
		}
	}
	switch mu.Op {
	case calendar.Create:
		found := m.find(mu.Mailbox.Address, backend.OurKey, mu.Key)
		if mu.First && len(found) > 0 {
			panic(broken(fmt.Sprintf("the item with key %s is not the first", mu.Key)))
		}
		if len(found) > 0 {
			return backend.Result{Item: found[0], Repeated: true}, nil
		}
		it := calendar.Item{Key: mu.Key, ForeignKey: mu.ForeignKey, Event: cloned(mu.Event)}
		it.Event.Exceptions = nil
		if lately(calendar.Event{}, mu.Event, mu.Mail) {
			it.ForeignKey, it.Event.Attendees = "", nil
			return m.inviteLast(mu, m.put(mu.Mailbox.Address, it), mu.Event)
		}
		res.Item = m.put(mu.Mailbox.Address, it)
		return m.except(mu, res, calendar.AllFields)
	case calendar.Update:
		it := b.items[mu.Ref]
		if it == nil {
			return res, fmt.Errorf("item: %w", fault.NotFound)
		}
		if mu.IfRevision != "" && mu.IfRevision != it.Revision {
			return res, fmt.Errorf("item: %w", fault.Conflict)
		}
		next := *it
		if mu.Remark {
			next.Key, next.ForeignKey, mu.Mail = mu.Key, mu.ForeignKey, calendar.MailNobody
			res.Item = m.put(mu.Mailbox.Address, next)
			break
		}
		whole := overwrite(cloned(it.Event), mu.Event, mu.Fields)
		m.tellRooms(mu, it.Event, whole)
		last := lately(it.Event, whole, mu.Mail)
		if last {
			mu.Fields &^= calendar.FieldAttendees | calendar.FieldResources
		}
		if !last && mu.ForeignKey != "" && next.ForeignKey == "" { // the making of it was cut off
			next.ForeignKey = mu.ForeignKey
		}
		next.Event = settledEvent(it.Event, overwrite(cloned(it.Event), mu.Event, mu.Fields&^calendar.FieldRecurrence))
		if mu.Fields.Any(calendar.FieldRecurrence) && (next.Event.Recurrence != mu.Event.Recurrence || comesBack(next.Event, mu.Event)) {
			next.Event.Recurrence, next.Event.Exceptions = mu.Event.Recurrence, nil
			next.Kind = kindOf(next.Event)
		}
		res.Item = m.put(mu.Mailbox.Address, next)
		if last {
			return m.inviteLast(mu, res.Item, whole)
		}
		return m.except(mu, res, mu.Fields)
	case calendar.Delete:
		res.Item.Ref = mu.Ref
		if b.items[mu.Ref] == nil {
			res.Repeated = true
			return res, nil
		}
		delete(b.items, mu.Ref)
		b.log = append(b.log, mu.Ref)
	}
	m.count(mu)
	return res, nil
}

func (m *memory) count(mu calendar.Mutation) {
	m.writes++
	m.made = append(m.made, fmt.Sprintf("%s to %d", mu.Fields, mu.Mail))
	if mu.Mail != calendar.MailNobody {
		m.mails = append(m.mails, fmt.Sprintf("%d %s", mu.Op, mu.Key))
	}
}

// tellRooms tells rooms of a write of which nobody is told.
func (m *memory) tellRooms(mu calendar.Mutation, was, is calendar.Event) {
	for _, room := range mu.Rooms {
		if mu.Mail != calendar.MailNobody {
			panic(broken("rooms are told by themselves of what everybody is told"))
		}
		before, now := invites(was, room), invites(is, room)
		switch {
		case now && !before:
			m.told = append(m.told, "+"+room)
		case before && !now:
			m.told = append(m.told, "-"+room)
		}
	}
}

// attending returns the rooms that attend an event, or the people.
func attending(ev calendar.Event, rooms bool) []calendar.Attendee {
	return slices.DeleteFunc(slices.Clone(ev.Attendees), func(a calendar.Attendee) bool { return (a.Role == calendar.Resource) != rooms })
}

func (m *memory) Subscribe(_ context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	if err := m.enter("subscribe"); err != nil {
		return backend.Subscription{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noPush != nil {
		return backend.Subscription{}, m.noPush
	}
	m.subscribed = append(m.subscribed, req)
	sub := backend.Subscription{ID: fmt.Sprintf("s%d", len(m.subscribed)), Quiet: m.quiet}
	if !m.quiet {
		return sub, nil
	}
	if req.Existing != nil && m.living[req.Existing.ID] != "" {
		return backend.Subscription{ID: req.Existing.ID, Quiet: true, Kept: true}, m.leave("subscribe")
	}
	m.living[sub.ID] = req.URL
	return sub, m.leave("subscribe")
}

func (m *memory) Unsubscribe(_ context.Context, _ backend.Mailbox, s backend.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noUnsub == nil {
		delete(m.living, s.ID)
	}
	return m.noUnsub
}

func (m *memory) Receive(context.Context, backend.Inbound) (backend.Reply, error) {
	return backend.Reply{}, fault.Unsupported
}

var (
	_ backend.Backend = (*memory)(nil)
	_ backend.Pusher  = (*memory)(nil)
	_ backend.Finder  = (*memory)(nil)
)
