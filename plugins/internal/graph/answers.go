package graph

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// The calendar tells that an attendee has declined, and when, and not with what words: these are in the mail that brought the
// answer, in the organizer's Inbox. To look there the application needs a permission that is not asked for otherwise.

// mostMails is how many of the newest mails of an attendee are looked through for its answer.
const mostMails = 50

const remedyMail = "the application needs the permission Mail.Read, with an administrator's consent, or the role \"Application Mail.Read\" " +
	"with a scope that has this mailbox, to read what rooms write when they decline; without it their refusals are known without a reason"

// meetingID is the property by which an answer names the meeting (PidLidCleanGlobalObjectId): of an occurrence it is the series'.
const meetingID = "Binary {6ed8da90-450b-101b-98da-00aa003f1305} Id 0x23"

type mailList struct {
	Value *[]struct {
		Type       string     `json:"@odata.type"`
		Received   time.Time  `json:"receivedDateTime"`
		From       *recipient `json:"from"`
		Preview    string     `json:"bodyPreview"` // the first 255 characters, as text, whatever the body is
		Properties []extended `json:"singleValueExtendedProperties"`
	} `json:"value"`
}

// Answer implements backend.Answers.
func (b *Backend) Answer(ctx context.Context, m backend.Mailbox, ref backend.Ref, attendee string) (string, error) {
	item, err := b.inPlace(ctx, m, string(ref))
	if err != nil {
		return "", err
	}
	r := request{
		mailbox: m, doing: "looking for answers in the Inbox", method: http.MethodGet, ok: http.StatusOK, rights: remedyMail,
		target: user(m) + "/mailFolders/inbox/messages" + query(
			// What is ordered by has to come first in the filter.
			"$filter", "receivedDateTime ge 2000-01-01T00:00:00Z and from/emailAddress/address eq "+quoted(attendee),
			"$orderby", "receivedDateTime desc", "$top", strconv.Itoa(mostMails), "$select", "receivedDateTime,from,bodyPreview",
			"$expand", "singleValueExtendedProperties($filter=id eq "+quoted(meetingID)+")",
		),
	}
	var mails mailList
	if _, err := b.do(ctx, r, &mails); err != nil {
		return "", err
	}
	if mails.Value == nil {
		return "", r.wrap(errNoList)
	}
	text, newest := "", time.Time{}
	for _, mail := range *mails.Value {
		if !strings.EqualFold(mail.Type, "#microsoft.graph.eventMessageResponse") || mail.From == nil ||
			!strings.EqualFold(mail.From.Address.Address, attendee) || !newest.IsZero() && !mail.Received.After(newest) {
			continue
		}
		for _, p := range mail.Properties {
			if id, err := base64.StdEncoding.DecodeString(p.Value); err == nil && strings.EqualFold(p.ID, meetingID) && isMeeting(id, item.ICalUID) {
				text, newest = mail.Preview, mail.Received
			}
		}
	}
	return clipped(plainText(text)), nil
}

// foreignUID is before an iCalendar UID that neither Outlook nor Exchange made, within a GlobalObjectId (MS-OXCICAL 2.1.3.1.1.20.26).
const foreignUID = "vCal-Uid\x01\x00\x00\x00"

const (
	globalIDDate = 16 // where a GlobalObjectId has the date of an occurrence
	globalIDData = 40 // and where its data begins
)

// isMeeting reports whether a GlobalObjectId is that of the meeting with an iCalendar UID, or of an occurrence of it.
func isMeeting(id []byte, uid string) bool {
	if uid == "" || len(id) < globalIDData {
		return false
	}
	if rest, ok := strings.CutPrefix(string(id[globalIDData:]), foreignUID); ok {
		return strings.TrimRight(rest, "\x00") == uid
	}
	raw, err := hex.DecodeString(uid)
	if err != nil || len(raw) < globalIDData {
		return false
	}
	id = append([]byte{}, id...)
	clear(id[globalIDDate : globalIDDate+4])
	clear(raw[globalIDDate : globalIDDate+4])
	return string(id) == string(raw)
}
