package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A load sends prepared requests over connections of its own and measures the answers. It does as little as it can, for
// it shares the machine with what it measures.
type load struct {
	addr        string
	connections int
	request     func(i int) []byte // the ith request as it goes over the wire
	every       time.Duration      // between requests, each timed from when it was due; 0: as fast as they are answered
	duration    time.Duration
}

// An outcome is what came of a load.
type outcome struct {
	took      time.Duration
	latencies []time.Duration // of all that were answered well, sorted
	refused   int             // answered, but not with 200
}

func (o *outcome) perSecond() float64 { return float64(len(o.latencies)) / o.took.Seconds() }

// quantile returns the latency that the given part of all requests stayed below.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (l *load) run(ctx context.Context) (*outcome, error) {
	var next atomic.Int64
	var refused atomic.Int64
	perConn := make([][]time.Duration, l.connections)
	errs := make([]error, l.connections)
	began := time.Now()
	end := began.Add(l.duration)
	var all sync.WaitGroup
	for c := range l.connections {
		all.Go(func() {
			conn, err := net.Dial("tcp", l.addr)
			if err != nil {
				errs[c] = err
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				due := time.Now()
				if l.every > 0 {
					due = began.Add(time.Duration(i) * l.every)
					time.Sleep(time.Until(due))
				}
				if due.After(end) {
					return
				}
				status, err := exchangeOnce(conn, answers, l.request(i))
				switch {
				case err != nil:
					errs[c] = err
					return
				case status != http.StatusOK:
					refused.Add(1)
				default:
					perConn[c] = append(perConn[c], time.Since(due))
				}
			}
		})
	}
	all.Wait()
	o := &outcome{took: time.Since(began), latencies: slices.Concat(perConn...), refused: int(refused.Load())}
	slices.Sort(o.latencies)
	return o, errors.Join(append(errs, ctx.Err())...)
}

func exchangeOnce(conn net.Conn, answers *bufio.Reader, request []byte) (int, error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, fmt.Errorf("read an answer: %w", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
