package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A MailboxKey names a mailbox that is due.
type MailboxKey struct {
	Tenant, Person string
	Fresh          bool // a notice, not the clock, wants the pass
}

// Mailbox returns what is remembered of a person's calendar.
func (r Reads) Mailbox(ctx context.Context, tenant, person string) (Mailbox, bool, error) {
	if err := r.hold(ctx, lockMailbox, tenant, person); err != nil {
		return Mailbox{}, false, err
	}
	row, err := r.q.GetMailbox(ctx, db.GetMailboxParams{Tenant: tenant, Person: person})
	ok, err := found(err)
	if err != nil {
		return Mailbox{}, false, fmt.Errorf("read mailbox %s: %w", person, err)
	}
	if !ok {
		return Mailbox{}, false, nil
	}
	return mailboxFromRow(row), true, nil
}

// ErrMoved refuses to save a mailbox that was read before its person was moved or deleted.
var ErrMoved = errors.New("the person's mailbox, sync mode or URL was changed meanwhile")

// SaveMailbox writes m, but for Wanted, Done, Epoch, LastHeard, Notices, LastNotice and DeletionsApproved, which have methods
// of their own.
// A mailbox that is gone, or has another epoch by now, is left alone: ErrMoved.
func (t *Tx) SaveMailbox(ctx context.Context, m Mailbox) error {
	n, err := t.q.SaveMailbox(ctx, db.SaveMailboxParams{
		Tenant:         m.Tenant,
		Person:         m.Person,
		PullCursor:     m.Cursor,
		Round:          m.Round,
		RoundOpen:      m.RoundOpen,
		Way:            m.Way,
		SubscriptionID: m.SubscriptionID,
		SubscribedAt:   millis(m.SubscribedAt),
		LastPull:       millis(m.LastPull),
		LastPush:       millis(m.LastPush),
		RenewAt:        millis(m.RenewAt),
		PollAt:         millis(m.PollAt),
		ReconcileAt:    millis(m.ReconcileAt),
		WaitUntil:      millis(m.WaitUntil),
		Failures:       int64(m.Failures),
		NextDue:        millis(m.NextDue),
		HeldDeletions:  int64(m.HeldDeletions),
		Epoch:          m.Epoch,
		TryWay:         m.TryWay,
		TrySince:       millis(m.TrySince),
		ClimbAt:        millis(m.ClimbAt),
		Falls:          int64(m.Falls),
		Silences:       int64(m.Silences),
		WayReason:      m.WayReason,
		Quiet:          m.Quiet,
		DriftState:     m.Drift,
		DriftNext:      m.DriftNext,
		DriftAt:        millis(m.DriftAt),
	})
	if err != nil {
		return fmt.Errorf("save mailbox %s: %w", m.Person, err)
	}
	if n == 0 {
		return fmt.Errorf("save mailbox %s: %w", m.Person, ErrMoved)
	}
	return nil
}

// MarkDirty records that the mailbox is to be looked at, and has the queue do so at the given moment; zero means now,
// or shortly after, so that further notices share the pass. A mark during a pass makes exactly one more. Nothing happens
// before Mailbox.WaitUntil. A mailbox that does not exist is left alone.
func (t *Tx) MarkDirty(ctx context.Context, tenant, person string, at time.Time) error {
	return t.mark(ctx, tenant, person, mark{at: at})
}

// Notice does as MarkDirty on the word of a server, and counts it.
func (t *Tx) Notice(ctx context.Context, tenant, person string, at time.Time) error {
	return t.mark(ctx, tenant, person, mark{at: at, notice: true})
}

// MarkDirtyBulk does as MarkDirty, but for work that yields to fresh notices.
func (t *Tx) MarkDirtyBulk(ctx context.Context, tenant, person string, at time.Time) error {
	return t.mark(ctx, tenant, person, mark{at: at, bulk: true})
}

// jobTrust is how long a job is believed to wait in the queue. After that it is put there again, which changes nothing
// if it still waits.
const jobTrust = 15 * time.Minute

// echoTime is how long after a pass that wrote to the calendar a notice waits. It is the server's word of our own write as a
// rule, and seldom its only one: all of them share a pass.
const echoTime = 100 * time.Millisecond

// A mark is how a mailbox is made dirty.
type mark struct {
	at           time.Time
	bulk, notice bool
}

func (t *Tx) mark(ctx context.Context, tenant, person string, m mark) error {
	at, bulk, now := m.at, m.bulk, t.s.now()
	if at.IsZero() {
		at = now
		if !bulk {
			at = now.Add(time.Duration(t.s.coalesce.Load()))
		}
	}
	params := db.MarkMailboxParams{Tenant: tenant, Person: person, Fresh: !bulk, At: millis(at), NoticedAt: millis(now)}
	if m.notice {
		params.Notice, params.Echo, params.EchoAfter = 1, echoTime.Milliseconds(), millis(at.Add(-echoTime))
	}
	row, err := t.q.MarkMailbox(ctx, params)
	if ok, err := found(err); err != nil {
		return fmt.Errorf("mark mailbox %s: %w", person, err)
	} else if !ok {
		return nil
	}
	switch {
	case t.s.queue == nil:
		return nil
	case moment(row.LeaseUntil).After(now):
		return nil // the pass under way sees the mark when it ends
	case moment(row.QueuedAt).Add(jobTrust).After(now) && (bulk || !row.QueuedBulk):
		return nil // a job waits already, at least as well placed
	}
	if err := t.s.queue.Wake(ctx, t, tenant, person, moment(row.NextDue), bulk); err != nil {
		return fmt.Errorf("wake queue for mailbox %s: %w", person, err)
	}
	return nil
}

// SetDone records that everything wanted up to done is dealt with. It never goes back.
func (t *Tx) SetDone(ctx context.Context, tenant, person string, done int64) error {
	if _, err := t.q.SetDone(ctx, db.SetDoneParams{Tenant: tenant, Person: person, Done: done}); err != nil {
		return fmt.Errorf("save progress of mailbox %s: %w", person, err)
	}
	return nil
}

// ApproveDeletions records, or takes back, an administrator's word that the deletions held back are meant.
func (t *Tx) ApproveDeletions(ctx context.Context, tenant, person string, approved bool) error {
	_, err := t.q.ApproveDeletions(ctx, db.ApproveDeletionsParams{Tenant: tenant, Person: person, Approved: approved})
	if err != nil {
		return fmt.Errorf("save approval for mailbox %s: %w", person, err)
	}
	return nil
}

// Due returns the mailboxes that are due by the clock, fresh ones first, and then those whose pass died with its host.
// Left out are those that wait in the queue or have a pass under way.
func (r Reads) Due(ctx context.Context, now time.Time, limit int) ([]MailboxKey, error) {
	rows, err := r.q.DueMailboxes(ctx, db.DueMailboxesParams{
		Now: millis(now), QueuedBefore: queuedBefore(now), MaxRows: page(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list due mailboxes: %w", err)
	}
	keys := mapped(rows, func(row db.DueMailboxesRow) MailboxKey { return MailboxKey(row) })
	rest := page(limit) - int32(len(keys))
	if rest == 0 {
		return keys, nil
	}
	dead, err := r.q.DeadPasses(ctx, db.DeadPassesParams{
		Now: millis(now), QueuedBefore: queuedBefore(now), MaxRows: rest,
	})
	if err != nil {
		return nil, fmt.Errorf("list mailboxes whose pass died: %w", err)
	}
	for _, row := range dead {
		if k := MailboxKey(row); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// IsDue reports whether Due would list the mailbox, and whether a notice wants it.
func (r Reads) IsDue(ctx context.Context, tenant, person string, now time.Time) (due, fresh bool, err error) {
	if err := r.hold(ctx, lockMailbox, tenant, person); err != nil {
		return false, false, err
	}
	fresh, err = r.q.DueMailbox(ctx, db.DueMailboxParams{
		Tenant: tenant, Person: person, Now: millis(now), QueuedBefore: queuedBefore(now),
	})
	if due, err = found(err); err != nil {
		return false, false, fmt.Errorf("look whether mailbox %s is due: %w", person, err)
	}
	return due, fresh, nil
}

// ResumeMailboxes ends the waits after failures of all mailboxes of all tenants, which are due at once, and returns how
// many there were. Those that a server asked to be left alone (fault.Throttled) wait on.
func (t *Tx) ResumeMailboxes(ctx context.Context) (int64, error) {
	n, err := t.q.ResumeMailboxes(ctx, db.ResumeMailboxesParams{Now: millis(t.s.now()), Throttled: string(fault.Throttled)})
	if err != nil {
		return 0, fmt.Errorf("end the waits of mailboxes: %w", err)
	}
	return n, nil
}

// ResumeMode ends the waits of the mailboxes of a sync mode, or of those with addresses of one mail domain if it is not
// empty, that wait because of one kind of fault, and returns how many there were.
func (t *Tx) ResumeMode(ctx context.Context, mode, domain string, kind fault.Kind) (int64, error) {
	n, err := t.q.ResumeMode(ctx, db.ResumeModeParams{Now: millis(t.s.now()), Mode: mode, Emails: addresses(domain), Fault: string(kind)})
	if err != nil {
		return 0, fmt.Errorf("end the waits of mailboxes of sync mode %s: %w", mode, err)
	}
	return n, nil
}

// WakeMode makes the mailboxes due of a sync mode whose settings were changed, or those with addresses of one mail domain if
// it is not empty, but for those that a server asked to be left alone, and returns how many there were.
func (t *Tx) WakeMode(ctx context.Context, mode, domain string) (int64, error) {
	n, err := t.q.WakeMode(ctx, db.WakeModeParams{
		Now: millis(t.s.now()), Mode: mode, Emails: addresses(domain), Throttled: string(fault.Throttled),
	})
	if err != nil {
		return 0, fmt.Errorf("wake the mailboxes of sync mode %s: %w", mode, err)
	}
	return n, nil
}

// addresses is a LIKE pattern for those of a mail domain; all if it is empty.
func addresses(domain string) string {
	if domain == "" {
		return "%"
	}
	return "%@" + strings.ToLower(domain)
}

// RenewSubscriptions has every mailbox of a tenant subscribed to anew: notices are to go to another URL. It returns how
// many there are.
func (t *Tx) RenewSubscriptions(ctx context.Context, tenant string) (int64, error) {
	n, err := t.q.RenewSubscriptions(ctx, db.RenewSubscriptionsParams{Now: millis(t.s.now()), Tenant: tenant})
	if err != nil {
		return 0, fmt.Errorf("renew the subscriptions of tenant %s: %w", tenant, err)
	}
	return n, nil
}

// StartMailboxes makes every mailbox that is kept in sync due, and renews the push subscriptions that are older than
// fresh: what happened while no host ran is not known. It returns how many mailboxes there are.
func (t *Tx) StartMailboxes(ctx context.Context, fresh time.Duration) (int64, error) {
	now := t.s.now()
	n, err := t.q.StartMailboxes(ctx, db.StartMailboxesParams{Now: millis(now), Fresh: millis(now.Add(-fresh))})
	if err != nil {
		return 0, fmt.Errorf("make the mailboxes due: %w", err)
	}
	return n, nil
}

func queuedBefore(now time.Time) int64 { return millis(now.Add(-jobTrust)) }

// QueueCounts says how many mailboxes, of all tenants, are where.
type QueueCounts struct {
	Running    int64 // a pass is under way
	Queued     int64 // a job waits for a worker, or to be repeated after a failure
	QueuedBulk int64 // a job waits among the bulk work, which yields to the rest
	Due        int64 // due, but not in the queue yet
	Later      int64 // due later, by the clock
}

// QueueCounts counts the mailboxes by what they wait for.
func (r Reads) QueueCounts(ctx context.Context, now time.Time) (QueueCounts, error) {
	row, err := r.q.CountQueue(ctx, millis(now))
	if err != nil {
		return QueueCounts{}, fmt.Errorf("count queue: %w", err)
	}
	return QueueCounts(row), nil
}

func mailboxFromRow(row db.Mailbox) Mailbox {
	return Mailbox{
		Tenant:            row.Tenant,
		Person:            row.Person,
		Epoch:             row.Epoch,
		Cursor:            row.PullCursor,
		Round:             row.Round,
		RoundOpen:         row.RoundOpen,
		Wanted:            row.Wanted,
		Done:              row.Done,
		Way:               row.Way,
		SubscriptionID:    row.SubscriptionID,
		SubscribedAt:      moment(row.SubscribedAt),
		LastHeard:         moment(row.LastHeard),
		LastPull:          moment(row.LastPull),
		LastPush:          moment(row.LastPush),
		RenewAt:           moment(row.RenewAt),
		PollAt:            moment(row.PollAt),
		ReconcileAt:       moment(row.ReconcileAt),
		WaitUntil:         moment(row.WaitUntil),
		Failures:          int(row.Failures),
		NextDue:           moment(row.NextDue),
		HeldDeletions:     int(row.HeldDeletions),
		DeletionsApproved: row.DeletionsApproved,
		TryWay:            row.TryWay,
		TrySince:          moment(row.TrySince),
		ClimbAt:           moment(row.ClimbAt),
		Falls:             int(row.Falls),
		Silences:          int(row.Silences),
		WayReason:         row.WayReason,
		Quiet:             row.Quiet,
		TakeOver:          row.TakeOver,
		Notices:           row.Notices,
		LastNotice:        moment(row.LastNotice),
		Drift:             row.DriftState,
		DriftNext:         row.DriftNext,
		DriftAt:           moment(row.DriftAt),
	}
}
