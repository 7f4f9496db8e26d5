package zones

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var duration = regexp.MustCompile(`^(-?)P(?:0{1,4}Y)?(?:0{1,4}M)?(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})(?:\.\d{1,9})?S)?)?$`)

// ParseDuration reads an xs:duration of days and less, as Exchange writes biases and offsets (-PT60M,
// PT2H0M0S). Fractions of a second are dropped.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	m := duration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return 0, fmt.Errorf("%q is not a duration of days and less", s)
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+2])
		if err != nil {
			return 0, fmt.Errorf("%q: %w", s, err)
		}
		total += time.Duration(n) * unit
	}
	if m[1] == "-" {
		total = -total
	}
	return total, nil
}
