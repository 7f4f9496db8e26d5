package exchangesim

import "runtime"

// Stats are figures about a Server.
type Stats struct {
	People              int            `json:"people"`
	Items               int            `json:"items"`
	Subscriptions       map[string]int `json:"subscriptions"` // by kind
	Streams             int            `json:"streams"`
	Requests            int            `json:"requests"`
	GraphInBatches      int            `json:"graph_in_batches"`     // of the requests, those that came within a batch
	NotificationsSent   int            `json:"notifications_sent"`   // and accepted
	NotificationsFailed int            `json:"notifications_failed"` // tries that were not
	NotificationsLost   int            `json:"notifications_lost"`   // of Graph, given up after the last try or dropped by its rules
	PushesDropped       int            `json:"pushes_dropped"`       // push subscriptions given up after the last try
	Undelivered         int            `json:"undelivered"`
	Goroutines          int            `json:"goroutines"`
	HeapBytes           uint64         `json:"heap_bytes"` // of objects, those not yet collected too
	SystemBytes         uint64         `json:"system_bytes"`
}

// Stats counts. It looks at the memory of the whole process.
func (s *Server) Stats() Stats {
	st := Stats{Subscriptions: map[string]int{"push": 0, "pull": 0, "streaming": 0, "graph": 0}, Requests: s.Count(""), Goroutines: runtime.NumGoroutine()}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	st.HeapBytes, st.SystemBytes = memory.HeapAlloc, memory.Sys
	s.mu.Lock()
	defer s.mu.Unlock()
	st.People, st.Streams, st.Undelivered = len(s.people), len(s.streams), s.undelivered
	st.NotificationsSent, st.NotificationsFailed = s.pushes.sent+s.graphs.sent, s.pushes.failed+s.graphs.failed
	st.GraphInBatches = s.graphs.inBatches
	st.PushesDropped, st.NotificationsLost = s.pushes.dropped, s.graphs.dropped
	for _, sub := range s.graphs.subs {
		if sub.alive(s.now()) {
			st.Subscriptions["graph"]++
		}
	}
	for _, b := range s.byID {
		st.Items += len(b.items)
	}
	for _, sub := range s.subs {
		if !sub.expired(s.now()) {
			st.Subscriptions[sub.kind]++
		}
	}
	return st
}
