package ews

import (
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// log tells of a call, with the id under which the server's own log has it.
func (c *Client) log(m calendar.Mailbox, op string, took time.Duration, code, id string) {
	if c.Log == nil || !c.Log.IsDebug() {
		return
	}
	c.Log.Debug("EWS call", "operation", op, "mailbox", m.Address, "code", code, "took", took.String(), "request-id", id)
}

// outcome returns the code that a call ended with: the first that is no success, if there are several.
func outcome[T any](a answer[T], err error) string {
	if err != nil {
		return codeOrKind(err)
	}
	for _, r := range a.replies {
		if !r.status.ok() {
			return r.status.effective()
		}
	}
	return "NoError"
}

func codeOrKind(err error) string {
	if code := codeOf(err); code != "" {
		return code
	}
	if err == nil {
		return "NoError"
	}
	return string(fault.Of(err))
}
