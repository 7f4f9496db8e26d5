package main

import (
	"io"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

func TestBudgetIsReadFromTheCommandLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]exchangesim.Budget{
		"--budget": {},
		"--budget=concurrency=10,burst=2s,recharge=1h,cutoff=1m,cost=1ms,item-cost=2ms": {
			MaxConcurrency: 10, MaxBurst: ms(2 * time.Second), RechargeRate: ms(time.Hour), CutoffBalance: ms(time.Minute), RequestCost: ms(time.Millisecond), ItemCost: ms(2 * time.Millisecond),
		},
	} {
		got, err := parse([]string{text, "--generate", "7", "--affinity", "--latency=20ms"}, io.Discard)
		if err != nil || got.options.Budget == nil || *got.options.Budget != want {
			t.Errorf("%s: %+v, %v", text, got.options.Budget, err)
		}
		if o := got.options; o.Generate != 7 || !o.Affinity || o.Latency != 20*time.Millisecond || o.HangingConnections != 10 {
			t.Errorf("%s: options %+v", text, o)
		}
	}
}

func ms(d time.Duration) exchangesim.Milliseconds { return exchangesim.Milliseconds(d) }

func FuzzBudget(f *testing.F) {
	f.Add("true")
	f.Add("concurrency=10,burst=2s,item-cost=2ms")
	f.Add("cutoff=-1h,=,")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := budget(text)
		switch {
		case err != nil && b != nil:
			t.Errorf("%q: %+v and %v", text, b, err)
		case err == nil && (b.MaxConcurrency < 0 || b.MaxBurst < 0 || b.RechargeRate < 0 || b.CutoffBalance < 0 || b.RequestCost < 0 || b.ItemCost < 0):
			t.Errorf("%q: %+v", text, b)
		}
	})
}
