package config

// roomsKeys returns the keys of RoomsAppSettings.config that Roomwire knows. A
// file of a real installation holds many others, of other ROOMS parts.
func roomsKeys() block {
	const minutes, seconds = "minutes", "seconds"
	return block{name: "RoomsAppSettings", attrs: []attr{
		{name: "Exchange2013ServiceUser", kind: kindText, doc: "Service user with impersonation rights, for mode Exchange2013; may be given as UPN."},
		{name: "Exchange2013ServicePassword", kind: kindSecret, doc: "Its password."},
		{name: "Exchange2013ServiceDomain", kind: kindText, doc: "Its domain."},
		{name: "Exchange2016ServiceUser", kind: kindText, doc: "Service user of mode Exchange2016Pull."},
		{name: "Exchange2016ServicePassword", kind: kindSecret, doc: "Its password."},
		{name: "Exchange2016ServiceDomain", kind: kindText, doc: "Its domain. (Known to Roomwire only.)"},
		{name: "ExchangeTenantId", kind: kindText, doc: "Directory (tenant) id, for the modes of Exchange Online."},
		{name: "ExchangeAppId", kind: kindText, doc: "Application (client) id."},
		{name: "ExchangeClientSecret", kind: kindSecret, doc: "Client secret."},
		{name: "ExchangeCertThumbprint", kind: kindText, doc: "Certificate in the Windows store in place of a client secret. Roomwire reads certificates from files: it says so, and how to export it."},
		{name: "ExchangeServiceUser", kind: kindText, doc: "User of the delegated mode in Exchange Online. Together with ExchangeUseImpersonation = false it is refused, with the way out: an app that logs in by itself."},
		{name: "ExchangeServicePassword", kind: kindSecret, doc: "Its password; refused likewise."},
		{name: "ExchangeUseImpersonation", kind: kindBool, def: "true", doc: "false: delegate access by folder permission instead of impersonation, on-premises. In Exchange Online the app acts as the mailbox anyway."},
		{name: "ExchangeServiceUrl", kind: kindURL, doc: "The public URL of the notification endpoint when it differs from the root URL."},
		{name: "ExchangePushNotificationEndpointUrl", kind: kindURL, doc: "The same; goes before ExchangeServiceUrl."},
		{name: "ExchangePushNotificationUseLegacyEndpoint", kind: kindBool, def: "true", doc: "true: /WebServices/SyncNotification.svc; false: /api/webhooks/exchange."},
		{name: "ExchangeSyncResolveDistributionGroups", kind: kindBool, def: "false", doc: "Resolve distribution groups to their members, Exchange to ROOMS."},
		{name: "ExchangeRessourceSyncEnabled", kind: kindBool, def: "false", doc: "Sync the mailboxes of rooms, too; the global parameter \"Exchange Ressource Sync enabled\" as a key. (Known to Roomwire only.)"},
		{name: "BatchGetEventsSize", kind: kindInt, def: "100", min: 1, max: 1000, doc: "Pull: subscriptions asked in one batch."},
		{name: "BatchSubscribeSize", kind: kindInt, def: "100", min: 1, max: 1000, doc: "Pull: mailboxes subscribed in one batch."},
		{name: "FailedGetEventsTillDeactivate", kind: kindInt, def: "10", min: 1, max: 10000, doc: "Pull: failures in a row until a calendar is read by the clock instead, for some hours."},
		{name: "FailedSubscribeTillDeactivate", kind: kindInt, def: "10", min: 1, max: 10000, doc: "Pull: failures in a row until a calendar is read by the clock instead, for some hours."},
		{name: "IntervallSubscribeInMinutes", kind: kindInt, def: "20", min: 1, max: 1440, unit: minutes, doc: "Pull: how often subscriptions that could not be made are tried again."},
		{name: "IntervallTaskInSeconds", kind: kindInt, def: "30", min: 1, max: 86400, unit: seconds, doc: "Pull: how often the server is asked."},
		{name: "OAuthTokenMinutesBeforeRenew", kind: kindInt, def: "20", min: 0, max: 55, unit: minutes, doc: "How long before its end a token is renewed: auth-oauth gets it as renew_before, unless that is written. 0 counts as 1."},
		{name: "SubscriptionTimeoutInMinutes", kind: kindInt, def: "720", min: 1, max: 1440, unit: minutes, doc: "Pull: how long Exchange keeps a subscription that is not asked for."},
	}}
}
