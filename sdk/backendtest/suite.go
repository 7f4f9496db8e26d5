package backendtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// cleanupTime bounds the removal of what was made; it goes on when the checks were called off.
const cleanupTime = 2 * time.Minute

// A suite is what the checks of one Run share.
type suite struct {
	Fixture
	can      backend.Abilities
	readOnly bool
	delegate bool
	prefix   string // what the keys of this run begin with
	numbers  atomic.Int64
	bell     *bell // nil without Notices

	last   calendar.Cursor // where recent goes on
	shared []calendar.Item // in the first mailbox, until a group of checks is over

	mu sync.Mutex
	b  backend.Backend // the instance that most checks use
}

func begin(ctx context.Context, f Fixture) (*suite, error) {
	if f.Open == nil || len(f.Mailboxes) == 0 {
		return nil, errors.New("the suite needs Fixture.Open and at least one of Fixture.Mailboxes")
	}
	if f.Patience == 0 {
		f.Patience = time.Minute
	}
	if f.Paging == 0 {
		f.Paging = 30
	}
	if f.Unreachable == nil {
		f.Unreachable = elsewhere(f.Mailboxes[0], "127.0.0.1:1")
	}
	var part [6]byte
	_, _ = rand.Read(part[:]) // never fails
	s := &suite{Fixture: f, prefix: "conformance-" + hex.EncodeToString(part[:]) + "-"}
	b, err := f.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the backend: %w", err)
	}
	s.b, s.can = b, backend.AbilitiesOf(b)
	if st, err := b.Probe(ctx, f.Mailboxes[0]); err == nil {
		s.delegate = st.Delegate
	}
	if s.readOnly, err = s.unwritable(ctx); err != nil {
		closeOf(b)
		return nil, err
	}
	if f.Notices != nil {
		s.bell = newBell(f.Notices, s.instance)
	}
	return s, nil
}

// unwritable reports whether Apply answers Unsupported whatever it is asked. It deletes first: what cannot be deleted is
// not made.
func (s *suite) unwritable(ctx context.Context) (bool, error) {
	m := s.Mailboxes[0]
	gone := calendar.Mutation{Op: calendar.Delete, Mailbox: m, Key: s.key(), Ref: calendar.Ref(s.key())}
	if _, err := s.b.Apply(ctx, gone); fault.Of(err) != fault.Unsupported {
		return false, nil
	}
	made := calendar.Mutation{Op: calendar.Create, Mailbox: m, Key: s.key(), Event: s.event()}
	r, err := s.b.Apply(ctx, made)
	if err == nil {
		return false, fmt.Errorf("the backend makes items and cannot delete them: %q with the key %s was left in the calendar of %s as %q",
			made.Event.Subject, made.Key, m.Address, r.Item.Ref)
	}
	return fault.Of(err) == fault.Unsupported, nil
}

// instance returns the instance that most checks use.
func (s *suite) instance() backend.Backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b
}

// anew restarts the plugin, or opens a new instance in place of the old one where it cannot be restarted.
func (s *suite) anew(ctx context.Context) error {
	old := s.instance()
	if s.Restart != nil {
		if err := s.Restart(ctx); err != nil {
			return fmt.Errorf("restarting the plugin: %w", err)
		}
	}
	b, err := s.Open(ctx)
	if err != nil {
		return fmt.Errorf("opening the backend anew: %w", err)
	}
	s.mu.Lock()
	s.b = b
	s.mu.Unlock()
	closeOf(old)
	return nil
}

func closeOf(b backend.Backend) {
	if c, ok := b.(io.Closer); ok {
		_ = c.Close()
	}
}

// key returns a marker that no item bears yet.
func (s *suite) key() string { return fmt.Sprintf("%s%d", s.prefix, s.numbers.Add(1)) }

// end removes what is left of this run, closes the instance, and tells what it could not remove.
func (s *suite) end(ctx context.Context) (told []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	b := s.instance()
	for _, m := range s.Mailboxes[:min(2, len(s.Mailboxes))] {
		if s.readOnly {
			break
		}
		left, err := s.sweep(ctx, b, m)
		if err != nil {
			told = append(told, fmt.Sprintf("looking whether anything was left in the calendar of %s: %v; what has a subject that begins with %q is the suite's",
				m.Address, err, subject))
		}
		if len(left) > 0 {
			told = append(told, fmt.Sprintf("in the calendar of %s were left, as they could not be deleted: %q", m.Address, left))
		}
	}
	if s.bell != nil {
		s.bell.close()
	}
	closeOf(b)
	return told
}

// leave removes what the checks of a group have shared.
func (s *suite) leave(t reporter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanupTime)
	defer cancel()
	for _, item := range s.shared {
		_ = s.remove(ctx, s.instance(), deletion(s.Mailboxes[0], item.Key, item.Ref)) // what is left is seen in the end
	}
	s.shared = nil
}

// sweep deletes every item that bears a key of this run, and returns what remains.
func (s *suite) sweep(ctx context.Context, b backend.Backend, m backend.Mailbox) (left []calendar.Ref, err error) {
	var ours []calendar.Item
	err = b.Pull(ctx, backend.PullRequest{Mailbox: m}, func(p backend.Page) error {
		for _, ch := range p.Changes {
			// What somebody was invited to bears the key as well, and is not ours to remove.
			if ch.Item != nil && !ch.Deleted && !ch.Item.ReadOnly && strings.HasPrefix(ch.Item.Key, s.prefix) {
				ours = append(ours, *ch.Item)
			}
		}
		return nil
	})
	for _, item := range ours {
		if err := s.remove(ctx, b, deletion(m, item.Key, item.Ref)); err != nil {
			left = append(left, item.Ref)
		}
	}
	return left, err
}

// remove deletes an item; a meeting that cannot be deleted silently with mail, as it was made.
func (s *suite) remove(ctx context.Context, b backend.Backend, d calendar.Mutation) error {
	_, err := b.Apply(ctx, d)
	if s.Attendees && fault.Of(err) == fault.Unsupported {
		d.Mail = calendar.MailAll
		_, err = b.Apply(ctx, d)
	}
	return err
}

func deletion(m backend.Mailbox, key string, ref calendar.Ref) calendar.Mutation {
	return calendar.Mutation{Op: calendar.Delete, Mailbox: m, Key: key, Ref: ref}
}
