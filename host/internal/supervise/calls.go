package supervise

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/roomwire/roomwire/sdk/launch"
)

// callWindow is how far back the times of calls are told.
const callWindow = 10 * time.Minute

// calls counts what is asked of one plugin, over all of its processes.
type calls struct {
	failed, timedOut atomic.Int64
	lastLate         atomic.Int64 // when a call was given up last, in Unix seconds
	took             prometheus.Summary
}

func newCalls() *calls {
	return &calls{took: prometheus.NewSummary(prometheus.SummaryOpts{
		Name:       "calls", // it is never registered: see CallStats
		Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.002}, MaxAge: callWindow,
	})}
}

// CallStats says how the calls of a plugin went. Watches, which last as long as nothing happens, are not among them, and
// of a Pull only the time that the plugin took counts.
type CallStats struct {
	Calls    int64     // since the host's start
	Failed   int64     // of them; what a server refuses counts as well
	TimedOut int64     // of those: their time was over before the plugin answered
	LastLate time.Time // when that was the last time
	// Total is the time of all calls; P50 and P99 are of the last ten minutes, zero if there were none.
	Total, P50, P99 time.Duration
}

// done records a call that took so long. One that came too late for its process was none.
func (c *calls) done(took time.Duration, err error) {
	if errors.Is(err, launch.ErrStopping) {
		return
	}
	c.took.Observe(took.Seconds())
	if err != nil {
		c.failed.Add(1)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		c.timedOut.Add(1)
		c.lastLate.Store(time.Now().Unix())
	}
}

func (c *calls) stats() CallStats {
	out := CallStats{Failed: c.failed.Load(), TimedOut: c.timedOut.Load()}
	if at := c.lastLate.Load(); at != 0 {
		out.LastLate = time.Unix(at, 0)
	}
	var m dto.Metric
	if err := c.took.Write(&m); err != nil {
		return out
	}
	out.Calls, out.Total = int64(m.GetSummary().GetSampleCount()), seconds(m.GetSummary().GetSampleSum())
	for _, q := range m.GetSummary().GetQuantile() {
		switch {
		case q.GetValue() != q.GetValue(): // not a number: no call in the window
		case q.GetQuantile() == 0.5:
			out.P50 = seconds(q.GetValue())
		default:
			out.P99 = seconds(q.GetValue())
		}
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
