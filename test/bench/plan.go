package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// measurePlan runs the benchmarks of the sync engine's decisions, each in a process of its own, whose CPU time is taken.
func measurePlan(ctx context.Context, b *bench, r *result) error {
	program := filepath.Join(b.work, executable("plan.test"))
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./host/internal/syncer/plan")
	build.Dir = b.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmarks: %w\n%s", err, out)
	}
	const series = "SeriesOf520With50Exceptions"
	var rows [][]string
	for _, c := range []struct {
		what, name string
		times      int
	}{
		{"single booking, nothing changed", "Plan/Single/NothingChanged", 2_000_000},
		{"single booking, changed in the booking system", "Plan/Single/BookingChanged", 200_000},
		{"single booking, changed on both sides", "Plan/Single/BothChanged", 200_000},
		{"series of 520 with 50 exceptions, nothing changed", "Plan/" + series + "/NothingChanged", 50_000},
		{"series of 520 with 50 exceptions, an occurrence changed in the booking system", "Plan/" + series + "/BookingChanged", 1000},
		{"series of 520 with 50 exceptions, two occurrences changed, one on each side", "Plan/" + series + "/BothChanged", 1000},
		{"such a series brought into canonical form, once for each time it is read", "Canonical/" + series, 5000},
	} {
		each, err := cpuOfEach(ctx, program, c.name, c.times)
		if err != nil {
			return err
		}
		rows = append(rows, []string{c.what, fmt.Sprintf("%.0f", 1/each.Seconds()), micro(each)})
	}
	r.table([]string{"decision", "a second on one core", "CPU of each"}, rows)
	r.note("By the CPU time of the process that makes them, its garbage collection among it, so other load counts for little. A series changed on one side " +
		"or both is merged occurrence by occurrence. No goal was set.")
	return nil
}

// cpuOfEach runs a benchmark so many times, and returns the CPU time of one.
func cpuOfEach(ctx context.Context, program, name string, times int) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, "-test.run", "^$", "-test.cpu", "1", "-test.bench", "^Benchmark"+name+"$", "-test.benchtime", fmt.Sprintf("%dx", times))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w\n%s", name, err, out)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if used <= 0 {
		return 0, errors.New("the system does not tell the CPU time of processes")
	}
	return used / time.Duration(times), nil
}
