package exchangesim

import "strings"

// identify finds whom the request acts as, and whether that is allowed.
func (c *call) identify() error {
	if c.caller == nil {
		return fail("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	if c.app != nil {
		return c.identifyApp()
	}
	if c.impersonation == nil {
		return nil
	}
	target, err := c.impersonated()
	if err != nil {
		return err
	}
	if !c.caller.Impersonation {
		return fail("ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user.")
	}
	c.actor = target
	return nil
}

// impersonated finds the person whom the request asks to act as.
func (c *call) impersonated() (*Person, error) {
	sid := c.impersonation.child("ConnectingSID")
	if len(sid.children()) != 1 || sid.kids[0].value() == "" {
		return nil, fail("ErrorInvalidExchangeImpersonationHeaderData", "ExchangeImpersonation SOAP header must be present for this type of OAuth token, with exactly one kind of identity.")
	}
	return c.connecting(sid.kids[0].name, sid.kids[0].value())
}

// connecting finds the person whom a ConnectingSID names.
func (c *call) connecting(kind, value string) (*Person, error) {
	const noMailbox = "The SMTP address has no mailbox associated with it."
	var p *Person
	switch kind {
	case "PrimarySmtpAddress", "SmtpAddress":
		b := c.find(value)
		if b == nil {
			return nil, fail("ErrorNonExistentMailbox", noMailbox)
		}
		if kind == "PrimarySmtpAddress" && !strings.EqualFold(b.owner.Address, value) {
			return nil, fail("ErrorNonPrimarySmtpAddress", "The primary SMTP address must be specified when referencing a mailbox.")
		}
		p = b.owner
	case "PrincipalName":
		if p = c.users[strings.ToLower(value)]; p == nil {
			return nil, fail("ErrorInvalidUserPrincipalName", "The user principal name (UPN) isn't valid.")
		}
	case "SID":
		if p = c.personBySID(value); p == nil {
			return nil, fail("ErrorInvalidSid", "The security identifier (SID) isn't valid.")
		}
	default:
		return nil, fail("ErrorInvalidExchangeImpersonationHeaderData", "%q is not a kind of identity.", kind)
	}
	return p, c.here(c.find(p.Address), noMailbox)
}

// own returns the mailbox of whom the request acts as.
func (c *call) own() (*mailbox, error) {
	b := c.find(c.actor.Address)
	return b, c.here(b, "No mailbox with such guid.")
}

// mailboxFor returns the mailbox that a request names, which may be another person's, opened as a delegate.
func (c *call) mailboxFor(address string) (*mailbox, error) {
	b := c.find(address)
	return b, c.here(b, "The SMTP address has no mailbox associated with it.")
}

// delegate reports whether the request acts in b as somebody who is not its owner.
func (c *call) delegate(b *mailbox) bool { return b.owner != c.actor }

// mayOpen reports whether the request may look into a folder.
func (c *call) mayOpen(f *folder) bool {
	if !c.delegate(f.box) {
		return true
	}
	if !f.box.owner.grants(c.actor) {
		return false
	}
	for ; f != nil; f = f.parent {
		if f.distinguished == "calendar" {
			return true
		}
	}
	return false
}

// target is the address of the mailbox a request is about, as far as can be told before it is carried out: faults are
// programmed for mailboxes.
func (c *call) target() string {
	if sid := c.impersonation.child("ConnectingSID"); len(sid.children()) == 1 {
		value := sid.kids[0].value()
		if sid.kids[0].name != "SID" {
			return value
		}
		if p := c.personBySID(value); p != nil {
			return p.Address
		}
		return value
	}
	if named := firstMailbox(c.req); named != "" {
		return named
	}
	if c.caller != nil {
		return c.caller.Address
	}
	return ""
}

// firstMailbox finds the address in the first folder id of a request that names one.
func firstMailbox(n *node) string {
	if n.name == "DistinguishedFolderId" {
		return n.child("Mailbox", "EmailAddress").value()
	}
	for _, k := range n.kids {
		if found := firstMailbox(k); found != "" {
			return found
		}
	}
	return ""
}
