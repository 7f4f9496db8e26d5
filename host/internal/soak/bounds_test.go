package soak_test

import (
	"slices"

	"github.com/roomwire/roomwire/exchangesim"
)

// checkRequests: no edit leads to requests without end.
func (w *world) checkRequests() {
	written, asked := 0, 0
	now := counts(w.sim)
	for op, n := range now {
		if n -= w.base[op]; slices.Contains(writes, op) {
			written += n
		} else {
			asked += n
		}
	}
	w.tally.requests += written + asked
	w.tally.writes += written
	if most := 6*w.acts + 3*w.skipped + 12; written > most {
		w.fail("%d acts led to %d writes, more than %d: %v", w.acts, written, most, now)
	}
	if most := (60+20*len(w.synced))*w.acts + 600; asked > most {
		w.fail("%d acts led to %d requests, more than %d", w.acts, asked, most)
	}
}

func counts(s *exchangesim.Server) map[string]int {
	all := map[string]int{}
	for _, op := range slices.Concat(writes, reads) {
		all[op] = s.Count(op)
	}
	return all
}
