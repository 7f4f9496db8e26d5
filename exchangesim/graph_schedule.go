package exchangesim

import (
	"net/http"
	"time"
)

// getSchedule answers when people are busy.
func (g *graphCall) getSchedule() (graphReply, error) {
	var in struct {
		Schedules []string  `json:"schedules"`
		Start     graphTime `json:"startTime"`
		End       graphTime `json:"endTime"`
		Interval  int       `json:"availabilityViewInterval"`
	}
	if err := g.decode(&in); err != nil {
		return graphReply{}, err
	}
	w := window{interval: 30 * time.Minute}
	var err error
	if w.start, _, _, err = in.Start.read(); err != nil {
		return graphReply{}, err
	}
	if w.end, _, _, err = in.End.read(); err != nil {
		return graphReply{}, err
	}
	if in.Interval != 0 {
		w.interval = time.Duration(in.Interval) * time.Minute
	}
	switch {
	case len(in.Schedules) == 0 || len(in.Schedules) > 20:
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidParameter", "Schedules must name 1 to 20 mailboxes.")
	case w.interval < 5*time.Minute || w.interval > 24*time.Hour:
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidMergedFreeBusyInterval", "availabilityViewInterval must be 5 to 1440.")
	case !w.end.After(w.start):
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorInvalidTimeInterval", "EndTime must be after StartTime.")
	case w.end.Sub(w.start) > longestWindow:
		return graphReply{}, graphFail(http.StatusBadRequest, "ErrorTimeIntervalTooBig", "The time window must not be longer than 62 days.")
	}
	value := []any{}
	for _, address := range in.Schedules {
		value = append(value, g.schedule(address, w))
	}
	return graphReply{status: http.StatusOK, body: map[string]any{
		"@odata.context": g.base + "/$metadata#Collection(microsoft.graph.scheduleInformation)", "value": value,
	}}, nil
}

// schedule is one person's part of the answer.
func (g *graphCall) schedule(address string, w window) map[string]any {
	b := g.find(address)
	if b == nil || !g.who.owns(b) || !b.owner.at(online) {
		return map[string]any{"scheduleId": address, "availabilityView": "", "error": map[string]any{
			"responseCode": "ErrorMailRecipientNotFound", "message": "Unable to resolve e-mail address " + address + " to an Active Directory object.",
		}}
	}
	busy := g.busyTimes(b, w)
	items := []any{}
	for _, v := range busy {
		private := v.c.sensitivity == "Private" || v.c.sensitivity == "Confidential"
		item := map[string]any{
			"status": graphShowAs[v.c.busy], "isPrivate": private,
			"start": g.dateTime(v.start, v.c.startZone, false), "end": g.dateTime(v.end, v.c.endZone, false),
		}
		if !private {
			item["subject"], item["location"] = v.c.subject, v.c.location
		}
		items = append(items, item)
	}
	return map[string]any{
		"scheduleId": address, "availabilityView": merged(busy, w), "scheduleItems": items,
		"workingHours": map[string]any{
			"daysOfWeek": []string{"monday", "tuesday", "wednesday", "thursday", "friday"},
			"startTime":  "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": map[string]any{"name": b.owner.TimeZone},
		},
	}
}
