package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// goalDecode is how much of Exchange's answers one core must read, in MB/s.
const goalDecode = 300

var benchmarkLine = regexp.MustCompile(`(?m)^(Benchmark\w+)\s.*?([\d.]+) MB/s\s+(\d+) B/op\s+(\d+) allocs/op`)

// measureDecode runs the benchmarks of the EWS client, which read what servers answer.
func measureDecode(ctx context.Context, b *bench, r *result) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "Decode", "-benchmem", "-benchtime", "3s", "-cpu", "1", "./plugins/internal/ews")
	cmd.Dir = b.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	what := map[string]string{
		"BenchmarkDecodeGetItem": "GetItem with 5,000 meetings",
		"BenchmarkDecodeSync":    "SyncFolderItems, a recorded page of 512 changes",
	}
	var rows [][]string
	slowest := 0.0
	for _, m := range benchmarkLine.FindAllSubmatch(out, -1) {
		speed, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return err
		}
		if slowest == 0 || speed < slowest {
			slowest = speed
		}
		rows = append(rows, []string{what[string(m[1])], fmt.Sprintf("%.0f MB/s", speed), string(m[3]), string(m[4])})
	}
	if len(rows) == 0 {
		return fmt.Errorf("the benchmarks said nothing:\n%s", out)
	}
	r.table([]string{"answer", "read on one core", "bytes allocated", "allocations"}, rows)
	r.note("Goal: at least %d MB/s: %s (%.0f).", goalDecode, verdict(slowest >= goalDecode), slowest)
	return nil
}
