package graph

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// reach is the last day of a series that is looked at: the end of the window, two years of the series at least, and whatever lies later
// and is excepted from it, now or as s says. An exception that is not looked at would pass for taken back by somebody.
func (b *Backend) reach(ctx context.Context, m backend.Mailbox, id string, s series.Series) (time.Time, error) {
	_, last := b.window()
	if least := s.Day(s.Start).AddDate(2, 0, 0); last.Before(least) {
		last = least
	}
	if !s.Outlasts(last) {
		return last, nil
	}
	excepted, err := b.excepted(ctx, m, id, s)
	if err != nil {
		return last, err
	}
	for d := range s.ByDay() {
		excepted = append(excepted, d)
	}
	for _, d := range excepted {
		if last.Before(d) {
			last = d
		}
	}
	return last, nil
}

// excepted returns the days about which a series has its exceptions, and a day more for those that are left out: the server tells of these
// by a date, and does not say in which zone.
func (b *Backend) excepted(ctx context.Context, m backend.Mailbox, id string, s series.Series) ([]time.Time, error) {
	var e struct {
		ID        string   `json:"id"`
		Changed   []event  `json:"exceptionOccurrences"`
		Cancelled []string `json:"cancelledOccurrences"`
	}
	r := request{
		mailbox: m, doing: "reading the exceptions of a series in the calendar", method: http.MethodGet, ok: http.StatusOK, prefer: preferItems, item: true,
		target: eventPath(m, id) + query("$select", "id,cancelledOccurrences,exceptionOccurrences", "$expand", "exceptionOccurrences"),
	}
	if _, err := b.do(ctx, r, &e); err != nil {
		return nil, err
	}
	if e.ID == "" {
		return nil, r.wrap(fmt.Errorf("the answer holds no event: %w", fault.Unavailable))
	}
	var days []time.Time
	for i := range e.Changed {
		d, err := e.Changed[i].originalDay(s)
		if err != nil {
			return nil, r.wrap(fmt.Errorf("an occurrence came without its start: %w", fault.Unavailable))
		}
		days = append(days, d)
	}
	for _, one := range e.Cancelled { // OID.id of the series.2026-12-24
		d, err := time.Parse(time.DateOnly, one[strings.LastIndexByte(one, '.')+1:])
		if err != nil {
			return nil, r.wrap(fmt.Errorf("an occurrence that is left out came without its day: %w", fault.Unavailable))
		}
		days = append(days, d.AddDate(0, 0, 1))
	}
	return days, nil
}
