package graph

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// perMailbox is how many requests Graph works on for one application and mailbox at a time; more are refused with 429. A
// batch counts as many as it holds, of which Outlook runs four at once.
const perMailbox = 4

// lanes holds requests back that would be too many at once for their mailbox. A mailbox is forgotten when nothing is under
// way for it.
type lanes struct {
	mu    sync.Mutex
	boxes map[string]*lane
}

type lane struct {
	sem   *semaphore.Weighted
	users int
}

func newLanes() *lanes { return &lanes{boxes: map[string]*lane{}} }

// enter waits until weight more requests may be made for a mailbox; leave ends them.
func (l *lanes) enter(ctx context.Context, m calendar.Mailbox, weight int64) (leave func(), err error) {
	key := strings.ToLower(m.Address)
	l.mu.Lock()
	at := l.boxes[key]
	if at == nil {
		at = &lane{sem: semaphore.NewWeighted(perMailbox)}
		l.boxes[key] = at
	}
	at.users++
	l.mu.Unlock()
	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if at.users--; at.users == 0 {
			delete(l.boxes, key)
		}
	}
	if err := at.sem.Acquire(ctx, weight); err != nil {
		done()
		return nil, err
	}
	return func() {
		at.sem.Release(weight)
		done()
	}, nil
}
