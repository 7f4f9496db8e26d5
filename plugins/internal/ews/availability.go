package ews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// availabilityBatch is how many mailboxes one GetUserAvailability may name.
const availabilityBatch = 100

// mergedInterval is the length of the blocks that are told of a calendar of which nothing more is.
const mergedInterval = 30 * time.Minute

// A Busy is one appointment in somebody's calendar, as far as it is told.
type Busy struct {
	Start, End        time.Time // UTC
	Status            string    // as LegacyFreeBusyStatus; NoData where nobody knows
	Subject, Location string
	Private           bool
}

// An Availability is when one mailbox is busy, or why that is not known.
type Availability struct {
	Busy []Busy
	Err  error
}

// GetUserAvailability tells when mailboxes are busy, in the order of addresses. What concerns one of them alone is in its
// Availability.
func (c *Client) GetUserAvailability(ctx context.Context, m calendar.Mailbox, addresses []string, from, to time.Time) ([]Availability, error) {
	out := make([]Availability, 0, len(addresses))
	for some := range slices.Chunk(addresses, availabilityBatch) {
		got, err := c.availabilityOf(ctx, m, some, from, to)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

func (c *Client) availabilityOf(ctx context.Context, m calendar.Mailbox, addresses []string, from, to time.Time) ([]Availability, error) {
	began := time.Now()
	r := request{op: "GetUserAvailability", doing: "asking for free/busy on behalf", body: func(w *writer) {
		w.inside("m:GetUserAvailabilityRequest", func() {
			// Times in the answer bear no zone: they are in this one.
			w.inside("t:TimeZone", func() {
				w.text("t:Bias", "0")
				for i, season := range []string{"t:StandardTime", "t:DaylightTime"} {
					w.inside(season, func() {
						w.text("t:Bias", "0")
						w.text("t:Time", "02:00:00")
						w.text("t:DayOrder", "1")
						w.text("t:Month", []string{"10", "4"}[i])
						w.text("t:DayOfWeek", "Sunday")
					})
				}
			})
			w.inside("m:MailboxDataArray", func() {
				for _, a := range addresses {
					w.inside("t:MailboxData", func() {
						w.inside("t:Email", func() { w.text("t:Address", a) })
						w.text("t:AttendeeType", "Required")
						w.text("t:ExcludeConflicts", "false")
					})
				}
			})
			w.inside("t:FreeBusyViewOptions", func() {
				w.inside("t:TimeWindow", func() {
					w.text("t:StartTime", unzoned(from))
					w.text("t:EndTime", unzoned(to))
				})
				w.text("t:MergedFreeBusyIntervalInMinutes", strconv.Itoa(int(mergedInterval/time.Minute)))
				w.text("t:RequestedView", "DetailedMerged")
			})
		})
	}}
	at := c.site(m, r)
	got, err := c.askAvailability(ctx, m, r, &at, from.UTC())
	if err == nil && len(got) != len(addresses) {
		err = at.unreadable(fmt.Errorf("it tells of %d mailboxes where %d were asked for", len(got), len(addresses)))
	}
	result := "NoError"
	if err != nil {
		result = codeOrKind(err)
	}
	c.log(m, r.op, time.Since(began), result, at.id)
	if err != nil {
		return nil, err
	}
	out := make([]Availability, len(got))
	for i, one := range got {
		of := at
		of.doing, of.mailbox = "asking for the free/busy", addresses[i]
		out[i] = Availability{Busy: one.busy, Err: of.reply(one.status)}
		if out[i].Err == nil && !one.known {
			out[i].Err = of.wrap(&fault.Error{Kind: fault.Unavailable, Message: "the server does not know when this mailbox is busy"})
		}
	}
	return out, nil
}

func (c *Client) askAvailability(ctx context.Context, m calendar.Mailbox, r request, at *site, from time.Time) ([]availability, error) {
	doc, err := c.post(ctx, m, r, at)
	if err != nil {
		return nil, err
	}
	got, failed, err := decodeAvailability(doc, from)
	switch {
	case err != nil:
		return nil, at.unreadable(err)
	case failed.code != "":
		return nil, at.fault(failed)
	}
	return got, nil
}

// unzoned writes t as it is in UTC, the zone that the request names.
func unzoned(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// availability is one FreeBusyResponse.
type availability struct {
	status status
	known  bool // there is a view of some kind
	busy   []Busy
}

// decodeAvailability reads an answer, which unlike those of all other operations has no ResponseMessages; failed is a SOAP
// fault's, if it is one. from is where the merged view begins.
func decodeAvailability(doc []byte, from time.Time) (got []availability, failed status, err error) {
	s := scan(doc)
	answered := false
	for root := range s.Children() {
		if root != "Envelope" {
			continue
		}
		for part := range s.Children() {
			if part != "Body" {
				continue
			}
			for child := range s.Children() {
				switch child {
				case "Fault":
					failed, answered = decodeFault(s), true
				case "GetUserAvailabilityResponse":
					answered = true
					for array := range s.Children() {
						if array != "FreeBusyResponseArray" {
							continue
						}
						for range s.Children() {
							got = append(got, decodeFreeBusy(s, from))
						}
					}
				}
			}
		}
	}
	if err := s.Err(); err != nil {
		return nil, status{}, err
	}
	if !answered {
		return nil, status{}, errors.New("no GetUserAvailabilityResponse in it")
	}
	return got, failed, nil
}

func decodeFreeBusy(s *xmlscan.Scanner, from time.Time) availability {
	var a availability
	view, merged, events := "", "", []Busy(nil)
	for part := range s.Children() {
		switch part {
		case "ResponseMessage":
			a.status.class = s.Attr("ResponseClass")
			for field := range s.Children() {
				switch field {
				case "ResponseCode":
					a.status.code = strings.TrimSpace(s.Word())
				case "MessageXml":
					detail := status{}
					decodeDetail(s, &detail)
					a.status.inner, a.status.pause = detail.inner, detail.pause
				}
			}
		case "FreeBusyView":
			for field := range s.Children() {
				switch field {
				case "FreeBusyViewType":
					view = strings.TrimSpace(s.Word())
				case "MergedFreeBusy":
					merged = strings.TrimSpace(s.Text())
				case "CalendarEventArray":
					for range s.Children() {
						events = append(events, decodeBusy(s))
					}
				}
			}
		}
	}
	// Where the owner lets only blocks of time be seen there are no events. Other organizations' servers answer so, too.
	a.known, a.busy = view != "" && view != "None", events
	if view == "MergedOnly" {
		a.busy = blocks(merged, from)
		a.known = a.known && merged != ""
	}
	return a
}

func decodeBusy(s *xmlscan.Scanner) Busy {
	var b Busy
	for field := range s.Children() {
		switch field {
		case "StartTime":
			b.Start = dateTime(s.Text())
		case "EndTime":
			b.End = dateTime(s.Text())
		case "BusyType":
			b.Status = strings.TrimSpace(s.Word())
		case "CalendarEventDetails":
			for detail := range s.Children() {
				switch detail {
				case "Subject":
					b.Subject = s.Text()
				case "Location":
					b.Location = s.Text()
				case "IsPrivate":
					b.Private = truth(s.Word())
				}
			}
		}
	}
	return b
}

// mergedStates are the digits of a merged view. A server before 2013 means by 4 that it has no data; of ours none is so old.
var mergedStates = map[byte]string{'1': "Tentative", '2': "Busy", '3': "OOF", '4': "WorkingElsewhere", '5': "NoData"}

// blocks makes appointments of a merged view, each as long as one state lasts.
func blocks(merged string, from time.Time) []Busy {
	var out []Busy
	for i := range len(merged) {
		state, ok := mergedStates[merged[i]]
		if !ok {
			continue
		}
		start := from.Add(time.Duration(i) * mergedInterval)
		if n := len(out); n > 0 && out[n-1].Status == state && out[n-1].End.Equal(start) {
			out[n-1].End = start.Add(mergedInterval)
			continue
		}
		out = append(out, Busy{Start: start, End: start.Add(mergedInterval), Status: state})
	}
	return out
}
