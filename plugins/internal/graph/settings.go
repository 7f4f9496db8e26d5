package graph

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// Settings are those of a sync mode. Spans are days ("30d") or durations ("720h").
type Settings struct {
	WindowBack           string `json:"window_back" doc:"how far back the calendar is read, in days (\"30d\") or hours; 30 days unless set"`
	WindowAhead          string `json:"window_ahead" doc:"how far ahead the calendar is read; two years (\"730d\") unless set"`
	SubscriptionLifetime string `json:"subscription_lifetime" doc:"how long a change subscription is asked for, at most 10065 minutes; 3 days unless set"`
}

const day = 24 * time.Hour

// The limits. A calendar view has at most 1,825 days; a subscription lives less than seven days, and the server raises what
// is shorter than 45 minutes.
const (
	widest           = 1825 * day
	shortestLifetime = 45 * time.Minute
	longestLifetime  = 10065 * time.Minute
)

// configure takes the settings over.
func (b *Backend) configure(s Settings) error {
	for _, one := range []struct {
		name, given, otherwise string
		least, most            time.Duration
		to                     *time.Duration
	}{
		{"window_back", s.WindowBack, "30d", day, widest, &b.back},
		{"window_ahead", s.WindowAhead, "730d", day, widest, &b.ahead},
		{"subscription_lifetime", s.SubscriptionLifetime, "3d", shortestLifetime, longestLifetime, &b.lifetime},
	} {
		d, err := span(cmp.Or(strings.TrimSpace(one.given), one.otherwise))
		if err != nil {
			return fmt.Errorf("the setting %q: %w", one.name, err)
		}
		if d < one.least || d > one.most {
			return fmt.Errorf("the setting %q must be between %s and %s: %w", one.name, one.least, one.most, fault.Invalid)
		}
		*one.to = d
	}
	b.back, b.ahead = (b.back + day - 1).Truncate(day), (b.ahead + day - 1).Truncate(day)
	if b.back+b.ahead > widest {
		return fmt.Errorf("window_back and window_ahead together are more than Graph's 1825 days: %w", fault.Invalid)
	}
	return nil
}

// span reads days or a duration of Go's.
func span(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 100000 {
			return 0, fmt.Errorf("%q is no number of days such as 30d: %w", s, fault.Invalid)
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither days such as 30d nor a duration such as 720h: %w", s, fault.Invalid)
	}
	return d, nil
}
