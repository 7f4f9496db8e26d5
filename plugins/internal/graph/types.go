package graph

import (
	"encoding/json"
	"time"
)

// The types hold what is read of Microsoft Graph's resources (v1.0), under its own names. What is not read is left out.

// An event is an appointment, a series, or one occurrence. An entry of a delta has fewer fields.
type event struct {
	ID                    string               `json:"id"`
	ETag                  string               `json:"@odata.etag"`
	Removed               *removed             `json:"@removed"`
	ChangeKey             string               `json:"changeKey"`
	Type                  string               `json:"type"`
	SeriesMasterID        string               `json:"seriesMasterId"`
	ICalUID               string               `json:"iCalUId"`
	Created               time.Time            `json:"createdDateTime"`
	Modified              time.Time            `json:"lastModifiedDateTime"`
	Subject               string               `json:"subject"`
	Body                  *body                `json:"body"`
	Location              *location            `json:"location"`
	Start                 *dateTime            `json:"start"`
	End                   *dateTime            `json:"end"`
	OriginalStart         time.Time            `json:"originalStart"`
	OriginalStartTimeZone string               `json:"originalStartTimeZone"`
	OriginalEndTimeZone   string               `json:"originalEndTimeZone"`
	AllDay                bool                 `json:"isAllDay"`
	Cancelled             bool                 `json:"isCancelled"`
	IsOrganizer           *bool                `json:"isOrganizer"`
	Response              *responseStatus      `json:"responseStatus"`
	ResponseRequested     *bool                `json:"responseRequested"`
	OnlineMeeting         bool                 `json:"isOnlineMeeting"`
	ReminderOn            bool                 `json:"isReminderOn"`
	ReminderMinutes       int                  `json:"reminderMinutesBeforeStart"`
	Sensitivity           string               `json:"sensitivity"`
	ShowAs                string               `json:"showAs"`
	Organizer             *recipient           `json:"organizer"`
	Attendees             []attendee           `json:"attendees"`
	Recurrence            *patternedRecurrence `json:"recurrence"`
	Properties            []extended           `json:"singleValueExtendedProperties"`
}

// removed is set on an entry of a delta that is no longer in the window.
type removed struct {
	Reason string `json:"reason"`
}

// selected are the properties that reading an event asks for.
const selected = "id,changeKey,type,seriesMasterId,iCalUId,createdDateTime,lastModifiedDateTime,subject,body,location,start,end," +
	"originalStart,originalStartTimeZone,originalEndTimeZone,isAllDay,isCancelled,isOrganizer,isOnlineMeeting,isReminderOn," +
	"reminderMinutesBeforeStart,sensitivity,showAs,organizer,attendees,recurrence,responseStatus,responseRequested"

type body struct {
	Type    string `json:"contentType"` // text or html
	Content string `json:"content"`
}

type location struct {
	DisplayName string `json:"displayName"`
}

// A dateTime is a wall clock time and the zone, by its Windows id or IANA name, in which it is meant.
type dateTime struct {
	DateTime string `json:"dateTime"`
	Zone     string `json:"timeZone"`
}

type emailAddress struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address"`
}

type recipient struct {
	Address emailAddress `json:"emailAddress"`
}

type attendee struct {
	Address emailAddress    `json:"emailAddress"`
	Type    string          `json:"type"` // required, optional, resource
	Status  *responseStatus `json:"status,omitempty"`
}

type responseStatus struct {
	Response string `json:"response"`
}

// An extended is a named property and its value.
type extended struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type patternedRecurrence struct {
	Pattern pattern  `json:"pattern"`
	Range   recRange `json:"range"`
}

type pattern struct {
	Type       string   `json:"type"`
	Interval   int      `json:"interval"`
	Month      int      `json:"month,omitempty"`
	DayOfMonth int      `json:"dayOfMonth,omitempty"`
	Days       []string `json:"daysOfWeek,omitempty"`
	FirstDay   string   `json:"firstDayOfWeek,omitempty"`
	Index      string   `json:"index,omitempty"`
}

type recRange struct {
	Type  string `json:"type"`
	Start string `json:"startDate"`
	End   string `json:"endDate,omitempty"`
	Count int    `json:"numberOfOccurrences,omitempty"`
	Zone  string `json:"recurrenceTimeZone,omitempty"`
}

// A list is a page of events. Value is a pointer, so that an answer without it is not taken for an empty page.
type list struct {
	Value *[]event `json:"value"`
	Next  string   `json:"@odata.nextLink"`
	Delta string   `json:"@odata.deltaLink"`
}

type subscription struct {
	ID              string     `json:"id,omitempty"`
	ChangeType      string     `json:"changeType,omitempty"`
	Resource        string     `json:"resource,omitempty"`
	NotificationURL string     `json:"notificationUrl,omitempty"`
	LifecycleURL    string     `json:"lifecycleNotificationUrl,omitempty"`
	ClientState     string     `json:"clientState,omitempty"`
	Expires         *time.Time `json:"expirationDateTime,omitempty"`
	LatestTLS       string     `json:"latestSupportedTlsVersion,omitempty"`
}

type batchRequest struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`

	DependsOn []string `json:"dependsOn,omitempty"`
}

type batchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// A failure is the body of an answer that is an error.
type failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   struct {
			Code      string `json:"code"`
			RequestID string `json:"request-id"`
		} `json:"innerError"`
	} `json:"error"`
}
