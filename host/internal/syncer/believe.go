package syncer

import "context"

// A vanishing is what was found to be missing in a calendar.
type vanishing[T any] struct {
	missing   []T
	elsewhere func(T) bool // reports what was met where the mailbox is not reached any more
	total     func(ctx context.Context, tenant, person string) (int64, error)
}

// believe divides what is missing into what may be acted on and what waits for a person's word: so much at once; and, however little, what
// was met elsewhere, since the calendar in which it is missing may be another one, by a slip of the hand.
func believe[T any](ctx context.Context, e *Engine, p *pass, v vanishing[T], approved bool) (believed, waiting []T, err error) {
	for _, one := range v.missing {
		if v.elsewhere(one) {
			waiting = append(waiting, one)
		} else {
			believed = append(believed, one)
		}
	}
	n := len(v.missing)
	if approved {
		n -= p.mb.HeldDeletions // the word was about these; what vanished since is another matter
	}
	if n > e.limits().MassDeletionLimit {
		total, err := v.total(ctx, p.mb.Tenant, p.mb.Person)
		if err != nil {
			return nil, nil, ours(err)
		}
		if float64(n) > e.limits().MassDeletionShare*float64(total) {
			believed, waiting = nil, v.missing
		}
	}
	if approved && len(waiting) <= p.mb.HeldDeletions {
		believed, waiting = v.missing, nil
	}
	if len(waiting) > 0 && p.mb.HeldDeletions != len(waiting) {
		e.Log.Warn("items are gone from a calendar, too many at once or since it is reached at another place; their bookings are kept until somebody decides",
			"tenant", p.mb.Tenant, "person", p.mb.Person, "items", len(waiting))
	}
	return believed, waiting, nil
}
