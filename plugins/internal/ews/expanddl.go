package ews

import (
	"context"
	"errors"
	"strings"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A Member is an entry of a distribution group.
type Member struct {
	Address
	Group bool // a group within the group
}

// ExpandDL returns the entries of a distribution group, groups within it unexpanded. fault.NotFound if the address is not
// that of a group.
func (c *Client) ExpandDL(ctx context.Context, m calendar.Mailbox, group string) ([]Member, error) {
	a, err := send(ctx, c, m, request{op: "ExpandDL", doing: "looking who is in a distribution group on behalf", body: func(w *writer) {
		w.inside("m:ExpandDL", func() {
			w.inside("m:Mailbox", func() { w.text("t:EmailAddress", group) })
		})
	}}, decodeExpansion)
	got, err := only(a, err)
	if err == nil && got.cut {
		err = a.at.unreadable(errors.New("it does not hold the whole group"))
	}
	if err != nil {
		return nil, err
	}
	return got.members, nil
}

type expansion struct {
	members []Member
	cut     bool // there are more
}

func decodeExpansion(s *xmlscan.Scanner, child string, into *expansion) {
	if child != "DLExpansion" {
		return
	}
	into.cut = s.Attr("IncludesLastItemInRange") == "false"
	for range s.Children() {
		var one Member
		for field := range s.Children() {
			switch field {
			case "Name":
				one.Name = s.Text()
			case "EmailAddress":
				one.Email = strings.TrimSpace(s.Text())
			case "RoutingType":
				if !strings.EqualFold(strings.TrimSpace(s.Word()), "SMTP") {
					one.Email = "" // no address that mail from here could go to
				}
			case "MailboxType":
				kind := strings.TrimSpace(s.Word())
				one.Group = kind == "PublicDL" || kind == "PrivateDL" || kind == "GroupMailbox"
			}
		}
		into.members = append(into.members, one)
	}
}
