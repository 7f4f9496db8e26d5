package exchangesim

import (
	"slices"
	"strings"
)

// mostResolutions is how many matches ResolveNames returns.
const mostResolutions = 100

// resolveNames finds people with a mailbox by the beginning of a name or address.
func (c *call) resolveNames() (*node, error) {
	entry := c.req.child("UnresolvedEntry").value()
	if entry == "" {
		return nil, fail("ErrorSchemaValidation", "UnresolvedEntry is empty.")
	}
	full, err := parseBool(c.req.attr("ReturnFullContactData"))
	if err != nil {
		return nil, err
	}
	var found []*node
	more := false
	for _, p := range c.people {
		if p.NoMailbox || !p.answersTo(entry) {
			continue
		}
		if len(found) == mostResolutions {
			more = true
			break
		}
		resolution := el("t:Resolution", mailboxNode(Attendee{Name: p.Name, Address: p.Address}))
		if full {
			resolution.kids = append(resolution.kids, p.contact())
		}
		found = append(found, resolution)
	}
	set := el("m:ResolutionSet", intAttr("TotalItemsInView", len(found)), attr{"IncludesLastItemInRange", boolean(!more)}, found)
	switch len(found) {
	case 0:
		return response("ResolveNames", failure("ResolveNames", fail("ErrorNameResolutionNoResults", "No results were found."))), nil
	case 1:
		return response("ResolveNames", success("ResolveNames", set)), nil
	}
	warning := failure("ResolveNames", fail("ErrorNameResolutionMultipleResults", "Multiple results were found."), set)
	warning.attrs = []attr{{"ResponseClass", "Warning"}}
	return response("ResolveNames", warning), nil
}

// answersTo reports whether a name, a word of it, or an address of p begins with entry.
func (p *Person) answersTo(entry string) bool {
	entry = strings.ToLower(entry)
	for _, scheme := range []string{"smtp:", "sip:"} {
		entry = strings.TrimPrefix(entry, scheme)
	}
	candidates := append([]string{p.Name, p.Address, p.User}, strings.Fields(p.Name)...)
	candidates = append(candidates, p.Aliases...)
	return slices.ContainsFunc(candidates, func(s string) bool { return strings.HasPrefix(strings.ToLower(s), entry) })
}

// contact is what the directory knows of p.
func (p *Person) contact() *node {
	n := el("t:Contact", el("t:DisplayName", p.Name))
	given, surname, ok := strings.Cut(p.Name, " ")
	if ok {
		n.kids = append(n.kids, el("t:GivenName", given))
	}
	n.kids = append(n.kids, el("t:EmailAddresses", el("t:Entry", attr{"Key", "EmailAddress1"}, "SMTP:"+p.Address)),
		el("t:ContactSource", "ActiveDirectory"))
	if ok {
		n.kids = append(n.kids, el("t:Surname", surname))
	}
	local, _, _ := strings.Cut(p.Address, "@")
	n.kids = append(n.kids, el("t:Alias", local))
	return n
}
