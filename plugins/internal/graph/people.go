package graph

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// scheduleBatch is how many mailboxes one getSchedule may name.
const scheduleBatch = 20

// maxMembers is how many members of a distribution group are taken. Nobody's meeting has so many attendees.
const maxMembers = 5000

const remedyGroups = "the application needs the permissions GroupMember.Read.All and User.ReadBasic.All, with an administrator's consent, " +
	"to look into distribution groups"

type schedule struct {
	ID    string  `json:"scheduleId"`
	View  *string `json:"availabilityView"`
	Items []struct {
		Private  bool      `json:"isPrivate"`
		Status   string    `json:"status"`
		Subject  string    `json:"subject"`
		Location string    `json:"location"`
		Start    *dateTime `json:"start"`
		End      *dateTime `json:"end"`
	} `json:"scheduleItems"`
	Error *struct {
		Code    string `json:"responseCode"`
		Message string `json:"message"`
	} `json:"error"`
}

// FreeBusy implements backend.FreeBusy.
func (b *Backend) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	if !to.After(from) || to.Sub(from) > backend.MaxFreeBusy {
		return nil, fmt.Errorf("free/busy can be asked for up to 62 days at a time, and not from %s to %s: %w",
			from.Format(time.RFC3339), to.Format(time.RFC3339), fault.Invalid)
	}
	out := make([]backend.Availability, 0, len(addresses))
	for some := range slices.Chunk(addresses, scheduleBatch) {
		got, err := b.schedules(ctx, m, some, from.UTC(), to.UTC())
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// viewInterval is the length of the blocks that are told of a calendar of which nothing more is.
const viewInterval = 30 * time.Minute

func (b *Backend) schedules(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	utc := func(t time.Time) dateTime { return dateTime{DateTime: t.Format("2006-01-02T15:04:05"), Zone: "UTC"} }
	r := request{
		mailbox: m, doing: "asking for free/busy on behalf", method: http.MethodPost, target: user(m) + "/calendar/getSchedule",
		prefer: preferIDs + `, outlook.timezone="UTC"`, ok: http.StatusOK,
		body: map[string]any{
			"schedules": addresses, "startTime": utc(from), "endTime": utc(to),
			"availabilityViewInterval": int(viewInterval / time.Minute),
		},
	}
	var got struct {
		Value []schedule `json:"value"`
	}
	if _, err := b.do(ctx, r, &got); err != nil {
		return nil, err
	}
	out := make([]backend.Availability, len(addresses))
	for i, address := range addresses {
		out[i].Address = address
		at := slices.IndexFunc(got.Value, func(s schedule) bool { return strings.EqualFold(s.ID, address) })
		if at < 0 {
			out[i].Err = fmt.Errorf("asking for the free/busy of %s: the answer does not tell of it: %w", address, fault.Unavailable)
			continue
		}
		out[i].Busy, out[i].Err = got.Value[at].busy(address, from)
	}
	return out, nil
}

// busy is when the mailbox of one schedule is busy, or why that is not known.
func (s schedule) busy(address string, from time.Time) ([]backend.BusyTime, error) {
	if s.Error != nil {
		return nil, s.failed(address)
	}
	if s.View == nil && s.Items == nil {
		return nil, fmt.Errorf("asking for the free/busy of %s: nothing is known of it: %w", address, fault.Unavailable)
	}
	var out []backend.BusyTime
	for _, item := range s.Items {
		state, known := nameToBusy[item.Status]
		if item.Start == nil || item.End == nil {
			return nil, fmt.Errorf("asking for the free/busy of %s: an appointment came without its times: %w", address, fault.Unavailable)
		}
		start, err := item.Start.moment()
		end, errEnd := item.End.moment()
		if err != nil || errEnd != nil {
			return nil, fmt.Errorf("asking for the free/busy of %s: an appointment came with times that cannot be read: %w", address, fault.Unavailable)
		}
		if !known { // "unknown"
			continue
		}
		t := backend.BusyTime{Start: start, End: end, Busy: state, Subject: item.Subject, Location: item.Location, Private: item.Private}
		if t.Private {
			t.Subject, t.Location = "", ""
		}
		out = append(out, t)
	}
	if s.Items == nil { // who shares nothing but blocks of time
		out = blocks(*s.View, from)
	}
	slices.SortStableFunc(out, func(x, y backend.BusyTime) int { return x.Start.Compare(y.Start) })
	return out, nil
}

// failed is the error of one schedule. Its codes are those of EWS.
func (s schedule) failed(address string) error {
	e := &fault.Error{Kind: fault.Unavailable, Code: clippedTo(s.Error.Code, 80)}
	switch s.Error.Code {
	case "ErrorMailRecipientNotFound", "ErrorInvalidSmtpAddress", "ErrorNonExistentMailbox":
		e.Kind = fault.MailboxNotFound
	case "ErrorNoFreeBusyAccess", "ErrorAccessDenied":
		e.Kind = fault.Forbidden
	}
	e.Message = fmt.Sprintf("asking for the free/busy of %s: Graph answered %s", address, e.Code)
	if said := strings.TrimSuffix(strings.Join(strings.Fields(s.Error.Message), " "), "."); said != "" {
		e.Message += ": " + clippedTo(said, 300)
	}
	return e
}

// blocks makes appointments of an availability view, each as long as one state lasts.
func blocks(view string, from time.Time) []backend.BusyTime {
	states := map[byte]calendar.Busy{
		'1': calendar.Tentative, '2': calendar.Occupied, '3': calendar.OutOfOffice, '4': calendar.WorkingElsewhere,
	}
	var out []backend.BusyTime
	for i := range len(view) {
		state, ok := states[view[i]]
		if !ok {
			continue
		}
		start := from.Add(time.Duration(i) * viewInterval)
		if n := len(out); n > 0 && out[n-1].Busy == state && out[n-1].End.Equal(start) {
			out[n-1].End = start.Add(viewInterval)
			continue
		}
		out = append(out, backend.BusyTime{Start: start, End: start.Add(viewInterval), Busy: state})
	}
	return out
}

type directoryObject struct {
	Type string  `json:"@odata.type"`
	ID   string  `json:"id"`
	Name *string `json:"displayName"`
	Mail *string `json:"mail"`
}

type directoryList struct {
	Value *[]directoryObject `json:"value"`
	Next  string             `json:"@odata.nextLink"`
}

// Members implements backend.GroupExpander.
func (b *Backend) Members(ctx context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	r := request{
		mailbox: m, doing: "looking who is in a distribution group on behalf", method: http.MethodGet, ok: http.StatusOK, rights: remedyGroups,
		target: "/groups" + query("$filter", "mail eq "+quoted(group), "$select", "id,displayName,mail"),
	}
	var found directoryList
	if _, err := b.do(ctx, r, &found); err != nil {
		return nil, err
	}
	switch {
	case found.Value == nil:
		return nil, r.wrap(errNoList)
	case len(*found.Value) == 0:
		return nil, r.wrap(fmt.Errorf("there is no group with the address %s: %w", group, fault.NotFound))
	case len(*found.Value) > 1:
		return nil, r.wrap(fmt.Errorf("several groups have the address %s: %w", group, fault.Invalid))
	}
	r.target = "/groups/" + (*found.Value)[0].ID + "/transitiveMembers" + query("$select", "id,displayName,mail", "$top", "999")
	var out []calendar.Address
	seen := map[string]bool{}
	for range maxPages {
		var page directoryList
		if _, err := b.do(ctx, r, &page); err != nil {
			return nil, err
		}
		if page.Value == nil {
			return nil, r.wrap(errNoList)
		}
		for _, one := range *page.Value {
			if one.Mail == nil && one.Name == nil {
				return nil, r.wrap(&fault.Error{Kind: fault.Forbidden, Message: "Graph tells how many are in " + group + " and not who; " + remedyGroups})
			}
			if one.Type == "#microsoft.graph.group" || one.Mail == nil || *one.Mail == "" || seen[strings.ToLower(*one.Mail)] {
				continue // who has no address gets no invitation either
			}
			seen[strings.ToLower(*one.Mail)] = true
			a := calendar.Address{Email: *one.Mail}
			if one.Name != nil {
				a.Name = *one.Name
			}
			out = append(out, a)
		}
		if len(out) > maxMembers {
			return nil, r.wrap(fmt.Errorf("the distribution group %s holds more than %d members: %w", group, maxMembers, fault.Unsupported))
		}
		if page.Next == "" {
			return out, nil
		}
		next, err := pathOf(m.URL, page.Next)
		if err != nil {
			return nil, r.wrap(err)
		}
		r.target, r.link = "", next
	}
	return nil, r.wrap(fmt.Errorf("the members of %s do not come to an end: %w", group, fault.Unavailable))
}
