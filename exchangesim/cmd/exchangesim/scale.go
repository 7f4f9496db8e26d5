package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// scaleFlags are the options about size, limits and time.
func scaleFlags(f *flag.FlagSet, o *exchangesim.Options) {
	f.IntVar(&o.Generate, "generate", 0, "add `N` people, user1@example.com and so on, with the password secret")
	f.BoolVar(&o.Affinity, "affinity", false, "put mailboxes on different back-end servers: subscriptions are known only where they were made")
	f.IntVar(&o.HangingConnections, "hanging-connections", 10, "let each budget owner hold `N` streaming connections open (3: as Exchange 2013)")
	f.IntVar(&o.MaxSubscriptions, "max-subscriptions", 5000, "allow `N` subscriptions per mailbox")
	f.IntVar(&o.PushConnections, "push-connections", 64, "send at most `N` notifications at once")
	f.DurationVar(&o.Latency, "latency", 0, "let every EWS request take at least `TIME`, such as 20ms")
	f.DurationVar(&o.Minute, "minute", 0, "let the minutes of subscriptions and connections last `TIME` instead; first repetitions come after half of it")
	f.DurationVar(&o.TokenLifetime, "token-lifetime", 0, "let access tokens of Exchange Online last `TIME` instead of an hour")
	f.BoolFunc("budget", "throttle as Exchange does by default, or with `LIMITS` such as concurrency=27,burst=5m,recharge=15m,cutoff=50m,cost=10ms,item-cost=5ms", func(text string) error {
		b, err := budget(text)
		o.Budget = b
		return err
	})
}

// budget reads limits with commas between them; what is not named is as by default.
func budget(text string) (*exchangesim.Budget, error) {
	b := &exchangesim.Budget{}
	if text == "true" { // the flag alone
		return b, nil
	}
	times := map[string]*exchangesim.Milliseconds{
		"burst": &b.MaxBurst, "recharge": &b.RechargeRate, "cutoff": &b.CutoffBalance, "cost": &b.RequestCost, "item-cost": &b.ItemCost,
	}
	for limit := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(limit, "=")
		if name == "concurrency" {
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%q is no number of requests", value)
			}
			b.MaxConcurrency = n
			continue
		}
		into, ok := times[name]
		if !ok {
			return nil, fmt.Errorf("%q is not a limit", name)
		}
		d, err := time.ParseDuration(value)
		if err == nil && d < time.Millisecond {
			err = errors.New("less than a millisecond")
		}
		if err != nil {
			return nil, fmt.Errorf("the limit %s: %w", name, err)
		}
		*into = exchangesim.Milliseconds(d)
	}
	return b, nil
}
