package ics

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A span is a DURATION: some days of the calendar and some exact time.
type span struct {
	days  int
	exact time.Duration
}

var durationForm = regexp.MustCompile(`^([+-]?)P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$`)

// duration reads a DURATION such as -PT15M or P1DT2H.
func duration(s string) (span, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil || s[len(s)-1] == 'P' || s[len(s)-1] == 'T' {
		return span{}, fmt.Errorf("%q is no duration", s)
	}
	var n [5]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+2]) // digits, and few of them
		if m[1] == "-" {
			n[i] = -n[i]
		}
	}
	return span{
		days:  7*n[0] + n[1],
		exact: time.Duration(n[2])*time.Hour + time.Duration(n[3])*time.Minute + time.Duration(n[4])*time.Second,
	}, nil
}

// total takes days for 24 hours.
func (s span) total() time.Duration { return time.Duration(s.days)*24*time.Hour + s.exact }
