package config

import (
	"fmt"
	"strings"
)

// Backends that come with Roomwire.
const (
	backendOnPremises = "exchange2013"
	backendOnline     = "exchangeonline"
	backendGraph      = "graph"
)

// The ways to learn of changes in calendars, as SyncMode.Notices has them.
const (
	NoticesPush      = "push"      // the server calls in
	NoticesStreaming = "streaming" // connections to the server are kept open
	NoticesPull      = "pull"      // the server is asked for news at intervals
	NoticesPoll      = "poll"      // calendars are read by the clock
)

// KnownMode is a sync mode that ROOMS administrators know, whether it is set up
// or not.
type KnownMode struct {
	Name    string
	Backend string
	Auth    []string
	URL     string
	Pull    bool
	Keys    []string // the ROOMS keys that set it up; none for EWS1 and EWS2

	settings map[string]string // setting → ROOMS key
}

// KnownModes returns the modes of the reference system.
func KnownModes() []KnownMode {
	windows := []string{"ntlm", "basic"}
	oauth := []string{"oauth"}
	user2013 := map[string]string{"user": "Exchange2013ServiceUser", "password": "Exchange2013ServicePassword", "domain": "Exchange2013ServiceDomain"}
	user2016 := map[string]string{"user": "Exchange2016ServiceUser", "password": "Exchange2016ServicePassword", "domain": "Exchange2016ServiceDomain"}
	app := map[string]string{"tenant_id": "ExchangeTenantId", "app_id": "ExchangeAppId", "client_secret": "ExchangeClientSecret"}
	keys2013 := []string{"Exchange2013ServiceUser", "Exchange2013ServicePassword"}
	keys2016 := []string{"Exchange2016ServiceUser", "Exchange2016ServicePassword"}
	keysApp := []string{"ExchangeTenantId", "ExchangeAppId", "ExchangeClientSecret"}
	return []KnownMode{
		{Name: "Exchange2013", Backend: backendOnPremises, Auth: windows, Keys: keys2013, settings: user2013},
		{Name: "Exchange2016Pull", Backend: backendOnPremises, Auth: windows, Pull: true, Keys: keys2016, settings: user2016},
		{Name: "EWS1", Backend: backendOnPremises, Auth: windows},
		{Name: "EWS2", Backend: backendOnPremises, Auth: windows},
		{Name: "O365", Backend: backendOnline, Auth: oauth, URL: cloudURL(backendOnline, "global"), Keys: keysApp, settings: app},
		{Name: "O365Pull", Backend: backendOnline, Auth: oauth, URL: cloudURL(backendOnline, "global"), Pull: true, Keys: keysApp, settings: app},
		{Name: "Microsoft365", Backend: backendGraph, Auth: oauth, URL: cloudURL(backendGraph, "global"), Keys: keysApp, settings: app},
	}
}

// HowToSetUp says in one sentence what an administrator does to get the mode.
func (k KnownMode) HowToSetUp() string {
	block := fmt.Sprintf("a block sync_mode %q { … } in %s", k.Name, HCLFile)
	if len(k.Keys) == 0 {
		return "Add " + block + "."
	}
	return fmt.Sprintf("Set %s in %s, or add %s.", joinAnd(k.Keys), RoomsFile, block)
}

func joinAnd(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
