//go:build failpoint

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// failpoint kills this process, as kill -9 would, at the step that ROOMWIRE_FAILPOINT names ("step" or "step#N" for
// its Nth passing).
func failpoint() func(string) {
	want, nth, _ := strings.Cut(os.Getenv("ROOMWIRE_FAILPOINT"), "#")
	n, _ := strconv.Atoi(nth)
	if n == 0 {
		n = 1
	}
	var passed atomic.Int64
	return func(step string) {
		if step == want && passed.Add(1) == int64(n) {
			fmt.Fprintln(os.Stderr, "failpoint: "+step)
			p, _ := os.FindProcess(os.Getpid())
			_ = p.Kill()
			select {} // until the signal arrives
		}
	}
}
