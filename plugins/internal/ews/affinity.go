package ews

import (
	"net/http"
	"strings"
)

// affinityCookie is the cookie by which a server's front end finds the same back end again.
const affinityCookie = "X-BackEndOverrideCookie"

// An Affinity keeps subscriptions together on one back-end server: what one server granted, another does not know. The
// zero value begins a group with the mailbox of the request.
type Affinity struct {
	Anchor string // address of the group's first mailbox
	Cookie string // what the server set; empty if it set nothing
}

// String returns the affinity as one opaque text; ParseAffinity reads it.
func (a Affinity) String() string { return a.Anchor + "\n" + a.Cookie }

// ParseAffinity reads what String returned. Of an empty text, it returns the zero value.
func ParseAffinity(text string) Affinity {
	anchor, cookie, _ := strings.Cut(text, "\n")
	return Affinity{Anchor: anchor, Cookie: cookie}
}

// ask writes the three headers by which a request comes to the group's server.
func (a *Affinity) ask(h http.Header) {
	if a.Anchor == "" {
		a.Anchor = h.Get("X-AnchorMailbox")
	}
	h.Set("X-AnchorMailbox", a.Anchor)
	h.Set("X-PreferServerAffinity", "true")
	if a.Cookie != "" {
		h.Set("Cookie", affinityCookie+"="+a.Cookie)
	}
}

// learn keeps the cookie that began the group. A later one is of no use: the group's subscriptions are where they are.
func (a *Affinity) learn(resp *http.Response) {
	if a.Cookie != "" {
		return
	}
	for _, c := range resp.Cookies() {
		if strings.EqualFold(c.Name, affinityCookie) {
			a.Cookie = c.Value
		}
	}
}
