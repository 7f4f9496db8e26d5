package exchangesim

import (
	"fmt"
	"slices"
	"strings"
)

// A Group is a distribution group. Its members are addresses of people, of other groups, or of somebody outside.
type Group struct {
	Name    string   `json:"name,omitempty"`
	Address string   `json:"address"`
	Members []string `json:"members"`
	Hidden  bool     `json:"hidden,omitempty"` // from address lists: nobody can look into it
}

// SetGroup adds a distribution group, or replaces the one with its address.
func (s *Server) SetGroup(g Group) error {
	local, _, ok := strings.Cut(g.Address, "@")
	if !ok || local == "" {
		return fmt.Errorf("group %q: %q is not an SMTP address", g.Name, g.Address)
	}
	if g.Name == "" {
		g.Name = local
	}
	g.Members = slices.Clone(g.Members)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[strings.ToLower(g.Address)] != nil {
		return fmt.Errorf("group %s: the address is a person's", g.Address)
	}
	for i := range s.groups {
		if strings.EqualFold(s.groups[i].Address, g.Address) {
			s.groups[i] = g
			return nil
		}
	}
	s.groups = append(s.groups, g)
	return nil
}

// group finds a distribution group; s.mu is held.
func (s *Server) group(address string) (Group, bool) {
	for _, g := range s.groups {
		if strings.EqualFold(g.Address, address) {
			return g, true
		}
	}
	return Group{}, false
}

// expandDL answers who is in a distribution group. Groups within it are told as such.
func (c *call) expandDL() (*node, error) {
	address := strings.TrimPrefix(c.req.child("Mailbox", "EmailAddress").value(), "SMTP:")
	if address == "" {
		return nil, fail("ErrorSchemaValidation", "The mailbox of the distribution list is not named.")
	}
	g, ok := c.group(address)
	switch {
	case ok && !g.Hidden:
	case c.find(address) != nil:
		return response("ExpandDL", failure("ExpandDL", fail("ErrorNameResolutionNoMailbox", "%s is not a distribution list.", address))), nil
	default:
		return response("ExpandDL", failure("ExpandDL", fail("ErrorNameResolutionNoResults", "No results were found."))), nil
	}
	expansion := el("m:DLExpansion", intAttr("TotalItemsInView", len(g.Members)), attr{"IncludesLastItemInRange", "true"})
	for _, member := range g.Members {
		name, kind := member, "OneOff"
		if inner, ok := c.group(member); ok {
			name, kind = inner.Name, "PublicDL"
		} else if b := c.find(member); b != nil {
			name, kind = b.owner.Name, "Mailbox"
		}
		expansion.kids = append(expansion.kids, el("t:Mailbox",
			el("t:Name", name), el("t:EmailAddress", member), el("t:RoutingType", "SMTP"), el("t:MailboxType", kind)))
	}
	return response("ExpandDL", success("ExpandDL", expansion)), nil
}
