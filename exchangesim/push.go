package exchangesim

import (
	"container/heap"
	"context"
	"time"
)

// A pusher is what a push subscription has beyond the others. It is guarded by the server's lock.
type pusher struct {
	url       string
	frequency int // minutes
	current   *delivery
	cancel    context.CancelFunc // ends the try under way; nil while there is none
	due       time.Time          // of the next try or StatusEvent, while it waits
	place     int                // among those that wait, from 1; 0 while it does not
}

// A delivery is one notification that is being told.
type delivery struct {
	events       []event
	previous     uint64 // the watermark before
	more         bool
	times        int // how often it is sent in all
	waited, next time.Duration
}

// pushes are the push subscriptions of a server by what they do: nothing each costs a goroutine or a timer. It is guarded by
// the server's lock.
type pushes struct {
	ready   []*subscription // have something to tell
	held    []*subscription // would have if notifications were not held back
	waiting pushHeap        // for their next try or StatusEvent
	senders int             // goroutines that send
	clocked bool            // the goroutine that looks at waiting runs
	sooner  chan struct{}   // of capacity 1: waiting has a new first one
	sent    int             // tries that were accepted
	failed  int             // tries that were not
	dropped int             // subscriptions given up
}

// pushHeap has the subscription that is due first in front.
type pushHeap []*subscription

// Len implements heap.Interface.
func (h pushHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h pushHeap) Less(i, j int) bool { return h[i].push.due.Before(h[j].push.due) }

// Swap implements heap.Interface.
func (h pushHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].push.place, h[j].push.place = i+1, j+1
}

// Push implements heap.Interface.
func (h *pushHeap) Push(x any) {
	sub, _ := x.(*subscription)
	*h = append(*h, sub)
	sub.push.place = len(*h)
}

// Pop implements heap.Interface.
func (h *pushHeap) Pop() any {
	last := len(*h) - 1
	sub := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	sub.push.place = 0
	return sub
}

// startPush begins to send; s.mu is held. The first notification is a StatusEvent, sent at once.
func (s *Server) startPush(sub *subscription) {
	if s.ctx.Err() != nil {
		return // closed
	}
	if !s.pushes.clocked {
		s.pushes.clocked = true
		s.work.Go(s.runPushClock)
	}
	sub.queue = append(sub.queue, nil)
	s.undelivered++
	s.pushReady(sub)
}

// pushReady lets a sender take a subscription that does not wait any longer; s.mu is held.
func (s *Server) pushReady(sub *subscription) {
	s.pushes.ready = append(s.pushes.ready, sub)
	if s.pushes.senders < s.opts.PushConnections && s.ctx.Err() == nil {
		s.pushes.senders++
		s.work.Go(s.sendPushes)
	}
}

// pushWaits puts a subscription aside until something is due, or something happens; s.mu is held.
func (s *Server) pushWaits(sub *subscription, d time.Duration) {
	sub.push.due = time.Now().Add(d)
	heap.Push(&s.pushes.waiting, sub)
	if sub.push.place == 1 {
		select {
		case s.pushes.sooner <- struct{}{}:
		default:
		}
	}
}

// wakePush has new events told unless a sender is at it or a try is to be repeated; s.mu is held.
func (s *Server) wakePush(sub *subscription) {
	if p := sub.push; p.place > 0 && p.current == nil {
		heap.Remove(&s.pushes.waiting, p.place-1)
		s.pushReady(sub)
	}
}

// endPush forgets what a subscription would have told; s.mu is held.
func (s *Server) endPush(sub *subscription) {
	p := sub.push
	if p.cancel != nil {
		p.cancel()
	}
	if p.place > 0 {
		heap.Remove(&s.pushes.waiting, p.place-1)
	}
	n := len(sub.queue)
	if p.current != nil {
		n++
	}
	p.current = nil
	s.settled(n)
}

// resumePushes tells what was held back.
func (s *Server) resumePushes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.pushes.held
	s.pushes.held = nil
	for _, sub := range held {
		s.pushReady(sub)
	}
	s.resumeGraph()
}

// runPushClock brings the subscriptions that waited to the senders, until the server is closed.
func (s *Server) runPushClock() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.pushes.sooner:
		case <-s.ctx.Done():
			return
		}
		if wait, waits := s.duePushes(); waits {
			timer.Reset(wait)
		}
	}
}

// duePushes makes ready what is due, and returns how long it is to the next.
func (s *Server) duePushes() (wait time.Duration, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.pushes.waiting) > 0 {
		sub := s.pushes.waiting[0]
		if d := sub.push.due.Sub(now); d > 0 {
			return d, true
		}
		heap.Pop(&s.pushes.waiting)
		if sub.push.current == nil { // idle for that long: a StatusEvent, which is a group without events
			sub.queue = append(sub.queue, nil)
			s.undelivered++
		}
		s.pushReady(sub)
	}
	return 0, false
}

// sendPushes sends until nothing is ready.
func (s *Server) sendPushes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pushes.ready) > 0 && s.ctx.Err() == nil {
		sub := s.pushes.ready[0]
		s.pushes.ready[0] = nil
		s.pushes.ready = s.pushes.ready[1:]
		if s.subs[sub.id] == sub && s.takePush(sub) {
			s.tryPush(sub)
		}
	}
	if len(s.pushes.ready) == 0 {
		s.pushes.ready = nil // the room of a rush is not kept
	}
	s.pushes.senders--
}

// takePush makes the next group of events the current one, if there is one to be sent; s.mu is held. The group counts as
// undelivered until it is settled.
func (s *Server) takePush(sub *subscription) bool {
	p := sub.push
	if p.current != nil {
		return true // to be repeated
	}
	if len(sub.queue) > 0 && len(sub.queue[0]) > 0 && s.faults.holds() {
		s.pushes.held = append(s.pushes.held, sub)
		return false
	}
	if len(sub.queue) == 0 {
		s.pushWaits(sub, s.statusFrequency(sub))
		return false
	}
	d := &delivery{events: sub.queue[0], previous: sub.last, more: len(sub.queue) > 1, times: 1, next: s.opts.RetryBase}
	sub.queue = sub.queue[1:]
	if len(sub.queue) == 0 {
		sub.queue = nil
	}
	if len(d.events) > 0 {
		d.times = s.faults.deliveries()
		sub.last = d.events[len(d.events)-1].mark
	}
	p.current = d
	if d.times == 0 { // lost on its way: to the server it was delivered
		s.pushTold(sub)
		return false
	}
	return true
}

func (s *Server) statusFrequency(sub *subscription) time.Duration {
	return time.Duration(sub.push.frequency) * s.opts.Minute
}

// pushTold settles the current notification; s.mu is held.
func (s *Server) pushTold(sub *subscription) {
	sub.push.current = nil
	s.settled(1)
	if len(sub.queue) > 0 {
		s.pushReady(sub)
		return
	}
	s.pushWaits(sub, s.statusFrequency(sub))
}

// tryPush sends the current notification once, without the lock, and sees to what is next: after 30, 60, 120 … seconds from
// the first try it is repeated, until that would be later than StatusFrequency. s.mu is held.
func (s *Server) tryPush(sub *subscription) {
	p, d := sub.push, sub.push.current
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	p.cancel = cancel
	n := notification(sub, sub.box.watermark(d.previous), d.events, d.more)
	s.mu.Unlock()
	status, err := s.post(ctx, p.url, notificationBody(n))
	s.mu.Lock()
	p.cancel = nil
	if s.subs[sub.id] != sub {
		return // ended meanwhile
	}
	switch {
	case err == nil && status == "OK":
		s.pushes.sent++
		d.times--
		d.waited, d.next = 0, s.opts.RetryBase
		if d.times > 0 {
			s.pushReady(sub)
			return
		}
		s.pushTold(sub)
	case err == nil: // Unsubscribe
		s.pushes.sent++
		sub.end()
	case s.ctx.Err() != nil:
	case d.next >= s.statusFrequency(sub):
		s.pushes.failed++
		s.pushes.dropped++
		s.log.Info("push subscription dropped", "mailbox", sub.box.owner.Address, "reason", err.Error())
		sub.end()
	default:
		s.pushes.failed++
		wait := d.next - d.waited
		d.waited, d.next = d.next, 2*d.next
		s.pushWaits(sub, wait)
	}
}
