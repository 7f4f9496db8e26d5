package soak_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/soak"
	"github.com/roomwire/roomwire/sdk/fault"
)

// arm has an act happen at one of the next calls of a backend.
func (w *world) arm(a soak.Act, amid bool) {
	if amid {
		a.Do, a.A, a.B, a.C = innerActs[a.B%len(innerActs)], a.C, a.A/7, a.B/len(innerActs)
	}
	w.armed = append(w.armed, &arm{calls: 1 + a.A%6, act: a, amid: amid})
}

// beforeCall lets armed things happen.
func (w *world) beforeCall(call string) error {
	for i, a := range w.armed {
		if a.calls--; a.calls > 0 {
			continue
		}
		w.armed = slices.Delete(w.armed, i, i+1)
		if a.amid {
			if w.amid {
				return nil
			}
			w.say("  amid %s:", call)
			w.amid = true
			w.do(a.act)
			w.amid = false
			return nil
		}
		return w.trouble(call, a.act)
	}
	return nil
}

func (w *world) afterCall(string) error {
	lost := w.lost
	if w.lost = nil; lost == nil {
		return nil
	}
	return lost()
}

// writes are the operations by which calendars are written to.
var writes = []string{
	"CreateItem", "UpdateItem", "DeleteItem", "GraphCreateEvent", "GraphUpdateEvent", "GraphDeleteEvent", "GraphCancelEvent", "GraphDeclineEvent",
}

// reads are the others that passes need.
var reads = []string{"SyncFolderItems", "GetItem", "FindItem", "Subscribe", "GraphDelta", "GraphListEvents", "GraphGetEvent", "GraphBatch", "GraphCreateSubscription"}

// trouble is what befalls a call.
func (w *world) trouble(call string, a soak.Act) error {
	w.cut = true
	if a.Do == "kill" {
		name := pluginNames[a.B%len(pluginNames)]
		w.say("  amid %s: %s is killed", call, name)
		w.tally.kills++
		w.plugins.kill(name)
		return nil
	}
	var f exchangesim.Fault
	count := 1 + a.C%2
	switch a.B % 12 {
	case 0:
		f = exchangesim.Fault{Kind: "busy", Count: count, BackOff: exchangesim.Milliseconds(time.Millisecond)}
	case 1:
		f = exchangesim.Fault{Kind: "status", Status: 503, Count: count}
	case 2:
		f = exchangesim.Fault{Kind: "status", Status: 500, Count: count}
	case 3:
		f = exchangesim.Fault{Kind: "drop-before", Count: count}
	case 4, 5, 6:
		for _, op := range writes { // whichever comes first
			w.must(w.sim.Faults().Add(exchangesim.Fault{Kind: "drop-after", Operation: op}))
		}
		w.say("  amid %s: the answer to the next write of each kind gets lost", call)
		w.tally.faults["drop-after"]++
		return nil
	case 7:
		f = exchangesim.Fault{Kind: "error", ResponseCode: "ErrorInternalServerTransientError", Operation: reads[a.C%len(reads)]}
	case 8:
		f = exchangesim.Fault{Kind: "error", ResponseCode: "ErrorIrresolvableConflict", Operation: "UpdateItem"}
	case 9:
		f = exchangesim.Fault{Kind: "drop-after", Operation: reads[a.C%len(reads)]}
	case 10:
		w.say("  %s is not made", call)
		w.tally.faults["not called"]++
		return fmt.Errorf("%s: %w", call, fault.Unavailable)
	case 11:
		w.say("  what comes of the next write is never heard")
		w.tally.faults["not heard"]++
		w.lost = func() error { return fmt.Errorf("the answer was lost: %w", fault.Unavailable) }
		return nil
	}
	w.say("  amid %s: %s %s %d %s", call, f.Kind, f.Operation, f.Status, f.ResponseCode)
	w.tally.faults[f.Kind]++
	w.must(w.sim.Faults().Add(f))
	return nil
}
