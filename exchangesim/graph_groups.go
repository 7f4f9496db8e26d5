package exchangesim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Who may see which groups there are with whom in them, and what those people are called.
var (
	groupReaders  = []string{"GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	memberReaders = append([]string{"User.ReadBasic.All"}, userReaders...)
)

var byMail = regexp.MustCompile(`^mail eq '((?:[^']|'')*)'$`)

// permitted checks that the app has one of the roles. Those of the directory are granted for a whole tenant.
func (g *graphCall) permitted(roles []string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(g.who.roles, r) })
}

// listGroups answers groups by their address.
func (g *graphCall) listGroups() (graphReply, error) {
	if !g.permitted(groupReaders) {
		return graphReply{}, graphFail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	m := byMail.FindStringSubmatch(g.query.Get("$filter"))
	if m == nil {
		return graphReply{}, graphFail(http.StatusBadRequest, "Request_UnsupportedQuery", "Only the filter mail eq '…' is served here.")
	}
	value := []any{}
	if one, ok := g.group(strings.ReplaceAll(m[1], "''", "'")); ok && g.who.tenant.owns(one.Address) {
		value = append(value, map[string]any{"id": guidOf(one.Address), "displayName": one.Name, "mail": one.Address})
	}
	return graphReply{status: http.StatusOK, body: map[string]any{"@odata.context": g.base + "/$metadata#groups(id,displayName,mail)", "value": value}}, nil
}

// transitiveMembers answers everybody in a group and in the groups within it, those groups themselves, too.
func (g *graphCall) transitiveMembers() (graphReply, error) {
	if !g.permitted(groupReaders) {
		return graphReply{}, graphFail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	at := slices.IndexFunc(g.groups, func(one Group) bool { return guidOf(one.Address) == g.ids[0] && g.who.tenant.owns(one.Address) })
	if at < 0 {
		return graphReply{}, graphFail(http.StatusNotFound, "Request_ResourceNotFound",
			"Resource '%s' does not exist or one of its queried reference-property objects are not present.", g.ids[0])
	}
	shown := g.permitted(memberReaders)
	value, seen := []any{}, map[string]bool{}
	todo := slices.Clone(g.groups[at].Members)
	for len(todo) > 0 {
		address := todo[0]
		todo = todo[1:]
		if seen[strings.ToLower(address)] {
			continue
		}
		seen[strings.ToLower(address)] = true
		if inner, ok := g.group(address); ok {
			value = append(value, map[string]any{"@odata.type": "#microsoft.graph.group", "id": guidOf(address), "displayName": inner.Name, "mail": inner.Address})
			todo = append(todo, inner.Members...)
			continue
		}
		kind, name := "#microsoft.graph.orgContact", address
		if b := g.find(address); b != nil {
			kind, name = "#microsoft.graph.user", b.owner.Name
		}
		entry := map[string]any{"@odata.type": kind, "id": guidOf(address), "displayName": name, "mail": address}
		if !shown { // who may see that there is somebody, and not who
			entry["displayName"], entry["mail"] = nil, nil
		}
		value = append(value, entry)
	}
	return graphReply{status: http.StatusOK, body: map[string]any{"@odata.context": g.base + "/$metadata#directoryObjects(id,displayName,mail)", "value": value}}, nil
}
